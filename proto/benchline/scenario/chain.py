"""The ``expect`` steps of one channel, judged in the order of the file.

A channel is the user's lines, all records, or one pin. Its cursor stands after the last match. The
first open expect looks from the cursor on, but not before its ``after``; a failed one leaves the
cursor where it was, so that one missing line does not make the next ones fail.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from benchline.scenario.matching import Match, Matcher, Seen, show_event
from benchline.scenario.model import Expect
from benchline.scenario.plan import fixed
from benchline.scenario.result import AssertionResult, ByteRange, Outcome
from benchline.scenario.units import show_ms
from benchline.scenario.watches import verdict
from benchline.scenario.where import Env

KIND = "expect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An expect that was met: when, and what it captured."""

    spec: Expect
    at_ms: int
    match: Match | None


class ExpectChain:
    """Judges the expects of one channel as their events come."""

    def __init__(
        self,
        expects: list[tuple[Expect, Matcher]],
        env: Env,
        on_hit: Callable[[Hit], None],
    ) -> None:
        self._open = deque(expects)
        self._env = env
        self._on_hit = on_hit
        self._log: deque[Seen] = deque()  # events after the cursor
        self._scanned = 0  # how many of them the first open expect has looked at
        self._cursor_ms = 0
        self._held: Seen | None = None  # the last pin change before the log
        self._level: Seen | None = None  # the last pin change that was scanned
        self._near: tuple[Seen, Match] | None = None
        self._near_count = 0

    @property
    def deadline_ms(self) -> float:
        """When the first open expect must be looked at again, even without an event."""
        if not self._open:
            return math.inf
        expect, _ = self._open[0]
        start = self._start(expect)
        if expect.selector.level is not None and self._level_met():
            return start
        return self._end(expect, start)

    def feed(self, seen: Seen) -> None:
        """Take one event of the channel; call ``advance`` afterwards."""
        if self._open:
            self._log.append(seen)

    def advance(self, now_ms: float, *, final: bool = False) -> list[AssertionResult]:
        """Judge what can be judged when everything up to ``now_ms`` is known."""
        results = []
        while self._open:
            result = self._look(*self._open[0], now_ms, final=final)
            if result is None:
                break
            self._open.popleft()
            self._near, self._near_count = None, 0
            results.append(result)
        if not self._open:
            self._log.clear()
        elif len(self._open) == 1:
            self._forget_scanned()
        return results

    def _start(self, expect: Expect) -> int:
        return max(self._cursor_ms, 0 if expect.after is None else fixed(expect.after))

    def _end(self, expect: Expect, start: int) -> float:
        if expect.within is not None:
            return start + fixed(expect.within)
        return math.inf if expect.until is None else fixed(expect.until)

    def _level_met(self) -> bool:
        expect, matcher = self._open[0]
        level = expect.selector.level
        if self._level is None or self._level.change is None:
            return expect.initial and level == matcher.inactive
        return self._level.change.after == level

    def _look(
        self, expect: Expect, matcher: Matcher, now_ms: float, *, final: bool
    ) -> AssertionResult | None:
        start = self._start(expect)
        end = self._end(expect, start)
        by_level = expect.selector.level is not None
        while self._scanned < len(self._log):
            seen = self._log[self._scanned]
            if by_level and seen.at_ms > start and self._level_met():
                return self._held_at(expect, matcher, start)
            if seen.at_ms > end:
                return self._missed(expect, matcher, start, end)
            self._scanned += 1
            if seen.change is not None:
                self._level = seen
            if seen.at_ms < start or (by_level and seen.at_ms == start):
                continue
            found = matcher.match(seen, self._env)
            if found is not None and found.full:
                return self._matched(expect, matcher, seen, found)
            if found is not None:
                self._near, self._near_count = (seen, found), self._near_count + 1
        if by_level and (now_ms > start or (final and now_ms >= start)) and self._level_met():
            return self._held_at(expect, matcher, start)
        if now_ms > end or final:
            return self._missed(expect, matcher, start, min(end, now_ms))
        return None

    def _matched(
        self, expect: Expect, matcher: Matcher, seen: Seen, found: Match
    ) -> AssertionResult:
        for _ in range(self._scanned):
            passed = self._log.popleft()
            self._held = passed if passed.change is not None else self._held
        self._scanned = 0
        self._cursor_ms = max(self._cursor_ms, seen.at_ms)
        self._on_hit(Hit(spec=expect, at_ms=seen.at_ms, match=found))
        return verdict(
            expect,
            KIND,
            Outcome.PASSED,
            expected=self._expected(expect, matcher, self._start(expect)),
            got=show_event(seen),
            at_ms=seen.at_ms,
            evidence=(seen.range,),
        )

    def _held_at(self, expect: Expect, matcher: Matcher, start: int) -> AssertionResult:
        """The level is there when the window opens."""
        for _ in range(self._scanned):
            self._held = self._log.popleft()
        self._scanned = 0
        self._cursor_ms = start
        self._on_hit(Hit(spec=expect, at_ms=start, match=None))
        level = self._level
        since = "a pin never driven" if level is None else f"it so since {show_ms(level.at_ms)}"
        return verdict(
            expect,
            KIND,
            Outcome.PASSED,
            expected=self._expected(expect, matcher, start),
            got=since,
            at_ms=start,
            evidence=() if level is None else (level.range,),
        )

    def _missed(self, expect: Expect, matcher: Matcher, start: int, end: float) -> AssertionResult:
        got, ranges = "none", tuple[ByteRange, ...]()
        if self._near is not None:
            seen, match = self._near
            got = f"{self._near_count} that did not fit, the last {show_event(seen)}"
            got += f" at {show_ms(seen.at_ms)} ({match.note})"
            ranges = (seen.range,)
        elif expect.selector.pin and self._level is None:
            got = "a pin never driven"
        self._scanned = 0
        self._level = self._held
        return verdict(
            expect,
            KIND,
            Outcome.FAILED,
            expected=self._expected(expect, matcher, start),
            got=got,
            at_ms=None if math.isinf(end) else int(end),
            evidence=ranges,
        )

    def _expected(self, expect: Expect, matcher: Matcher, start: int) -> str:
        if expect.within is not None:
            window = f"within {show_ms(fixed(expect.within))} from {show_ms(start)}"
        elif expect.until is not None:
            window = f"from {show_ms(start)} until {show_ms(fixed(expect.until))}"
        else:
            window = f"after {show_ms(start)}"
        return f"{matcher.describe()} {window}"

    def _forget_scanned(self) -> None:
        """The last expect never looks back: drop what it has seen."""
        for _ in range(self._scanned):
            self._log.popleft()
        self._scanned = 0
