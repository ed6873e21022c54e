"""Assertions over windows: never, expect_count, expect_period and a pin's level at a moment."""

import math
from abc import ABC, abstractmethod

from benchline.scenario.matching import Matcher, Seen, show_event
from benchline.scenario.model import Assertion, ExpectCount, ExpectPeriod, Never, PinLevel
from benchline.scenario.plan import fixed
from benchline.scenario.result import AssertionResult, ByteRange, Outcome
from benchline.scenario.units import show_ms
from benchline.scenario.where import Env

EVIDENCE_MAX = 8
"""Most byte ranges kept for one assertion."""

GAPS_SHOWN = 8
"""Most gaps listed in one message."""


def verdict(
    spec: Assertion,
    kind: str,
    outcome: Outcome,
    *,
    expected: str,
    got: str,
    at_ms: int | None,
    evidence: tuple[ByteRange, ...] = (),
) -> AssertionResult:
    """A result whose message says what was expected, what came and when."""
    moment = "" if at_ms is None else f"; at {show_ms(at_ms)}"
    return AssertionResult(
        id=spec.id,
        kind=kind,
        outcome=outcome,
        message=f"{spec.id}: expected {expected}, got {got}{moment}",
        expected=expected,
        got=got,
        at_ms=at_ms,
        evidence=evidence[:EVIDENCE_MAX],
    )


class Watch(ABC):
    """One assertion over the half-open window [after_ms, until_ms)."""

    kind = ""

    def __init__(self, spec: Assertion, matcher: Matcher, end_ms: int) -> None:
        self.spec = spec
        self.matcher = matcher
        self.after_ms = 0 if spec.after is None else fixed(spec.after)
        self.until_ms: float = math.inf if spec.until is None else fixed(spec.until)
        self.end_ms = end_ms

    @property
    def deadline_ms(self) -> float:
        """No event later than this (device ms) can change the verdict."""
        return self.until_ms

    def inside(self, seen: Seen) -> bool:
        """Whether an event is in the window."""
        return self.after_ms <= seen.at_ms < self.until_ms

    @abstractmethod
    def feed(self, seen: Seen, env: Env) -> AssertionResult | None:
        """Take one event of the watched channel."""

    @abstractmethod
    def close(self, at_ms: int) -> AssertionResult:
        """The verdict when the window is over at ``at_ms``."""

    def window(self) -> str:
        """The window in words."""
        end = "the end" if math.isinf(self.until_ms) else show_ms(self.until_ms)
        return f"from {show_ms(self.after_ms)} to {end}"

    def result(
        self, outcome: Outcome, expected: str, got: str, at_ms: int | None, *ranges: ByteRange
    ) -> AssertionResult:
        """A result of this assertion."""
        return verdict(
            self.spec,
            self.kind,
            outcome,
            expected=expected,
            got=got,
            at_ms=at_ms,
            evidence=ranges,
        )


class NeverWatch(Watch):
    """Fails at the first match; a level that already holds when the window opens is a match."""

    kind = "never"

    def __init__(self, spec: Never, matcher: Matcher, end_ms: int) -> None:
        super().__init__(spec, matcher, end_ms)
        if spec.span is not None:
            self.until_ms = self.after_ms + fixed(spec.span)
        self._expected = f"never {matcher.describe()} {self.window()}"
        self._held: Seen | None = None

    @property
    def deadline_ms(self) -> float:
        """The end of the window; its beginning when the level holds there."""
        return self.until_ms if self._held is None else min(self.after_ms, self.until_ms)

    def feed(self, seen: Seen, env: Env) -> AssertionResult | None:
        """Take one event of the watched channel."""
        level = self.matcher.selector.level
        if level is not None and seen.change is not None and seen.at_ms <= self.after_ms:
            self._held = seen if seen.change.after == level else None
            return None
        if self._held is not None:
            return self._violated(self._held, self.after_ms)
        if not self.inside(seen):
            return None
        found = self.matcher.match(seen, env)
        return self._violated(seen, seen.at_ms) if found is not None and found.full else None

    def close(self, at_ms: int) -> AssertionResult:
        """The verdict when the window is over at ``at_ms``."""
        if self._held is not None and self.after_ms <= at_ms:
            return self._violated(self._held, self.after_ms)
        return self.result(Outcome.PASSED, self._expected, "none", None)

    def _violated(self, seen: Seen, at_ms: int) -> AssertionResult:
        return self.result(Outcome.FAILED, self._expected, show_event(seen), at_ms, seen.range)


class CountWatch(Watch):
    """Counts matches within the window."""

    kind = "expect_count"

    def __init__(self, spec: ExpectCount, matcher: Matcher, end_ms: int) -> None:
        super().__init__(spec, matcher, end_ms)
        self._minimum = spec.minimum or 0
        self._maximum = math.inf if spec.maximum is None else spec.maximum
        self._count = 0
        self._ranges: list[ByteRange] = []
        if spec.minimum == spec.maximum:
            amount = f"exactly {self._minimum}"
        elif spec.maximum is None:
            amount = f"at least {self._minimum}"
        else:
            amount = f"{self._minimum} to {self._maximum}"
        self._expected = f"{amount} {matcher.plural()} {self.window()}"

    def feed(self, seen: Seen, env: Env) -> AssertionResult | None:
        """Take one event of the watched channel."""
        if not self.inside(seen):
            return None
        found = self.matcher.match(seen, env)
        if found is None or not found.full:
            return None
        self._count += found.times
        if len(self._ranges) < EVIDENCE_MAX:
            self._ranges.append(seen.range)
        if self._count > self._maximum:
            return self._judge(Outcome.FAILED, f"{self._count} already", seen.at_ms)
        if self._count >= self._minimum and math.isinf(self._maximum):
            return self._judge(Outcome.PASSED, f"{self._count}", seen.at_ms)
        return None

    def close(self, at_ms: int) -> AssertionResult:
        """The verdict when the window is over at ``at_ms``."""
        enough = self._count >= self._minimum
        return self._judge(Outcome.PASSED if enough else Outcome.FAILED, f"{self._count}", at_ms)

    def _judge(self, outcome: Outcome, got: str, at_ms: int) -> AssertionResult:
        return self.result(outcome, self._expected, got, at_ms, *self._ranges)


