"""The memory bus behind the debug access port: flash, RAM, peripherals, system memory."""

from __future__ import annotations

import hashlib

from benchagent.virtual import f405
from benchagent.virtual.flash_memory import FlashArray, FlashController


class BusFault(Exception):  # noqa: N818 - the architecture's own word
    """An access that no slave answers; the debug port reports it as a transfer fault."""


class MemoryBus:
    """Decodes every address outside the private peripheral bus.

    `ram_written` tells the debug core that a resume can no longer continue what ran before.
    """

    def __init__(self, array: FlashArray, controller: FlashController, *, board_name: str) -> None:
        self.array = array
        self.controller = controller
        self.sram = bytearray(f405.SRAM_SIZE)
        self.ccm = bytearray(f405.CCM_SIZE)
        self.ram_written = False
        self._system = _system_memory(board_name)
        self._peripherals: dict[int, int] = {}

    def reset(self) -> None:
        """A system reset: peripherals forget, RAM keeps its contents."""
        self._peripherals.clear()
        self.controller.reset()

    def read(self, address: int, width: int) -> int:
        """A little endian value of `width` (1, 2 or 4) bytes.

        Raises BusFault where nothing is mapped.
        """
        if f405.PERIPHERAL_START <= address < f405.PERIPHERAL_START + f405.PERIPHERAL_SIZE:
            word = self.read_peripheral(address & ~3)
            return word >> 8 * (address & 3) & (1 << 8 * width) - 1
        return int.from_bytes(self.read_block(address, width), "little")

    def write(self, address: int, width: int, value: int) -> None:
        """A little endian value of `width` (1, 2 or 4) bytes; stores to flash program it."""
        if f405.FLASH_START <= address < f405.FLASH_START + f405.FLASH_SIZE:
            self.controller.program(address - f405.FLASH_START, width, value)
        elif f405.PERIPHERAL_START <= address < f405.PERIPHERAL_START + f405.PERIPHERAL_SIZE:
            self.write_peripheral(address & ~3, value)
        else:
            self._write_ram(address, value.to_bytes(width, "little"))

    def read_block(self, address: int, length: int) -> bytes:
        """`length` bytes that lie in one memory. Raises BusFault."""
        for start, memory in (
            (f405.FLASH_START, self.array.bytes),
            (f405.SRAM_START, self.sram),
            (f405.CCM_START, self.ccm),
            (f405.SYSTEM_START, self._system),
            (0, self.array.bytes),
        ):
            if start <= address and address + length <= start + len(memory):
                return bytes(memory[address - start : address - start + length])
        if f405.PERIPHERAL_START <= address < f405.PERIPHERAL_START + f405.PERIPHERAL_SIZE:
            first = address & ~3
            words = range(first, address + length, 4)
            data = b"".join(self.read_peripheral(at).to_bytes(4, "little") for at in words)
            return data[address - first :][:length]
        raise BusFault(f"no memory of {length} bytes at {address:#010x}")

    def write_block(self, address: int, data: bytes) -> None:
        """Bytes into RAM at once, elsewhere word by word. Raises BusFault."""
        if not f405.FLASH_START <= address < f405.FLASH_START + f405.FLASH_SIZE and not (
            f405.PERIPHERAL_START <= address < f405.PERIPHERAL_START + f405.PERIPHERAL_SIZE
        ):
            self._write_ram(address, data)
            return
        width = 4 if len(data) % 4 == 0 and address % 4 == 0 else 1
        for at in range(0, len(data), width):
            self.write(address + at, width, int.from_bytes(data[at : at + width], "little"))

    def read_peripheral(self, address: int) -> int:
        """One aligned 32-bit peripheral register; those without a model keep what was written."""
        offset = address - f405.FLASH_REGISTERS
        if 0 <= offset < f405.FLASH_REGISTERS_SIZE:
            return self.controller.read(offset)
        return self._peripherals.get(address, 0)

    def write_peripheral(self, address: int, value: int) -> None:
        """One aligned 32-bit peripheral register."""
        offset = address - f405.FLASH_REGISTERS
        if 0 <= offset < f405.FLASH_REGISTERS_SIZE:
            self.controller.write(offset, value)
        else:
            self._peripherals[address] = value & 0xFFFF_FFFF

    def _write_ram(self, address: int, data: bytes) -> None:
        for start, memory in ((f405.SRAM_START, self.sram), (f405.CCM_START, self.ccm)):
            if start <= address and address + len(data) <= start + len(memory):
                memory[address - start : address - start + len(data)] = data
                self.ram_written = True
                return
        raise BusFault(f"no writable memory of {len(data)} bytes at {address:#010x}")


def _system_memory(board_name: str) -> bytearray:
    """System memory with the unique device ID and the flash size in KiB (RM0090 section 39)."""
    memory = bytearray(b"\xff" * f405.SYSTEM_SIZE)
    unique = hashlib.sha256(b"virtual stm32f405 unique id " + board_name.encode()).digest()[:12]
    at = f405.UNIQUE_ID - f405.SYSTEM_START
    memory[at : at + 12] = unique
    at = f405.FLASH_SIZE_REGISTER - f405.SYSTEM_START
    memory[at : at + 2] = (f405.FLASH_SIZE // f405.KIB).to_bytes(2, "little")
    return memory
