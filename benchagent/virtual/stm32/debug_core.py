"""Cortex-M4 debug: halt, run, reset, register transfer, and the identification registers."""

from __future__ import annotations

import struct
from typing import Protocol

from benchagent.virtual.flash_array import Wear
from benchagent.virtual.stm32 import part as f4
from benchagent.virtual.stm32.bus import MemoryBus
from benchagent.virtual.stm32.executor import LR, MSP, PC, SP, XPSR, Executor, Stop

# ARMv7-M architecture reference manual, sections B3.2 and C1.6.
AIRCR, DFSR, HFSR = 0xE000_ED0C, 0xE000_ED30, 0xE000_ED2C
DHCSR, DCRSR, DCRDR, DEMCR = 0xE000_EDF0, 0xE000_EDF4, 0xE000_EDF8, 0xE000_EDFC
FP_CTRL = 0xE000_2000
DBGKEY, VECTKEY = 0xA05F, 0x05FA
C_DEBUGEN, C_HALT, C_STEP = 1 << 0, 1 << 1, 1 << 2
S_REGRDY, S_HALT, S_RESET_ST = 1 << 16, 1 << 17, 1 << 25
DFSR_HALTED, DFSR_BKPT, DFSR_VCATCH = 1 << 0, 1 << 1, 1 << 3
VC_CORERESET = 1 << 0
SYSRESETREQ, VECTRESET = 1 << 2, 1 << 0
HFSR_FORCED = 1 << 30


class RunSide(Protocol):
    """What executes flashed firmware while the core is not halted."""

    def boot(self) -> None:
        """Start the firmware in flash from its reset vector."""

    def freeze(self) -> None:
        """Stop time for the firmware, keeping its state."""

    def thaw(self) -> None:
        """Let frozen firmware go on where it stopped."""

    def power_off(self) -> None:
        """End the firmware; its state is gone."""


class DebugCore:
    """The private peripheral bus of the core, and what its writes make the board do.

    Firmware runs in another machine than the flash algorithm. A debugger that only halts, looks
    and resumes leaves it as it was; one that writes RAM, flash or registers in between makes the
    resume a fresh boot from the reset vector.
    """

    def __init__(
        self, *, bus: MemoryBus, executor: Executor, run_side: RunSide, wear: Wear, device_id: int
    ) -> None:
        self.bus = bus
        self._executor = executor
        self._run_side = run_side
        self._wear = wear
        self._registers = _identification(device_id, bus.part.revision_id)
        self._dhcsr = 0
        self._demcr = 0
        self._dfsr = 0
        self._dcrdr = 0
        self._halted = False
        self._firmware_running = True
        self._frozen_version: int | None = None
        self._reset_sticky = True
        self._nrst_held = False

    @property
    def nrst_held(self) -> bool:
        """Whether the probe holds the reset line low."""
        return self._nrst_held

    @property
    def is_halted(self) -> bool:
        """Whether a debugger or the reset line keeps firmware from running."""
        return self._halted or self._nrst_held

    def read(self, address: int, width: int) -> int:
        """Any address: the private peripheral bus here, the rest on the memory bus."""
        if not f4.PPB_START <= address < f4.PPB_START + f4.PPB_SIZE:
            return self.bus.read(address, width)
        word = self._read_ppb(address & ~3)
        return word >> 8 * (address & 3) & (1 << 8 * width) - 1

    def write(self, address: int, width: int, value: int) -> None:
        """Any address: the private peripheral bus here, the rest on the memory bus."""
        if f4.PPB_START <= address < f4.PPB_START + f4.PPB_SIZE:
            self._write_ppb(address & ~3, value)
        else:
            self.bus.write(address, width, value)

    def read_block(self, address: int, length: int) -> bytes:
        """`length` bytes from one memory. Raises BusFault."""
        if f4.PPB_START <= address < f4.PPB_START + f4.PPB_SIZE:
            return bytes(self.read(at, 1) for at in range(address, address + length))
        return self.bus.read_block(address, length)

    def write_block(self, address: int, data: bytes) -> None:
        """Bytes into one memory; whole words on the private peripheral bus. Raises BusFault."""
        if f4.PPB_START <= address < f4.PPB_START + f4.PPB_SIZE:
            for at in range(0, len(data) - 3, 4):
                self.write(address + at, 4, int.from_bytes(data[at : at + 4], "little"))
        else:
            self.bus.write_block(address, data)

    def hold_reset(self, held: bool) -> None:
        """The reset line: the core resets when it is released."""
        if held and not self._nrst_held:
            self._run_side.power_off()
            self._frozen_version = None
        if self._nrst_held and not held:
            self._nrst_held = False
            self.reset()
        self._nrst_held = held

    def forget(self) -> None:
        """Power was away: no debugger ever halted this core."""
        self.bus.reset()
        self._dhcsr = self._demcr = self._dfsr = self._dcrdr = 0
        self._halted = self._nrst_held = False
        self._firmware_running = self._reset_sticky = True
        self._frozen_version = None

    def reset(self) -> None:
        """A system reset; halts at the reset vector when the debugger catches it, else boots."""
        self._wear.resets += 1
        self.bus.reset()
        self._reset_sticky = True
        self._frozen_version = None
        stack, start = struct.unpack_from("<II", self.bus.array.bytes)
        for selector, value in ((MSP, stack), (SP, stack), (PC, start), (LR, 0xFFFF_FFFF)):
            self._executor.write_register(selector, value)
        self._executor.write_register(XPSR, 0)
        if self._demcr & VC_CORERESET and self._dhcsr & C_DEBUGEN:
            self._run_side.power_off()
            self._firmware_running = False
            self._halted = True
            self._dfsr |= DFSR_VCATCH
        else:
            self._halted = False
            self._firmware_running = True
            self._run_side.boot()

    def _halt(self, cause: int) -> None:
        if self._firmware_running:
            self._firmware_running = False
            self._run_side.freeze()
            self._frozen_version = self.bus.array.version
            self.bus.ram_written = False
        self._halted = True
        self._dfsr |= cause

    def _resume(self) -> None:
        self._halted = False
        if self._firmware_running:
            return
        undisturbed = self._frozen_version == self.bus.array.version and not self.bus.ram_written
        self._firmware_running = True
        self._frozen_version = None
        if undisturbed:
            self._run_side.thaw()
        else:
            self._run_side.boot()

    def _run_from_ram(self, *, instructions: int = 0) -> None:
        self.bus.ram_written = True
        stop = self._executor.run(instructions=instructions)
        self._halted = True
        self._dfsr |= DFSR_HALTED if instructions else DFSR_BKPT
        if stop == Stop.FAULT:
            self._registers[HFSR] = HFSR_FORCED

    def _pc_in_ram(self) -> bool:
        pc = self._executor.read_register(PC)
        return f4.SRAM_START <= pc < f4.SRAM_START + len(self.bus.sram)

    def _read_ppb(self, address: int) -> int:
        if address == DHCSR:
            value = self._dhcsr | S_REGRDY
            if self._halted:
                value |= S_HALT
            if self._reset_sticky or self._nrst_held:
                value |= S_RESET_ST
            self._reset_sticky = False
            return value
        match address:
            case 0xE000_EDF8:
                return self._dcrdr
            case 0xE000_EDFC:
                return self._demcr
            case 0xE000_ED30:
                return self._dfsr
            case 0xE000_ED0C:
                return 0xFA05_0000
        return self._registers.get(address, 0)

    def _write_ppb(self, address: int, value: int) -> None:
        if address == DHCSR:
            self._write_dhcsr(value)
        elif address == DCRSR:
            self._transfer_register(value)
        elif address == DCRDR:
            self._dcrdr = value
        elif address == DEMCR:
            self._demcr = value
        elif address == DFSR:
            self._dfsr &= ~value
        elif address == AIRCR:
            if value >> 16 == VECTKEY and value & (SYSRESETREQ | VECTRESET):
                self.reset()
        elif address == FP_CTRL:
            self._registers[FP_CTRL] = self._registers[FP_CTRL] & ~1 | value & 1
        elif address not in _READ_ONLY:
            self._registers[address] = value

    def _write_dhcsr(self, value: int) -> None:
        if value >> 16 != DBGKEY:
            return
        self._dhcsr = value & 0xF
        if not value & C_DEBUGEN:
            self._resume()
        elif value & C_HALT:
            if not self._halted:
                self._halt(DFSR_HALTED)
        elif self._halted:
            if value & C_STEP:
                self._run_from_ram(instructions=1)
            elif self._pc_in_ram():
                self._run_from_ram()
            else:
                self._resume()

    def _transfer_register(self, value: int) -> None:
        selector = value & 0x7F
        if value & 1 << 16:
            self._executor.write_register(selector, self._dcrdr)
            self.bus.ram_written = True
        else:
            self._dcrdr = self._executor.read_register(selector)


