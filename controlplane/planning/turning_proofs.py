"""Proofs of the encoder: notches in drawn directions, bounces, and a turn that stops half-way."""

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.domain.design import Behaviour, BehaviourKind
from controlplane.planning.proofs import Proofs
from controlplane.planning.timeline import (
    PHASE_MS,
    REACTION_MS,
    START_MS,
    Timeline,
    exactly,
    single_quoted,
)

QUARTER_MS = 20
"""How long each of the four states of a notch lasts; a hand turns ten notches a second."""

DRAWN = 3
"""Notches whose direction is drawn: an odd number, so that the position is not 0 after them."""

_FIXED = (
    ("up", True, True),
    ("down", False, True),
    ("down_again", False, False),
    ("down_further", False, False),
)
"""Notches that come after them: their names, whether they turn up, and whether they bounce."""

_LINE = r"^position (?P<v>-?[0-9]+)$"


@dataclass(slots=True)
class _Knob:
    """The contacts of an encoder on a timeline, and how far they were turned.

    ``fixed`` is the sum of the fixed notches, ``drawn`` the number of those whose direction is a
    variable (1 turns down).
    """

    timeline: Timeline
    contacts: tuple[str, ...]
    fixed: int = 0
    drawn: int = 0

    @property
    def at(self) -> str:
        """Where the position is, as an expression of a scenario."""
        turns = " + ".join(f"turn_{n}" for n in range(1, self.drawn + 1))
        return f"{self.drawn + self.fixed} - 2 * ({turns})" if turns else str(self.fixed)

    def turn(self) -> int:
        """One notch in a drawn direction; gives when it ends (ms)."""
        self.drawn += 1
        way = f"turn_{self.drawn}"
        self.timeline.draws[way] = "{draw: [0, 1]}"
        begin = self.timeline.now
        for start, level in ((begin, "on"), (begin + 2 * QUARTER_MS, "off")):
            a, b = self.contacts
            self._switch(start, f"{start} + {QUARTER_MS} * ${way}", a, level)
            self._switch(start, f"{start + QUARTER_MS} - {QUARTER_MS} * ${way}", b, level)
        return begin + 3 * QUARTER_MS

    def step(self, *, up: bool, bouncing: bool = False) -> int:
        """One notch in a fixed direction; gives when it ends (ms)."""
        self.fixed += 1 if up else -1
        first, last = self.contacts if up else reversed(self.contacts)
        begin = self.timeline.now
        places = ((0, first, "on"), (1, last, "on"), (2, first, "off"), (3, last, "off"))
        for quarter, contact, level in places:
            at = begin + quarter * QUARTER_MS
            if bouncing:
                self.timeline.add(
                    at,
                    f"bounce: {{at: {at}ms, signal: {contact}, to: {level}, times: 2, every: 2ms}}",
                )
            else:
                self._switch(at, f"{at}ms", contact, level)
        return begin + 3 * QUARTER_MS + (10 if bouncing else 0)

    def half_way(self) -> int:
        """Turns that stop half-way and go back; gives when they end (ms).

        Two up and one down: what firmware counts that looks at one contact must not cancel out.
        """
        at = self.timeline.now
        for first, last in (self.contacts, self.contacts, reversed(self.contacts)):
            for contact, level in ((first, "on"), (last, "on"), (last, "off"), (first, "off")):
                self._switch(at, f"{at}ms", contact, level)
                at += QUARTER_MS
        return at

    def _switch(self, place: int, at: str, contact: str, level: str) -> None:
        self.timeline.add(place, f"stimulus: {{at: {at}, signal: {contact}, value: {level}}}")


