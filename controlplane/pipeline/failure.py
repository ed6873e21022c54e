"""Collects what is known of a failed attempt: from the build, the simulator and the board."""

from benchline.errors import BenchlineError
from controlplane.domain.build import Build
from controlplane.domain.session import Session, StageRecord
from controlplane.domain.simulation import Simulation
from controlplane.domain.symbols import function_at
from controlplane.domain.verdict import Outcome, ScenarioResult, Stage
from controlplane.planning.evidence import Failure, Transcript
from controlplane.planning.faults import decoded_faults
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.codec import from_json
from controlplane.storage.console_log import ConsoleLog
from controlplane.storage.sessions import SessionStore

_MOST_BYTES = 512 * 1024
_MOST_TRANSCRIPTS = 6


class FailureReader:
    """Reads stored outputs only; whatever has gone is left out."""

    def __init__(
        self, artifacts: ArtifactStore, console_log: ConsoleLog, store: SessionStore
    ) -> None:
        self._artifacts = artifacts
        self._console_log = console_log
        self._store = store

    async def failure(self, session: Session, failed: StageRecord) -> Failure:
        """Everything about the failure of a stage of the newest attempt."""
        if failed.stage is Stage.BUILD:
            text = await self._store.get_checkpoint(session.session_id, "build")
            build = from_json(Build, text) if text else None
            found = build.diagnostics if build and build.attempt == session.attempt else ()
            return Failure(message=failed.message, diagnostics=found)
        results = _of(session, failed.stage)
        transcripts = await self._transcripts(results)
        simulated: tuple[Transcript, ...] = ()
        if failed.stage is Stage.DEPLOY:
            bad = {r.scenario_id for r in results if r.outcome is Outcome.FAILED}
            twins = [r for r in _of(session, Stage.SIMULATE) if r.scenario_id in bad]
            simulated = await self._transcripts(twins, every=True)
        return Failure(
            message=failed.message,
            results=tuple(results),
            transcripts=transcripts,
            simulated=simulated,
            faults=await self._faults(session, transcripts),
            registers=await self._registers(session),
        )

    async def _transcripts(
        self, results: list[ScenarioResult], *, every: bool = False
    ) -> tuple[Transcript, ...]:
        found = []
        wanted = [r for r in results if every or r.outcome is Outcome.FAILED]
        for result in wanted[:_MOST_TRANSCRIPTS]:
            console = result.console
            if console is None:
                continue
            end = min(console.end, console.start + _MOST_BYTES)
            chunks = await self._console_log.read(console.console, console.start, end, _MOST_BYTES)
            data = b"".join(chunk.data for chunk in chunks)
            start = chunks[0].offset if chunks else console.start
            found.append(
                Transcript(
                    scenario_id=result.scenario_id, runner=result.runner, start=start, data=data
                )
            )
        return tuple(found)

    async def _faults(
        self, session: Session, transcripts: tuple[Transcript, ...]
    ) -> tuple[str, ...]:
        image = next((a for a in session.artifacts if a.kind == "firmware.test.elf"), None)
        elf = b""
        if image is not None:
            try:
                elf = await self._artifacts.read(image.sha256)
            except BenchlineError:
                elf = b""
        return tuple(
            f"{t.scenario_id}: {said}"
            for t in transcripts
            for said in decoded_faults(
                t.data.decode("utf-8", "replace"), lambda at: function_at(elf, at)
            )
        )

    async def _registers(self, session: Session) -> dict[str, int]:
        text = await self._store.get_checkpoint(session.session_id, "simulation")
        simulation = from_json(Simulation, text) if text else None
        if simulation is None or simulation.attempt != session.attempt:
            return {}
        return {use.name: use.count for use in simulation.registers}


def _of(session: Session, stage: Stage) -> list[ScenarioResult]:
    return [r for r in session.scenario_results if r.stage is stage]
