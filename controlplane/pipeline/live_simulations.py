"""Runs firmware in simulators in real time: started, typed at, reset and ended by callers.

A row says of each what it does and, in the end, why it ended. A simulator dies with this process,
so that a row that a dead control plane left behind is ended by the next one.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchline.errors import BenchlineError, ExhaustedError, InvalidRequestError, NotReadyError
from benchline.names import LIVE_SIMULATIONS, live_console
from controlplane.catalog.loader import Catalogue
from controlplane.childproc.tools import ToolBrokenError
from controlplane.domain.live_simulation import EndReason, LiveLimits, LiveSimulation
from controlplane.domain.session import Session
from controlplane.domain.verdict import Outcome, State
from controlplane.ops.incident import log_incident
from controlplane.pipeline.images import images_of
from controlplane.pipeline.live_boots import End, Held, LiveBoots, Wish
from controlplane.pipeline.project import Project, load_project
from controlplane.pipeline.simulator_image import simulated_bytes, written_for_simulator
from controlplane.pipeline.stage import StoredSession
from controlplane.planning.live_signals import Setting, UnknownSignalError, inputs_of, setting_of
from controlplane.simulators.ladder import NoSimulatorError, SimulatorLadder
from controlplane.simulators.protocol import LiveSimulator, Target, UnloadableImageError
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.console_log import ConsoleLog
from controlplane.storage.live_simulations import LiveSimulationStore
from controlplane.storage.sessions import SessionStore

log = logging.getLogger(__name__)

_TURN_SECONDS = 30.0
"""How long a reset or a stop may take to be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveParts:
    """What live simulations work with."""

    artifacts: ArtifactStore
    boards: BoardStore
    catalogue: Catalogue
    console_log: ConsoleLog
    ladder: SimulatorLadder
    limits: LiveLimits
    new_id: Callable[[], str]
    sessions: SessionStore
    store: LiveSimulationStore
    work_dir: Path


