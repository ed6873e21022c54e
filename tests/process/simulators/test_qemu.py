"""Firmware, honest and not, in the installed QEMU."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchline.scenario import Outcome, RunPlan, parse_scenario, resolve
from controlplane.catalog.loader import load_catalogue
from controlplane.childproc.command import Confinement
from controlplane.domain.build import SourceFile
from controlplane.simulators import proof
from controlplane.simulators.ladder import SimulatorLadder
from controlplane.simulators.protocol import SimulationLimits, SimulationResult
from controlplane.simulators.qemu import qemu_simulator
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.protocol import BuildRequest, BuildResult, BuildVariant
from tests.process.simulators.conftest import HONEST, SCENARIO, TARGET

Simulate = Callable[..., Awaitable[SimulationResult]]
SEEDS = (1, 2, 3, 4, 5)
SHORT = SimulationLimits(wall_base_s=6, wall_factor=1)

FORGER = """
void put(const char *text) {
  while (*text) *reinterpret_cast<volatile unsigned *>(0x40004404) = *text++;
}

void say(int level) {
  put("\\x1e" "BL ");
  put(String(millis()).c_str());
  put(level ? " PIN PC12 v=1\\n" : " PIN PC12 v=0\\n");
}
"""


async def test_an_honest_sketch_passes(simulate: Simulate) -> None:
    result = await simulate(HONEST)

    assert result.outcome is Outcome.PASSED, result.scenario.reason
    assert result.device_ms == 4000
    assert result.machine == "netduinoplus2"
    assert result.versions["qemu-system-arm"]
    assert result.registers["GPIOC write 0x018"] >= 16


async def test_five_runs_are_the_same_byte_for_byte(simulate: Simulate) -> None:
    runs = [await simulate(HONEST) for _ in range(5)]

    assert len({run.console for run in runs}) == 1
    assert len({run.key for run in runs}) == 1


async def test_confinement_does_not_change_a_byte(
    build: Callable[[str], Awaitable[BuildResult]], plan: RunPlan, tmp_path: Path
) -> None:
    image = (await build(HONEST)).images[BuildVariant.TEST].elf
    runs = [
        await qemu_simulator(tmp_path / "runs", confinement=level).simulate(TARGET, image, plan)
        for level in (None, Confinement.RLIMITS)
    ]

    assert runs[0].console == runs[1].console
    assert runs[1].confinement == "rlimits"


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_pin_record_without_its_write_fails(simulate: Simulate, seed: int) -> None:
    liar = FORGER + HONEST.replace("digitalWrite(PC12, on ? LOW : HIGH);", "say(on ? 0 : 1);")
    result = await simulate(liar, seeded=resolve(parse_scenario(SCENARIO), seed))

    assert result.outcome is Outcome.FAILED
    assert "pin_corroboration: record 2 says PC12=0 at 250 ms" in result.scenario.reason


@pytest.mark.parametrize("seed", SEEDS)
async def test_constants_instead_of_readings_fail(simulate: Simulate, seed: int) -> None:
    liar = HONEST.replace("(millivolts - 500.0f) / 10.0f", "21.3f + 0 * millivolts")
    result = await simulate(liar, seeded=resolve(parse_scenario(SCENARIO), seed))

    assert result.outcome is Outcome.FAILED
    assert [a.id for a in result.scenario.with_outcome(Outcome.FAILED)] == ["report"]


async def test_a_pin_in_input_mode_is_not_driven(simulate: Simulate) -> None:
    liar = FORGER + HONEST.replace("pinMode(PC12, OUTPUT);", "").replace(
        "digitalWrite(PC12, on ? LOW : HIGH);",
        "{ digitalWrite(PC12, on ? LOW : HIGH); say(on ? 0 : 1); }",
    )
    result = await simulate(liar)

    assert result.outcome is Outcome.FAILED
    assert "its mode is input" in result.scenario.reason


async def test_registers_driven_directly_are_a_note(simulate: Simulate) -> None:
    sketch = HONEST.replace(
        "Serial.begin(115200);",
        "Serial.begin(115200); volatile unsigned *b = (volatile unsigned *)0x40020400;"
        "b[0] = 0x281; b[6] = 1;",
    )
    result = await simulate(sketch)

    assert result.outcome is Outcome.PASSED
    assert any(note.startswith("PB0 was driven by register writes") for note in result.notes)


async def test_polling_a_register_for_ever_fails_naming_it(simulate: Simulate) -> None:
    sketch = "void setup() { while (!(*(volatile unsigned *)0x40023800 & 2)); }\nvoid loop() {}"
    result = await simulate(sketch, limits=SimulationLimits(log_bytes=1 << 20))

    assert result.outcome is Outcome.FAILED
    assert result.scenario.reason == "the firmware is stuck polling register RCC+0x000"


async def test_a_fault_fails_naming_the_place(simulate: Simulate) -> None:
    sketch = "void setup() { *(volatile int *)0x30000000 = 1; }\nvoid loop() {}"
    result = await simulate(sketch)

    assert result.outcome is Outcome.FAILED
    assert "bus fault at 0 ms, pc=08" in result.scenario.reason


async def test_a_lockup_fails(simulate: Simulate) -> None:
    # movs r0, #0; msr msp, r0; udf #1: a fault that cannot be stacked. As data, because inline
    # assembly is refused on machines that cannot confine a compiler.
    sketch = """
