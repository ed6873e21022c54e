"""What may be written to an ESP32, what has to be, and in which order."""

from __future__ import annotations

import hashlib
import struct

import pytest

from benchagent.flashers import esptool_plan as plan
from benchagent.flashers.plan import Bytes, PlanError, SectorImage, sector_images
from benchagent.flashers.protocol import Reason

C3, ESP32 = plan.PARTS["esp32c3"], plan.PARTS["esp32"]
DIRECT = bytes.fromhex("1d04dbae1d04dbae")
MAC = "7c:df:a1:00:00:01"
SECTOR = plan.SECTOR_SIZE


def header(chip: int, *, old: int = 0, lowest: int = 0, highest: int = 0xFFFF) -> bytes:
    extended = struct.pack("<4xHBHH5x", chip, old, lowest, highest)
    return struct.pack("<BBBBI", 0xE9, 1, 2, 0x20, 0x40380000) + extended + bytes(64)


def found(**changes: object) -> plan.Found:
    fields = {"chip": "ESP32-C3", "image_id": 5, "revision": 4, "mac": MAC, "protections": ()}
    return plan.Found(**{**fields, **changes})


def images(*segments: tuple[int, bytes], size: int = 1 << 22) -> tuple[SectorImage, ...]:
    flash = plan.Flash(name="esp32c3", flash_size=size)
    return sector_images(flash, [Bytes(address=at, data=data) for at, data in segments])


def test_the_planned_chip_with_the_expected_mac_is_taken() -> None:
    plan.check_chip(C3, found(), (), expected=("", MAC.upper(), "a-probe-serial"))


@pytest.mark.parametrize(
    ("chip", "reason", "words"),
    [
        (found(chip="ESP32-S3"), Reason.TARGET_MISMATCH, "is an ESP32-S3"),
        (found(mac="7c:df:a1:00:00:02"), Reason.TARGET_MISMATCH, "MAC is 7c:df:a1:00:00:02"),
        (found(protections=("secure boot",)), Reason.TARGET_LOCKED, "secure boot"),
        (found(protections=("secure download mode",)), Reason.TARGET_LOCKED, "download"),
    ],
)
def test_another_board_or_a_locked_one_is_refused(
    chip: plan.Found, reason: Reason, words: str
) -> None:
    with pytest.raises(PlanError, match=words) as refused:
        plan.check_chip(C3, chip, (), expected=(MAC,))
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("data", "revision", "fits"),
    [
        (DIRECT + bytes(64), 3, True),
        (DIRECT + bytes(64), 2, False),
        (header(5, lowest=3), 3, True),
        (header(5, lowest=3), 2, False),
        (header(5, lowest=3, highest=99), 101, False),
        (header(5, old=3, highest=0), 3, True),  # the old field counts minor revisions on a C3
        (header(5, old=3, highest=0), 2, False),
        (header(5, old=3), 2, False),  # the highest revision is the default, the lowest not set
        (bytes(64), 0, True),
    ],
)
def test_a_chip_revision_below_what_the_image_needs_is_refused(
    data: bytes, revision: int, fits: bool
) -> None:
    needs = plan.image_needs(C3, [Bytes(address=0, data=data)])
    if fits:
        plan.check_chip(C3, found(revision=revision), needs)
        return
    with pytest.raises(PlanError, match=r"chip revision v\d") as refused:
        plan.check_chip(C3, found(revision=revision), needs)
    assert refused.value.reason is Reason.TARGET_MISMATCH


def test_the_old_field_of_an_esp32_image_counts_major_revisions() -> None:
    data = Bytes(address=0x1000, data=header(0, old=3, highest=0))
    assert plan.image_needs(ESP32, [data])[0].lowest == 300


def test_an_image_of_another_chip_is_refused_before_any_board_is_touched() -> None:
    application = bytearray(header(0))
    application[32:36] = bytes.fromhex("3254cdab")
    for address, data in ((0, header(9)), (0x10000, bytes(application))):
        with pytest.raises(PlanError, match="is for ESP32") as refused:
            plan.image_needs(C3, [Bytes(address=address, data=data)])
        assert refused.value.reason is Reason.TARGET_MISMATCH


