"""Which rung a board model gets."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from benchline.scenario import RunPlan
from controlplane.catalog.loader import load_catalogue
from controlplane.childproc.tools import Tool, ToolBrokenError, ToolTrouble
from controlplane.simulators.doctor import checks
from controlplane.simulators.ladder import NoSimulatorError, Rung, SimulatorLadder, all_simulators
from controlplane.simulators.protocol import OnEvent, SimulationLimits, SimulationResult, Target

CATALOGUE = load_catalogue()


class Pretended:
    """A simulator that is there, missing, or broken."""

    capabilities = frozenset({"serial.rx"})
    tells_time_of_text = False
    live = None

    def __init__(
        self,
        key: str,
        trouble: ToolTrouble | None = None,
        optional: str = "",
        remote: str = "",
    ) -> None:
        self.key = key
        self.optional = optional
        self.remote = remote
        self.asked = 0
        self._trouble = trouble

    async def version(self, machine: str) -> str:
        self.asked += 1
        if self._trouble is not None:
            tool = Tool(name=self.key, package=f"{self.key}-package", version_pattern="")
            raise ToolBrokenError(tool, self._trouble, "is at fault")
        return f"{machine}-1.0"

    async def examine(self, machine: str) -> str:
        return f"{await self.version(machine)} examined"

    async def simulate(
        self,
        target: Target,
        image: Path,
        plan: RunPlan,
        *,
        limits: SimulationLimits | None = None,
        on_event: OnEvent | None = None,
        build: str | None = None,
    ) -> SimulationResult:
        raise NotImplementedError


QEMU = Pretended("qemu")
UNICORN = Pretended("unicorn")
ESPRESSIF = Pretended("espressif-qemu", optional="Espressif's QEMU")
NO_ESPRESSIF = Pretended("espressif-qemu", ToolTrouble.MISSING, optional="Espressif's QEMU")


async def choose(model: str, *simulators: Pretended) -> Rung:
    board = CATALOGUE.boards[model]
    return await SimulatorLadder(simulators).choose(board, CATALOGUE.part_of(board))


async def test_every_stm32_model_runs_in_qemu_with_its_console() -> None:
    models = [m for m in CATALOGUE.boards.values() if m.part.startswith("stm32f4")]
    rungs = [await choose(model.key, QEMU, UNICORN, ESPRESSIF) for model in models]

    assert len(models) >= 6
    assert {rung.name for rung in rungs} == {"qemu-netduinoplus2"}
    # QEMU's serial lines are USART1, USART2, ... from 0.
    lines = {
        model.console.uart: rung.target.console_serial
        for model, rung in zip(models, rungs, strict=True)
    }
    assert lines == {uart: int(uart.removeprefix("usart")) - 1 for uart in lines}


async def test_the_best_rung_is_taken() -> None:
    rung = await choose("esp32-c3-devkitm-1", QEMU, UNICORN, ESPRESSIF)

    assert rung.name == "espressif-qemu-esp32c3"
    assert rung.identity == "espressif-qemu-esp32c3 esp32c3-1.0"
    assert rung.target.flash_bytes == 4 << 20


async def test_a_rung_that_nobody_installed_is_passed_silently() -> None:
    rung = await choose("esp32-c3-devkitm-1", UNICORN, NO_ESPRESSIF)

    assert rung.name == "unicorn-esp32c3"
    assert rung.passed_over == ()


async def test_a_broken_rung_is_passed_over_with_its_reason() -> None:
    broken = Pretended("espressif-qemu", ToolTrouble.HUNG, optional="Espressif's QEMU")
    rung = await choose("esp32-c3-devkitm-1", UNICORN, broken)

    assert rung.name == "unicorn-esp32c3"
    assert "espressif-qemu-esp32c3: espressif-qemu is at fault" in rung.passed_over[0]


async def test_without_any_rung_it_says_what_to_install() -> None:
    with pytest.raises(NoSimulatorError) as caught:
        await choose("esp32-devkitc-v4", QEMU, UNICORN, NO_ESPRESSIF)

    assert str(caught.value) == "no simulator here for the ESP32 (install Espressif's QEMU)"


async def test_a_model_without_rungs_has_no_simulator() -> None:
    with pytest.raises(NoSimulatorError, match="no simulator here for the ESP32-S3"):
        await choose("esp32-s3-devkitc-1", QEMU, UNICORN, ESPRESSIF)


@pytest.mark.parametrize("model", ["olimex-stm32-h405", "esp32-c3-devkitm-1"])
async def test_a_missing_tool_that_a_package_brings_is_broken(model: str) -> None:
    missing = [Pretended(key, ToolTrouble.MISSING) for key in ("qemu", "unicorn")]
    with pytest.raises(ToolBrokenError, match="install the package"):
        await choose(model, *missing, NO_ESPRESSIF)


def service(trouble: ToolTrouble | None = None) -> Pretended:
    return Pretended("wokwi", trouble, optional="a token", remote="a run sends the image away")


async def test_a_service_is_not_asked_while_this_machine_has_a_rung() -> None:
    away = service()
    rung = await choose("esp32-c3-devkitm-1", UNICORN, NO_ESPRESSIF, away)

    assert rung.name == "unicorn-esp32c3"
    assert away.asked == 0


async def test_a_service_is_taken_where_this_machine_has_no_rung_for_the_part() -> None:
    rung = await choose("esp32-devkitc-v4", NO_ESPRESSIF, service())

    assert rung.name == "wokwi-board-esp32-devkit-c-v4"


async def test_a_broken_rung_of_this_machine_sends_nothing_to_a_service() -> None:
    away = service()
    with pytest.raises(ToolBrokenError, match="unicorn is at fault"):
        await choose("esp32-c3-devkitm-1", Pretended("unicorn", ToolTrouble.HUNG), away)

    assert away.asked == 0


async def test_the_chosen_simulator_is_taken_and_no_other() -> None:
    board = CATALOGUE.boards["esp32-c3-devkitm-1"]
    ladder = SimulatorLadder([UNICORN, NO_ESPRESSIF, service()], chosen="wokwi")
    assert (await ladder.choose(board, CATALOGUE.part_of(board))).simulator.key == "wokwi"

    without = SimulatorLadder([UNICORN, service(ToolTrouble.MISSING)], chosen="wokwi")
    with pytest.raises(NoSimulatorError) as refused:
        await without.choose(board, CATALOGUE.part_of(board))
    said = "the chosen simulator wokwi is not for the ESP32-C3 (install a token)"
    assert str(refused.value) == said


async def test_only_a_rung_that_runs_live_is_taken_for_that(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    real = {one.key: one for one in all_simulators(scratch)}
    board = CATALOGUE.boards["olimex-stm32-h405"]
    part = CATALOGUE.part_of(board)

    with pytest.raises(NoSimulatorError, match="that runs live"):
        await SimulatorLadder([QEMU]).choose(board, part, live=True)
    with pytest.raises(NoSimulatorError, match=r"wokwi is not .* that runs live"):
        await SimulatorLadder(real.values(), chosen="wokwi").choose(board, part, live=True)
    assert {key for key, one in real.items() if one.live is not None} == {
        "qemu",
        "espressif-qemu",
        "unicorn",
    }


async def test_text_alone_needs_a_simulator_that_knows_its_time() -> None:
    board = CATALOGUE.boards["esp32-c3-devkitm-1"]
    with pytest.raises(NoSimulatorError, match="for firmware that prints text alone"):
        await SimulatorLadder([UNICORN, ESPRESSIF]).choose(
            board, CATALOGUE.part_of(board), text_only=True
        )


async def test_text_for_a_part_of_this_machine_is_not_sent_away_unless_chosen() -> None:
    away = service()
    away.tells_time_of_text = True
    board = CATALOGUE.boards["esp32-c3-devkitm-1"]
    part = CATALOGUE.part_of(board)
    with pytest.raises(NoSimulatorError):
        await SimulatorLadder([UNICORN, away]).choose(board, part, text_only=True)
    assert away.asked == 0

    chosen = SimulatorLadder([UNICORN, away], chosen="wokwi")
    assert (await chosen.choose(board, part, text_only=True)).simulator is away


async def test_the_doctor_says_what_leaves_this_machine() -> None:
    for away, said in (
        (service(), "a run sends the image away"),
        (service(ToolTrouble.MISSING), "not configured: nothing leaves this machine"),
    ):
        found = await checks(SimulatorLadder([QEMU, UNICORN, away]), CATALOGUE)
        [check] = [one for one in found if one.name == "wokwi"]
        assert check.ok
        assert said in check.detail


async def test_the_doctor_tells_a_service_that_does_not_answer() -> None:
    found = await checks(SimulatorLadder([QEMU, UNICORN, service(ToolTrouble.HUNG)]), CATALOGUE)
    [check] = [one for one in found if one.name == "wokwi"]
    assert not check.ok


async def test_the_doctor_names_each_parts_rung() -> None:
    missing = Pretended("unicorn", ToolTrouble.MISSING)
    found = await checks(SimulatorLadder([QEMU, missing, NO_ESPRESSIF]), CATALOGUE)
    by_part: Mapping[str, tuple[bool, str]] = {
        one.detail.partition(":")[0]: (one.ok, one.detail) for one in found
    }

    assert by_part["stm32f405rg"][1].endswith("qemu-netduinoplus2 netduinoplus2-1.0 examined")
    assert by_part["esp32c3"][0] is False
    assert by_part["esp32"] == (
        True,
        "esp32: no simulator here for the ESP32 (install Espressif's QEMU)",
    )


def test_every_backend_of_the_catalogue_is_known(tmp_path: Path) -> None:
    known = {simulator.key for simulator in all_simulators(tmp_path)}
    named = {s.backend for model in CATALOGUE.boards.values() for s in model.simulators}

    assert named <= known
