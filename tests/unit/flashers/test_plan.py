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
    STM32F405RG,
    Bytes,
    Found,
    PlanError,
    SectorImage,
    check_digest,
    check_target,
    pages_to_program,
    programming_order,
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
from benchagent.virtual import f405

FLASH = STM32F405RG.flash_address
GOOD = Found(
    probe_uid="P1", idcode=0x1007_0413, flash_kib=1024, device_uid="ab" * 12, options=0x0FFF_AAED
)


def test_both_transcriptions_of_the_sector_table_agree() -> None:
    ours = [(sector.address - FLASH, sector.size) for sector in STM32F405RG.sectors]
    assert ours == [(sector.offset, sector.size) for sector in f405.SECTORS]
    assert STM32F405RG.flash_size == f405.FLASH_SIZE
    assert (STM32F405RG.uid_register, STM32F405RG.flash_size_register) == (
        f405.UNIQUE_ID,
        f405.FLASH_SIZE_REGISTER,
    )


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