def test_data_that_only_looks_like_a_header_asks_for_nothing() -> None:
    assert plan.image_needs(C3, [Bytes(address=0x9000, data=header(9))]) == ()


def test_an_image_beyond_the_flash_of_this_board_is_refused() -> None:
    end = images((0x1F_F000, bytes(4097)))
    plan.check_size(C3, 4 << 20, end)
    with pytest.raises(PlanError, match="2048 KiB of flash") as refused:
        plan.check_size(C3, 2 << 20, end)
    assert refused.value.reason is Reason.IMAGE_TOO_LARGE


class Chip:
    """Answers for what it holds, and counts what it is asked."""

    def __init__(self, held: dict[int, bytes]) -> None:
        self.flash = bytearray(b"\xff" * (4 << 20))
        for at, data in held.items():
            self.flash[at : at + len(data)] = data
        self.asked: list[tuple[int, int]] = []

    def md5(self, address: int, length: int) -> str:
        self.asked.append((address, length))
        return hashlib.md5(self.flash[address : address + length]).hexdigest()


def numbers(found: tuple[SectorImage, ...]) -> list[int]:
    return [image.sector.number for image in found]


def test_what_is_there_is_told_by_the_chip_alone_when_nothing_was_proven() -> None:
    wanted = images((0, b"\x01" * 10 * SECTOR))
    chip = Chip({0: b"\x01" * 7 * SECTOR})
    compared = plan.compare(wanted, {}, chip.md5)
    assert numbers(compared.stale) == [7, 8, 9]
    assert numbers(compared.unread) == list(range(7))
    assert compared.proven == ()


def test_a_new_image_is_not_asked_about_sector_by_sector() -> None:
    wanted = images((0, b"\x01" * 64 * SECTOR))
    chip = Chip({})
    compared = plan.compare(wanted, {}, chip.md5)
    assert len(compared.stale) == 64
    assert len(chip.asked) == 4 * 3  # each 64 KiB, and both ends of it


def test_a_proven_base_saves_questions_and_reading_but_is_never_believed_blindly() -> None:
    base = {image.sector.number: image.data for image in images((0, b"\x01" * 40 * SECTOR))}
    changed = bytearray(b"\x01" * 40 * SECTOR)
    changed[5 * SECTOR + 7] = 2
    wanted = images((0, bytes(changed)))
    chip = Chip({0: b"\x01" * 40 * SECTOR})
    compared = plan.compare(wanted, base, chip.md5)
    assert numbers(compared.stale) == [5]
    assert len(compared.proven) == 39
    assert len(chip.asked) == 4  # runs of at most 64 KiB on both sides of the change
    chip.flash[9 * SECTOR] = 0  # somebody else wrote to it
    compared = plan.compare(wanted, base, chip.md5)
    assert numbers(compared.stale) == [5, 9]


def test_the_rest_of_a_touched_sector_is_erased() -> None:
    (image,) = images((0x1F_0000, b"\x05" * 100))
    assert image.data == b"\x05" * 100 + b"\xff" * (SECTOR - 100)


def test_the_sector_that_the_rom_boots_from_is_written_last() -> None:
    stale = images((0, bytes(3 * SECTOR)), (0x1F_0000, bytes(10)))
    order = [list(run.numbers) for run in plan.writing_order(C3, stale, 1 << 20)]
    assert order == [[1, 2], [496], [0]]
    order = [list(run.numbers) for run in plan.writing_order(ESP32, stale, SECTOR)]
    assert order == [[0], [2], [496], [1]]


def test_each_way_is_slower_or_plainer_and_a_stub_that_fails_is_done_without() -> None:
    way = plan.WAYS[0]
    tried = [way]
    while left := plan.ways_after(way, stub_failed=False):
        way = left[0]
        tried.append(way)
    assert [way.baud for way in tried] == [921600, 460800, 230400, 115200, 115200, 115200]
    assert [way.stub for way in tried] == [True] * 5 + [False]
    (last,) = plan.ways_after(plan.WAYS[0], stub_failed=True)
    assert last == plan.Way(baud=115_200, stub=False, compress=False)