class LiveSimulations:
    """Starts, leads and ends live simulations. Use as an async context manager."""

    def __init__(self, parts: LiveParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._held: dict[str, Held] = {}
        self._boots = LiveBoots(parts.store, parts.console_log, parts.limits)

    async def __aenter__(self) -> "LiveSimulations":
        """End the rows that a control plane left behind when it died."""
        for live in await self._store.unended():
            await self._end(live, _INTERRUPTED)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all that run; their simulators are gone when this returns."""
        tasks = [held.task for held in self._held.values() if held.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def start(self, session: Session, principal: str, request_id: str) -> LiveSimulation:
        """Start the firmware of a session; the same request twice is one simulation.

        Raises:
            InvalidRequestError: IMAGE_MISSING, or its project cannot be read.
            NotReadyError: NO_LIVE_SIMULATOR.
            ExhaustedError: LIVE_SIMULATIONS_FULL.
            ConflictError: REQUEST_ID_REUSED.
        """
        image = images_of(session).test
        stored = StoredSession(session, self._parts.sessions)
        project = await load_project(stored, self._parts.catalogue, self._parts.boards)
        place = await self._place(project)
        data = await simulated_bytes(self._parts.artifacts, image, project.port)
        live_id = self._parts.new_id()
        wanted = LiveSimulation(
            name=f"{LIVE_SIMULATIONS}{live_id}",
            session=session.name,
            console=live_console(session.session_id, live_id),
            title=project.title,
            board_model=project.board_model.key,
            image_sha256=image.sha256,
            test_build=not project.text_only,
            rung=place.rung if isinstance(place, _Place) else "",
            signals=inputs_of([s for one in project.scenarios for s in one.signals.values()]),
            principal=principal,
            create_time=datetime.now(UTC),
        )
        # A caller who leaves now must not leave a row behind that nobody leads.
        return await asyncio.shield(self._begin(wanted, request_id, place, data))

    async def _begin(
        self,
        wanted: LiveSimulation,
        request_id: str,
        place: "_Place | ToolBrokenError",
        data: bytes,
    ) -> LiveSimulation:
        live = await self._store.create(wanted, request_id, self._parts.limits.simulations)
        if live.name == wanted.name:
            now = time.monotonic()
            held = Held(live=live, began=now, touched=now)
            self._held[live.live_id] = held
            leading = self._lead(held, place, data)
            held.task = asyncio.create_task(leading, name=live.name)
        return live

    def send(self, live: LiveSimulation, data: bytes) -> None:
        """Type bytes at its console.

        Raises:
            NotReadyError: LIVE_NOT_RUNNING.
            ExhaustedError: LIVE_INPUT_FULL.
        """
        held = self._held.get(live.live_id)
        if held is None or held.run is None:
            advice = _ADVICE.get(live.state, live.again)
            raise NotReadyError(
                "LIVE_NOT_RUNNING",
                f"{live.live_id} does not run ({live.message or live.state.value}): {advice}",
                live_simulation=live.name,
            )
        if not held.run.write(data):
            raise ExhaustedError(
                "LIVE_INPUT_FULL",
                "the firmware has not read what was typed before; reset it, or wait",
                live_simulation=live.name,
            )
        held.touch()

    def set_signal(self, live: LiveSimulation, signal: str, value: str) -> Setting:
        """Put a value on an input.

        Raises:
            NotReadyError: SIGNALS_NOT_SETTABLE, LIVE_NOT_RUNNING.
            InvalidRequestError: SIGNAL_UNKNOWN, SIGNAL_VALUE_INVALID.
            ExhaustedError: LIVE_INPUT_FULL.
        """
        if not live.test_build:
            raise NotReadyError(
                "SIGNALS_NOT_SETTABLE",
                "this image is no test build of the bench core: nothing can be put on its inputs"
                " unless it is built here, from its sketch",
                live_simulation=live.name,
            )
        part = self._parts.catalogue.part_of(self._parts.catalogue.boards[live.board_model])
        try:
            setting = setting_of(live.signals, lambda pin: part.pin(pin) is not None, signal, value)
        except UnknownSignalError as error:
            raise InvalidRequestError("SIGNAL_UNKNOWN", str(error), signal=signal) from error
        except ValueError as error:
            raise InvalidRequestError("SIGNAL_VALUE_INVALID", str(error), signal=signal) from error
        self.send(live, setting.command)
        return setting

    async def reset(self, live: LiveSimulation) -> LiveSimulation:
        """Start its firmware anew; the simulation in its next boot epoch.

        Raises:
            NotReadyError: LIVE_NOT_RUNNING.
        """
        held = self._held.get(live.live_id)
        if held is None:
            raise NotReadyError(
                "LIVE_NOT_RUNNING",
                f"{live.live_id} has ended ({live.reason}): {live.again}",
                live_simulation=live.name,
            )
        held.touch()
        held.ask(Wish.RESET)
        return await self._seen(live, lambda now: now.epoch > live.epoch or now.state.ended)

    async def stop(self, live: LiveSimulation) -> LiveSimulation:
        """End it; the simulation as it ended."""
        held = self._held.get(live.live_id)
        if held is not None:
            held.ask(Wish.STOP)
        return await self._seen(live, lambda now: now.state.ended)

    @contextmanager
    def watched(self, live: LiveSimulation) -> Iterator[None]:
        """Somebody watches: as long as this lasts it is not idle."""
        held = self._held.get(live.live_id)
        if held is None:
            yield
            return
        held.watchers += 1
        try:
            yield
        finally:
            held.watchers -= 1
            held.touch()

    async def _seen(
        self, live: LiveSimulation, true_of: Callable[[LiveSimulation], bool]
    ) -> LiveSimulation:
        """The simulation once that holds of it, or as it stands when that takes long."""
        current = await self._store.get(live.live_id)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TURN_SECONDS):
                while not true_of(current):
                    current = await self._store.wait(live.live_id, current.revision)
        return current

    async def _place(self, project: Project) -> "_Place | ToolBrokenError":
        """Where it runs, or the tool that keeps it from running anywhere."""
        model = project.board_model
        try:
            rung = await self._parts.ladder.choose(
                model, self._parts.catalogue.part_of(model), live=True
            )
        except NoSimulatorError as error:
            raise _no_simulator(model.key, str(error)) from error
        except ToolBrokenError as error:
            return error
        if rung.simulator.live is None:
            raise _no_simulator(model.key, f"{rung.name} runs scenarios alone")
        return _Place(rung=rung.name, simulator=rung.simulator.live, target=rung.target)

    async def _lead(self, held: Held, place: "_Place | ToolBrokenError", data: bytes) -> None:
        """From the first boot to the end, whatever it is."""
        end = _SERVER_STOPPED
        try:
            end = await self._led(held, place, data)
        except ToolBrokenError as error:
            fix = f"{error.fix}; then {held.live.again}"
            end = _broken(str(error), fix)
        except UnloadableImageError as error:
            end = End(
                reason=EndReason.IMAGE_UNUSABLE,
                message=f"the machine does not load this image: {error}",
                outcome=Outcome.FAILED,
                fix="build it for this board model, or name another with --board",
            )
        except BenchlineError as error:
            end = _broken(f"{error.reason}: {error}")
        except Exception as error:
            what = "a live simulation threw"
            end = _broken(log_incident(log, error, what, live_simulation=held.live.name))
        finally:
            held.run = None
            await self._end(held.live, end)
            del self._held[held.live.live_id]

    async def _led(self, held: Held, place: "_Place | ToolBrokenError", data: bytes) -> End:
        if isinstance(place, ToolBrokenError):
            raise place
        with TemporaryDirectory(dir=self._parts.work_dir, prefix="live-") as folder:
            image = await asyncio.to_thread(written_for_simulator, data, Path(folder))
            return await self._boots.lead(held, place.simulator, place.target, image)

    async def _end(self, live: LiveSimulation, end: End) -> None:
        def ended(known: LiveSimulation) -> LiveSimulation:
            return replace(
                known,
                state=State.DONE,
                reason=end.reason.value,
                outcome=end.outcome,
                message=end.message,
                fix=end.fix or f"start it again: {known.again}",
                end_time=datetime.now(UTC),
            )

        await self._store.change(live.live_id, ended)
        log.info(
            "live simulation ended",
            extra={"live_simulation": live.name, "reason": end.reason.value},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What runs a simulation."""

    rung: str
    simulator: LiveSimulator
    target: Target


def _broken(message: str, fix: str = "") -> End:
    return End(reason=EndReason.TOOL_BROKEN, message=message, outcome=Outcome.BROKEN, fix=fix)


def _no_simulator(model: str, why: str) -> NotReadyError:
    return NotReadyError(
        "NO_LIVE_SIMULATOR", f"{why}; a board runs it: `benchline flash`", board=model
    )


_ADVICE = {State.WAITING: "reset it", State.PENDING: "it starts just now; try again"}
_INTERRUPTED = End(
    reason=EndReason.INTERRUPTED,
    message="the control plane ended without a word, and its simulator with it",
    outcome=Outcome.BROKEN,
)
_SERVER_STOPPED = End(reason=EndReason.SERVER_STOPPED, message="the control plane was stopped")