class PeriodWatch(Watch):
    """The first ``count`` gaps within the window, each and on average.

    Device time has whole milliseconds: one gap may always be 1 ms off, a mean 1 ms / count.
    """

    kind = "expect_period"

    def __init__(self, spec: ExpectPeriod, matcher: Matcher, end_ms: int) -> None:
        super().__init__(spec, matcher, end_ms)
        self._period = fixed(spec.period)
        self._allowed = spec.tolerance.of(self._period)
        self._count = spec.count
        self._last: int | None = None
        self._gaps: list[int] = []
        self._seen = 0
        self._first_ms = 0
        self._ranges: list[ByteRange] = []
        self._expected = f"{matcher.plural()} every {show_ms(self._period)} ±{spec.tolerance}"
        self._expected += f", {self._count} times"

    @property
    def deadline_ms(self) -> float:
        """The next event is due by then; without a first one, the end of the window."""
        if self._last is None:
            return self.until_ms
        return min(self.until_ms, self._last + self._period + max(self._allowed, 1.0))

    def feed(self, seen: Seen, env: Env) -> AssertionResult | None:
        """Take one event of the watched channel."""
        if not self.inside(seen):
            return None
        found = self.matcher.match(seen, env)
        if found is None or not found.full:
            return None
        if len(self._ranges) == EVIDENCE_MAX:
            self._ranges.pop()
        self._ranges.append(seen.range)
        if self._last is None:
            self._first_ms = seen.at_ms
        else:
            self._add_gap(seen.at_ms - self._last)
        self._last = seen.at_ms
        if found.times > 1:
            got = f"{found.times} at once{self._listed(', after ')}"
            return self.result(Outcome.FAILED, self._expected, got, seen.at_ms, *self._ranges)
        if self._seen and abs(self._gaps[-1] - self._period) > max(self._allowed, 1.0):
            return self._judge(Outcome.FAILED, seen.at_ms)
        return self._full(seen.at_ms) if self._seen == self._count else None

    def close(self, at_ms: int) -> AssertionResult:
        """The verdict when the window is over at ``at_ms``."""
        if self._last is None:
            got = f"none {self.window()}"
        else:
            got = f"{self._seen} of {self._count} periods{self._listed(': ')}"
            got += f", then nothing after {show_ms(self._last)}"
        return self.result(Outcome.FAILED, self._expected, got, at_ms, *self._ranges)

    def _add_gap(self, gap: int) -> None:
        self._seen += 1
        self._gaps.append(gap)
        if len(self._gaps) > GAPS_SHOWN:
            self._gaps.pop(0)

    def _full(self, at_ms: int) -> AssertionResult:
        mean = (at_ms - self._first_ms) / self._count
        allowed = self._allowed + 1.0 / self._count
        if abs(mean - self._period) <= allowed:
            return self._judge(Outcome.PASSED, at_ms)
        got = f"a mean of {mean:.2f} ms over {self._count} periods"
        return self.result(Outcome.FAILED, self._expected, got, at_ms, *self._ranges)

    def _judge(self, outcome: Outcome, at_ms: int) -> AssertionResult:
        return self.result(outcome, self._expected, self._listed(""), at_ms, *self._ranges)

    def _listed(self, before: str) -> str:
        if not self._gaps:
            return ""
        cut = "… " if self._seen > len(self._gaps) else ""
        return f"{before}{cut}{', '.join(map(str, self._gaps))} ms"


class LevelWatch(Watch):
    """The level at one moment: what the last record up to and including that moment says."""

    kind = "pin"

    def __init__(self, spec: PinLevel, matcher: Matcher, end_ms: int) -> None:
        super().__init__(spec, matcher, end_ms)
        self._at = fixed(spec.at)
        self.until_ms = self._at
        self._latest: Seen | None = None
        self._initial = spec.initial

    def feed(self, seen: Seen, env: Env) -> AssertionResult | None:
        """Take one event of the watched channel."""
        if seen.change is not None and seen.at_ms <= self._at:
            self._latest = seen
        return None

    def close(self, at_ms: int) -> AssertionResult:
        """The verdict when the window is over at ``at_ms``."""
        wanted = self.matcher.selector.level
        expected = f"{self.matcher.describe()} at {show_ms(self._at)}"
        if at_ms < self._at:
            got = f"the run over at {show_ms(at_ms)}"
            return self.result(Outcome.FAILED, expected, got, at_ms)
        latest = self._latest
        if latest is None or latest.change is None:
            met = self._initial and wanted == self.matcher.inactive
            outcome = Outcome.PASSED if met else Outcome.FAILED
            return self.result(outcome, expected, "a pin never driven", self._at)
        level = latest.change.after
        outcome = Outcome.PASSED if level == wanted else Outcome.FAILED
        word = "off" if level == self.matcher.inactive else "on"
        got = f"{word} (electrical {level}) since {show_ms(latest.at_ms)}"
        return self.result(outcome, expected, got, self._at, latest.range)
