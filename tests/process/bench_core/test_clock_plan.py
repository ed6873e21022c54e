"""The clock plans, compiled natively and held against the manuals' formulas written down again.

RM0090 for the F405 and F407; RM0368, RM0383 and RM0390 for the F401, F411 and F446.
"""

import shutil
import subprocess
from dataclasses import dataclass

import pytest

from controlplane.bench_core.manifest import PORTS

PROBE = r"""
#include <cstdio>
#include <initializer_list>
#include "clock_plan.hpp"
using namespace stm32f4;
static void show(const char *line, const PartLimits &limits, uint32_t hz, bool hse) {
  const ClockPlan p = planFor(limits, hz, hse);
  std::printf("plan %s %u %d %u %u %u ", line, hz, hse, p.pllcfgr(), p.cfgrPrescalers(),
              p.flashWaitStates());
  std::printf("%u %u %u %u\n", p.hclkHz(), p.apb1Hz(), p.apb2Hz(), p.pll48Hz());
  for (uint32_t clock : {p.apb1Hz(), p.apb2Hz()})
    for (uint32_t baud : {1200, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600})
      std::printf("baud %u %u %u\n", clock, baud, usartBrr(clock, baud));
}
int main() {
  const struct { const char *name; PartLimits limits; } lines[] = {
      {"f401", kF401}, {"f405", kF405}, {"f411", kF411}, {"f446", kF446}};
  for (const auto &each : lines) {
    std::printf("power %s %u %u\n", each.name, each.limits.voltageMask, each.limits.voltageScale);
    show(each.name, each.limits, kHsiHz, false);
    for (uint32_t mhz = 4; mhz <= 26; mhz++) show(each.name, each.limits, mhz * 1000000, true);
  }
  std::printf("none %u %u\n", planFor(kF405, 3500000, true).hclkHz(), kFallback.hclkHz());
  for (uint32_t hz = 1000000; hz <= 30000000; hz += 50000)
    for (uint32_t expected : {0U, 8000000U, 25000000U})
      std::printf("crystal %u %u %u\n", hz, expected, crystalHz(hz, expected));
  for (uint32_t counts : {0U, 1000U, 1984U, 3968U, 65535U})
    std::printf("measured %u %u\n", counts, measuredHz(counts));
}
"""


