"""Which simulator runs a board model's firmware: the first of its rungs that can be used here.

A board model lists its rungs in the catalogue (`[[simulators]]`), best first. To add a simulator,
write a module beside this one and enter it in `all_simulators`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from controlplane.childproc.tools import ToolBrokenError, ToolTrouble
from controlplane.domain.part import BoardModel, Part
from controlplane.simulators.espressif_qemu import espressif_simulator
from controlplane.simulators.machine import rung_name
from controlplane.simulators.protocol import Simulator, Target
from controlplane.simulators.qemu import qemu_simulator
from controlplane.simulators.unicorn import emulator_simulator
from controlplane.simulators.wokwi import WokwiSettings, WokwiSimulator


def all_simulators(
    scratch: Path,
    *,
    espressif_folder: Path | None = None,
    wokwi: WokwiSettings | None = None,
) -> list[Simulator]:
    """Every simulator that this control plane knows; `scratch` holds the directories of runs."""
    return [
        qemu_simulator(scratch),
        espressif_simulator(scratch, folder=espressif_folder),
        emulator_simulator(scratch),
        WokwiSimulator(wokwi or WokwiSettings()),
    ]


class NoSimulatorError(Exception):
    """Nothing here simulates the board model; the message says what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A simulator, the machine in it, and the version that was found.

    `passed_over` says why better rungs were not taken.
    """

    simulator: Simulator
    target: Target
    version: str
    passed_over: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How results name it, e.g. "unicorn-esp32c3"."""
        return rung_name(self.simulator.key, self.target.machine)

    @property
    def identity(self) -> str:
        """The rung with its version: part of what makes two runs the same."""
        return f"{self.name} {self.version}"


class SimulatorLadder:
    """Chooses a rung for each board model; `chosen` is the only simulator to take, "" for any.

    A simulator outside this machine is never taken because one of this machine is at fault.
    """

    def __init__(self, simulators: Iterable[Simulator], *, chosen: str = "") -> None:
        self._simulators = {simulator.key: simulator for simulator in simulators}
        self._chosen = chosen

    @property
    def simulators(self) -> tuple[Simulator, ...]:
        """All that are known."""
        return tuple(self._simulators.values())

    async def choose(
        self,
        model: BoardModel,
        part: Part,
        *,
        closely: bool = False,
        text_only: bool = False,
        live: bool = False,
    ) -> Rung:
        """The first rung of a board model that can be used; `closely` as a doctor looks.

        With `text_only` the firmware prints no records: only what knows the time of its text will
        do. With `live` it has to run in real time.

        Raises:
            NoSimulatorError: it has none, or only such as no package brings and nobody installed.
            ToolBrokenError: a rung that belongs to this installation is broken or missing.
        """
        passed_over, wanted = [], []
        broken: ToolBrokenError | None = None
        at_home = False
        for way in model.simulators:
            simulator = self._simulators.get(way.backend)
            if simulator is None or self._chosen not in ("", way.backend):
                continue
            if live and simulator.live is None:
                continue
            if text_only and not simulator.tells_time_of_text:
                # A service does not step in for what this installation has.
                at_home = at_home or not simulator.optional
                continue
            if simulator.remote and not self._chosen and (broken is not None or at_home):
                break
            try:
                look = simulator.examine if closely else simulator.version
                version = await look(way.machine)
            except ToolBrokenError as error:
                if error.trouble is ToolTrouble.MISSING and simulator.optional:
                    wanted.append(simulator.optional)
                else:
                    broken = broken or error
                    passed_over.append(f"{rung_name(way.backend, way.machine)}: {error}")
                continue
            target = Target(
                part=part.key,
                part_name=part.name,
                machine=way.machine,
                console_serial=way.console_serial,
                flash_bytes=model.flash_bytes,
            )
            return Rung(
                simulator=simulator,
                target=target,
                version=version,
                passed_over=tuple(passed_over),
            )
        if broken is not None:
            raise broken
        hint = f" (install {' or '.join(wanted)})" if wanted else ""
        kind = f"the chosen simulator {self._chosen}" if self._chosen else "no simulator here"
        what = "is not" if self._chosen else ""
        text = " for firmware that prints text alone" if text_only else ""
        text += " that runs live" if live else ""
        sentence = " ".join(filter(None, (kind, what, f"for the {part.name}{text}{hint}")))
        raise NoSimulatorError(sentence)
