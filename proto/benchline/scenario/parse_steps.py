"""Read the steps of a scenario."""

import re
from collections.abc import Callable, Mapping, Sequence

from benchline.cloud_records import MAX_TOPIC_CHARS, is_topic
from benchline.scenario.model import (
    NO_ECHO,
    Amount,
    Bounce,
    Edge,
    Expect,
    ExpectCount,
    ExpectLatency,
    ExpectPeriod,
    Never,
    PinLevel,
    Press,
    Ramp,
    Repeat,
    Reset,
    Selector,
    Send,
    Signal,
    SignalKind,
    Step,
    Stimulus,
)
from benchline.scenario.reading import Fields, Reader, compile_regex, nearest
from benchline.scenario.units import Tolerance, parse_tolerance
from benchline.scenario.where import WhereError, compile_where
from benchline.scenario.yamltree import Mapping as MappingNode
from benchline.scenario.yamltree import Node

ID = re.compile(r"[a-z][a-z0-9_]{0,47}")
_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,15}")
_SELECTOR_KEYS = ("line", "type", "name", "value", "pin", "level", "edge", "where")
_NOT_YET = {
    "parallel": "several boards in one scenario are not supported in version 1",
    "operator": "questions to a person are not supported in version 1",
}
MAX_SEND_BYTES = 1024
"""Longest text of one send step."""


