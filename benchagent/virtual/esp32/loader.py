"""The serial loader of an ESP32: the ROM's commands, and those of the stub loaded over it.

Bytes in, bytes out, no I/O. Source of commands and codes: esptool 5.6 (`loader.py`, `util.py`) and
Espressif's page "Serial Protocol"; checked by running esptool against it.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from benchagent.virtual.esp32.part import SECTOR, EspPart
from benchagent.virtual.esp32.registers import Registers
from benchagent.virtual.esp32.slip import FrameReader, frame
from benchagent.virtual.faults import Faults, Trouble
from benchagent.virtual.flash_array import FlashArray

SYNC_PAYLOAD = b"\x07\x07\x12\x20" + b"U" * 32
_SYNC_REPLIES = 8
_ROM_SYNC_VALUE = 0x2012_0707
"""What a ROM answers to SYNC; the stub answers 0, by which tools know that it runs."""
_HEADER = struct.Struct("<BBHI")
_FOUR_WORDS = struct.Struct("<IIII")
_CHECKSUM_SEED = 0xEF
_SLOW_BLOCK = 64
_WINDOW_MAX = 512 * 1024
"""Bytes of flash that may be under way to a reader that has not acknowledged them."""


class Op(IntEnum):
    """Commands by their number."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A
    SPI_SET_PARAMS = 0x0B
    SPI_ATTACH = 0x0D
    READ_FLASH_SLOW = 0x0E
    CHANGE_BAUDRATE = 0x0F
    DEFL_BEGIN = 0x10
    DEFL_DATA = 0x11
    DEFL_END = 0x12
    FLASH_MD5 = 0x13
    SECURITY_INFO = 0x14
    ERASE_FLASH = 0xD0
    ERASE_REGION = 0xD1
    READ_FLASH = 0xD2
    RUN_USER_CODE = 0xD3


class Code(IntEnum):
    """Why a command fails: what the ROM says, and in the upper byte what the stub says."""

    INVALID = 0xC3_05
    BAD_LENGTH = 0xC0_05
    BAD_CHECKSUM = 0xC1_07
    NO_FLASH_MODE = 0xC6_06
    BAD_ADDRESS = 0xC4_06
    INFLATE = 0xC7_0B
    TOO_MUCH = 0xC9_06


_LOOKS = frozenset(
    {Op.FLASH_MD5, Op.READ_FLASH, Op.FLASH_END, Op.DEFL_END, Op.ERASE_FLASH, Op.ERASE_REGION}
)


class LoaderError(Exception):
    """A command that the loader does not carry out."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


class Exit(IntEnum):
    """How a session of the loader ends."""

    RUN_APP = 1
    RESET = 2
    """A reset that keeps the boot pins: the loader comes back as the ROM's."""


@dataclass(slots=True, kw_only=True)
class _Write:
    """One range that is being written: FLASH_BEGIN or FLASH_DEFL_BEGIN to its end."""

    start: int
    end: int
    block: int
    inflater: zlib._Decompress | None
    at: int
    erased_to: int


@dataclass(slots=True, kw_only=True)
class _Read:
    """One range that is being read."""

    start: int
    length: int
    block: int
    window: int
    sent: int = 0


