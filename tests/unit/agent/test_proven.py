"""What is known of a board's flash after several flashes."""

from __future__ import annotations

from benchagent.command import NOTHING_PROVEN, ProvenImage, Segment, left_behind, proven_after


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


def test_the_rest_of_a_longer_piece_would_be_left_behind() -> None:
    test = proven_after("1" * 64, (CODE, TABLE))
    release = (piece(0, 5_000), TABLE)

    assert left_behind(test, release) == (range(8_192, 12_288),)
    assert left_behind(test, (piece(0, 9_000), TABLE)) == ()  # erased with its last sector
    assert left_behind(NOTHING_PROVEN, release) == ()


def test_what_is_no_rest_of_the_same_piece_stays() -> None:
    test = proven_after("1" * 64, (CODE, TABLE))

    assert left_behind(test, (TABLE,)) == ()
    assert left_behind(test, (piece(4_096, 10),)) == ()  # it begins elsewhere: a patch, not another
    assert left_behind(test, (piece(0, 10), piece(8_192, 10))) == ()
    near = proven_after("2" * 64, (CODE, piece(100_000, 10)))
    assert left_behind(near, (piece(0, 10),)) == ()  # may lie in the sector that would be erased
    large = proven_after("3" * 64, (piece(0, 4 << 20),))
    assert left_behind(large, (piece(0, 10),)) == ()


def test_nothing_is_known_after_an_unproven_flash() -> None:
    assert NOTHING_PROVEN.segments == ()
    assert proven_after("3" * 64, (CODE,), NOTHING_PROVEN).segments == (CODE,)
