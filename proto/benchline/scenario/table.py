"""The stimulus table: what a test build reads from flash instead of its inputs.

Little endian. Header of 20 bytes: ``BTL1``, u16 version, u16 row count, u32 nonce, u32 flags (bit
0: inputs are injected; bit 1: the run is live, and END tells of ticks that were lost), u32 CRC-32
(as zlib) over the 16 header bytes before it and all rows. A row has 12 bytes: u32 device ms, u16
signal, u16 n, u32 value; rows are sorted by time.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

TABLE_MAGIC = b"BTL1"
TABLE_VERSION = 1
TABLE_BYTES_MAX = 16 * 1024
"""STM32F4 flash sector 1, 0x08004000, is 16 KiB (RM0090 section 3.3, table of flash sectors)."""

FLAG_INJECTED = 1
FLAG_LIVE = 2
SIGNAL_DIGITAL = 0x0000
SIGNAL_ANALOG = 0x0100
SIGNAL_CONSOLE = 0x0300
HOST_PORT = 1
"""The console port of cloud messages; 0 is the user's."""
SIGNAL_END = 0x0400
SIGNAL_ECHO = 0x0500
ADC_COUNTS_MAX = 4095
"""Analog rows carry 12-bit counts (RM0090 section 13: 12-bit ADC)."""

_HEADER = struct.Struct("<4sHHIII")
_CHECKED_HEADER = struct.Struct("<4sHHII")
_ROW = struct.Struct("<IHHI")
MAX_ROWS = (TABLE_BYTES_MAX - _HEADER.size) // _ROW.size
"""1363 rows fit into the sector."""


class TableError(ValueError):
    """A table that cannot be packed or was not packed by us; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One stimulus: at device time ``ms`` (0..2^32-1) the ``signal`` takes ``value``.

    ``n`` is the number of console bytes (1..4) in ``value``, of an echo its trigger pin, else 0.
    """

    ms: int
    signal: int
    n: int = 0
    value: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StimulusTable:
    """A whole unpacked table."""

    nonce: int
    flags: int
    rows: tuple[TableRow, ...]


def digital_row(ms: int, pin: int, level: int) -> TableRow:
    """Set the electrical level (0 or 1) of an input pin."""
    return TableRow(ms=ms, signal=SIGNAL_DIGITAL + pin, value=level)


def analog_row(ms: int, pin: int, counts: int) -> TableRow:
    """Set what the converter reads on a pin, in 12-bit counts."""
    return TableRow(ms=ms, signal=SIGNAL_ANALOG + pin, value=counts)


def echo_row(ms: int, pin: int, trigger: int, width_us: int) -> TableRow:
    """Answer each trigger by a pulse of a width on an echo pin; 0: by none."""
    return TableRow(ms=ms, signal=SIGNAL_ECHO + pin, n=trigger, value=width_us)


def console_rows(ms: int, data: bytes, port: int = 0) -> list[TableRow]:
    """Send bytes to a console port, four a row."""
    return [
        TableRow(
            ms=ms,
            signal=SIGNAL_CONSOLE + port,
            n=len(piece),
            value=int.from_bytes(piece, "little"),
        )
        for piece in (data[index : index + 4] for index in range(0, len(data), 4))
    ]


def end_row(ms: int) -> TableRow:
    """Let the run end: the core prints END."""
    return TableRow(ms=ms, signal=SIGNAL_END)


class HasRows(Protocol):
    """What ``pack_table`` needs of a run plan."""

    @property
    def rows(self) -> Sequence[TableRow]:
        """All rows, END included, sorted by time."""


def pack_table(plan: HasRows, nonce: int, *, live: bool = False) -> bytes:
    """Pack the rows of a run plan; ``nonce`` (0..2^32-1) comes back in the BOOT record.

    With ``live`` it is for a board, whose clock is held against the host's. Raises TableError when
    the rows do not fit.
    """
    return pack_rows(plan.rows, nonce, FLAG_INJECTED | (FLAG_LIVE if live else 0))


def pack_rows(rows: Sequence[TableRow], nonce: int, flags: int = FLAG_INJECTED) -> bytes:
    """Pack rows into a table. Raises TableError for unsorted, too many or out-of-range rows."""
    if len(rows) > MAX_ROWS:
        raise TableError(f"{len(rows)} rows do not fit; {MAX_ROWS} do")
    if any(later.ms < earlier.ms for earlier, later in pairwise(rows)):
        raise TableError("the rows are not sorted by time")
    try:
        body = b"".join(_ROW.pack(row.ms, row.signal, row.n, row.value) for row in rows)
        head = _CHECKED_HEADER.pack(TABLE_MAGIC, TABLE_VERSION, len(rows), nonce, flags)
    except struct.error as error:
        raise TableError(f"a field is out of range: {error}") from error
    return head + struct.pack("<I", zlib.crc32(head + body)) + body


def unpack_table(data: bytes) -> StimulusTable:
    """Read a table back; bytes after its rows are ignored (flash is padded with 0xFF).

    Raises TableError when it is blank, damaged or of another version.
    """
    if len(data) < _HEADER.size:
        raise TableError("shorter than a table header")
    magic, version, count, nonce, flags, crc = _HEADER.unpack_from(data)
    if magic == b"\xff\xff\xff\xff":
        raise TableError("the table is blank")
    if magic != TABLE_MAGIC or version != TABLE_VERSION:
        raise TableError(f"not a version {TABLE_VERSION} table")
    end = _HEADER.size + count * _ROW.size
    if count > MAX_ROWS or len(data) < end:
        raise TableError(f"{count} rows do not fit into {len(data)} bytes")
    body = data[_HEADER.size : end]
    if zlib.crc32(data[: _CHECKED_HEADER.size] + body) != crc:
        raise TableError("the checksum is wrong")
    rows = tuple(
        TableRow(ms=ms, signal=signal, n=n, value=value)
        for ms, signal, n, value in _ROW.iter_unpack(body)
    )
    return StimulusTable(nonce=nonce, flags=flags, rows=rows)
