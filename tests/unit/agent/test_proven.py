"""What is known of a board's flash after several flashes."""

from __future__ import annotations

from benchagent.command import (
    NOTHING_PROVEN,
    Flash,
    ProvenImage,
    Segment,
)
from benchagent.proven import left_behind, proven_after


def piece(address: int, size: int, sha256: str = "a" * 64) -> Segment:
    return Segment(address=address, sha256=sha256, size_bytes=size)


CODE, TABLE = piece(0, 10_000), piece(0x1F_0000, 700)


def test_a_piece_that_a_later_flash_did_not_touch_is_still_there() -> None:
    first = proven_after("1" * 64, (TABLE, CODE))
    assert first == ProvenImage(sha256="1" * 64, segments=(CODE, TABLE))
    table = piece(0x1F_0000, 16_384, "b" * 64)
    second = proven_after("2" * 64, (table,), first)
    assert second == ProvenImage(sha256="2" * 64, segments=(table, CODE))


def test_a_piece_that_shares_a_sector_with_a_later_one_is_gone() -> None:
    first = proven_after("1" * 64, (CODE, TABLE))
    behind = piece(10_100, 10)  # in the sector in which the code ends
    assert proven_after("2" * 64, (behind,), first).segments == (behind, TABLE)


def application(*segments: Segment, image: str = "release") -> Flash:
    return Flash(segments=segments, part="esp32c3", reset_after=True, image=image)


# As an ELF has it: code, and right behind it what it copies to RAM.
TEST = proven_after("1" * 64, (piece(0, 9_000), piece(9_000, 3_500), piece(12_500, 8_000), TABLE))


def test_the_rest_of_a_longer_application_would_be_left_behind() -> None:
    release = application(piece(0, 5_000), piece(5_000, 700), TABLE)

    assert left_behind(TEST, release) == (range(8_192, 24_576),)
    after = proven_after("2" * 64, release.segments, TEST, left_behind(TEST, release))
    assert after.segments == release.segments
    assert left_behind(after, release) == ()
    same_sector = application(piece(0, 16_000), piece(16_000, 4_500), TABLE)
    assert left_behind(TEST, same_sector) == ()
    assert left_behind(NOTHING_PROVEN, release) == ()


def test_a_piece_that_is_kept_protects_the_sector_that_it_may_lie_in() -> None:
    config = piece(0x0800_C000, 4_096)
    code = piece(0x0801_0000, 100_000)
    before = proven_after("1" * 64, (piece(0x0800_0000, 400), config, code))
    shorter = application(piece(0x0800_0000, 400), piece(0x0801_0000, 200))

    # The sector of 64 KiB in which the code begins is written, and so erased whole anyway.
    assert left_behind(before, shorter) == (range(0x0802_0000, 0x0802_9000),)


def test_what_is_no_rest_of_an_application_stays() -> None:
    short = (piece(0, 10), TABLE)

    for other in ("table", "image"):
        assert left_behind(TEST, application(*short, image=other)) == ()
    assert left_behind(TEST, application(piece(4_096, 10))) == ()  # it begins elsewhere
    assert left_behind(TEST, application(piece(0, 10), piece(16_384, 10))) == ()
    near = proven_after("2" * 64, (CODE, piece(100_000, 10)))
    assert left_behind(near, application(*short)) == ()  # may share a sector with what is kept
    large = proven_after("3" * 64, (piece(0, 4 << 20),))
    assert left_behind(large, application(*short)) == ()


def test_nothing_is_known_after_an_unproven_flash() -> None:
    assert NOTHING_PROVEN.segments == ()
    assert proven_after("3" * 64, (CODE,), NOTHING_PROVEN).segments == (CODE,)