def prove_turning(
    timeline: Proofs,
    behaviour: Behaviour,
    behaviours: Sequence[Behaviour],
    periods_of: Sequence[str],
) -> None:
    """Drawn notches, each way for certain, with bounces, and one that is not finished."""
    printed = behaviour.word("position") == "print"
    knob = _Knob(timeline, behaviour.signals)
    shown = [b for b in behaviours if b.word("value") == "position"]
    shown = [b for b in shown if b.kind is BehaviourKind.COMMAND or b.id in periods_of]
    if not printed and not shown:
        return  # what shows it takes longer, in a run of its own
    reports = [b for b in shown if b.kind is BehaviourKind.REPORT]
    begun = timeline.now
    for number in range(1, DRAWN + 1):
        _notch(timeline, knob, knob.turn(), f"position_{number}" if printed else "")
    _show(timeline, knob, shown, reports, "turned")
    for name, up, bouncing in _FIXED:
        ended = knob.step(up=up, bouncing=bouncing)
        _notch(timeline, knob, ended, f"position_{name}" if printed else "")
    half = timeline.now
    ended = knob.half_way()
    timeline.now = ended + REACTION_MS
    if printed:
        timeline.add(
            half,
            f"never: {{id: half_a_notch, line: {single_quoted(_LINE)}, after: {half}ms, "
            f"until: {timeline.now}ms}}",
        )
        timeline.add(
            timeline.now,
            f"expect_count: {{id: positions_printed, line: {single_quoted(_LINE)}, "
            f"after: {begun}ms, until: {timeline.now}ms, count: {DRAWN + len(_FIXED)}}}",
        )
    _show(timeline, knob, shown, reports, "turned_back")
    timeline.until(timeline.now)
    timeline.proves.append(behaviour.id)


def _notch(timeline: Timeline, knob: _Knob, ended: int, name: str) -> None:
    """Wait for what a notch leads to; ``name`` is that of the line, "" where none is printed."""
    if name:
        timeline.add(
            timeline.now,
            f"expect: {{id: {name}, line: {single_quoted(_LINE)}, "
            f'where: "v == {knob.at}", after: {timeline.now}ms, '
            f"within: {ended - timeline.now + REACTION_MS}ms}}",
        )
    timeline.now = ended + 2 * QUARTER_MS
    if name:
        timeline.now = ended + REACTION_MS


def _show(
    timeline: Proofs,
    knob: _Knob,
    shown: Sequence[Behaviour],
    reports: Sequence[Behaviour],
    name: str,
) -> None:
    """Reports and answers tell the position that the notches led to."""
    where = f'where: "v == {knob.at}"'
    for report in reports:
        within = round(report.number("period")) + START_MS
        timeline.add(
            timeline.now,
            f"expect: {{id: {name}_report, line: {single_quoted(_LINE)}, {where}, "
            f"after: {timeline.now}ms, within: {within}ms}}",
        )
        timeline.now += within
    for command in shown:
        if command.kind is not BehaviourKind.COMMAND:
            continue
        regex = exactly(f"{command.word('command')} position @").replace("@", "(?P<v>-?[0-9]+)")
        if command.id in timeline.proves:
            timeline.ask_again(command, regex, f", {where}", of=name)
        else:
            timeline.ask(command, regex, f", {where}")


def turned_meanwhile(timeline: Timeline, behaviour: Behaviour, counting: str) -> None:
    """Between two reports of a long period the encoder is turned; the second shows where to."""
    knob = _Knob(timeline, behaviour.signals)
    period = round(behaviour.number("period"))
    timeline.add(0, f"expect: {{id: position_first, line: '^position 0$', within: {START_MS}ms}}")
    timeline.now = period // 2
    for _ in range(DRAWN):
        timeline.now = knob.turn() + 2 * QUARTER_MS
    for _, up, bouncing in _FIXED:
        timeline.now = knob.step(up=up, bouncing=bouncing) + 2 * QUARTER_MS
    timeline.now = knob.half_way() + 2 * QUARTER_MS
    timeline.add(
        timeline.now,
        f"expect: {{id: position_follows, line: {single_quoted(_LINE)}, "
        f'where: "v == {knob.at}", after: {timeline.now}ms, '
        f"within: {period - timeline.now + START_MS + period // 50}ms}}",
    )
    timeline.proves.append(counting)


def control_turning(timeline: Timeline, behaviour: Behaviour) -> None:
    """Without a turn the position stays 0, and no change is printed."""
    line = "^position " if behaviour.word("position") == "print" else "^position -?[1-9]"
    timeline.add(timeline.now, f"never: {{id: position_unturned, line: '{line}'}}")
    timeline.until(timeline.now + PHASE_MS)