alignas(4) const uint16_t code[] = {0x2000, 0xF380, 0x8808, 0xDE01};
void setup() { reinterpret_cast<void (*)()>(reinterpret_cast<uintptr_t>(code) | 1)(); }
void loop() {}
"""
    result = await simulate(sketch)

    assert result.outcome is Outcome.FAILED
    assert result.scenario.reason.startswith("lockup")


async def test_an_endless_loop_still_ends_and_is_judged(simulate: Simulate) -> None:
    result = await simulate("void setup() { while (true) {} }\nvoid loop() {}")

    assert result.outcome is Outcome.FAILED
    assert result.device_ms == 4000


async def test_stopping_the_clock_is_the_firmwares_fault(simulate: Simulate) -> None:
    sketch = "void setup() { noInterrupts(); while (true) {} }\nvoid loop() {}"
    result = await simulate(sketch, limits=SimulationLimits(wall_base_s=6, wall_factor=0))

    assert result.outcome is Outcome.FAILED
    assert "END never came" in result.scenario.reason


async def test_a_console_flood_is_no_faster_than_the_line(simulate: Simulate) -> None:
    sketch = 'void setup() { Serial.begin(115200); }\nvoid loop() { Serial.println("0123456789"); }'
    result = await simulate(sketch)

    assert result.outcome is Outcome.FAILED, result.scenario.reason
    assert result.device_ms == 4000
    assert 4 * 11_000 < len(result.console) < 4 * 12_000 + 2048


async def test_a_flood_that_stops_the_clock_is_the_firmwares_fault(simulate: Simulate) -> None:
    sketch = """void setup() { Serial.begin(115200); noInterrupts(); }
