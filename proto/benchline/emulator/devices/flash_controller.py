"""SPI1, the way firmware reads and writes its own flash: user-defined commands only.

Offsets: ESP-IDF's spi_mem_reg.h for this chip, from the manual, not checked against it; the read
sequence is the one that works in Espressif's QEMU. Programming can only clear bits.
"""

from collections.abc import Callable

from benchline.emulator.devices.device import Device
from benchline.emulator.registers import RegisterLog

_COMMAND, _ADDRESS, _USER, _USER2 = 0x00, 0x04, 0x18, 0x20
_MOSI_BITS, _MISO_BITS, _DATA = 0x24, 0x28, 0x58
_RUN = 1 << 18
_BUFFER_BYTES = 64
_WRITE_ENABLE, _WRITE_DISABLE, _READ_STATUS, _READ_ID = 0x06, 0x04, 0x05, 0x9F
_READ, _PROGRAM, _ERASE = 0x03, 0x02, {0x20: 4096, 0x52: 32768, 0xD8: 65536}


class FlashController(Device):
    """`flash` is the chip itself; `written` is told which range of it has changed."""

    base = 0x6000_2000
    known = frozenset(range(0, 0xE0, 4))

    def __init__(
        self, log: RegisterLog, flash: memoryview, written: Callable[[int, int], None]
    ) -> None:
        super().__init__(log)
        self._flash = flash
        self._written = written
        self._writable = False

    def write(self, offset: int, value: int) -> None:
        """A register; the run bit executes the command and clears itself."""
        super().write(offset, value)
        if offset == _COMMAND:
            if value & _RUN:
                self._run()
            elif value:
                self._log.unmodelled("write", self.base)
            self._words[_COMMAND] = 0

    def _run(self) -> None:
        command = self._words.get(_USER2, 0) & 0xFF
        address = self._words.get(_ADDRESS, 0) & 0xFF_FFFF
        if command == _READ:
            self._answer(bytes(self._flash[address : address + self._count(_MISO_BITS)]))
        elif command == _READ_ID:
            size = len(self._flash).bit_length() - 1
            self._answer(bytes((0xEF, 0x40, size)))
        elif command == _READ_STATUS:
            self._answer(bytes((2 if self._writable else 0,)))
        elif command in (_WRITE_ENABLE, _WRITE_DISABLE):
            self._writable = command == _WRITE_ENABLE
        elif command == _PROGRAM or command in _ERASE:
            self._change(command, address)
        else:
            self._log.note(f"flash command 0x{command:02x} is not modelled")

    def _change(self, command: int, address: int) -> None:
        if not self._writable or address >= len(self._flash):
            return
        self._writable = False
        if command == _PROGRAM:
            end = min(address + self._count(_MOSI_BITS), len(self._flash))
            for number, byte in enumerate(self._buffer()[: end - address]):
                self._flash[address + number] &= byte
        else:
            size = _ERASE[command]
            address &= -size
            end = min(address + size, len(self._flash))
            self._flash[address:end] = b"\xff" * (end - address)
        self._written(address, end)

    def _count(self, register: int) -> int:
        return min(((self._words.get(register, 0) & 0x3FF) + 1) // 8, _BUFFER_BYTES)

    def _buffer(self) -> bytes:
        words = (self._words.get(_DATA + n, 0) for n in range(0, _BUFFER_BYTES, 4))
        return b"".join(word.to_bytes(4, "little") for word in words)

    def _answer(self, data: bytes) -> None:
        data = data.ljust(-(-len(data) // 4) * 4, b"\0")
        for n in range(0, len(data), 4):
            self._words[_DATA + n] = int.from_bytes(data[n : n + 4], "little")