class Loader:
    """One chip's loader over its flash; `on_exit` is called when a session ends."""

    def __init__(
        self,
        part: EspPart,
        mac: bytes,
        array: FlashArray,
        faults: Faults,
        on_exit: Callable[[Exit], None],
    ) -> None:
        self._part = part
        self._array = array
        self._faults = faults
        self._on_exit = on_exit
        self.registers = Registers(part, mac, len(array))
        self.security_flags = 0
        self.flash_crypt_count = 0
        self.reset()

    def reset(self) -> None:
        """As after a reset into the loader."""
        self.in_stub = False
        self.registers.reset()
        self._frames = FrameReader()
        self._write: _Write | None = None
        self._read: _Read | None = None
        self._memory_left = 0
        self.looked = False
        """Whether a tool looked at the flash, or ended its work: what it wrote should be kept."""

    def feed(self, data: bytes) -> bytes:
        """Take what a tool sent; gives the answers."""
        answers = bytearray()
        for payload in self._frames.feed(data):
            match self._faults.count():
                case Trouble.NONE:
                    answers += self._answer(payload)
                case Trouble.UNPLUGGED | Trouble.WEDGED:
                    return b""
                case _:
                    continue
        return bytes(answers)

    def _answer(self, payload: bytes) -> bytes:
        if self._read is not None and len(payload) == 4:
            return self._read_on(self._read, int.from_bytes(payload, "little"))
        if len(payload) < _HEADER.size or payload[0] != 0:
            return b""
        _, number, length, checksum = _HEADER.unpack_from(payload)
        body = payload[_HEADER.size :]
        try:
            return self._perform(number, length, body, checksum)
        except LoaderError as error:
            code = error.code >> 8 if self.in_stub else error.code & 0xFF
            status = bytes((code, 0) if self.in_stub else (1, code))
            return self._reply(number, status=status)
        except struct.error:
            return self._reply(number, status=b"\xc0\x00" if self.in_stub else b"\x01\x05")

    def _reply(self, op: int, value: int = 0, data: bytes = b"", status: bytes = b"\0\0") -> bytes:
        """One answer; the ROM's status has two bytes more, for future use."""
        tail = status if self.in_stub else status + b"\0\0"
        return frame(_HEADER.pack(1, op, len(data) + len(tail), value) + data + tail)

    def _perform(self, number: int, length: int, body: bytes, checksum: int) -> bytes:
        if length != len(body):
            raise LoaderError(Code.BAD_LENGTH)
        self.looked = self.looked or number in _LOOKS
        match number:
            case Op.SYNC:
                self._read = self._write = None
                return self._reply(number, 0 if self.in_stub else _ROM_SYNC_VALUE) * _SYNC_REPLIES
            case Op.READ_REG:
                return self._reply(number, self.registers.read(struct.unpack("<I", body)[0]))
            case Op.SECURITY_INFO:
                return self._reply(number, data=self._security_info())
            case Op.FLASH_MD5:
                return self._reply(number, data=self._md5(body))
            case Op.READ_FLASH_SLOW:
                return self._reply(number, data=self._read_slow(body))
            case Op.READ_FLASH:
                return self._begin_read(number, body)
            case Op.MEM_END:
                return self._end_memory(number, body)
            case Op.FLASH_END | Op.DEFL_END:
                return self._end_flash(number, body)
            case Op.RUN_USER_CODE if self.in_stub:
                self._on_exit(Exit.RUN_APP)
                return b""
        self._perform_quietly(number, body, checksum)
        return self._reply(number)

    def _perform_quietly(self, number: int, body: bytes, checksum: int) -> None:
        """The commands whose answer has nothing but a status."""
        match number:
            case Op.WRITE_REG:
                for address, value, mask, _ in _FOUR_WORDS.iter_unpack(body):
                    self.registers.write(address, value, mask)
            case Op.SPI_SET_PARAMS | Op.SPI_ATTACH | Op.CHANGE_BAUDRATE:
                return
            case Op.MEM_BEGIN:
                self._memory_left = _FOUR_WORDS.unpack_from(body)[0]
            case Op.MEM_DATA:
                self._take_memory(_data(body, checksum))
            case Op.FLASH_BEGIN | Op.DEFL_BEGIN:
                self._begin_write(body, compressed=number == Op.DEFL_BEGIN)
            case Op.FLASH_DATA:
                self._take_block(body, _data(body, checksum))
            case Op.DEFL_DATA:
                self._take_compressed(_data(body, checksum))
            case Op.ERASE_FLASH if self.in_stub:
                self._array.erase_all()
            case Op.ERASE_REGION if self.in_stub:
                start, length = struct.unpack("<II", body)
                if start % SECTOR or length % SECTOR:
                    raise LoaderError(Code.BAD_ADDRESS)
                self._check_range(start, length)
                self._erase(start, start + length)
            case _:
                raise LoaderError(Code.INVALID)

    def _security_info(self) -> bytes:
        if self._part.chip_id is None:
            raise LoaderError(Code.INVALID)
        fields = (self.security_flags, self.flash_crypt_count, bytes(7), self._part.chip_id, 0)
        return struct.pack("<IB7sII", *fields)

    def _md5(self, body: bytes) -> bytes:
        start, length = struct.unpack_from("<II", body)
        self._check_range(start, length)
        digest = hashlib.md5(self._array.read(start, length), usedforsecurity=False)
        return digest.digest() if self.in_stub else digest.hexdigest().encode()

    def _read_slow(self, body: bytes) -> bytes:
        if self.in_stub:
            raise LoaderError(Code.INVALID)
        start, length = struct.unpack("<II", body)
        self._check_range(start, min(length, _SLOW_BLOCK))
        return self._array.read(start, _SLOW_BLOCK).ljust(_SLOW_BLOCK, b"\xff")

    def _begin_read(self, number: int, body: bytes) -> bytes:
        start, length, block, in_flight = _FOUR_WORDS.unpack(body)
        if not self.in_stub:
            raise LoaderError(Code.INVALID)
        self._check_range(start, length)
        if not 0 < block <= SECTOR:
            raise LoaderError(Code.BAD_LENGTH)
        window = min(max(in_flight, 1) * block, _WINDOW_MAX)
        self._read = _Read(start=start, length=length, block=block, window=window)
        return self._reply(number) + self._read_on(self._read, 0)

    def _read_on(self, read: _Read, acknowledged: int) -> bytes:
        """The next frames of a read, as far as its reader keeps up; its digest at the end."""
        answers = bytearray()
        while read.sent < read.length and read.sent - acknowledged < read.window:
            size = min(read.block, read.length - read.sent)
            answers += frame(self._array.read(read.start + read.sent, size))
            read.sent += size
        if acknowledged >= read.length:
            data = self._array.read(read.start, read.length)
            answers += frame(hashlib.md5(data, usedforsecurity=False).digest())
            self._read = None
        return bytes(answers)

    def _take_memory(self, data: bytes) -> None:
        if len(data) > self._memory_left:
            raise LoaderError(Code.TOO_MUCH)
        self._memory_left -= len(data)

    def _end_memory(self, number: int, body: bytes) -> bytes:
        """The end of a load into RAM: whatever was loaded and is started is taken for the stub."""
        stays, _entry = struct.unpack("<II", body)
        answer = self._reply(number)
        if stays:
            return answer
        self.in_stub = True
        return answer + frame(b"OHAI")

    def _begin_write(self, body: bytes, *, compressed: bool) -> None:
        size, _blocks, block, start = _FOUR_WORDS.unpack_from(body)
        self._check_range(start, 0)
        end = min(start + size, len(self._array))
        if not compressed and start + size > len(self._array):
            raise LoaderError(Code.BAD_ADDRESS)
        inflater = zlib.decompressobj() if compressed else None
        self._write = _Write(
            start=start, end=end, block=block, inflater=inflater, at=start, erased_to=start
        )
        if size and not self.in_stub:  # the ROM erases at once, the stub as it writes
            self._erase_for(self._write, end)

    def _take_block(self, body: bytes, data: bytes) -> None:
        if self._write is None or self._write.inflater is not None:
            raise LoaderError(Code.NO_FLASH_MODE)
        _, sequence, _, _ = _FOUR_WORDS.unpack_from(body)
        self._program(self._write, self._write.start + sequence * self._write.block, data)

    def _take_compressed(self, data: bytes) -> None:
        write = self._write
        if write is None or write.inflater is None:
            raise LoaderError(Code.NO_FLASH_MODE)
        room = len(self._array) - write.at
        try:
            raw = write.inflater.decompress(data, room + 1)
        except zlib.error as error:
            raise LoaderError(Code.INFLATE) from error
        if len(raw) > room:
            raise LoaderError(Code.TOO_MUCH)
        self._program(write, write.at, raw)
        write.at += len(raw)

    def _program(self, write: _Write, start: int, data: bytes) -> None:
        """Bytes into flash; the last block is padded by the tool and may reach over the range."""
        data = data[: max(0, len(self._array) - start)]
        if self.in_stub:
            self._erase_for(write, min(start + len(data), max(write.end, start)))
        if data:
            self._array.program(start, data)

    def _erase_for(self, write: _Write, end: int) -> None:
        """Erase the sectors of a write up to `end` that are not erased yet."""
        if end > write.erased_to:
            self._erase(write.erased_to, end)
            write.erased_to = -(-end // SECTOR) * SECTOR

    def _erase(self, start: int, end: int) -> None:
        for number in range(start // SECTOR, -(-end // SECTOR)):
            self._array.erase_sector(number)

    def _end_flash(self, number: int, body: bytes) -> bytes:
        """0 asks for a reset; 1 lets the stub stay and makes the ROM run what is in flash."""
        (stays,) = struct.unpack("<I", body)
        answer = self._reply(number)
        self._write = None
        if not stays:
            self._on_exit(Exit.RESET)
        elif not self.in_stub:
            self._on_exit(Exit.RUN_APP)
        return answer

    def _check_range(self, start: int, length: int) -> None:
        if start + length > len(self._array):
            raise LoaderError(Code.BAD_ADDRESS)


def _data(body: bytes, checksum: int) -> bytes:
    """The bytes of a data command. Raises LoaderError when they are not those that were sent."""
    (length,) = struct.unpack_from("<I", body)
    data = body[_FOUR_WORDS.size :]
    if length != len(data):
        raise LoaderError(Code.BAD_LENGTH)
    found = _CHECKSUM_SEED
    for byte in data:
        found ^= byte
    if found != checksum & 0xFF:
        raise LoaderError(Code.BAD_CHECKSUM)
    return data
