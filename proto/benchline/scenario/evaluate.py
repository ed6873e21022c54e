"""Judge a run while its events come in. The order of events decides, never the time of arrival."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from benchline.scenario.chain import ExpectChain, Hit
from benchline.scenario.integrity import Integrity
from benchline.scenario.matching import Matcher, PinTracker, Seen
from benchline.scenario.model import (
    Assertion,
    Expect,
    ExpectCount,
    ExpectLatency,
    ExpectPeriod,
    Never,
    PinLevel,
    Scenario,
    Selector,
    SignalKind,
)
from benchline.scenario.names import kind_of
from benchline.scenario.plan import RunPlan, fixed
from benchline.scenario.records import Event
from benchline.scenario.result import AssertionResult, Outcome, RunEnd, ScenarioResult
from benchline.scenario.units import show_ms
from benchline.scenario.watches import (
    CountWatch,
    LevelWatch,
    NeverWatch,
    PeriodWatch,
    Watch,
    verdict,
)
from benchline.scenario.where import Value

SKEW_MS = 5
"""A record stamped before an interrupt may stand after the interrupt's, by less than this."""


@dataclass(slots=True, kw_only=True)
class _Group:
    """Assertions that share a clock: those over user lines, and all others."""

    watches: list[Watch] = field(default_factory=list)
    chains: list[ExpectChain] = field(default_factory=list)
    next_ms: float = math.inf

    def refresh(self) -> None:
        """Find the next moment at which something can be decided by time alone."""
        deadlines = [watch.deadline_ms for watch in self.watches]
        deadlines += [chain.deadline_ms for chain in self.chains]
        self.next_ms = min(deadlines, default=math.inf)


@dataclass(slots=True, kw_only=True)
class _Channel:
    """Who listens to one channel."""

    watches: list[Watch] = field(default_factory=list)
    chain: ExpectChain | None = None


