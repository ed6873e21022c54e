"""The spool on disk: positions, epochs, gaps, caps, and what a crash leaves behind."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from benchagent.spool import MOMENT_US, Chunk, Position, Spool, pack, unpack

NOW_US = 1_790_000_000_000_000


def everything(spool: Spool, offset: int = 0, step: int = 64 * 1024) -> list[Chunk]:
    reader = spool.reader(offset)
    found: list[Chunk] = []
    while chunks := reader.read(step):
        found += chunks
    reader.close()
    return found


def joined(chunks: list[Chunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


def newest(folder: Path) -> Path:
    return max(folder.glob("*.seg"))


def test_bytes_come_back_in_order_with_their_offsets(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(b"hello ", NOW_US)
    spool.append(b"world", NOW_US + 5)
    (chunk,) = everything(spool)
    assert (chunk.offset, chunk.data) == (0, b"hello world")
    assert spool.head == Position(offset=11, epoch=1)


def test_no_byte_is_said_to_be_read_before_it_was_and_none_much_later(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    read_us = {}
    for number in range(500):
        read_us[spool.head.offset] = NOW_US + 1_700 * number
        spool.append(b"x" * (1 + number % 7), NOW_US + 1_700 * number)
    chunks = everything(spool)
    assert len(chunks) < 100
    for chunk in chunks:
        late_us = [
            chunk.host_time_us - us for at, us in read_us.items() if chunk.offset <= at < chunk.end
        ]
        assert 0 == min(late_us) <= max(late_us) < MOMENT_US


def test_a_new_epoch_begins_a_new_chunk_and_survives_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(b"old", NOW_US)
    assert spool.begin_epoch(NOW_US) == Position(offset=3, epoch=2)
    spool.close()
    spool = Spool(tmp_path)
    assert spool.head == Position(offset=3, epoch=2)
    spool.append(b"new", NOW_US)
    assert [(chunk.data, chunk.epoch) for chunk in everything(spool)] == [(b"old", 1), (b"new", 2)]


def test_a_gap_is_told_once_with_the_next_bytes(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(b"a", NOW_US)
    spool.mark_gap("away")
    spool.mark_gap("away")
    spool.append(b"b", NOW_US)
    spool.append(b"c", NOW_US)
    assert [(chunk.data, chunk.gap) for chunk in everything(spool)] == [(b"a", ""), (b"bc", "away")]


def test_a_reader_begins_in_the_middle_of_a_record(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.mark_gap("away")
    spool.append(b"0123456789", NOW_US)
    (chunk,) = everything(spool, offset=4)
    assert (chunk.offset, chunk.data, chunk.gap) == (4, b"456789", "")


def test_a_reader_follows_what_is_appended_after_it_reached_the_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=100)
    reader = spool.reader(0)
    assert reader.read(10) == []
    text = b""
    for number in range(50):
        line = b"line %d\n" % number
        spool.append(line, NOW_US)
        assert joined(reader.read(1000)) == line
        text += line
    assert joined(everything(spool)) == text


def test_a_full_spool_drops_its_oldest_bytes_and_says_how_many(tmp_path: Path) -> None:
    spool = Spool(tmp_path, cap_bytes=4000, segment_bytes=500)
    reader = spool.reader(0)
    first = reader.read(100)
    for number in range(300):
        spool.append(b"line %04d\n" % number, NOW_US)
    size = sum(path.stat().st_size for path in tmp_path.glob("*.seg"))
    chunks = everything(spool)
    assert first == []
    assert size <= 4600
    assert chunks[0].gap.startswith(f"{chunks[0].offset} bytes are missing")
    assert chunks[-1].end == spool.head.offset == 3000
    assert joined(chunks).endswith(b"line 0298\nline 0299\n")


def test_what_the_server_holds_beyond_the_spool_is_skipped_with_a_gap(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.rebase(1000, 4, NOW_US)
    assert not spool.rebase(10, 9, NOW_US)
    spool.append(b"x", NOW_US)
    (chunk,) = everything(spool, offset=1000)
    assert (chunk.offset, chunk.epoch, chunk.gap) == (1000, 4, "the agent's spool was lost")


def test_bytes_read_before_the_server_told_what_it_holds_move_behind_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(b"old", NOW_US)
    spool.begin_epoch(NOW_US)
    spool.append(b"new", NOW_US)
    assert spool.rebase(1000, 7, NOW_US)
    assert not spool.rebase(1006, 8, NOW_US)
    old, new = everything(spool, offset=1000)
    assert (old.offset, old.data, old.epoch) == (1000, b"old", 7)
    assert (new.offset, new.data, new.epoch) == (1003, b"new", 8)
    assert (old.gap, new.gap) == ("the agent's spool was lost", "")
    assert spool.head == Position(offset=1006, epoch=8)


def test_bytes_of_an_earlier_run_are_not_told_twice(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(b"stored already", NOW_US)
    spool.close()
    spool = Spool(tmp_path)
    spool.append(b"fresh", NOW_US)
    assert spool.rebase(1000, 1, NOW_US)
    assert joined(everything(spool, offset=1000)) == b"fresh"


def test_a_disk_that_refuses_makes_a_gap_of_known_size(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(b"before", NOW_US)
    writable = os.dup(spool._file)
    readonly = os.open(newest(tmp_path), os.O_RDONLY)
    os.dup2(readonly, spool._file)
    spool.append(b"lost", NOW_US)
    os.dup2(writable, spool._file)
    spool.append(b"after", NOW_US)
    before, after = everything(spool)
    assert (before.data, after.data, after.offset) == (b"before", b"after", 10)
    assert after.gap.startswith("4 bytes are missing: the agent's disk did not take 4 bytes")
    os.close(writable)
    os.close(readonly)


@given(cut=st.integers(1, 60), tail=st.binary(max_size=30))
@settings(max_examples=25)
def test_a_torn_tail_is_cut_off_and_the_rest_is_whole(cut: int, tail: bytes) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        spool = Spool(folder)
        spool.append(b"first\n", NOW_US)
        spool.append(b"second\n", NOW_US)
        spool.close()
        whole = newest(folder).read_bytes()
        newest(folder).write_bytes(whole[: max(0, len(whole) - cut)] + tail)
        spool = Spool(folder)
        kept = joined(everything(spool))
        assert b"first\nsecond\n".startswith(kept)
        assert spool.head.offset == len(kept)
        spool.append(b"third\n", NOW_US)
        assert joined(everything(spool)) == kept + b"third\n"
        spool.close()


@given(
    pieces=st.lists(st.one_of(st.binary(min_size=1, max_size=300), st.none()), max_size=40),
    step=st.integers(1, 500),
    restarts=st.sets(st.integers(0, 40)),
)
@settings(max_examples=25)
def test_any_mix_of_bytes_epochs_and_restarts_reads_back_exactly(
    pieces: list[bytes | None], step: int, restarts: set[int]
) -> None:
    with TemporaryDirectory() as name:
        spool = Spool(Path(name), segment_bytes=700)
        for number, piece in enumerate(pieces):
            if number in restarts:
                spool.close()
                spool = Spool(Path(name), segment_bytes=700)
            if piece is None:
                spool.begin_epoch(NOW_US)
            else:
                spool.append(piece, NOW_US)
        chunks = everything(spool, step=step)
        assert joined(chunks) == b"".join(piece for piece in pieces if piece)
        assert [chunk.epoch for chunk in chunks] == sorted(chunk.epoch for chunk in chunks)
        assert spool.head.epoch == 1 + pieces.count(None)
        assert all(len(chunk.data) <= step for chunk in chunks)
        spool.close()


@given(block=st.binary(max_size=200))
def test_noise_is_no_record(block: bytes) -> None:
    assert unpack(block, 0) is None


def test_a_flipped_bit_is_noticed() -> None:
    record = bytearray(pack(Chunk(offset=7, data=b"data", epoch=2, host_time_us=NOW_US, gap="why")))
    assert unpack(bytes(record), 0) is not None
    for at in range(len(record)):
        record[at] ^= 1
        assert unpack(bytes(record), 0) is None
        record[at] ^= 1
