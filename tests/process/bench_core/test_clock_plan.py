"""The clock plan, compiled natively and held against RM0090's formulas written down here again."""

import shutil
import subprocess

import pytest

from controlplane.bench_core.manifest import PORTS

PROBE = r"""
#include <cstdio>
#include <initializer_list>
#include "clock_plan.hpp"
using namespace stm32f4;
int main() {
  const ClockPlan &p = kFullSpeed;
  std::printf("%u %u %u\n", p.pllcfgr(), p.cfgrPrescalers(), p.flashWaitStates());
  std::printf("%u %u %u %u\n", p.hclkHz(), p.apb1Hz(), p.apb2Hz(), p.pll48Hz());
  for (uint32_t clock : {p.apb1Hz(), kFallback.apb1Hz()})
    for (uint32_t baud : {1200, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600})
      std::printf("%u %u %u\n", clock, baud, usartBrr(clock, baud));
}
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> list[list[int]]:
    compiler = shutil.which("g++")
    if compiler is None:
        raise RuntimeError("g++ is missing: apt-get install g++")
    folder = tmp_path_factory.mktemp("plan")
    (folder / "probe.cpp").write_text(PROBE)
    port = PORTS["stm32f405rg"].linker_script.parent
    command = [compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{port}"]
    command += [str(folder / "probe.cpp"), "-o", str(folder / "probe")]
    subprocess.run(command, check=True, timeout=60)
    out = subprocess.run([folder / "probe"], capture_output=True, text=True, check=True).stdout
    return [[int(word) for word in line.split()] for line in out.splitlines()]


def test_the_pll_register_gives_168_mhz_from_hsi(plan: list[list[int]]) -> None:
    pllcfgr = plan[0][0]
    m, n = pllcfgr & 0x3F, pllcfgr >> 6 & 0x1FF
    p, q = ((pllcfgr >> 16 & 3) + 1) * 2, pllcfgr >> 24 & 0xF

    assert pllcfgr >> 22 & 1 == 0  # the source is HSI
    assert 1e6 <= 16e6 / m <= 2e6
    assert 100e6 <= 16e6 / m * n <= 432e6
    assert 16e6 / m * n / p == 168e6 == plan[1][0]
    assert 16e6 / m * n / q == 48e6 == plan[1][3]


def test_the_prescaler_codes_keep_the_buses_within_their_limits(plan: list[list[int]]) -> None:
    cfgr = plan[0][1]
    ahb = {0b1000: 2, 0b1001: 4, 0b1010: 8, 0b1011: 16}.get(cfgr >> 4 & 0xF, 1)
    apb = {0b100: 2, 0b101: 4, 0b110: 8, 0b111: 16}
    apb1, apb2 = apb.get(cfgr >> 10 & 7, 1), apb.get(cfgr >> 13 & 7, 1)

    assert 168e6 / ahb / apb1 == plan[1][1] <= 42e6
    assert 168e6 / ahb / apb2 == plan[1][2] <= 84e6


def test_the_flash_waits_as_long_as_table_10_says(plan: list[list[int]]) -> None:
    table_10 = [(30e6, 0), (60e6, 1), (90e6, 2), (120e6, 3), (150e6, 4), (168e6, 5)]

    assert plan[0][2] == next(wait for limit, wait in table_10 if plan[1][0] <= limit)


def test_standard_baud_rates_are_within_two_percent(plan: list[list[int]]) -> None:
    # 16 MHz is too coarse for 921600, which only the fallback without a PLL would use.
    rates = [row for row in plan[2:] if row[:2] != [16_000_000, 921600]]

    assert len(rates) == 17
    for clock, baud, brr in rates:
        usartdiv = (brr >> 4) + (brr & 0xF) / 16
        assert abs(clock / (16 * usartdiv) / baud - 1) <= 0.02, (clock, baud)