class Evaluator:
    """Judges one run of a plan, live.

    ``feed`` returns the assertions that an event decided. ``nonce`` and ``build`` are what BOOT
    must carry. ``simulated`` says whether a missing BOOT is the firmware's fault (a simulator
    always
    starts it) or may be the wiring's (a board). Without ``records`` the run is one of text alone,
    split by :class:`TextSplitter`.
    """

    def __init__(
        self,
        plan: RunPlan,
        *,
        nonce: int | None = None,
        build: str | None = None,
        simulated: bool = True,
        records: bool = True,
    ) -> None:
        self._plan = plan
        self._integrity = Integrity(
            end_ms=plan.end_ms, nonce=nonce, build=build, simulated=simulated, records=records
        )
        self._env: dict[str, Value] = dict(plan.values)
        self._results: dict[str, AssertionResult] = {}
        self._extra: list[AssertionResult] = []
        self._moments: dict[str, int] = {}
        for index, moment in enumerate(plan.moments, start=1):
            self._moments[moment.id] = self._moments[f"stimulus.{index}"] = moment.at_ms
        self._lines, self._others = _Group(), _Group()
        self._channels: dict[str, _Channel] = {}
        self._latencies: list[ExpectLatency] = []
        self._now_ms = 0
        self._open_line_ms: int | None = None
        self._events = 0
        outputs = [s for s in plan.signals.values() if s.kind is SignalKind.DIGITAL_OUT]
        self._pins = {s.spelling: (s, PinTracker()) for s in outputs}
        self._subscribe()

    @property
    def done(self) -> bool:
        """True once END, FAULT or a second BOOT came: the run may be stopped."""
        return self._integrity.done

    @property
    def results(self) -> tuple[AssertionResult, ...]:
        """Everything decided so far: built-in first, then in file order."""
        own = [self._results[a.id] for a in self._plan.assertions if a.id in self._results]
        return (*self._extra, *own)

    def feed(self, event: Event) -> list[AssertionResult]:
        """Take the next event; returns what it decides. Events after the run's end do nothing."""
        if self.done:
            return []
        self._events += 1
        if event.is_line:
            return self._line(event)
        found = self._integrity.feed(event)
        self._extra += found
        if event.malformed or self._integrity.stopped == "the device rebooted":
            return found + (self._abandon() if self._integrity.done else [])
        self._now_ms = max(self._now_ms, event.at_ms)
        if event.type == "OUT":
            self._open_line_ms = event.at_ms
        found += self._dispatch(event)
        if self._integrity.ended:
            found += self._sweep(self._lines, self._now_ms, final=True)
            found += self._sweep(self._others, self._now_ms, final=True)
            found += self._abandon()
        elif self._integrity.stopped:
            found += self._abandon()
        else:
            found += self._expire()
        return found

    def feed_all(self, events: Iterable[Event]) -> list[AssertionResult]:
        """Take several events."""
        return [result for event in events for result in self.feed(event)]

    def add_finding(self, result: AssertionResult) -> None:
        """Add a verdict from outside, such as a pin that the simulator did not see driven."""
        self._extra.append(result)

    def finish(self, end: RunEnd | None = None) -> ScenarioResult:
        """The result once the stream is over. Nothing is decided twice."""
        end = end or RunEnd()
        self._extra += self._integrity.finish(end)
        self._abandon()
        results = self.results
        outcome = _outcome(results)
        reasons = [found.message for found in results if found.outcome is outcome]
        return ScenarioResult(
            scenario_id=self._plan.scenario_id,
            title=self._plan.title,
            outcome=outcome,
            assertions=results,
            seed=self._plan.seed,
            values=self._plan.shown,
            stimuli=tuple((moment.at_ms, moment.text) for moment in self._plan.moments),
            proves=self._plan.proves,
            control=self._plan.control,
            reason="" if outcome is Outcome.PASSED or not reasons else reasons[0],
            end_ms=self._now_ms,
            events=self._events,
        )

    def _subscribe(self) -> None:
        expects: dict[str, list[tuple[Expect, Matcher]]] = {}
        for spec in self._plan.assertions:
            if isinstance(spec, ExpectLatency):
                self._latencies.append(spec)
            elif isinstance(spec, Expect):
                entry = (spec, Matcher(spec.selector, self._plan.signals))
                expects.setdefault(_chain_key(spec.selector), []).append(entry)
            else:
                watch = self._watch(spec)
                key = _channel_key(watch.matcher.selector)
                self._channels.setdefault(key, _Channel()).watches.append(watch)
                self._group(key).watches.append(watch)
        for key, entries in expects.items():
            chain = ExpectChain(entries, self._env, self._hit)
            self._group(key).chains.append(chain)
            for channel in {_channel_key(spec.selector) for spec, _ in entries}:
                self._channels.setdefault(channel, _Channel()).chain = chain
        self._lines.refresh()
        self._others.refresh()

    def _watch(self, spec: Assertion) -> Watch:
        signals, end_ms = self._plan.signals, self._plan.end_ms
        match spec:
            case Never():
                return NeverWatch(spec, Matcher(spec.selector, signals), end_ms)
            case ExpectCount():
                return CountWatch(spec, Matcher(spec.selector, signals), end_ms)
            case ExpectPeriod():
                return PeriodWatch(spec, Matcher(spec.selector, signals), end_ms)
            case PinLevel():
                return LevelWatch(spec, Matcher(spec.selector, signals), end_ms)
            case _:
                raise TypeError(f"{kind_of(spec)} cannot be judged")

    def _group(self, key: str) -> _Group:
        return self._lines if key == "line" else self._others

    def _line(self, event: Event) -> list[AssertionResult]:
        self._now_ms = max(self._now_ms, event.at_ms)
        self._open_line_ms = None
        seen = Seen(event=event, line=event.text.encode("utf-8", "replace"))
        return self._notify("line", seen) + self._expire()

    def _dispatch(self, event: Event) -> list[AssertionResult]:
        found = self._notify(event.type, Seen(event=event))
        if event.type == "PIN" and event.name in self._pins:
            signal, tracker = self._pins[event.name]
            change = tracker.change(event, 0 if signal.active_high else 1)
            if change is not None:
                found += self._notify(f"pin:{signal.name}", Seen(event=event, change=change))
        return found

    def _notify(self, key: str, seen: Seen) -> list[AssertionResult]:
        channel = self._channels.get(key)
        if channel is None:
            return []
        group, found = self._group(key), []
        for watch in tuple(channel.watches):
            result = watch.feed(seen, self._env)
            if result is not None:
                channel.watches.remove(watch)
                group.watches.remove(watch)
                found.append(result)
            else:
                group.next_ms = min(group.next_ms, watch.deadline_ms)
        if channel.chain is not None:
            channel.chain.feed(seen)
            found += channel.chain.advance(self._known_ms(group))
            group.next_ms = min(group.next_ms, channel.chain.deadline_ms)
        return self._decide(found)

    def _known_ms(self, group: _Group) -> float:
        """Everything before this moment has been seen."""
        now = self._now_ms - SKEW_MS
        if group is self._lines and self._open_line_ms is not None:
            return min(now, self._open_line_ms)
        return now

    def _expire(self) -> list[AssertionResult]:
        found: list[AssertionResult] = []
        for group in (self._others, self._lines):
            known = self._known_ms(group)
            if known > group.next_ms:
                found += self._sweep(group, known, final=False)
        return found

    def _sweep(self, group: _Group, now_ms: float, *, final: bool) -> list[AssertionResult]:
        found, still_open = [], []
        for watch in group.watches:
            if final or now_ms > watch.deadline_ms:
                moment = min(now_ms, watch.deadline_ms)
                found.append(watch.close(int(moment)))
            else:
                still_open.append(watch)
        if len(still_open) < len(group.watches):
            group.watches = still_open
            kept = {id(watch) for watch in still_open}
            for key, channel in self._channels.items():
                if self._group(key) is group:
                    channel.watches = [w for w in channel.watches if id(w) in kept]
        for chain in group.chains:
            found += chain.advance(now_ms, final=final)
        group.refresh()
        return self._decide(found)

    def _hit(self, hit: Hit) -> None:
        self._moments[hit.spec.id] = hit.at_ms
        if hit.spec.save:
            self._moments[hit.spec.save] = hit.at_ms
            self._env[hit.spec.save] = float(hit.at_ms)
            for name, value in (hit.match.captures if hit.match else {}).items():
                self._env[f"{hit.spec.save}_{name}"] = value

    def _decide(self, found: list[AssertionResult]) -> list[AssertionResult]:
        """Note results, and those of the latencies that they decide."""
        for result in found:
            self._results[result.id] = result
        if not found or not self._latencies:
            return found
        waiting = []
        for spec in self._latencies:
            if spec.start in self._moments and spec.stop in self._moments:
                result = self._latency(spec)
                self._results[spec.id] = result
                found.append(result)
            else:
                waiting.append(spec)
        self._latencies = waiting
        return found

    def _latency(self, spec: ExpectLatency) -> AssertionResult:
        start, stop = self._moments[spec.start], self._moments[spec.stop]
        low, high = fixed(spec.minimum), fixed(spec.maximum)
        took = stop - start
        limits = f"at most {show_ms(high)}" if not low else f"{show_ms(low)} to {show_ms(high)}"
        return verdict(
            spec,
            "expect_latency",
            Outcome.PASSED if low <= took <= high else Outcome.FAILED,
            expected=f"{limits} from {spec.start} to {spec.stop}",
            got=show_ms(took),
            at_ms=stop,
            evidence=self._results[spec.stop].evidence if spec.stop in self._results else (),
        )

    def _abandon(self) -> list[AssertionResult]:
        """Skip whatever is not decided when the run is over."""
        why = self._integrity.stopped or "the run ended early"
        if self._integrity.ended:
            why = "what it waits for did not happen"
        skipped = [
            AssertionResult(
                id=spec.id,
                kind=kind_of(spec),
                outcome=Outcome.SKIPPED,
                message=f"{spec.id}: not judged, {why}",
            )
            for spec in self._plan.assertions
            if spec.id not in self._results
        ]
        for result in skipped:
            self._results[result.id] = result
        return skipped


