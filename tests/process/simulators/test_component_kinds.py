"""Designs of the offline designer for each kind of component: honest sketches pass their own
scenarios on both families, wrong ones fail them."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from benchline.scenario import Outcome, parse_scenario, resolve
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.build import SourceFile
from controlplane.domain.design import Design
from controlplane.firmware.offline import OfflineAuthor
from controlplane.simulators.machine import ChildSimulator
from controlplane.simulators.protocol import Target
from controlplane.simulators.qemu import qemu_simulator
from controlplane.simulators.unicorn import emulator_simulator
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.protocol import BuildRequest, BuildVariant
from tests.process.simulators import conftest as stm32
from tests.process.simulators import test_esp32c3 as esp32c3
from tests.sketch_mutants import mutants_of

MOTION = (
    "Turn the lamp on for 2 s when motion is detected, switch the buzzer on while there is motion "
    "and report motion; answer 'lamp' with the state of the lamp; report the state of the lamp "
    "every second."
)
LONG_MOTION = "Turn the relay on for 6 s when the PIR sees motion; print 'moved' on motion."
TURNING = "Print the position of a rotary encoder whenever it changes."
REPORTED_TURNING = (
    "Report the position of the encoder every 2 s, answer 'pos' with the position and toggle the "
    "red LED when the encoder is pressed."
)
BANDS = (
    "Show the temperature with an RGB LED: blue below 20 C, green from 20 to 25 C, red above 25 C."
)
CYCLE = "Cycle the RGB LED through red, yellow, cyan and off, 400 ms each."
PAINT = (
    "Set the RGB LED to red when I send 'red', make it cyan when I send 'c' and set it to off when "
    "I send 'off'."
)
DISTANCE = (
    "Print the distance every second, turn the buzzer on when something is closer than 20 cm, "
    "switch the relay on below 30 cm and off above 40 cm, and answer 'far' with the distance."
)
NEAR_AND_FAR = (
    "Blink the red LED at 1 Hz, count the button presses, turn the lamp on while the distance is "
    "above 1.5 m and report the distance every 700 ms."
)
DISTANCE_BANDS = (
    "Show the distance with an RGB LED: red below 20 cm, yellow from 20 to 60 cm, green above "
    "60 cm."
)
PROMPTS = {
    "motion": MOTION,
    "long motion": LONG_MOTION,
    "turning": TURNING,
    "reported turning": REPORTED_TURNING,
    "bands": BANDS,
    "cycle": CYCLE,
    "paint": PAINT,
    "distance": DISTANCE,
    "near and far": NEAR_AND_FAR,
    "distance bands": DISTANCE_BANDS,
}
KILLED_PERCENT = 90


@dataclass(frozen=True)
class Lab:
    """A compiler and a simulator of one family."""

    toolchain: BareMetalToolchain
    simulator: ChildSimulator
    target: Target
    design: Design
    folder: Path

    async def failed(self, sketch: str = "") -> set[str]:
        """What fails in the first scenario that fails, of a changed sketch if one is given."""
        project = OfflineAuthor().render(self.design)
        sources = tuple(
            replace(f, content=sketch) if sketch and f.path.endswith(".ino") else f
            for f in project.sources
        )
        elf, build_id = await self._built(project.name, sources)
        for scenario in self.design.scenarios:
            plan = resolve(parse_scenario(scenario.yaml), 3)
            done = await self.simulator.simulate(self.target, elf, plan, build=build_id)
            assert done.outcome in (Outcome.PASSED, Outcome.FAILED), done
            if done.outcome is Outcome.FAILED:
                return {a.id for a in done.scenario.assertions if a.outcome is Outcome.FAILED}
        return set()

    async def _built(self, name: str, sources: tuple[SourceFile, ...]) -> tuple[Path, str]:
        request = BuildRequest(
            name=name,
            sources=sources,
            board_model=self.design.board.model,
            variants=(BuildVariant.TEST,),
        )
        result = await self.toolchain.build(request, self.folder / "out")
        assert result.images, result
        return result.images[BuildVariant.TEST].elf, result.build_id


def lab(prompt: str, board: str, cache: Path, folder: Path) -> Lab:
    design = OfflineDesigner().plan(DesignRequest(prompt=prompt, board=board))
    assert isinstance(design, Design), design
    of_stm32 = board == stm32.BOARD
    simulator = (qemu_simulator if of_stm32 else emulator_simulator)(folder / "runs")
    target = stm32.TARGET if of_stm32 else esp32c3.TARGET
    return Lab(BareMetalToolchain(cache), simulator, target, design, folder)


@pytest.mark.parametrize("board", [stm32.BOARD, stm32.C3_BOARD])
@pytest.mark.parametrize("kind", PROMPTS)
async def test_a_sketch_passes_its_own_scenarios(
    kind: str, board: str, cache: Path, tmp_path: Path
) -> None:
    assert await lab(PROMPTS[kind], board, cache, tmp_path).failed() == set()


@pytest.mark.parametrize("kind", ["motion", "turning", "bands", "cycle", "paint", "distance"])
async def test_nine_of_ten_wrong_sketches_fail(kind: str, cache: Path, tmp_path: Path) -> None:
    found = lab(PROMPTS[kind], stm32.BOARD, cache, tmp_path)
    sketch = OfflineAuthor().render(found.design).sketch.content
    mutants = mutants_of(sketch)

    survivors = [m.name for m in mutants if not await found.failed(m.text)]
    assert len(mutants) >= 5
    assert len(survivors) * 100 <= len(mutants) * (100 - KILLED_PERCENT), survivors
