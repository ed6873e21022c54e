"""The RISC-V core in Unicorn: memory, slices of an exact number of instructions, and traps.

Unicorn is not given per-instruction or per-block hooks: `emu_start(count=...)` runs about four
hundred million instructions a second without one, and half a million with one. What ran is told by
the blocks that it translates (`blocks.py`).
"""

import ctypes
import mmap
import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from unicorn import UC_ARCH_RISCV, UC_HOOK_MEM_INVALID, UC_MODE_RISCV32, Uc, UcError
from unicorn import riscv_const as regs
from unicorn.unicorn_const import (
    UC_ERR_EXCEPTION,
    UC_ERR_FETCH_PROT,
    UC_ERR_FETCH_UNMAPPED,
    UC_ERR_INSN_INVALID,
    UC_ERR_READ_PROT,
    UC_ERR_READ_UNMAPPED,
    UC_ERR_WRITE_PROT,
    UC_ERR_WRITE_UNMAPPED,
    UC_PROT_ALL,
    UC_PROT_EXEC,
    UC_PROT_READ,
)

from benchline.emulator.accesses import access_of
from benchline.emulator.blocks import BlockTrace

# ESP32-C3 memory map (ESP32-C3 Technical Reference Manual, "System and Memory", not checked
# against it; the addresses are those of Espressif's linker scripts and of its QEMU machine).
SRAM_INSTRUCTION, SRAM_INSTRUCTION_BYTES = 0x4037_C000, 0x6_4000
SRAM_DATA, SRAM_DATA_OFFSET, SRAM_DATA_BYTES = 0x3FC8_0000, 0x4000, 0x6_0000
RTC_FAST, RTC_FAST_BYTES = 0x5000_0000, 0x2000
FLASH_INSTRUCTION, FLASH_DATA, FLASH_WINDOW = 0x4200_0000, 0x3C00_0000, 4 << 20
PERIPHERALS, PERIPHERALS_BYTES = 0x6000_0000, 0xD_1000
PERIPHERAL_PAGES = PERIPHERALS_BYTES >> 12
_PAGE = 12

TRANSLATION_BYTES = 32 << 20
STACK_AT_RESET = SRAM_DATA + SRAM_DATA_BYTES - 16
_NOWHERE = 0xFFFF_FFFF
_MACHINE_MODE = 3
_MIE, _MPIE, _MPP_SHIFT = 1 << 3, 1 << 7, 11
_ECALL = 0x0000_0073
_GENERAL = tuple(getattr(regs, f"UC_RISCV_REG_X{n}") for n in range(1, 32))

_SEARCHED_BYTES = 16384
_LOOP = struct.pack("<II", 0x0015_0513, 0xFFDF_F06F)
"""addi a0, a0, 1; j -4."""


class UnusableUnicornError(Exception):
    """This Unicorn does not do what the machine needs."""


class Cause:
    """Exception causes of the RISC-V privileged architecture."""

    FETCH_FAULT = 1
    ILLEGAL = 2
    BREAKPOINT = 3
    LOAD_FAULT = 5
    STORE_FAULT = 7
    ECALL_USER = 8
    ECALL_MACHINE = 11


_CAUSES = {
    UC_ERR_READ_UNMAPPED: Cause.LOAD_FAULT,
    UC_ERR_READ_PROT: Cause.LOAD_FAULT,
    UC_ERR_WRITE_UNMAPPED: Cause.STORE_FAULT,
    UC_ERR_WRITE_PROT: Cause.STORE_FAULT,
    UC_ERR_FETCH_UNMAPPED: Cause.FETCH_FAULT,
    UC_ERR_FETCH_PROT: Cause.FETCH_FAULT,
    UC_ERR_INSN_INVALID: Cause.BREAKPOINT,
}


class Stop(StrEnum):
    """Why a slice ended."""

    COUNT = "COUNT"
    ASKED = "ASKED"
    WAITING = "WAITING"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Slice:
    """What a slice did: instructions executed, and the fault when there was one."""

    stop: Stop
    executed: int
    cause: int = 0
    value: int = 0


class Peripheral(Protocol):
    """A page of registers."""

    def read(self, offset: int) -> int:
        """The word at `offset`, a multiple of 4."""
        ...

    def write(self, offset: int, value: int) -> None:
        """Store a word."""
        ...


