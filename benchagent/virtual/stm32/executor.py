"""Executes the flash algorithm that a debugger loads into RAM, instruction by instruction."""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

from benchagent.virtual.stm32 import part as f4
from benchagent.virtual.stm32.bus import MemoryBus

_PAGE = 0x1000
_FLASH_REGISTER_PAGE = f4.FLASH_REGISTERS & ~(_PAGE - 1)
_RETURN_NOWHERE = 0xFFFF_FFFE
_MAX_INSTRUCTIONS = 20_000_000
"""Programming a page of 4 KiB takes some fifty thousand."""
_XPSR_THUMB = 1 << 24

# DCRSR register selectors (ARMv7-M, section C1.6.3).
SP, LR, PC, XPSR, MSP, PSP = 13, 14, 15, 16, 17, 18


class MissingExtraError(RuntimeError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class Stop:
    """Why execution ended."""

    BREAKPOINT = "breakpoint"
    FAULT = "fault"


class Executor:
    """A Cortex-M4 core over the bus of a virtual board (Unicorn).

    Only code in RAM runs here, until its BKPT; flashed firmware runs in QEMU. Unicorn's own
    timeout is not used: it stops the core between two bytes of a store and corrupts its state.
    """

    def __init__(self, bus: MemoryBus) -> None:
        try:
            unicorn: Any = importlib.import_module("unicorn")
            arm: Any = importlib.import_module("unicorn.arm_const")
        except ImportError as missing:
            raise MissingExtraError(
                "virtual boards need the Python package unicorn: pip install 'benchline[virtual]'"
            ) from missing
        self._bus = bus
        self._error: type[Exception] = unicorn.UcError
        self._registers: dict[int, int] = {n: getattr(arm, f"UC_ARM_REG_R{n}") for n in range(13)}
        self._registers |= {
            SP: arm.UC_ARM_REG_SP,
            LR: arm.UC_ARM_REG_LR,
            PC: arm.UC_ARM_REG_PC,
            XPSR: arm.UC_ARM_REG_XPSR,
            MSP: arm.UC_ARM_REG_MSP,
            PSP: arm.UC_ARM_REG_PSP,
        }
        self._uc: Any = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        self._uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        self._interrupted = False
        self._map_memory(unicorn)
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._interrupt)

    def _map_memory(self, unicorn: Any) -> None:
        self._pins = []
        for start, memory in (
            (f4.SRAM_START, self._bus.sram),
            (f4.CCM_START, self._bus.ccm),
        ):
            if not memory:
                continue
            view = (ctypes.c_char * len(memory)).from_buffer(memory)
            self._pins.append(view)
            self._uc.mem_map_ptr(start, len(memory), unicorn.UC_PROT_ALL, ctypes.addressof(view))
        self._uc.mmio_map(
            *(f4.FLASH_START, len(self._bus.array)),
            *(self._flash_read, None, self._flash_write, None),
        )
        below = _FLASH_REGISTER_PAGE - f4.PERIPHERAL_START
        above = _FLASH_REGISTER_PAGE + _PAGE
        for start, size in (
            (f4.PERIPHERAL_START, below),
            (_FLASH_REGISTER_PAGE, _PAGE),
            (above, f4.PERIPHERAL_START + f4.PERIPHERAL_SIZE - above),
        ):
            self._uc.mmio_map(start, size, self._io_read, start, self._io_write, start)

    def read_register(self, selector: int) -> int:
        """A core register by its DCRSR selector; those without a model read 0."""
        register = self._registers.get(selector)
        return int(self._uc.reg_read(register)) & 0xFFFF_FFFF if register is not None else 0

    def write_register(self, selector: int, value: int) -> None:
        """A core register by its DCRSR selector; the Thumb bit stays set."""
        register = self._registers.get(selector)
        if register is None:
            return
        if selector == XPSR:
            value |= _XPSR_THUMB
        self._uc.reg_write(register, value & ~1 if selector == PC else value)

    def run(self, *, instructions: int = 0) -> str:
        """Run from the PC until a BKPT, a fault, or `instructions` (0 = until the end).

        Code that does not end by itself is a fault after twenty million instructions.
        """
        self._interrupted = False
        pc = self.read_register(PC)
        try:
            self._uc.emu_start(pc | 1, _RETURN_NOWHERE, count=instructions or _MAX_INSTRUCTIONS)
        except self._error:
            return Stop.FAULT
        return Stop.BREAKPOINT if self._interrupted or instructions else Stop.FAULT

    def _interrupt(self, uc: Any, number: int, _data: object) -> None:
        self._interrupted = True
        uc.emu_stop()

    def _flash_read(self, _uc: Any, offset: int, size: int, _data: object) -> int:
        return int.from_bytes(self._bus.array.read(offset, size), "little")

    def _flash_write(self, _uc: Any, offset: int, size: int, value: int, _data: object) -> None:
        self._bus.controller.program(offset, size, value & (1 << 8 * size) - 1)

    def _io_read(self, _uc: Any, offset: int, size: int, start: int) -> int:
        address = start + offset
        word = self._bus.read_peripheral(address & ~3)
        return word if size == 4 else word >> 8 * (address & 3) & (1 << 8 * size) - 1

    def _io_write(self, _uc: Any, offset: int, _size: int, value: int, start: int) -> None:
        self._bus.write_peripheral(start + offset & ~3, value & 0xFFFF_FFFF)
