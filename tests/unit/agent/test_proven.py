"""What is known of a board's flash after several flashes."""

from __future__ import annotations

from benchagent.command import NOTHING_PROVEN, ProvenImage, Segment, proven_after


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


def test_nothing_is_known_after_an_unproven_flash() -> None:
    assert NOTHING_PROVEN.segments == ()
    assert proven_after("3" * 64, (CODE,), NOTHING_PROVEN).segments == (CODE,)