class Processor:
    """One hart with its memories and its peripherals, a page of 4 KiB each.

    `charged` counts the instructions that accesses to peripherals took the time of, besides those
    that were executed: `access_cost` each.
    """

    def __init__(self, flash: mmap.mmap, access_cost: int) -> None:
        self._flash = flash
        self._access_cost = access_cost
        self.charged = 0
        self.pages: Sequence[Peripheral] = ()
        self._sram = mmap.mmap(-1, SRAM_INSTRUCTION_BYTES)
        self._bad_address = 0
        self._running = False
        self._asked = False
        self.pc = 0
        self._uc = self._build()
        self._counter, self._limit = _counter_of(self._uc)
        self._sram[:] = bytes(SRAM_INSTRUCTION_BYTES)
        self._blocks: BlockTrace | None = None

    def _build(self) -> Uc:
        uc = Uc(UC_ARCH_RISCV, UC_MODE_RISCV32)
        uc.ctl_set_tcg_buffer_size(TRANSLATION_BYTES)
        sram = _address_of(self._sram)
        uc.mem_map_ptr(SRAM_INSTRUCTION, SRAM_INSTRUCTION_BYTES, UC_PROT_ALL, sram)
        uc.mem_map_ptr(SRAM_DATA, SRAM_DATA_BYTES, UC_PROT_ALL, sram + SRAM_DATA_OFFSET)
        uc.mem_map(RTC_FAST, RTC_FAST_BYTES, UC_PROT_ALL)
        uc.mmio_map(PERIPHERALS, PERIPHERALS_BYTES, self._load, None, self._store, None)
        uc.hook_add(UC_HOOK_MEM_INVALID, self._invalid)
        return uc

    def trace_blocks(self, tell: Callable[[int, int], None]) -> None:
        """Tell address and length of every block of code before it runs for the first time."""
        self._blocks = BlockTrace(self._uc, tell)

    def map_flash(self) -> None:
        """Let both buses see the first 4 MiB of flash, as the ROM does for a direct boot."""
        size = min(FLASH_WINDOW, len(self._flash))
        flash = _address_of(self._flash)
        self._uc.mem_map_ptr(FLASH_INSTRUCTION, size, UC_PROT_READ | UC_PROT_EXEC, flash)
        self._uc.mem_map_ptr(FLASH_DATA, size, UC_PROT_READ, flash)

    def load(self, address: int, data: bytes) -> bool:
        """Copy data into memory; False when there is none at that address."""
        try:
            self._uc.mem_write(address, data)
        except UcError:
            return False
        return True

    def reset(self, entry: int) -> None:
        """Registers as after a reset; memory keeps what it holds."""
        for register in _GENERAL:
            self._uc.reg_write(register, 0)
        self._uc.reg_write(regs.UC_RISCV_REG_PRIV, _MACHINE_MODE)
        for register in (regs.UC_RISCV_REG_MSTATUS, regs.UC_RISCV_REG_MTVEC):
            self._uc.reg_write(register, 0)
        self._uc.reg_write(regs.UC_RISCV_REG_SP, STACK_AT_RESET)
        self.pc = entry

    @property
    def executed(self) -> int:
        """Instructions of the running slice so far; 0 between slices."""
        return self._counter.value if self._running else 0

    def run(self, count: int) -> Slice:
        """Execute up to `count` instructions."""
        self._asked = False
        self._running = True
        began = self.pc
        try:
            self._uc.emu_start(began, _NOWHERE, count=count)
        except UcError as error:
            return self._fault(error.errno, min(self._counter.value, count))
        finally:
            self._running = False
        self.pc = self._uc.reg_read(regs.UC_RISCV_REG_PC)
        executed, limit = self._counter.value, self._limit.value
        if self._blocks is not None:
            self._blocks.begun_at(began)
        if executed > limit:
            return Slice(Stop.ASKED if self._asked else Stop.COUNT, limit)
        # Nothing but WFI ends a slice before its limit.
        return Slice(Stop.WAITING, executed)

    def ask_to_stop(self) -> None:
        """End the running slice after the present instruction; idle, there is nothing to end."""
        # Unicorn's own emu_stop would leave the instruction that made the access to be executed
        # once more, and between slices it would end the next one before its first instruction.
        if self._running:
            self._asked = True
            self._limit.value = self._counter.value

    def charge(self, instructions: int) -> None:
        """Let time pass without instructions: the running slice ends that much earlier."""
        self.charged += instructions
        if self._running:
            limit, counter = self._limit, self._counter.value
            left = limit.value - instructions
            limit.value = left if left > counter else counter

    @property
    def interruptible(self) -> bool:
        """Whether an interrupt would be taken now."""
        if self._uc.reg_read(regs.UC_RISCV_REG_PRIV) != _MACHINE_MODE:
            return True
        return bool(self._uc.reg_read(regs.UC_RISCV_REG_MSTATUS) & _MIE)

    def trap(self, cause: int, value: int = 0, *, interrupt: bool = False) -> None:
        """Enter the trap handler; interrupts go through the vector table of a vectored mtvec."""
        uc = self._uc
        mode = uc.reg_read(regs.UC_RISCV_REG_PRIV)
        if mode != _MACHINE_MODE:
            uc.reg_write(regs.UC_RISCV_REG_PRIV, _MACHINE_MODE)
        status = uc.reg_read(regs.UC_RISCV_REG_MSTATUS)
        enabled = status & _MIE
        status &= ~(_MIE | _MPIE | 3 << _MPP_SHIFT)
        status |= mode << _MPP_SHIFT | (_MPIE if enabled else 0)
        uc.reg_write(regs.UC_RISCV_REG_MSTATUS, status)
        uc.reg_write(regs.UC_RISCV_REG_MEPC, self.pc)
        uc.reg_write(regs.UC_RISCV_REG_MCAUSE, (1 << 31 if interrupt else 0) | cause)
        uc.reg_write(regs.UC_RISCV_REG_MTVAL, value)
        vector = uc.reg_read(regs.UC_RISCV_REG_MTVEC)
        self.pc = (vector & ~3) + (4 * cause if interrupt and vector & 1 else 0)

    def _fault(self, errno: int, executed: int) -> Slice:
        self.pc = self._uc.reg_read(regs.UC_RISCV_REG_PC)
        if errno == UC_ERR_EXCEPTION:
            # Unicorn has stepped four bytes over the instruction that it could not execute.
            self.pc = (self.pc - 4) & 0xFFFF_FFFF
            return self._bad_instruction(executed)
        cause = _CAUSES.get(errno)
        if cause is None:
            raise UnusableUnicornError(f"Unicorn stopped with error {errno} at {self.pc:#x}")
        value = self.pc if cause == Cause.BREAKPOINT else self._bad_address
        return Slice(Stop.FAULT, executed, cause, value)

    def _bad_instruction(self, executed: int) -> Slice:
        try:
            word = int.from_bytes(self._uc.mem_read(self.pc, 2), "little")
            if word & 3 == 3:
                word |= int.from_bytes(self._uc.mem_read(self.pc + 2, 2), "little") << 16
        except UcError:
            # There is no memory: the exception was the fetch.
            return Slice(Stop.FAULT, executed, Cause.FETCH_FAULT, self.pc)
        if word != _ECALL:
            return self._refused(executed, word)
        machine = self._uc.reg_read(regs.UC_RISCV_REG_PRIV) == _MACHINE_MODE
        return Slice(Stop.FAULT, executed, Cause.ECALL_MACHINE if machine else Cause.ECALL_USER)

    def _refused(self, executed: int, word: int) -> Slice:
        """An instruction that is none, or an access that memory protection forbids."""
        access = access_of(word, lambda n: self._uc.reg_read(_GENERAL[n - 1]) if n else 0)
        if access is None:
            return Slice(Stop.FAULT, executed, Cause.ILLEGAL, word)
        cause = Cause.STORE_FAULT if access.store else Cause.LOAD_FAULT
        return Slice(Stop.FAULT, executed, cause, access.address)

    def _invalid(self, _uc: Uc, _kind: int, address: int, *_: object) -> bool:
        self._bad_address = address
        return False

    def _load(self, _uc: Uc, offset: int, size: int, _: object) -> int:
        self.charge(self._access_cost)
        word = self.pages[offset >> _PAGE].read(offset & 0xFFC)
        if size == 4:
            return word
        return word >> 8 * (offset & 3) & ((1 << 8 * size) - 1)

    def _store(self, _uc: Uc, offset: int, size: int, value: int, _: object) -> None:
        self.charge(self._access_cost)
        if size < 4:
            value = (value & ((1 << 8 * size) - 1)) << 8 * (offset & 3)
        self.pages[offset >> _PAGE].write(offset & 0xFFC, value & 0xFFFF_FFFF)


