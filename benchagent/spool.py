"""Console bytes on disk: append-only segment files of one board.

A segment is a row of records: header, gap text, bytes. A record is complete or it does not count;
a torn one at the end of the newest segment, left by a crash, is cut off when the spool is opened.
Positions count the board's bytes over its whole life and never go back. Bytes that are lost are
skipped in the count where their number is known, and a gap text says so in the next record.

Appends go to the page cache: they survive a kill of the agent. `sync` makes them survive a power
cut; the owner calls it now and then from another thread.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

MAX_CHUNK_BYTES = 64 * 1024
SEGMENT_BYTES = 1024 * 1024
CAP_BYTES = 64 * 1024 * 1024
MOMENT_US = 10_000
"""Records of one such moment are sent as one, which is said to have been read with the last."""
_MAX_GAP_BYTES = 512
_MAGIC = b"BLS1"
# magic, bytes of data, offset, epoch, host time in us, bytes of gap text
_HEADER = struct.Struct("<4sIQQqH")
_CRC = struct.Struct("<I")
_OVERHEAD = _HEADER.size + _CRC.size
_BLOCK_BYTES = 2 * (MAX_CHUNK_BYTES + _MAX_GAP_BYTES + _OVERHEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a console stands: bytes so far, boot epoch from 1."""

    offset: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Bytes as they were read; without bytes it only carries the epoch."""

    offset: int
    data: bytes
    epoch: int
    host_time_us: int
    gap: str = ""

    @property
    def end(self) -> int:
        """One past the last byte."""
        return self.offset + len(self.data)


def pack(chunk: Chunk) -> bytes:
    """One record as it lies on disk."""
    gap = chunk.gap.encode()[:_MAX_GAP_BYTES]
    header = _HEADER.pack(
        _MAGIC, len(chunk.data), chunk.offset, chunk.epoch, chunk.host_time_us, len(gap)
    )
    crc = zlib.crc32(chunk.data, zlib.crc32(gap, zlib.crc32(header)))
    return b"".join((header, _CRC.pack(crc), gap, chunk.data))


def unpack(block: bytes, at: int) -> tuple[Chunk, int] | None:
    """The record at `at` and the place of the next one; None when it is torn or damaged."""
    if len(block) - at < _OVERHEAD:
        return None
    header = block[at : at + _HEADER.size]
    magic, size, offset, epoch, host_time_us, gap_size = _HEADER.unpack(header)
    if magic != _MAGIC or size > MAX_CHUNK_BYTES or gap_size > _MAX_GAP_BYTES:
        return None
    body = at + _OVERHEAD
    end = body + gap_size + size
    if end > len(block):
        return None
    gap, data = block[body : body + gap_size], block[body + gap_size : end]
    (crc,) = _CRC.unpack_from(block, at + _HEADER.size)
    if crc != zlib.crc32(data, zlib.crc32(gap, zlib.crc32(header))):
        return None
    chunk = Chunk(
        offset=offset,
        data=data,
        epoch=epoch,
        host_time_us=host_time_us,
        gap=gap.decode("utf-8", "replace"),
    )
    return chunk, end


class Spool:
    """The console bytes of one board.

    Raises:
        OSError: the folder cannot be used.
    """

    def __init__(
        self, folder: Path, *, cap_bytes: int = CAP_BYTES, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._folder = folder
        self._cap_bytes = cap_bytes
        self._segment_bytes = segment_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sizes = {
            int(path.stem): path.stat().st_size
            for path in folder.glob("*.seg")
            if path.stem.isdigit()
        }
        self._position = Position(offset=0, epoch=1)
        self._gap = ""
        self._dirty = False
        self.was_read_before = False
        self._recover()
        self._opened_at = self._position
        self._number = max(self._sizes, default=1)
        self._sizes.setdefault(self._number, 0)
        self._file = self._open(self._number)

    @property
    def head(self) -> Position:
        """End of the console."""
        return self._position

    @property
    def is_dirty(self) -> bool:
        """Whether there is something to sync."""
        return self._dirty

    def append(self, data: bytes, host_time_us: int) -> None:
        """Add bytes. A disk that does not take them makes a gap, never an error."""
        for start in range(0, len(data), MAX_CHUNK_BYTES):
            piece = data[start : start + MAX_CHUNK_BYTES]
            chunk = Chunk(
                offset=self._position.offset,
                data=piece,
                epoch=self._position.epoch,
                host_time_us=host_time_us,
                gap=self._gap,
            )
            try:
                self._write(pack(chunk))
            except OSError as error:
                self._note(f"the agent's disk did not take {len(piece)} bytes: {error.strerror}")
            else:
                self._gap = ""
            self._position = replace(self._position, offset=chunk.end)

    def mark_gap(self, reason: str) -> None:
        """Say with the next bytes that some before them may be missing."""
        self._note(reason)

    def begin_epoch(self, host_time_us: int) -> Position:
        """Raise the epoch: bytes from here on are of a new boot. Returns the boundary."""
        self._position = replace(self._position, epoch=self._position.epoch + 1)
        self._mark(host_time_us)
        return self._position

    def rebase(self, offset: int, epoch: int, host_time_us: int) -> bool:
        """Go on after what the control plane holds, when that is more than is known here.

        What was read since the spool was opened is not stored anywhere yet: it moves behind
        `offset`.
        """
        old, opened = self._position, self._opened_at
        self._opened_at = old
        if offset <= old.offset:
            return False
        shift = max(0, epoch - opened.epoch)
        self._position = Position(offset=offset, epoch=opened.epoch + shift)
        self._note("the agent's spool was lost")
        self._mark(host_time_us)
        reader = self.reader(opened.offset)
        while reader.offset < old.offset:
            for chunk in reader.read(MAX_CHUNK_BYTES):
                self._position = replace(self._position, epoch=chunk.epoch + shift)
                self._gap = self._gap or chunk.gap
                self.append(chunk.data, chunk.host_time_us)
        reader.close()
        self._position = replace(self._position, epoch=old.epoch + shift)
        self._opened_at = self._position
        return True

    def sync(self) -> None:
        """Bring what was appended to stable storage. May be called from another thread."""
        if self._dirty:
            self._dirty = False
            with contextlib.suppress(OSError):  # a segment that was just closed is already synced
                os.fdatasync(self._file)

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        os.close(self._file)

    def segment(self, number: int) -> Path:
        """File of a segment."""
        return self._folder / f"{number:08d}.seg"

    def segments(self) -> list[int]:
        """Numbers of the segments, oldest first."""
        return sorted(self._sizes)

    def reader(self, offset: int) -> "SpoolReader":
        """A cursor that begins at `offset`."""
        return SpoolReader(self, offset)

    def _note(self, reason: str) -> None:
        if reason not in self._gap:
            self._gap = f"{self._gap}; {reason}".removeprefix("; ")[: _MAX_GAP_BYTES // 2]

    def _mark(self, host_time_us: int) -> None:
        empty = Chunk(
            offset=self._position.offset,
            data=b"",
            epoch=self._position.epoch,
            host_time_us=host_time_us,
        )
        try:
            self._write(pack(empty))
        except OSError as error:
            self._note(f"the agent's disk did not take the boot epoch: {error.strerror}")

    def _write(self, record: bytes) -> None:
        if self._sizes[self._number] >= self._segment_bytes:
            self._rotate()
        size = self._sizes[self._number]
        view = memoryview(record)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, size)
            raise
        self._sizes[self._number] = size + len(record)
        self._dirty = True

    def _rotate(self) -> None:
        fresh = self._open(self._number + 1)
        os.fdatasync(self._file)
        os.close(self._file)
        self._number += 1
        self._file = fresh
        self._sizes[self._number] = 0
        while sum(self._sizes.values()) > self._cap_bytes - self._segment_bytes:
            oldest = min(self._sizes)
            if oldest == self._number:
                break
            self.segment(oldest).unlink(missing_ok=True)
            del self._sizes[oldest]

    def _open(self, number: int) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self.segment(number), flags, 0o600)

    def _recover(self) -> None:
        """Find the head in the newest segment that has a good record; cut off a torn tail."""
        for number in sorted(self._sizes, reverse=True):
            block = self.segment(number).read_bytes()
            at = 0
            while (found := unpack(block, at)) is not None:
                chunk, at = found
                self._position = Position(offset=chunk.end, epoch=chunk.epoch)
                self.was_read_before = True
            if at < len(block):
                os.truncate(self.segment(number), at)
                self._sizes[number] = at
            if at:
                return


class SpoolReader:
    """A cursor over a spool; each `read` goes on where the last one ended."""

    def __init__(self, spool: Spool, offset: int) -> None:
        self._spool = spool
        self.offset = offset
        self._number = self._find(offset)
        self._file: int | None = None
        self._at = 0

    def read(self, max_bytes: int) -> list[Chunk]:
        """Chunks of up to `max_bytes` together, records of one moment joined; [] at the end.

        Where bytes are not in the spool any more the chunk after them says so.
        """
        found: list[Chunk] = []
        left = max_bytes
        for chunk, next_at in self._records():
            trimmed = self._trim(chunk)
            if trimmed is None:
                self._at = next_at
                continue
            if len(trimmed.data) > left:
                if left > 0:
                    _join(found, replace(trimmed, data=trimmed.data[:left]))
                    self.offset += left
                break
            _join(found, trimmed)
            left -= len(trimmed.data)
            self.offset = trimmed.end
            self._at = next_at
        return found

    def close(self) -> None:
        """Close the segment."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _trim(self, chunk: Chunk) -> Chunk | None:
        """The part of a record that was not read yet; None when there is none."""
        if chunk.end <= self.offset:
            return None
        if chunk.offset < self.offset:
            # The rest of a record: what its gap text says was said with the first part.
            rest = chunk.data[self.offset - chunk.offset :]
            return replace(chunk, offset=self.offset, data=rest, gap="")
        if chunk.offset > self.offset:
            missing = chunk.offset - self.offset
            self.offset = chunk.offset
            reason = chunk.gap or "they were dropped from the agent's full spool"
            return replace(chunk, gap=f"{missing} bytes are missing: {reason}")
        return chunk

    def _records(self) -> Iterator[tuple[Chunk, int]]:
        """Records from the cursor on, each with the place of the next one in its segment."""
        while True:
            block = self._block()
            start, at = self._at, 0
            while (found := unpack(block, at)) is not None:
                chunk, at = found
                yield chunk, start + at
            if at:
                continue
            if not self._step():
                return

    def _block(self) -> bytes:
        if self._file is None:
            try:
                self._file = os.open(self._spool.segment(self._number), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return b""
        return os.pread(self._file, _BLOCK_BYTES, self._at)

    def _step(self) -> bool:
        """Go to the next segment; False at the newest. Skips what is damaged."""
        later = [number for number in self._spool.segments() if number > self._number]
        if not later:
            return False
        self.close()
        self._number, self._at = later[0], 0
        return True

    def _find(self, offset: int) -> int:
        """The newest segment that begins at or before `offset`, else the oldest."""
        numbers = self._spool.segments()
        for number in reversed(numbers):
            first = self._first_offset(number)
            if first is not None and first <= offset:
                return number
        return numbers[0]

    def _first_offset(self, number: int) -> int | None:
        try:
            with self._spool.segment(number).open("rb") as stream:
                header = stream.read(_HEADER.size)
        except FileNotFoundError:
            return None
        if len(header) < _HEADER.size or header[:4] != _MAGIC:
            return None
        return int(_HEADER.unpack(header)[2])


def _join(found: list[Chunk], chunk: Chunk) -> None:
    """Append, joined to the last one when nothing but a moment separates the two.

    Who judges a device's clock relies on a host time that is never before the byte was read.
    """
    if found and _is_joinable(found[-1], chunk):
        last = found[-1]
        found[-1] = replace(last, data=last.data + chunk.data, host_time_us=chunk.host_time_us)
    else:
        found.append(chunk)


def _is_joinable(last: Chunk, chunk: Chunk) -> bool:
    """Whether a chunk goes on where the last one ends, in the same boot and at the same moment."""
    follows = not chunk.gap and chunk.epoch == last.epoch and chunk.offset == last.end
    moment = chunk.host_time_us // MOMENT_US == last.host_time_us // MOMENT_US
    return follows and moment and len(last.data) + len(chunk.data) <= MAX_CHUNK_BYTES