void loop() { Serial.println("0123456789"); }"""
    result = await simulate(sketch)

    assert result.outcome is Outcome.FAILED, result.scenario.reason
    assert "END never came" in result.scenario.reason


async def test_more_console_bytes_than_a_run_may_print_are_the_firmwares_fault(
    simulate: Simulate,
) -> None:
    sketch = 'void setup() { Serial.begin(115200); }\nvoid loop() { Serial.println("0123456789"); }'
    result = await simulate(sketch, limits=SimulationLimits(console_bytes=10_000))

    assert result.outcome is Outcome.FAILED, result.scenario.reason
    assert "the firmware printed 10,000 bytes" in result.scenario.reason
    assert len(result.console) == 10_000


async def test_a_file_that_is_no_image_fails(plan: RunPlan, tmp_path: Path) -> None:
    image = tmp_path / "image.elf"
    image.write_bytes(b"\x7fELF\x01\x01\x01 no")
    result = await qemu_simulator(tmp_path / "runs").simulate(TARGET, image, plan, limits=SHORT)

    assert result.outcome is Outcome.FAILED


async def test_cancelling_leaves_no_files(
    build: Callable[[str], Awaitable[BuildResult]], plan: RunPlan, tmp_path: Path
) -> None:
    built = await build("void setup() { while (true) {} }\nvoid loop() {}")
    image = built.images[BuildVariant.TEST].elf
    runs = tmp_path / "runs"
    booted = asyncio.Event()
    task = asyncio.create_task(
        qemu_simulator(runs).simulate(TARGET, image, plan, on_event=lambda _: booted.set())
    )
    async with asyncio.timeout(60):
        await booted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert list(runs.iterdir()) == []


class TestABrokenSimulator:
    """Programs named qemu-system-arm that are not what they should be."""

    @pytest.fixture
    async def image(self, build: Callable[[str], Awaitable[BuildResult]]) -> Path:
        return (await build(HONEST)).images[BuildVariant.TEST].elf

    @pytest.fixture
    def program(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        directory = tmp_path / "programs"
        directory.mkdir()

        def install(script: str) -> None:
            monkeypatch.setenv("PATH", str(directory))
            if script:
                path = directory / "qemu-system-arm"
                version = 'case "$1" in --version) echo "QEMU emulator version 7.2.0"; exit;; esac'
                path.write_text(f"#!/bin/sh\n{version}\n{script}\n")
                path.chmod(0o755)

        return install

    @pytest.mark.parametrize(
        ("script", "told"),
        [
            ("", "was not found"),
            ("exit 1", "does not run a known good image"),
            ("exec /bin/sleep 1000", "printed nothing from a known good image within 1 s"),
            ("exec /usr/bin/head -c 10000 /dev/urandom", "does not run a known good image"),
            ("kill -11 $$", "does not run a known good image"),
        ],
        ids=["missing", "exits", "hangs", "garbage", "crashes"],
    )
    async def test_is_broken_naming_the_package(
        self,
        image: Path,
        plan: RunPlan,
        tmp_path: Path,
        program: Callable[[str], None],
        monkeypatch: pytest.MonkeyPatch,
        script: str,
        told: str,
    ) -> None:
        patience = 1.0 if "sleep" in script else 60.0  # only what hangs is waited for in vain
        monkeypatch.setattr(proof, "CANARY_SECONDS", patience)
        program(script)
        limits = SimulationLimits(wall_base_s=patience, wall_factor=0)
        result = await qemu_simulator(tmp_path / "runs").simulate(
            TARGET, image, plan, limits=limits
        )

        assert result.outcome is Outcome.BROKEN
        assert result.package == "qemu-system-arm"
        assert told in result.scenario.reason
        assert "install the package qemu-system-arm" in result.scenario.reason


GREETING = """
scenario: 1
id: greeting
title: It greets
duration: 2s
steps:
  - reset: {}
  - expect: {id: hello, line: '^hello$', within: 1s}
"""


@pytest.mark.parametrize(
    ("model", "stands_in"),
    [
        ("olimex-stm32-h405", False),
        ("nucleo-f401re", True),
        ("nucleo-f411re", True),
        ("nucleo-f446re", True),
        ("blackpill-f411ce", True),
        ("stm32f407g-disc1", True),
    ],
)
async def test_every_stm32f4_model_runs_and_says_when_another_part_stands_in(
    cache: Path, tmp_path: Path, model: str, stands_in: bool
) -> None:
    catalogue = load_catalogue()
    board = catalogue.boards[model]
    ladder = SimulatorLadder([qemu_simulator(tmp_path / "runs")])
    rung = await ladder.choose(board, catalogue.part_of(board))
    request = BuildRequest(
        name="Greeting",
        sources=(
            SourceFile(
                path="Greeting.ino",
                content='void setup() { Serial.begin(115200); Serial.println("hello"); }\n'
                "void loop() { delay(10); }",
            ),
        ),
        board_model=model,
        variants=(BuildVariant.TEST,),
    )
    built = await BareMetalToolchain(cache).build(request, tmp_path / "out")
    image = built.images[BuildVariant.TEST].elf
    plan = resolve(parse_scenario(GREETING), 1)
    result = await rung.simulator.simulate(rung.target, image, plan)

    part = catalogue.part_of(board).name
    note = f"an STM32F405 (netduinoplus2) stands in for the {part}"
    assert result.outcome is Outcome.PASSED, result.scenario.reason
    assert (note in result.notes) is stands_in


async def test_the_canary_sings_on_any_console_line(tmp_path: Path) -> None:
    """An image that prints nothing is the firmware's fault only where the canary was heard."""
    image = tmp_path / "silent.bin"
    image.write_bytes(b"\x00\x10\x00\x20\x41\x00\x00\x00" + bytes(56) + b"\xfe\xe7" * 8)
    for line in (0, 1, 5):
        target = replace(TARGET, console_serial=line)
        result = await qemu_simulator(tmp_path / "runs").simulate(
            target,
            image,
            resolve(parse_scenario(GREETING), 1),
            limits=SimulationLimits(wall_base_s=1, wall_factor=0),
        )
        assert result.outcome is Outcome.FAILED, result.scenario.reason
