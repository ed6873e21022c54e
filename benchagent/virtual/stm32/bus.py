"""The memory bus behind the debug access port: flash, RAM, peripherals, system memory."""

from __future__ import annotations

import hashlib

from benchagent.virtual.flash_array import FlashArray
from benchagent.virtual.stm32 import part as f4
from benchagent.virtual.stm32.flash_controller import FlashController
from benchagent.virtual.stm32.part import Stm32Part


class BusFault(Exception):  # noqa: N818 - the architecture's own word
    """An access that no slave answers; the debug port reports it as a transfer fault."""


class MemoryBus:
    """Decodes every address outside the private peripheral bus.

    `ram_written` tells the debug core that a resume can no longer continue what ran before.
    """

    def __init__(
        self,
        array: FlashArray,
        controller: FlashController,
        *,
        part: Stm32Part,
        board_name: str,
    ) -> None:
        self.part = part
        self.array = array
        self.controller = controller
        self.sram = bytearray(part.sram_size)
        self.ccm = bytearray(part.ccm_size)
        self.ram_written = False
        self._system = _system_memory(part, board_name)
        self._peripherals: dict[int, int] = {}

    def reset(self) -> None:
        """A system reset: peripherals forget, RAM keeps its contents."""
        self._peripherals.clear()
        self.controller.reset()

    def read(self, address: int, width: int) -> int:
        """A little endian value of `width` (1, 2 or 4) bytes.

        Raises BusFault where nothing is mapped.
        """
        if f4.PERIPHERAL_START <= address < f4.PERIPHERAL_START + f4.PERIPHERAL_SIZE:
            word = self.read_peripheral(address & ~3)
            return word >> 8 * (address & 3) & (1 << 8 * width) - 1
        return int.from_bytes(self.read_block(address, width), "little")

    def write(self, address: int, width: int, value: int) -> None:
        """A little endian value of `width` (1, 2 or 4) bytes; stores to flash program it."""
        if f4.FLASH_START <= address < f4.FLASH_START + len(self.array):
            self.controller.program(address - f4.FLASH_START, width, value)
        elif f4.PERIPHERAL_START <= address < f4.PERIPHERAL_START + f4.PERIPHERAL_SIZE:
            self.write_peripheral(address & ~3, value)
        else:
            self._write_ram(address, value.to_bytes(width, "little"))

    def read_block(self, address: int, length: int) -> bytes:
        """`length` bytes that lie in one memory. Raises BusFault."""
        for start in (f4.FLASH_START, 0):
            if start <= address and address + length <= start + len(self.array):
                return self.array.read(address - start, length)
        for start, memory in (
            (f4.SRAM_START, self.sram),
            (f4.CCM_START, self.ccm),
            (f4.SYSTEM_START, self._system),
        ):
            if start <= address and address + length <= start + len(memory):
                return bytes(memory[address - start : address - start + length])
        if f4.PERIPHERAL_START <= address < f4.PERIPHERAL_START + f4.PERIPHERAL_SIZE:
            first = address & ~3
            words = range(first, address + length, 4)
            data = b"".join(self.read_peripheral(at).to_bytes(4, "little") for at in words)
            return data[address - first :][:length]
        raise BusFault(f"no memory of {length} bytes at {address:#010x}")

    def write_block(self, address: int, data: bytes) -> None:
        """Bytes into RAM at once, elsewhere word by word. Raises BusFault."""
        if not f4.FLASH_START <= address < f4.FLASH_START + len(self.array) and not (
            f4.PERIPHERAL_START <= address < f4.PERIPHERAL_START + f4.PERIPHERAL_SIZE
        ):
            self._write_ram(address, data)
            return
        width = 4 if len(data) % 4 == 0 and address % 4 == 0 else 1
        for at in range(0, len(data), width):
            self.write(address + at, width, int.from_bytes(data[at : at + width], "little"))

    def read_peripheral(self, address: int) -> int:
        """One aligned 32-bit peripheral register; those without a model keep what was written."""
        offset = address - f4.FLASH_REGISTERS
        if 0 <= offset < f4.FLASH_REGISTERS_SIZE:
            return self.controller.read(offset)
        return self._peripherals.get(address, 0)

    def write_peripheral(self, address: int, value: int) -> None:
        """One aligned 32-bit peripheral register."""
        offset = address - f4.FLASH_REGISTERS
        if 0 <= offset < f4.FLASH_REGISTERS_SIZE:
            self.controller.write(offset, value)
        else:
            self._peripherals[address] = value & 0xFFFF_FFFF

    def _write_ram(self, address: int, data: bytes) -> None:
        for start, memory in ((f4.SRAM_START, self.sram), (f4.CCM_START, self.ccm)):
            if start <= address and address + len(data) <= start + len(memory):
                memory[address - start : address - start + len(data)] = data
                self.ram_written = True
                return
        raise BusFault(f"no writable memory of {len(data)} bytes at {address:#010x}")


def _system_memory(part: Stm32Part, board_name: str) -> bytearray:
    """System memory with the unique device ID and the flash size in KiB (RM0090 section 39)."""
    memory = bytearray(b"\xff" * f4.SYSTEM_SIZE)
    unique = hashlib.sha256(b"virtual stm32f405 unique id " + board_name.encode()).digest()[:12]
    at = f4.UNIQUE_ID - f4.SYSTEM_START
    memory[at : at + 12] = unique
    at = f4.FLASH_SIZE_REGISTER - f4.SYSTEM_START
    memory[at : at + 2] = (part.flash_size // f4.KIB).to_bytes(2, "little")
    return memory