_CPUID, _MVFR0, _MVFR1 = 0xE000_ED00, 0xE000_EF40, 0xE000_EF44
_READ_ONLY = frozenset((_CPUID, _MVFR0, _MVFR1, f4.DBGMCU_IDCODE))


def _identification(device_id: int, revision_id: int) -> dict[int, int]:
    """The registers a debugger reads to find out what it is connected to.

    CPUID r0p1, FPU and unit identification: Cortex-M4 technical reference manual DDI 0439B,
    sections 4.1, 7.2 and 9; the ROM table: RM0090 section 38.6 and IHI 0031C section 9.
    """
    registers = {
        _CPUID: 0x410F_C241,
        _MVFR0: 0x1011_0021,
        _MVFR1: 0x1100_0011,
        0xE000_1000: 0x4000_0000,  # DWT_CTRL: four comparators
        FP_CTRL: 0x0000_0260,  # six code and two literal comparators
        0xE000_E004: 0x0000_0002,  # ICTR: 96 interrupt lines
        0xE000_ED90: 0x0000_0800,  # MPU_TYPE: eight regions
        f4.DBGMCU_IDCODE: revision_id << 16 | device_id,
    }
    rom_table = f4.AHB_AP_BASE & ~0xFFF
    _identify(registers, rom_table, peripheral=0x000A_0413, component_class=1, pid4=0)
    for index, entry in enumerate((0xFFF0_F003, 0xFFF0_2003, 0xFFF0_3003, 0xFFF0_1003)):
        registers[rom_table + 4 * index] = entry
    registers[rom_table + 0xFCC] = 1
    for base, peripheral in (
        (0xE000_E000, 0x000B_B00C),  # system control space
        (0xE000_1000, 0x003B_B002),  # DWT
        (0xE000_2000, 0x002B_B003),  # FPB
        (0xE000_0000, 0x003B_B001),  # ITM
    ):
        _identify(registers, base, peripheral=peripheral, component_class=0xE, pid4=4)
    return registers


def _identify(
    registers: dict[int, int], base: int, *, peripheral: int, component_class: int, pid4: int
) -> None:
    """Peripheral and component identification of one 4 KiB block (IHI 0031C section 9.2)."""
    for index in range(4):
        registers[base + 0xFE0 + 4 * index] = peripheral >> 8 * index & 0xFF
    registers[base + 0xFD0] = pid4
    for index, value in enumerate((0x0D, component_class << 4, 0x05, 0xB1)):
        registers[base + 0xFF0 + 4 * index] = value
