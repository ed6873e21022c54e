"""Debug registers of a virtual board and what they make its run side do."""

from __future__ import annotations

import pytest

from benchagent.virtual.flash_array import FlashArray, Wear
from benchagent.virtual.stm32 import debug_core as dc
from benchagent.virtual.stm32 import part as f4
from benchagent.virtual.stm32.access_port import AccessPort, DebugPort
from benchagent.virtual.stm32.bus import BusFault, MemoryBus
from benchagent.virtual.stm32.executor import Executor
from benchagent.virtual.stm32.flash_controller import FlashController

F405 = f4.PARTS["stm32f405rg"]

KEY = dc.DBGKEY << 16
HALT = KEY | dc.C_DEBUGEN | dc.C_HALT
RUN = KEY | dc.C_DEBUGEN


class RunRecorder:
    """A run side that only remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def boot(self) -> None:
        self.told.append("boot")

    def freeze(self) -> None:
        self.told.append("freeze")

    def thaw(self) -> None:
        self.told.append("thaw")

    def power_off(self) -> None:
        self.told.append("power off")


class Bench:
    def __init__(self) -> None:
        vectors = (0x2002_0000).to_bytes(4, "little") + (0x0801_0001).to_bytes(4, "little")
        array = FlashArray(vectors + b"\xff" * (F405.flash_size - 8), F405.sectors, Wear())
        self.bus = MemoryBus(
            array, FlashController(array, lambda: None), part=F405, board_name="unit"
        )
        self.run_side = RunRecorder()
        self.core = dc.DebugCore(
            bus=self.bus,
            executor=Executor(self.bus),
            run_side=self.run_side,
            wear=array.wear,
            device_id=F405.device_id,
        )

    def register(self, selector: int) -> int:
        self.core.write(dc.DCRSR, 4, selector)
        return self.core.read(dc.DCRDR, 4)

    def set_register(self, selector: int, value: int) -> None:
        self.core.write(dc.DCRDR, 4, value)
        self.core.write(dc.DCRSR, 4, 1 << 16 | selector)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_looking_while_halted_lets_the_firmware_go_on_where_it_was(bench: Bench) -> None:
    bench.core.write(dc.DHCSR, 4, HALT)
    assert bench.core.read(dc.DHCSR, 4) & dc.S_HALT
    bench.core.read(f4.SRAM_START, 4)
    bench.register(15)
    bench.core.write(dc.DHCSR, 4, RUN)
    assert bench.run_side.told == ["freeze", "thaw"]


@pytest.mark.parametrize("touch", ["ram", "register", "flash"])
def test_changing_anything_while_halted_makes_the_resume_a_boot(bench: Bench, touch: str) -> None:
    bench.core.write(dc.DHCSR, 4, HALT)
    if touch == "ram":
        bench.core.write(f4.SRAM_START, 4, 1)
    elif touch == "register":
        bench.set_register(0, 7)
    else:
        bench.bus.array.program(0x100, bytes(4))
    bench.core.write(dc.DHCSR, 4, KEY)
    assert bench.run_side.told == ["freeze", "boot"]


def test_a_caught_reset_halts_at_the_reset_vector(bench: Bench) -> None:
    bench.core.write(dc.DHCSR, 4, RUN)
    bench.core.write(dc.DEMCR, 4, dc.VC_CORERESET)
    bench.core.write(dc.AIRCR, 4, dc.VECTKEY << 16 | dc.SYSRESETREQ)
    assert bench.run_side.told == ["power off"]
    assert (bench.register(13), bench.register(15)) == (0x2002_0000, 0x0801_0000)
    state = bench.core.read(dc.DHCSR, 4)
    assert state & dc.S_HALT
    assert state & dc.S_RESET_ST
    assert not bench.core.read(dc.DHCSR, 4) & dc.S_RESET_ST


def test_an_uncaught_reset_boots(bench: Bench) -> None:
    bench.core.write(dc.AIRCR, 4, dc.VECTKEY << 16 | dc.SYSRESETREQ)
    assert bench.run_side.told == ["boot"]
    bench.core.write(dc.AIRCR, 4, dc.SYSRESETREQ)
    assert bench.run_side.told == ["boot"]


def test_a_held_reset_line_boots_on_release(bench: Bench) -> None:
    bench.core.hold_reset(True)
    assert bench.run_side.told == ["power off"]
    bench.core.hold_reset(False)
    assert bench.run_side.told == ["power off", "boot"]


def test_code_in_ram_runs_until_its_breakpoint(bench: Bench) -> None:
    # movs r0, #42; bkpt 0
    bench.core.write(dc.DHCSR, 4, HALT)
    bench.core.write_block(f4.SRAM_START, bytes.fromhex("2a2000be"))
    bench.set_register(15, f4.SRAM_START)
    bench.core.write(dc.DHCSR, 4, RUN)
    assert bench.register(0) == 42
    assert bench.core.read(dc.DFSR, 4) & dc.DFSR_BKPT


@pytest.mark.parametrize(
    "code",
    [
        "016800be",  # ldr r1, [r0] at an address that no memory answers
        "fee7",  # b . for ever
    ],
)
def test_a_runaway_in_ram_ends_in_a_fault(bench: Bench, code: str) -> None:
    bench.core.write(dc.DHCSR, 4, HALT)
    bench.core.write_block(f4.SRAM_START, bytes.fromhex(code))
    bench.set_register(0, 0x9000_0000)
    bench.set_register(15, f4.SRAM_START)
    bench.core.write(dc.DHCSR, 4, RUN)
    assert bench.core.read(dc.DHCSR, 4) & dc.S_HALT
    assert bench.core.read(dc.HFSR, 4) & dc.HFSR_FORCED


def test_the_part_says_who_it_is(bench: Bench) -> None:
    assert bench.core.read(f4.DBGMCU_IDCODE, 4) == 0x1007_0413
    assert bench.core.read(f4.FLASH_SIZE_REGISTER, 2) == 1024
    assert len(set(bench.core.read_block(f4.UNIQUE_ID, 12))) > 1
    bench.core.write(f4.DBGMCU_IDCODE, 4, 0)
    assert bench.core.read(f4.DBGMCU_IDCODE, 4) & 0xFFF == 0x413


@pytest.mark.parametrize("address", [0x9000_0000, 0x2002_0000, 0x2001_FFFE, 0x0810_0000])
def test_an_address_without_memory_is_a_bus_fault(bench: Bench, address: int) -> None:
    with pytest.raises(BusFault):
        bench.core.read(address, 4)


def test_the_access_port_steps_its_address_and_places_narrow_lanes(bench: Bench) -> None:
    port = AccessPort(bench.core)
    port.write(0x00, 0x2300_0050)  # bytes, single increment
    port.write(0x04, f4.SRAM_START)
    for byte in range(4):
        port.write(0x0C, 0x11 * (byte + 1) << 8 * byte)
    assert bench.core.read(f4.SRAM_START, 4) == 0x4433_2211
    port.write(0x04, f4.SRAM_START + 2)
    assert port.read(0x0C) == 0x33 << 16
    assert port.read(0x04) == f4.SRAM_START + 3


def test_two_access_ports_do_not_share_an_address(bench: Bench) -> None:
    one, two = AccessPort(bench.core), AccessPort(bench.core)
    one.write(0x04, f4.SRAM_START)
    two.write(0x04, f4.FLASH_START)
    assert one.read(0x0C) == 0
    assert two.read(0x0C) == 0x2002_0000


def test_the_debug_port_acknowledges_power_requests() -> None:
    port = DebugPort()
    assert port.read(0) == f4.DP_IDR
    port.write(4, 0x5000_0000)
    assert port.read(4) == 0xF000_0000
