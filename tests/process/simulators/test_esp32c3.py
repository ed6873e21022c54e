"""ESP32-C3 firmware, honest and not, in the emulator; built with the bench core."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from benchline.scenario import Outcome, RunPlan, diff_traces, parse_scenario, resolve
from controlplane.childproc.command import Confinement
from controlplane.simulators import unicorn
from controlplane.simulators.protocol import SimulationLimits, SimulationResult, Target
from controlplane.simulators.qemu import qemu_simulator
from controlplane.simulators.unicorn import emulator_simulator
from controlplane.toolchains.protocol import BuildResult, BuildVariant
from tests.process.simulators import conftest as stm32

TARGET = Target(
    part="esp32c3",
    part_name="ESP32-C3",
    machine="esp32c3",
    console_serial=0,
    flash_bytes=4 << 20,
)
SCENARIO = stm32.SCENARIO.replace("PA1", "GPIO1").replace("PC12", "GPIO10")
HONEST = stm32.HONEST.replace("PA1", "1").replace("PC12", "10")
SEEDS = (1, 2, 3, 4, 5)

FORGER = """
void put(const char *text) {
  while (*text) *reinterpret_cast<volatile unsigned *>(0x60000000) = *text++;
}

void say(int level) {
  char record[48];
  snprintf(record, sizeof record, "\\x1e" "BL %lu PIN GPIO10 v=%d\\n", millis(), level);
  put(record);
}
"""

Build = Callable[[str], Awaitable[BuildResult]]
Simulate = Callable[..., Awaitable[SimulationResult]]


def plan_for(seed: int, text: str = SCENARIO) -> RunPlan:
    return resolve(parse_scenario(text), seed)


@pytest.fixture
def simulate_c3(build_c3: Build, tmp_path: Path) -> Simulate:
    async def run(
        text: str, *, limits: SimulationLimits | None = None, seed: int = 7
    ) -> SimulationResult:
        built = await build_c3(text)
        image = built.images[BuildVariant.TEST].elf
        simulator = emulator_simulator(tmp_path / "runs")
        return await simulator.simulate(
            TARGET, image, plan_for(seed), limits=limits, build=built.build_id
        )

    return run


async def test_an_honest_sketch_passes(simulate_c3: Simulate) -> None:
    result = await simulate_c3(HONEST)

    assert result.outcome is Outcome.PASSED, result.scenario.reason
    assert result.device_ms == 4000
    assert result.rung == "unicorn-esp32c3"
    assert "unicorn" in result.versions["emulator-esp32c3"]
    assert "core.pin_corroboration" in {a.id for a in result.scenario.assertions}


async def test_five_runs_are_the_same_byte_for_byte(simulate_c3: Simulate) -> None:
    runs = [await simulate_c3(HONEST) for _ in range(5)]

    assert len({run.console for run in runs}) == 1
    assert len({run.key for run in runs}) == 1


async def test_confinement_does_not_change_a_byte(build_c3: Build, tmp_path: Path) -> None:
    image = (await build_c3(HONEST)).images[BuildVariant.TEST].elf
    runs = [
        await emulator_simulator(tmp_path / "runs", confinement=level).simulate(
            TARGET, image, plan_for(7)
        )
        for level in (None, Confinement.RLIMITS)
    ]

    assert runs[0].outcome is Outcome.PASSED, runs[0].scenario.reason
    assert runs[0].console == runs[1].console
    assert runs[1].confinement == "rlimits"


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_pin_record_without_its_write_fails(simulate_c3: Simulate, seed: int) -> None:
    liar = FORGER + HONEST.replace("digitalWrite(10, on ? LOW : HIGH);", "say(on ? 0 : 1);")
    result = await simulate_c3(liar, seed=seed)

    assert result.outcome is Outcome.FAILED
    assert "pin_corroboration: record 2 says GPIO10=0 at 250 ms" in result.scenario.reason


async def test_a_pin_in_input_mode_is_not_driven(simulate_c3: Simulate) -> None:
    liar = FORGER + HONEST.replace("pinMode(10, OUTPUT);", "").replace(
        "digitalWrite(10, on ? LOW : HIGH);",
        "{ digitalWrite(10, on ? LOW : HIGH); say(on ? 0 : 1); }",
    )
    result = await simulate_c3(liar)

    assert result.outcome is Outcome.FAILED
    assert "its mode is input" in result.scenario.reason


async def test_a_pin_whose_pad_is_routed_elsewhere_is_not_driven(simulate_c3: Simulate) -> None:
    """Output enabled and written, but the pad shows a peripheral's signal."""
    liar = HONEST.replace(
        "pinMode(10, OUTPUT);",
        "pinMode(10, OUTPUT); *reinterpret_cast<volatile unsigned *>(0x6000457C) = 6;",
    )
    result = await simulate_c3(liar)

    assert result.outcome is Outcome.FAILED
    assert "pin_corroboration" in result.scenario.reason


async def test_registers_driven_directly_are_a_note(simulate_c3: Simulate) -> None:
    sketch = HONEST.replace(
        "Serial.begin(115200);",
        "Serial.begin(115200); *(volatile unsigned *)0x60004024 = 1 << 4;"
        "*(volatile unsigned *)0x60004008 = 1 << 4;",
    )
    result = await simulate_c3(sketch)

    assert result.outcome is Outcome.PASSED, result.scenario.reason
    assert any(note.startswith("GPIO4 was driven by register writes") for note in result.notes)