def _channel_key(selector: Selector) -> str:
    if selector.pin:
        return f"pin:{selector.pin}"
    return selector.type or "line"


def _chain_key(selector: Selector) -> str:
    """Expects with the same key share a cursor: all lines, all records, or one pin."""
    if selector.pin:
        return f"pin:{selector.pin}"
    return "record" if selector.type else "line"


def _outcome(results: Collection[AssertionResult]) -> Outcome:
    outcomes = {result.outcome for result in results}
    if Outcome.BROKEN in outcomes:
        return Outcome.BROKEN
    if Outcome.FAILED in outcomes:
        return Outcome.FAILED
    own = {result.outcome for result in results if not result.id.startswith("core.")}
    return Outcome.PASSED if Outcome.PASSED in own else Outcome.SKIPPED


def missing_capabilities(plan: Scenario | RunPlan, available: Collection[str]) -> tuple[str, ...]:
    """What the scenario requires and the simulator or board does not have."""
    return tuple(name for name in plan.requires if name not in available)


def skipped_result(plan: RunPlan, missing: Collection[str]) -> ScenarioResult:
    """The result of a scenario that was not run because capabilities are missing."""
    reason = f"needs {', '.join(missing)}, which is not there"
    return ScenarioResult(
        scenario_id=plan.scenario_id,
        title=plan.title,
        outcome=Outcome.SKIPPED,
        assertions=tuple(
            AssertionResult(
                id=spec.id,
                kind=kind_of(spec),
                outcome=Outcome.SKIPPED,
                message=f"{spec.id}: not judged, the scenario {reason}",
            )
            for spec in plan.assertions
        ),
        seed=plan.seed,
        values=plan.shown,
        proves=plan.proves,
        control=plan.control,
        reason=reason,
    )


def evaluate(
    plan: RunPlan,
    events: Iterable[Event],
    *,
    nonce: int | None = None,
    build: str | None = None,
    simulated: bool = True,
    end: RunEnd | None = None,
) -> ScenarioResult:
    """Judge a recorded run at once; the same verdict as feeding it live."""
    evaluator = Evaluator(plan, nonce=nonce, build=build, simulated=simulated)
    evaluator.feed_all(events)
    return evaluator.finish(end)
