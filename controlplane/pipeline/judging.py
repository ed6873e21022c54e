"""Scenarios as the pipeline runs them: resolved for a seed, packed for a device, judged."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from benchline import scenario as language
from benchline.scenario import (
    ClockMeter,
    Evaluator,
    RecordSplitter,
    RunEnd,
    RunPlan,
    Scenario,
    TextSplitter,
    beyond_text,
    missing_capabilities,
    pack_table,
    resolve,
)
from controlplane import simulators
from controlplane.domain.verdict import (
    AssertionResult,
    ByteRange,
    Evidence,
    Outcome,
    ScenarioResult,
    Stage,
)

# A simulator's clock runs as fast as it can, so scenarios of many minutes are for it alone.
SIMULATED_TIME = frozenset({"fast_time"})
# What a board with a test build on it offers: its records mirror the pins.
BOARD_CAPABILITIES = frozenset(
    {
        "serial.rx",
        "serial.tx",
        "pin.read",
        "pin.edges",
        "inject",
        "inject.digital",
        "inject.analog",
        "inject.console",
        "inject.echo",
    }
)
# What a board offers with firmware that prints text and knows nothing of BL records.
TEXT_CAPABILITIES = frozenset({"serial.rx"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedScenario:
    """A scenario with every number fixed; `missing` capabilities mean that it is skipped."""

    plan: RunPlan
    seed: int
    nonce: int
    missing: tuple[str, ...]

    @property
    def scenario_id(self) -> str:
        """Id of the scenario."""
        return self.plan.scenario_id

    @property
    def title(self) -> str:
        """Title of the scenario."""
        return self.plan.title

    @property
    def end_ms(self) -> int:
        """Device time of the END record, in milliseconds."""
        return self.plan.end_ms

    @property
    def table(self) -> bytes:
        """The stimulus table as it goes into flash."""
        return pack_table(self.plan, self.nonce, live=True)

    @property
    def assertion_ids(self) -> tuple[str, ...]:
        """The checks in their order."""
        return tuple(step.id for step in self.plan.assertions)

    def undecided(
        self,
        outcome: Outcome,
        stage: Stage,
        runner: str,
        message: str,
        evidence: Evidence | None = None,
    ) -> ScenarioResult:
        """The result of a run that judged nothing, and why."""
        return ScenarioResult(
            scenario_id=self.scenario_id,
            title=self.title,
            stage=stage,
            outcome=outcome,
            evidence=evidence,
            runner=runner,
            seed=self.seed,
            device_ms=0,
            wall_ms=0,
            message=message,
        )

    def judged(
        self,
        result: language.ScenarioResult,
        *,
        stage: Stage,
        runner: str,
        evidence: Evidence,
        wall_ms: int,
        console: ByteRange,
    ) -> ScenarioResult:
        """The evaluator's verdict as a session keeps it."""
        return ScenarioResult(
            scenario_id=self.scenario_id,
            title=self.title,
            stage=stage,
            outcome=Outcome(result.outcome.value),
            evidence=evidence,
            runner=runner,
            seed=self.seed,
            device_ms=result.end_ms,
            wall_ms=wall_ms,
            assertions=tuple(_assertion(found, console.console) for found in result.assertions),
            message=result.reason,
            console=console,
        )

    def skipped(self, stage: Stage, runner: str) -> ScenarioResult:
        """The result when the runner lacks what the scenario requires."""
        message = f"{runner} has no {', '.join(self.missing)}"
        return self.undecided(Outcome.SKIPPED, stage, runner, message)


def prepare(scenario: Scenario, session_seed: int, available: Iterable[str]) -> PreparedScenario:
    """Resolve a scenario for a session's seed.

    The nonce follows from the plan, so that simulating the same twice gives the same bytes.

    Raises:
        ScenarioError: a drawn value does not fit the scenario.
    """
    digest = hashlib.sha256(f"{session_seed}/{scenario.id}".encode()).digest()
    # A session's seed is used as it is by its first scenario and by `--seed`; every scenario has
    # its own draw because the id is part of it.
    seed = int.from_bytes(digest[:8], "big")
    plan = resolve(scenario, seed)
    return PreparedScenario(
        plan=plan,
        seed=session_seed,
        nonce=int.from_bytes(digest[8:12], "big"),
        missing=missing_capabilities(scenario, frozenset(available)),
    )


