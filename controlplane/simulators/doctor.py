"""Which rung of its ladder each part gets here, and what is missing."""

from controlplane.catalog.loader import Catalogue
from controlplane.childproc.confinement import ConfinementMissingError
from controlplane.childproc.tools import ToolBrokenError, ToolTrouble
from controlplane.domain.check import Check
from controlplane.domain.part import BoardModel, Part
from controlplane.simulators.ladder import NoSimulatorError, SimulatorLadder
from controlplane.simulators.protocol import Simulator


async def checks(ladder: SimulatorLadder, catalogue: Catalogue) -> list[Check]:
    """One check for each part that a board model carries."""
    models: dict[str, BoardModel] = {}
    for model in catalogue.boards.values():
        known = models.get(model.part)
        if known is None or not known.simulators:
            models[model.part] = model
    try:
        found = [await _check(ladder, m, catalogue.part_of(m)) for m in models.values()]
        return [*found, *[await _service(s, catalogue) for s in ladder.simulators if s.remote]]
    except ConfinementMissingError as error:
        return [Check(name="simulator", ok=False, detail=str(error), fix=str(error))]


async def _check(ladder: SimulatorLadder, model: BoardModel, part: Part) -> Check:
    try:
        rung = await ladder.choose(model, part, closely=True)
    except NoSimulatorError as error:
        return Check(name="simulator", ok=True, detail=f"{part.key}: {error}")
    except ToolBrokenError as error:
        detail = f"{part.key}: {error}"
        return Check(name="simulator", ok=False, detail=detail, fix=error.fix)
    over = "".join(f"; passed over {text}" for text in rung.passed_over)
    return Check(name="simulator", ok=True, detail=f"{part.key}: {rung.identity}{over}")


async def _service(simulator: Simulator, catalogue: Catalogue) -> Check:
    """What a simulator outside this machine would be sent, and whether it answers."""
    ways = [way for model in catalogue.boards.values() for way in model.simulators]
    machine = next((way.machine for way in ways if way.backend == simulator.key), "")
    try:
        version = await simulator.examine(machine)
    except ToolBrokenError as error:
        if error.trouble is ToolTrouble.MISSING:
            detail = (
                f"not configured: nothing leaves this machine (to use it: {simulator.optional})"
            )
            return Check(name=simulator.key, ok=True, detail=detail)
        return Check(name=simulator.key, ok=False, detail=str(error), fix=error.fix)
    return Check(name=simulator.key, ok=True, detail=f"{version}; {simulator.remote}")