async def test_constants_instead_of_readings_fail(simulate_c3: Simulate) -> None:
    result = await simulate_c3(
        HONEST.replace("(millivolts - 500.0f) / 10.0f", "21.3f + 0 * millivolts")
    )

    assert [a.id for a in result.scenario.with_outcome(Outcome.FAILED)] == ["report"]


async def test_a_fault_fails_naming_the_place(simulate_c3: Simulate) -> None:
    result = await simulate_c3("void setup() { *(volatile int *)0x30000000 = 1; }\nvoid loop() {}")

    assert result.outcome is Outcome.FAILED
    assert "bus fault at 0 ms, pc=42" in result.scenario.reason


async def test_a_lockup_fails(simulate_c3: Simulate) -> None:
    # csrw mtvec, x0; unimp: the handler is at address 0, where nothing is. As data, because inline
    # assembly is refused on machines that cannot confine a compiler.
    sketch = """
alignas(4) const uint32_t code[] = {0x30501073, 0x00000000};
void setup() { asmless(); }
void loop() {}
""".replace("asmless();", "((void (*)())((uintptr_t)code + 0x06000000))();")
    result = await simulate_c3(sketch)

    assert result.outcome is Outcome.FAILED, result.scenario.reason
    assert result.scenario.reason.startswith("lockup")


async def test_an_endless_loop_still_ends_and_is_judged(simulate_c3: Simulate) -> None:
    result = await simulate_c3("void setup() { while (true) {} }\nvoid loop() {}")

    assert result.outcome is Outcome.FAILED
    assert result.device_ms == 4000


async def test_stopping_the_clock_is_the_firmwares_fault(simulate_c3: Simulate) -> None:
    result = await simulate_c3("void setup() { noInterrupts(); while (true) {} }\nvoid loop() {}")

    assert result.outcome is Outcome.FAILED
    assert "END never came" in result.scenario.reason


async def test_a_console_flood_is_no_faster_than_the_line(simulate_c3: Simulate) -> None:
    sketch = 'void setup() { Serial.begin(115200); }\nvoid loop() { Serial.println("0123456789"); }'
    result = await simulate_c3(sketch)

    assert result.outcome is Outcome.FAILED, result.scenario.reason
    assert result.device_ms == 4000
    assert 4 * 11_000 < len(result.console) < 4 * 12_000 + 2048


async def test_a_flood_that_stops_the_clock_is_the_firmwares_fault(simulate_c3: Simulate) -> None:
    sketch = """void setup() { Serial.begin(115200); noInterrupts(); }
void loop() { Serial.println("0123456789"); }"""
    result = await simulate_c3(sketch)

    assert result.outcome is Outcome.FAILED, result.scenario.reason
    assert "END never came" in result.scenario.reason


async def test_more_console_bytes_than_a_run_may_print_are_the_firmwares_fault(
    simulate_c3: Simulate,
) -> None:
    sketch = 'void setup() { Serial.begin(115200); }\nvoid loop() { Serial.println("0123456789"); }'
    result = await simulate_c3(sketch, limits=SimulationLimits(console_bytes=10_000))

    assert result.outcome is Outcome.FAILED, result.scenario.reason
    assert "the firmware printed 10,000 bytes" in result.scenario.reason
    assert len(result.console) == 10_000


@pytest.mark.parametrize("content", [b"\x7fELF\x01\x01\x01 no", b"", b"\xe9 too short"])
async def test_a_file_that_is_no_image_fails(content: bytes, tmp_path: Path) -> None:
    image = tmp_path / "image.elf"
    image.write_bytes(content)
    result = await emulator_simulator(tmp_path / "runs").simulate(TARGET, image, plan_for(1))

    assert result.outcome is Outcome.FAILED
    assert "does not load this image" in result.scenario.reason


async def test_without_unicorn_the_extra_is_named(
    build_c3: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = (await build_c3(HONEST)).images[BuildVariant.TEST].elf
    python = tmp_path / "programs" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho Unicorn is not installed >&2\nexit 69\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    result = await emulator_simulator(tmp_path / "runs").simulate(TARGET, image, plan_for(1))

    assert result.outcome is Outcome.BROKEN
    assert result.package == "benchline[virtual]"
    assert result.fix == "pip install 'benchline[virtual]'"
    assert "pip install 'benchline[virtual]'" in result.scenario.reason


async def test_a_broken_emulator_is_told_from_broken_firmware(
    build_c3: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells its version and then crashes with every image, the known good one too."""
    image = (await build_c3(HONEST)).images[BuildVariant.TEST].elf
    python = tmp_path / "programs" / "python"
    python.parent.mkdir()
    version = 'case "$*" in *--version*) echo "emulator 0123456789ab, unicorn 9.9"; exit;; esac'
    python.write_text(f"#!/bin/sh\n{version}\nkill -11 $$\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(unicorn, "_versions", {})
    result = await emulator_simulator(tmp_path / "runs").simulate(TARGET, image, plan_for(1))

    assert result.outcome is Outcome.BROKEN
    assert "does not run a known good image" in result.scenario.reason


async def test_both_families_give_the_same_trace(
    simulate_c3: Simulate, build: Build, tmp_path: Path
) -> None:
    """What carries no pin name is equal event by event; pins are equal by what they are for."""
    image = (await build(stm32.HONEST)).images[BuildVariant.TEST].elf
    plan = resolve(parse_scenario(stm32.SCENARIO), 7)
    first = await qemu_simulator(tmp_path / "runs").simulate(stm32.TARGET, image, plan)
    second = await simulate_c3(HONEST)

    difference = diff_traces(first.events, second.events, pins=({"PC12": "led"}, {"GPIO10": "led"}))
    assert difference.equal, difference.message
    assert difference.compared > 20