@cache
def judges_digest() -> str:
    """Digest of the code that judges: a verdict of another version of it is not taken as known."""
    digest = hashlib.sha256()
    for package in (language, simulators):
        for path in sorted(Path(package.__path__[0]).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


class Judge:
    """Judges the bytes of one run as they come."""

    def __init__(
        self, prepared: PreparedScenario, *, console: str, start: int, simulated: bool
    ) -> None:
        self._prepared = prepared
        self._console = console
        self._start = start
        self._fed = 0
        self._splitter = RecordSplitter(offset=start)
        self._evaluator = Evaluator(prepared.plan, nonce=prepared.nonce, simulated=simulated)
        self._clock = ClockMeter()

    @property
    def ended(self) -> bool:
        """The run is over: END, FAULT or a second BOOT came."""
        return self._evaluator.done

    def feed(self, data: bytes, read_time: datetime | None = None) -> list[AssertionResult]:
        """Take the next bytes, and when a host read them; the checks that they decided."""
        self._fed += len(data)
        decided: list[AssertionResult] = []
        events = self._splitter.feed(data)
        if read_time is not None:
            self._clock.hear(events, read_time.timestamp() * 1000)
        for event in events:
            decided += map(self._translate, self._evaluator.feed(event))
        return decided

    def add(self, results: Iterable[language.AssertionResult]) -> None:
        """Take checks that somebody else decided, e.g. from the simulator's register log."""
        for result in results:
            self._evaluator.add_finding(result)

    def finish(
        self,
        *,
        stage: Stage,
        runner: str,
        evidence: Evidence,
        wall_ms: int,
        end: RunEnd | None = None,
    ) -> tuple[ScenarioResult, language.ScenarioResult]:
        """The verdict; `end` tells how the stream ended, as whoever ran it knows."""
        self._evaluator.feed_all(self._splitter.finish())
        result = self._evaluator.finish(end)
        console = ByteRange(console=self._console, start=self._start, end=self._start + self._fed)
        judged = self._prepared.judged(
            result,
            stage=stage,
            runner=runner,
            evidence=evidence,
            wall_ms=wall_ms,
            console=console,
        )
        clock = self._clock.reading()
        if clock is not None and clock.is_wrong:
            note = f"note: {clock} against the host's over {clock.span_ms / 1000:.1f} s"
            judged = replace(judged, message="; ".join(filter(None, (judged.message, note))))
        return judged, result

    def _translate(self, result: language.AssertionResult) -> AssertionResult:
        return _assertion(result, self._console)


class TextJudge:
    """Judges the text of firmware without BL records, by the times at which the agent read it.

    They count from `zero`, the time of the reset; without it from the first byte.
    """

    def __init__(
        self, prepared: PreparedScenario, *, console: str, start: int, zero: datetime | None
    ) -> None:
        self._zero = zero
        self._prepared = prepared
        self._console = console
        self._start = start
        self._fed = 0
        self._splitter = TextSplitter(offset=start)
        self._evaluator = Evaluator(prepared.plan, simulated=False, records=False)

    @property
    def ended(self) -> bool:
        """Never by itself: text has no end, whoever follows it watches the clock."""
        return False

    def feed(self, data: bytes, came: datetime) -> list[AssertionResult]:
        """Take the next bytes; the checks that they decided. Bytes after the end are left out."""
        if self._zero is None or came < self._zero:
            self._zero = came
        at_ms = round((came - self._zero).total_seconds() * 1000)
        if at_ms > self._prepared.end_ms:
            return []
        self._fed += len(data)
        decided: list[AssertionResult] = []
        for event in self._splitter.feed(data, at_ms):
            decided += (_assertion(r, self._console) for r in self._evaluator.feed(event))
        return decided

    def finish(
        self, *, stage: Stage, runner: str, evidence: Evidence, wall_ms: int
    ) -> tuple[ScenarioResult, language.ScenarioResult]:
        """The verdict, once the time of the scenario is over."""
        self._evaluator.feed_all(self._splitter.finish(self._prepared.end_ms))
        result = self._evaluator.finish()
        console = ByteRange(console=self._console, start=self._start, end=self._start + self._fed)
        judged = self._prepared.judged(
            result, stage=stage, runner=runner, evidence=evidence, wall_ms=wall_ms, console=console
        )
        return judged, result


def for_text(prepared: PreparedScenario) -> PreparedScenario:
    """The scenario for firmware of which only text is seen: what else it needs is missing."""
    missing = dict.fromkeys((*prepared.missing, *beyond_text(prepared.plan)))
    return replace(prepared, missing=tuple(missing))


def _assertion(result: language.AssertionResult, console: str) -> AssertionResult:
    return AssertionResult(
        assertion_id=result.id,
        kind=result.kind,
        outcome=Outcome(result.outcome.value),
        message=result.message,
        expected=result.expected,
        got=result.got,
        at_ms=-1 if result.at_ms is None else result.at_ms,
        evidence=tuple(
            ByteRange(console=console, start=found.start, end=found.end)
            for found in result.evidence
        ),
    )