def _address_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _counter_of(uc: Uc) -> tuple[ctypes.c_uint64, ctypes.c_uint64]:
    """Unicorn's own count of a run's instructions and its limit; its interface gives neither.

    Found by running a loop for known counts and looking where they were counted. With the counter,
    virtual time is exact in the middle of a slice; with the limit, a slice can be ended early.

    Raises:
        UnusableUnicornError: this Unicorn counts nowhere that was looked.
    """
    base = _address_of_handle(uc)
    uc.mem_write(SRAM_INSTRUCTION, _LOOP)
    memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        candidates = set(range(0, _SEARCHED_BYTES - 16, 8))
        for count in (12_345, 54_321, 1):
            uc.emu_start(SRAM_INSTRUCTION, _NOWHERE, count=count)
            found = os.pread(memory, _SEARCHED_BYTES, base)
            # Stopped by its limit it has counted the instruction that it did not execute; the
            # limit stands behind the counter.
            wanted = struct.pack("<QQ", count + 1, count)
            candidates = {at for at in candidates if found[at : at + 16] == wanted}
    except OSError as error:
        raise UnusableUnicornError(f"own memory cannot be read: {error}") from error
    finally:
        os.close(memory)
    if len(candidates) != 1:
        raise UnusableUnicornError("this version of Unicorn does not count instructions as known")
    at = base + candidates.pop()
    return ctypes.c_uint64.from_address(at), ctypes.c_uint64.from_address(at + 8)


def _address_of_handle(uc: Uc) -> int:
    handle: ctypes.c_void_p = uc._uch  # noqa: SLF001 - see `_counter_of`
    return handle.value or 0
