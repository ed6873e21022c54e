"""Proofs of what messages do: on their topic what they should, on another nothing."""

from collections.abc import Sequence

from controlplane.domain.design import Behaviour, BehaviourKind
from controlplane.planning.cloud_proofs import published_change, published_state
from controlplane.planning.intent import MessageEffect
from controlplane.planning.limits import identifier
from controlplane.planning.timeline import (
    ASIDE_MS,
    PHASE_MS,
    REACTION_MS,
    Timeline,
    exactly,
    quoted,
    single_quoted,
)

_RANK = (MessageEffect.ON, MessageEffect.OBEY, MessageEffect.TOGGLE, MessageEffect.OFF)
"""The order in which messages to one output are tried: it is off at first."""


def prove_messages(timeline: Timeline, behaviours: Sequence[Behaviour]) -> None:
    """Try every message, output by output."""
    messages = [b for b in behaviours if b.kind is BehaviourKind.MESSAGE]
    heard = {behaviour.word("topic") for behaviour in messages}
    for output in dict.fromkeys(b.signals for b in messages):
        mine = [b for b in messages if b.signals == output]
        for behaviour in sorted(mine, key=lambda b: _RANK.index(_effect(b)) if output else 0):
            _prove_message(timeline, behaviour, behaviours, heard)


def _effect(behaviour: Behaviour) -> MessageEffect:
    return MessageEffect(behaviour.word("effect"))


def _prove_message(
    timeline: Timeline, behaviour: Behaviour, behaviours: Sequence[Behaviour], heard: set[str]
) -> None:
    topic, payload = behaviour.word("topic"), behaviour.word("payload")
    elsewhere = f"{topic}x"
    while elsewhere in heard:
        elsewhere += "x"
    timeline.proves.append(behaviour.id)
    if _effect(behaviour) is MessageEffect.PRINT:
        _prove_printing(timeline, behaviour, elsewhere)
        return
    output = behaviour.signals[0]
    turn = _Turn(timeline, behaviour, behaviours)
    match _effect(behaviour):
        case MessageEffect.OBEY:
            turn.ignored(elsewhere, "on", "on")
            turn.obeyed("on", "on")
            turn.ignored(topic, "onx", "off")
            turn.obeyed("off", "off")
        case MessageEffect.TOGGLE:
            turn.ignored(elsewhere, payload or turn.drawn(), "on")
            if payload:
                turn.ignored(topic, f"{payload}x", "on")
            turn.obeyed(payload or turn.drawn(), "on")
            turn.obeyed(payload or turn.drawn(), "off")
        case MessageEffect.ON:
            turn.alone(elsewhere, "on")
        case _:
            _switch_on(turn, timeline, behaviours, output)
            turn.alone(elsewhere, "off")


def _switch_on(
    turn: "_Turn", timeline: Timeline, behaviours: Sequence[Behaviour], output: str
) -> None:
    """Before what switches off is tried, the output is on: as ON left it, or by another message."""
    if timeline.has(f"{output}_on_1") and not timeline.has(f"{output}_off_1"):
        return
    for other in behaviours:
        if other.kind is not BehaviourKind.MESSAGE or other.signals != (output,):
            continue
        if _effect(other) is MessageEffect.OFF:
            continue
        obeys = _effect(other) is MessageEffect.OBEY
        turn.obeyed("on" if obeys else other.word("payload") or turn.drawn(), "on", other)
        return