@dataclass(frozen=True)
class Plan:
    """A line of the probe, with the fields of its registers taken apart as the manual says."""

    line: str
    input_hz: int
    from_hse: bool
    pllcfgr: int
    cfgr: int
    wait_states: int
    hclk: int
    apb1: int
    apb2: int
    pll48: int

    @property
    def m(self) -> int:
        return self.pllcfgr & 0x3F

    @property
    def n(self) -> int:
        return self.pllcfgr >> 6 & 0x1FF

    @property
    def p(self) -> int:
        return ((self.pllcfgr >> 16 & 3) + 1) * 2

    @property
    def q(self) -> int:
        return self.pllcfgr >> 24 & 0xF


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    compiler = shutil.which("g++")
    if compiler is None:
        raise RuntimeError("g++ is missing: apt-get install g++")
    folder = tmp_path_factory.mktemp("plan")
    (folder / "probe.cpp").write_text(PROBE)
    port = PORTS["stm32f405rg"].linker_script.parent
    command = [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{port}"]
    command += [str(folder / "probe.cpp"), "-o", str(folder / "probe")]
    subprocess.run(command, check=True, timeout=120)
    out = subprocess.run([folder / "probe"], capture_output=True, text=True, check=True).stdout
    return [line.split() for line in out.splitlines()]


@pytest.fixture(scope="module")
def plans(lines: list[list[str]]) -> list[Plan]:
    found = []
    for line in lines:
        if line[0] != "plan":
            continue
        numbers = [int(word) for word in line[2:]]
        found.append(Plan(line[1], numbers[0], bool(numbers[1]), *numbers[2:]))
    assert len(found) == 4 * 24
    return found


MAXIMUM_MHZ = {"f401": (84, 42, 84), "f405": (168, 42, 84), "f411": (100, 50, 100)}
MAXIMUM_MHZ |= {"f446": (168, 45, 90)}


def test_every_crystal_and_hsi_bring_every_line_to_its_full_speed(plans: list[Plan]) -> None:
    for plan in plans:
        hclk = MAXIMUM_MHZ[plan.line][0] * 1e6
        vco = plan.input_hz / plan.m * plan.n
        assert plan.pllcfgr >> 22 & 1 == plan.from_hse
        assert plan.pllcfgr >> 28 == 2  # the reset value; R of the F446
        assert 2 <= plan.m <= 63
        assert 1e6 <= plan.input_hz / plan.m <= 2e6
        assert (192 if plan.line == "f401" else 50) <= plan.n <= 432
        assert (192e6 if plan.line == "f401" else 100e6) <= vco <= 432e6
        assert vco / plan.p == hclk == plan.hclk
        assert 2 <= plan.q <= 15
        assert vco // plan.q == plan.pll48 <= 48e6


def test_the_48_mhz_clock_is_exact_where_the_line_can(plans: list[Plan]) -> None:
    exact = {plan.line for plan in plans if plan.pll48 == 48_000_000}
    assert exact == {"f401", "f405", "f446"}


def test_the_prescaler_codes_keep_the_buses_within_their_limits(plans: list[Plan]) -> None:
    for plan in plans:
        ahb = {0b1000: 2, 0b1001: 4, 0b1010: 8, 0b1011: 16}.get(plan.cfgr >> 4 & 0xF, 1)
        apb = {0b100: 2, 0b101: 4, 0b110: 8, 0b111: 16}
        apb1, apb2 = apb.get(plan.cfgr >> 10 & 7, 1), apb.get(plan.cfgr >> 13 & 7, 1)
        hclk, limit1, limit2 = (mhz * 1e6 for mhz in MAXIMUM_MHZ[plan.line])
        assert hclk / ahb / apb1 == plan.apb1 <= limit1
        assert hclk / ahb / apb2 == plan.apb2 <= limit2


WAITS_MHZ = {
    "f401": [(30, 0), (60, 1), (84, 2)],
    "f405": [(30, 0), (60, 1), (90, 2), (120, 3), (150, 4), (168, 5)],
    "f411": [(30, 0), (64, 1), (90, 2), (100, 3)],
    "f446": [(30, 0), (60, 1), (90, 2), (120, 3), (150, 4), (180, 5)],
}


def test_the_flash_waits_as_long_as_the_tables_for_2_7_volts_say(plans: list[Plan]) -> None:
    for plan in plans:
        needed = next(wait for limit, wait in WAITS_MHZ[plan.line] if plan.hclk <= limit * 1e6)
        assert plan.wait_states == needed


def test_the_regulator_gives_the_scale_that_the_speed_needs(lines: list[list[str]]) -> None:
    # PWR_CR.VOS: one bit on the F405; two bits on the others: 01 scale 3, 10 scale 2, 11 scale 1.
    # The F401 has scales 2 (84 MHz) and 3 (60 MHz); F411 and F446 need scale 1 above 84 and 144.
    power = {line[1]: (int(line[2]), int(line[3])) for line in lines if line[0] == "power"}
    assert power == {
        "f401": (0b11 << 14, 0b10 << 14),
        "f405": (1 << 14, 1 << 14),
        "f411": (0b11 << 14, 0b11 << 14),
        "f446": (0b11 << 14, 0b11 << 14),
    }


def test_an_input_that_no_pll_can_use_gives_no_pll(lines: list[list[str]]) -> None:
    assert ["none", "3500000", "16000000"] in lines


def test_standard_baud_rates_are_within_two_percent(lines: list[list[str]]) -> None:
    rates = [tuple(map(int, line[1:])) for line in lines if line[0] == "baud"]
    assert len({clock for clock, _, _ in rates}) >= 4
    for clock, baud, brr in rates:
        usartdiv = (brr >> 4) + (brr & 0xF) / 16
        if brr == 0xFFFF:  # 1200 baud is below what 16 bits of a fast bus divide
            assert clock / 65535 > baud
            continue
        assert abs(clock / (16 * usartdiv) / baud - 1) <= 0.02, (clock, baud)


def test_a_measured_clock_is_the_boards_own_or_a_usual_one_or_nothing(
    lines: list[list[str]],
) -> None:
    usual = [4, 5, 6, 8, 10, 12, 16, 20, 24, 25, 26]
    for line in lines:
        if line[0] != "crystal":
            continue
        measured, expected, said = map(int, line[1:])
        if expected and abs(measured - expected) <= 0.05 * expected and measured <= 27_300_000:
            assert said == expected
        elif said:
            assert said in [mhz * 1_000_000 for mhz in usual]
            assert abs(measured - said) <= 0.02 * said
        else:
            assert all(abs(measured - mhz * 1e6) > 0.019 * mhz * 1e6 for mhz in usual)


def test_a_crystal_is_told_from_its_neighbours_when_hsi_is_off_by_one_percent(
    lines: list[list[str]],
) -> None:
    said = {
        (int(measured), int(expected)): int(found)
        for kind, measured, expected, found in (line for line in lines if line[0] == "crystal")
    }
    for mhz in (4, 8, 12, 16, 24, 25, 26):
        for error in (-0.01, 0.0, 0.01):
            measured = round(mhz * 1e6 * (1 + error) / 50_000) * 50_000
            if abs(measured / mhz / 1e6 - 1) <= 0.0101:
                assert said[measured, 0] == mhz * 1_000_000, measured
    # Another crystal than the board model's is used as what it is.
    assert said[8_000_000, 25_000_000] == 8_000_000
    assert said[25_000_000, 8_000_000] == 25_000_000


def test_counts_of_hsi_give_the_frequency_of_hse(lines: list[list[str]]) -> None:
    # 32 edges of HSE / 31, counted at 16 MHz.
    assert [line[1:] for line in lines if line[0] == "measured"] == [
        [str(counts), str(32 * 31 * 16_000_000 // counts if counts else 0)]
        for counts in (0, 1000, 1984, 3968, 65535)
    ]