class StepReader:
    """Reads steps against the scenario's signals."""

    def __init__(self, reader: Reader, signals: Mapping[str, Signal]) -> None:
        self._reader = reader
        self._signals = signals
        self._kinds: Mapping[str, Callable[[Fields], Step]] = {
            "reset": self._reset,
            "stimulus": self._stimulus,
            "send": self._send,
            "press": self._press,
            "bounce": self._bounce,
            "ramp": self._ramp,
            "repeat": self._repeat,
            "expect": self._expect,
            "expect_period": self._expect_period,
            "expect_latency": self._expect_latency,
            "expect_count": self._expect_count,
            "pin": self._pin,
            "never": self._never,
        }

    def read(self, nodes: Sequence[Node], subject: str = "steps") -> tuple[Step, ...]:
        """All steps that can be read; the findings say what is wrong with the others."""
        steps = []
        for index, node in enumerate(nodes):
            step = self._step(node, f"{subject}[{index}]")
            if step is not None:
                steps.append(step)
        return tuple(steps)

    def _step(self, node: Node, subject: str) -> Step | None:
        if not isinstance(node, MappingNode) or len(node.entries) != 1:
            self._reader.complain(
                "bad-step", subject, "a step is one key, such as 'expect: {...}'", line=node.line
            )
            return None
        kind, body = next(iter(node.entries.items()))
        if kind not in self._kinds:
            fix = _NOT_YET.get(kind) or nearest(kind, self._kinds)
            message = f"{kind[:40]!r} is not a kind of step"
            self._reader.complain("unknown-step", subject, message, line=node.line, fix=fix)
            return None
        fields = self._reader.mapping(body, f"{subject}.{kind}", node.line)
        before = len(self._reader.findings)
        step = self._kinds[kind](fields)
        fields.finish()
        return step if len(self._reader.findings) == before else None

    def _id(self, fields: Fields) -> str:
        text = fields.text("id")
        if text and ID.fullmatch(text) is None:
            fields.complain("bad-id", "id", "must match ^[a-z][a-z0-9_]{0,47}$")
        return text

    def _signal(self, fields: Fields, *kinds: SignalKind, key: str = "signal") -> str:
        name = fields.text(key, required=True)
        if not name:
            return name
        signal = self._signals.get(name)
        if signal is None:
            message = f"{name[:40]!r} is not a signal"
            fields.complain("unknown-signal", key, message, nearest(name, self._signals))
        elif signal.kind not in kinds:
            wanted = " or ".join(kinds)
            fields.complain("wrong-signal", key, f"{name} is {signal.kind}, not {wanted}")
        return name

    def _reset(self, fields: Fields) -> Step:
        fields.word("kind", {"power", "pin", "soft"})
        return Reset(id=self._id(fields), line=fields.line)

    def _stimulus(self, fields: Fields) -> Step:
        kinds = (SignalKind.ANALOG, SignalKind.DIGITAL_IN, SignalKind.ECHO)
        signal = self._signal(fields, *kinds)
        found = self._signals.get(signal)
        if found is not None and found.kind is SignalKind.ECHO and fields.text("value") == "none":
            value: Amount | None = NO_ECHO
        else:
            value = fields.amount("value", required=True)
        return Stimulus(
            id=self._id(fields),
            line=fields.line,
            at=fields.time("at", required=True) or 0,
            signal=signal,
            value=value if value is not None else 0.0,
        )

    def _send(self, fields: Fields) -> Step:
        topic = fields.text("topic")
        if topic and not is_topic(topic):
            message = f"must be 1 to {MAX_TOPIC_CHARS} letters, digits and _ . / -"
            fields.complain("bad-value", "topic", message)
        text = fields.text("text", required=True, limit=MAX_SEND_BYTES)
        if not text or len(text.encode("utf-8", "replace")) > MAX_SEND_BYTES:
            fields.complain("bad-value", "text", f"must have 1 to {MAX_SEND_BYTES} bytes")
        return Send(
            id=self._id(fields),
            line=fields.line,
            at=fields.time("at", required=True) or 0,
            text=text,
            topic=topic,
        )

    def _press(self, fields: Fields) -> Step:
        hold = fields.time("for")
        return Press(
            id=self._id(fields),
            line=fields.line,
            at=fields.time("at", required=True) or 0,
            signal=self._signal(fields, SignalKind.DIGITAL_IN),
            hold_ms=80 if hold is None else hold,
        )

    def _bounce(self, fields: Fields) -> Step:
        return Bounce(
            id=self._id(fields),
            line=fields.line,
            at=fields.time("at", required=True) or 0,
            signal=self._signal(fields, SignalKind.DIGITAL_IN),
            to=fields.word("to", {"on", "off"}, "on") == "on",
            times=fields.integer("times", 4, low=1, high=100),
            every_ms=_positive(fields, "every", 2),
        )

    def _ramp(self, fields: Fields) -> Step:
        start = fields.amount("from", required=True)
        stop = fields.amount("to", required=True)
        return Ramp(
            id=self._id(fields),
            line=fields.line,
            at=fields.time("at", required=True) or 0,
            signal=self._signal(fields, SignalKind.ANALOG, SignalKind.ECHO),
            start=start if start is not None else 0.0,
            stop=stop if stop is not None else 0.0,
            over_ms=_positive(fields, "over", 1000, required=True),
            every_ms=_positive(fields, "every", 50),
        )

    def _repeat(self, fields: Fields) -> Step:
        nodes = self._reader.items(fields.node("steps", required=True), f"{fields.subject}.steps")
        steps = self.read(nodes, f"{fields.subject}.steps")
        for step in steps:
            if isinstance(step, Reset | ExpectLatency):
                fields.complain("bad-step", "steps", "reset and expect_latency cannot be repeated")
            elif isinstance(step, Expect | ExpectPeriod | ExpectCount | Never) and (
                step.after is None
            ):
                fields.complain(
                    "missing-key", "steps", "an assertion inside a repeat needs 'after'"
                )
        return Repeat(
            line=fields.line,
            times=fields.integer("times", 1, low=1, high=100, required=True),
            every_ms=_positive(fields, "every", 1000, required=True),
            steps=steps,
        )

    def _expect(self, fields: Fields) -> Step:
        save = fields.text("save")
        if save and ID.fullmatch(save) is None:
            fields.complain("bad-id", "save", "must match ^[a-z][a-z0-9_]{0,47}$")
        if "within" in fields and "until" in fields:
            fields.complain("two-ends", "until", "cannot stand together with 'within'")
        return Expect(
            id=self._id(fields),
            line=fields.line,
            after=fields.time("after"),
            until=fields.time("until"),
            within=fields.time("within"),
            selector=self._selector(fields),
            save=save,
            initial=fields.flag("initial"),
        )

    def _expect_period(self, fields: Fields) -> Step:
        tolerance = fields.read("tolerance", parse_tolerance, Tolerance(percent=2.0))
        return ExpectPeriod(
            id=self._id(fields),
            line=fields.line,
            after=fields.time("after"),
            until=fields.time("until"),
            selector=self._selector(fields, edges_only=True),
            period=fields.time("period", required=True) or 0,
            tolerance=tolerance,
            count=fields.integer("count", 3, low=1, high=100_000),
        )

    def _expect_latency(self, fields: Fields) -> Step:
        return ExpectLatency(
            id=self._id(fields),
            line=fields.line,
            start=fields.text("from", required=True),
            stop=fields.text("to", required=True),
            maximum=fields.time("max", required=True) or 0,
            minimum=fields.time("min") or 0,
        )

    def _expect_count(self, fields: Fields) -> Step:
        high = 10_000_000
        minimum = fields.integer("min", -1, low=0, high=high)
        maximum = fields.integer("max", -1, low=0, high=high)
        exact = fields.integer("count", -1, low=0, high=high)
        if exact >= 0:
            minimum = maximum = exact
        if minimum < 0 and maximum < 0:
            fields.complain("missing-key", "", "needs min, max or count")
        elif 0 <= maximum < minimum:
            fields.complain("bad-value", "max", "must not be less than min")
        return ExpectCount(
            id=self._id(fields),
            line=fields.line,
            after=fields.time("after"),
            until=fields.time("until"),
            selector=self._selector(fields, edges_only=True),
            minimum=minimum if minimum >= 0 else None,
            maximum=maximum if maximum >= 0 else None,
        )

    def _pin(self, fields: Fields) -> Step:
        name = self._signal(fields, SignalKind.DIGITAL_OUT)
        level, text = self._level(fields, name)
        if level is None:
            fields.complain("missing-key", "level", "is missing")
        return PinLevel(
            id=self._id(fields),
            line=fields.line,
            selector=Selector(pin=name, level=level, level_text=text),
            at=fields.time("at", required=True) or 0,
            initial=fields.flag("initial"),
        )

    def _never(self, fields: Fields) -> Step:
        if "for" in fields and "until" in fields:
            fields.complain("two-ends", "until", "cannot stand together with 'for'")
        return Never(
            id=self._id(fields),
            line=fields.line,
            after=fields.time("after"),
            until=fields.time("until"),
            span=fields.time("for"),
            selector=self._selector(fields),
        )

    def _selector(self, fields: Fields, *, edges_only: bool = False) -> Selector:
        chosen = [key for key in ("line", "type", "pin") if key in fields]
        if len(chosen) != 1:
            fields.complain("bad-selector", "", "needs exactly one of line, type and pin")
        regex, where = fields.text("line", limit=500), fields.text("where")
        _try(fields, "line", regex, lambda text: compile_regex(text.replace("${", "")))
        _try(fields, "where", where, compile_where)
        record = fields.text("type")
        if record and _TYPE.fullmatch(record) is None:
            fields.complain("bad-value", "type", "must be a record type such as EVT")
        name, value = fields.text("name"), fields.text("value")
        if "pin" not in fields:
            for key in ("level", "edge"):
                if fields.text(key):
                    fields.complain("bad-selector", key, "goes with 'pin'")
            if (name or value) and not record:
                fields.complain("bad-selector", "name", "name and value go with 'type'")
            has_value = "value" in fields
            return Selector(
                regex=regex,
                type=record,
                name=name,
                value=value if has_value else None,
                where=where,
            )
        return self._pin_selector(fields, where, edges_only=edges_only)

    def _pin_selector(self, fields: Fields, where: str, *, edges_only: bool) -> Selector:
        pin = self._signal(fields, SignalKind.DIGITAL_OUT, key="pin")
        level, level_text = self._level(fields, pin)
        edge = fields.word("edge", {edge.value for edge in Edge})
        if where or fields.text("name") or fields.text("value"):
            fields.complain("bad-selector", "pin", "takes level or edge, nothing else")
        if edges_only and level is not None:
            fields.complain("bad-selector", "level", "use 'edge' here")
        elif (level is None) == (not edge):
            fields.complain("bad-selector", "pin", "needs exactly one of level and edge")
        return Selector(
            pin=pin, level=level, level_text=level_text, edge=Edge(edge) if edge else None
        )

    def _level(self, fields: Fields, pin: str) -> tuple[int | None, str]:
        text = fields.word("level", {"on", "off", "0", "1"})
        if not text:
            return None, ""
        signal = self._signals.get(pin)
        active = 1 if signal is None or signal.active_high else 0
        return {"on": active, "off": 1 - active, "0": 0, "1": 1}[text], text


def _positive(fields: Fields, key: str, default: int, *, required: bool = False) -> int:
    value = fields.duration(key, default, required=required)
    if value <= 0:
        fields.complain("bad-value", key, "must be more than 0 ms")
        return default
    return value


def _try(fields: Fields, key: str, text: str, compile_text: Callable[[str], object]) -> None:
    if not text:
        if key in fields:
            fields.complain("bad-value", key, "is empty")
        return
    try:
        compile_text(text)
    except WhereError as error:
        fields.complain("bad-where", key, str(error))
    except ValueError as error:
        fields.complain("bad-regex", key, str(error))