class _Turn:
    """Sends messages to one output, and looks at it."""

    def __init__(
        self, timeline: Timeline, behaviour: Behaviour, behaviours: Sequence[Behaviour]
    ) -> None:
        self._timeline = timeline
        self._behaviour = behaviour
        self._behaviours = behaviours
        self._output = behaviour.signals[0]

    def drawn(self) -> str:
        """A text that firmware cannot know."""
        self._timeline.draws["message"] = "{draw: [1000, 9999], step: 1}"
        return "${message}"

    def alone(self, elsewhere: str, state: str) -> None:
        """One effect: other topics and other texts do nothing."""
        topic, payload = self._behaviour.word("topic"), self._behaviour.word("payload")
        self.ignored(elsewhere, payload or self.drawn(), state)
        if payload:
            self.ignored(topic, f"{payload}x", state)
        self.obeyed(payload or self.drawn(), state)

    def ignored(self, topic: str, text: str, state: str) -> None:
        """A message that leaves the output as it is, not ``state``."""
        at = self._send(topic, text)
        self._timeline.add(
            at,
            f"never: {{id: {self._id('ignores')}, pin: {self._output}, level: {state}, "
            f"after: {at}ms, until: {at + PHASE_MS - ASIDE_MS}ms}}",
        )

    def obeyed(self, text: str, state: str, by: Behaviour | None = None) -> None:
        """A message that switches the output, and it stays so."""
        timeline, topic = self._timeline, (by or self._behaviour).word("topic")
        at = self._send(topic, text)
        other = "off" if state == "on" else "on"
        begin, timeline.now = timeline.now, at
        timeline.add(
            at,
            f"expect: {{id: {self._id(state)}, pin: {self._output}, level: {state}, "
            f"after: {at}ms, within: {REACTION_MS}ms}}",
        )
        published_change(timeline, self._behaviours, self._output, state, within=REACTION_MS)
        timeline.now = begin
        timeline.add(
            at,
            f"never: {{id: {self._id('stays_' + state)}, pin: {self._output}, level: {other}, "
            f"after: {at + REACTION_MS}ms, until: {timeline.now}ms}}",
        )
        timeline.now += published_state(
            timeline, self._behaviours, self._output, state, after=timeline.now
        )
        timeline.until(timeline.now)

    def _send(self, topic: str, text: str) -> int:
        timeline = self._timeline
        at = timeline.now + ASIDE_MS
        timeline.add(at, f"send: {{at: {at}ms, topic: {topic}, text: {quoted(text)}}}")
        timeline.now = at + PHASE_MS
        timeline.until(timeline.now)
        return at

    def _id(self, what: str) -> str:
        name = f"{self._output}_{what}"
        number = sum(f"{{id: {name}_" in step for _, _, step in self._timeline.placed) + 1
        return f"{name}_{number}"


def _prove_printing(timeline: Timeline, behaviour: Behaviour, elsewhere: str) -> None:
    topic, at = behaviour.word("topic"), timeline.now + ASIDE_MS
    name = f"message_{identifier(topic)}"
    timeline.draws["message"] = "{draw: [1000, 9999], step: 1}"
    head = exactly(f"message {topic} ")[:-1]
    timeline.add(
        at,
        f'send: {{at: {at}ms, topic: {elsewhere}, text: "${{message}}"}}',
        f"never: {{id: {name}_elsewhere, line: {single_quoted('${message}')}, "
        f"after: {at}ms, until: {at + PHASE_MS}ms}}",
        f'send: {{at: {at + PHASE_MS}ms, topic: {topic}, text: "say ${{message}}"}}',
        f"expect: {{id: {name}_printed, line: {single_quoted(head + 'say ${message}$')}, "
        f"after: {at + PHASE_MS}ms, within: {REACTION_MS}ms}}",
    )
    timeline.now += 2 * PHASE_MS
    timeline.until(timeline.now)


def control_messages(timeline: Timeline, behaviours: Sequence[Behaviour]) -> None:
    """Without a message nothing is done."""
    for behaviour in behaviours:
        if behaviour.kind is BehaviourKind.MESSAGE:
            _control_message(timeline, behaviour)


def _control_message(timeline: Timeline, behaviour: Behaviour) -> None:
    if not behaviour.signals:
        head = exactly(f"message {behaviour.word('topic')} ")[:-1]
        name = f"no_message_{identifier(behaviour.word('topic'))}"
        timeline.add(timeline.now, f"never: {{id: {name}, line: {single_quoted(head)}}}")
        return
    output = behaviour.signals[0]
    if not timeline.has(f"{output}_waits"):
        timeline.add(timeline.now, f"never: {{id: {output}_waits, pin: {output}, level: on}}")
