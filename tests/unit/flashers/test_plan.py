"""What a flash may do, decided before a board is touched."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchagent.flashers.plan import (
    PAGE_SIZE,
    Bytes,
    Found,
    PlanError,
    SectorImage,
    check_digest,
    check_target,
    pages_to_program,
    programming_order,
    protections,
    sector_images,
)
from benchagent.flashers.protocol import (
    REFUSALS,
    FlashOutcome,
    Reason,
    VerifiedSegment,
    combined_digest,
    outcome_of,
)
from benchagent.flashers.stm32_parts import (
    CHIPS,
    KIB,
    PARTS,
    STM32F405RG,
    STM32F411CE,
    UNKNOWN,
    Part,
    chip_name,
    parts_that_match,
)
from benchagent.virtual.stm32 import part as f4

FLASH = STM32F405RG.flash_address
GOOD = Found(
    probe_uid="P1", idcode=0x1007_0413, flash_kib=1024, device_uid="ab" * 12, options=0x0FFF_AAED
)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_both_transcriptions_of_the_parts_agree(part: Part) -> None:
    theirs = f4.PARTS[part.name]
    ours = [(sector.address - FLASH, sector.size) for sector in part.sectors]
    assert ours == [(sector.offset, sector.size) for sector in theirs.sectors]
    assert (part.flash_size, part.device_id) == (theirs.flash_size, theirs.device_id)
    assert (part.ram_size, part.uid_register, part.flash_size_register) == (
        theirs.sram_size,
        f4.UNIQUE_ID,
        f4.FLASH_SIZE_REGISTER,
    )


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_every_part_begins_with_the_same_sectors_and_says_where_that_stands(part: Part) -> None:
    assert [sector.size // KIB for sector in part.sectors[:5]] == [16, 16, 16, 16, 64]
    assert {sector.size // KIB for sector in part.sectors[5:]} == {128}
    for before, after in itertools.pairwise(part.sectors):
        assert (after.number, after.address) == (before.number + 1, before.address + before.size)
    assert part.sectors[0].address == part.flash_address == FLASH
    assert part.device_id in CHIPS
    assert all(source.startswith("RM0") for source in part.sources)
    assert part.sources


@pytest.mark.parametrize(
    ("name", "device_id", "flash_kib", "ram_kib"),
    [
        ("stm32f401re", 0x433, 512, 96),
        ("stm32f405rg", 0x413, 1024, 128),
        ("stm32f407vg", 0x413, 1024, 128),
        ("stm32f411ce", 0x431, 512, 128),
        ("stm32f411re", 0x431, 512, 128),
        ("stm32f446re", 0x421, 512, 128),
    ],
)
def test_parts_are_what_their_manuals_say(
    name: str, device_id: int, flash_kib: int, ram_kib: int
) -> None:
    part = PARTS[name]
    assert (part.device_id, part.flash_size // KIB, part.ram_size // KIB) == (
        device_id,
        flash_kib,
        ram_kib,
    )
    assert part in parts_that_match(device_id, flash_kib)


def test_what_cannot_be_told_apart_is_named_together() -> None:
    assert [part.name for part in parts_that_match(0x413, 1024)] == ["stm32f405rg", "stm32f407vg"]
    assert [part.name for part in parts_that_match(0x431, 512)] == ["stm32f411ce", "stm32f411re"]
    assert parts_that_match(0x431, 256) == ()
    assert parts_that_match(UNKNOWN.device_id, 0) == ()
    assert chip_name(0x419) == "STM32F427/429/437/439, device id 0x419"
    assert chip_name(0x999) == "an unknown chip, device id 0x999"


def test_protections_are_told_in_words() -> None:
    assert protections(STM32F405RG, 0x0FFF_AAED) == ()
    assert protections(STM32F405RG, 0x0FFF_BBED) == ("read protection level 1",)
    assert protections(STM32F405RG, 0x0FED_CCED) == (
        "read protection level 2",
        "write protection of sectors 1, 4",
    )
    assert protections(STM32F411CE, 0x8001_AAED) == ("code read-out protection of sectors",)


def test_sectors_that_are_protected_against_reading_are_refused() -> None:
    found = replace(GOOD, idcode=0x1000_0431, flash_kib=512, options=0x8000_AAED)
    with pytest.raises(PlanError) as refused:
        check_target(STM32F411CE, found, [])
    assert refused.value.reason is Reason.TARGET_LOCKED


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_chip_of_another_line_is_refused_by_every_part(part: Part) -> None:
    for other in PARTS.values():
        found = replace(
            GOOD, idcode=0x1000_0000 | other.device_id, flash_kib=other.flash_size // KIB
        )
        if (other.device_id, other.flash_size) == (part.device_id, part.flash_size):
            check_target(part, found, [])
            continue
        with pytest.raises(PlanError) as refused:
            check_target(part, found, [])
        assert refused.value.reason is Reason.TARGET_MISMATCH
        assert chip_name(other.device_id) in str(refused.value)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_an_image_that_does_not_fit_is_refused_by_every_part(part: Part) -> None:
    end = part.flash_address + part.flash_size
    assert sector_images(part, [Bytes(address=end - 1, data=b"x")])
    with pytest.raises(PlanError) as refused:
        sector_images(part, [Bytes(address=end - 1, data=b"xy")])
    assert refused.value.reason is Reason.IMAGE_TOO_LARGE


def test_only_touched_sectors_are_planned_and_the_rest_of_each_is_blank() -> None:
    images = sector_images(
        STM32F405RG,
        [Bytes(address=FLASH + 0x1_FFFE, data=b"abcd"), Bytes(address=FLASH, data=b"v")],
    )
    assert [image.sector.number for image in images] == [0, 4, 5]
    assert images[0].data == b"v" + b"\xff" * 0x3FFF
    assert images[1].data == b"\xff" * 0xFFFE + b"ab"
    assert images[2].data == b"cd" + b"\xff" * 0x1_FFFE


@given(
    st.lists(
        st.tuples(st.integers(0, (1 << 20) - 300), st.binary(min_size=1, max_size=300)),
        min_size=1,
        max_size=6,
    )
)
def test_the_planned_pages_rebuild_exactly_the_segments(
    pieces: list[tuple[int, bytes]],
) -> None:
    segments = [Bytes(address=FLASH + offset, data=data) for offset, data in pieces]
    ordered = sorted(segments, key=lambda segment: segment.address)
    overlap = any(a.end > b.address for a, b in itertools.pairwise(ordered))
    if overlap:
        with pytest.raises(PlanError):
            sector_images(STM32F405RG, segments)
        return
    wanted = bytearray(b"\xff" * STM32F405RG.flash_size)
    for offset, data in pieces:
        wanted[offset : offset + len(data)] = data
    built = bytearray(b"\xff" * STM32F405RG.flash_size)
    for image in programming_order(sector_images(STM32F405RG, segments)):
        for page in pages_to_program(image):
            assert len(page.data) % 4 == 0
            assert len(page.data) <= PAGE_SIZE
            built[page.address - FLASH : page.end - FLASH] = page.data
    assert built == wanted


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        ([], Reason.BAD_REQUEST),
        ([Bytes(address=FLASH, data=b"")], Reason.BAD_REQUEST),
        ([Bytes(address=FLASH - 1, data=b"ab")], Reason.IMAGE_TOO_LARGE),
        ([Bytes(address=FLASH + (1 << 20), data=b"a")], Reason.IMAGE_TOO_LARGE),
        (
            [Bytes(address=FLASH, data=b"ab"), Bytes(address=FLASH + 1, data=b"c")],
            Reason.SEGMENTS_OVERLAP,
        ),
    ],
)
def test_an_impossible_request_says_why(segments: list[Bytes], reason: Reason) -> None:
    with pytest.raises(PlanError) as refused:
        sector_images(STM32F405RG, segments)
    assert refused.value.reason is reason


def test_bytes_that_are_not_the_digest_are_caught() -> None:
    digest = hashlib.sha256(b"firmware").hexdigest()
    assert check_digest(FLASH, b"firmware", digest).data == b"firmware"
    with pytest.raises(PlanError) as caught:
        check_digest(FLASH, b"firmwarf", digest)
    assert caught.value.reason is Reason.DIGEST_MISMATCH


def test_the_vector_sector_is_written_last() -> None:
    segments = [Bytes(address=FLASH + offset, data=b"x") for offset in (0, 0x4000, 0x1_0000)]
    order = programming_order(sector_images(STM32F405RG, segments))
    assert [image.sector.number for image in order] == [1, 4, 0]


def images_of(*numbers: int) -> list[SectorImage]:
    sectors = [STM32F405RG.sectors[number] for number in numbers]
    return [SectorImage(sector=sector, data=b"") for sector in sectors]


def test_the_planned_board_is_accepted() -> None:
    check_target(STM32F405RG, GOOD, images_of(0, 4), probe_uid="p1", device_uid="AB" * 12)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (replace(GOOD, idcode=0x1000_6441), Reason.TARGET_MISMATCH),
        (replace(GOOD, flash_kib=512), Reason.TARGET_MISMATCH),
        (replace(GOOD, probe_uid="P2"), Reason.TARGET_MISMATCH),
        (replace(GOOD, device_uid="00" * 12), Reason.TARGET_MISMATCH),
        (replace(GOOD, options=0x0FFF_BBED), Reason.TARGET_LOCKED),
        (replace(GOOD, options=0x0FEF_AAED), Reason.TARGET_LOCKED),
    ],
)
def test_another_or_a_protected_board_is_refused(found: Found, reason: Reason) -> None:
    with pytest.raises(PlanError) as refused:
        check_target(STM32F405RG, found, images_of(0, 4), probe_uid="P1", device_uid="ab" * 12)
    assert refused.value.reason is reason


def test_a_protected_sector_that_is_not_planned_does_not_matter() -> None:
    check_target(STM32F405RG, replace(GOOD, options=0x0FFB_AAED), images_of(0, 4))


def test_reasons_tell_whose_fault_it_is() -> None:
    assert outcome_of(None) is FlashOutcome.PASSED
    assert outcome_of(Reason.DIGEST_MISMATCH) is FlashOutcome.BROKEN
    assert all(outcome_of(reason) is FlashOutcome.REFUSED for reason in REFUSALS)


def test_the_combined_digest_does_not_depend_on_the_order() -> None:
    one = VerifiedSegment(address=1, length=1, sha256="aa")
    two = VerifiedSegment(address=2, length=1, sha256="bb")
    assert combined_digest((one, two)) == combined_digest((two, one))
    assert combined_digest((one,)) == hashlib.sha256(b"00000001 aa\n").hexdigest()
