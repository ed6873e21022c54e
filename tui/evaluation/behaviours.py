"""Reads the items of ``does``."""

from collections.abc import Callable

from tui.evaluation.fields import Fields
from tui.evaluation.labels import (
    CLOCKS,
    UNITS,
    Blink,
    Does,
    Echo,
    Follow,
    Limit,
    Press,
    Pulse,
    Reply,
    Report,
    Say,
    Set,
    Threshold,
)

_Reader = Callable[[Fields, set[str]], Does | None]


def read_behaviour(kind: str, fields: Fields, things: set[str]) -> Does | None:
    """Read one behaviour; None when something of it is wrong, which has been told then."""
    reader = _READERS.get(kind)
    if reader is None:
        fields.complain(f"'{kind[:40]}' is no behaviour; known: {', '.join(_READERS)}")
        for key in fields.names():
            fields.node(key)
        return None
    return reader(fields, things)


def _thing(fields: Fields, key: str, things: set[str], *others: str) -> str:
    name = fields.text(key, needed=True)
    if name and name not in things and name not in others:
        fields.complain(f"{fields.where}.{key}: '{name}' is not among the things", key)
    return name


def _blink(fields: Fields, things: set[str]) -> Does | None:
    thing = _thing(fields, "thing", things)
    every, on = fields.milliseconds("every", needed=True), fields.milliseconds("on")
    if every and on and on >= every:
        fields.complain(f"{fields.where}.on is shorter than 'every'", "on")
    return Blink(thing=thing, every_ms=every, on_ms=on) if every else None


def _report(fields: Fields, things: set[str]) -> Does | None:
    of = _thing(fields, "of", things, *CLOCKS)
    every = fields.milliseconds("every", needed=True)
    unit = fields.word("unit", UNITS)
    return Report(of=of, every_ms=every, unit=unit) if every else None


def _say(fields: Fields, _: set[str]) -> Does | None:
    text, every = fields.text("text", needed=True), fields.milliseconds("every", needed=True)
    return Say(text=text, every_ms=every) if every else None


def _limit(fields: Fields, key: str) -> Limit | None:
    text = fields.text(key, needed=True)
    word, _, rest = text.partition(" ")
    if word not in {"above", "below"}:
        if text:
            fields.complain(f"{fields.where}.{key} is written as 'above 30 C' or 'below 28 C'", key)
        return None
    amount = fields.amount(rest, key)
    if amount is None:
        return None
    if amount[1] not in UNITS or amount[1] == "F":
        fields.complain(f"{fields.where}.{key}: units are C, %, mV, cm, hPa, s", key)
    return Limit(above=word == "above", value=amount[0], unit=amount[1])


def _threshold(fields: Fields, things: set[str]) -> Does | None:
    of, thing = _thing(fields, "of", things), _thing(fields, "thing", things)
    on, off = _limit(fields, "on"), _limit(fields, "off")
    if on is None or off is None:
        return None
    crossed = (off.value > on.value) if on.above else (off.value < on.value)
    if on.above == off.above or on.unit != off.unit or crossed:
        fields.complain(f"{fields.where}: 'on' and 'off' contradict each other")
    return Threshold(of=of, thing=thing, on=on, off=off)


def _toggle(fields: Fields, things: set[str]) -> Does | None:
    return Press(
        by=_thing(fields, "by", things),
        toggles=_thing(fields, "thing", things),
        debounce_ms=fields.milliseconds("debounce"),
    )


def _count(fields: Fields, things: set[str]) -> Does | None:
    by = _thing(fields, "by", things)
    return Press(by=by, counts=True, debounce_ms=fields.milliseconds("debounce"))


def _print(fields: Fields, things: set[str]) -> Does | None:
    by, text = _thing(fields, "by", things), fields.text("text", needed=True)
    return Press(by=by, text=text, debounce_ms=fields.milliseconds("debounce"))


def _follow(fields: Fields, things: set[str]) -> Does | None:
    return Follow(of=_thing(fields, "of", things), thing=_thing(fields, "thing", things))


def _pulse(fields: Fields, things: set[str]) -> Does | None:
    by, thing = _thing(fields, "by", things), _thing(fields, "thing", things)
    span = fields.milliseconds("for", needed=True)
    return Pulse(by=by, thing=thing, for_ms=span) if span else None


def _answer(fields: Fields, things: set[str]) -> Does | None:
    ways = [key for key in ("text", "of", "state", "count") if key in fields]
    if len(ways) != 1:
        fields.complain(f"{fields.where} has one of text, of, state and count")
    named = {key: _thing(fields, key, things) for key in ways if key != "text"}
    return Reply(
        to=fields.text("to", needed=True),
        text=fields.text("text"),
        of=named.get("of", ""),
        unit=fields.word("unit", UNITS),
        state=named.get("state", ""),
        count=named.get("count", ""),
    )


def _set(fields: Fields, things: set[str]) -> Does | None:
    to, thing = fields.text("to", needed=True), _thing(fields, "thing", things)
    state = fields.word("state", ("on", "off"), needed=True)
    return Set(to=to, thing=thing, on=state == "on")


def _echo(_: Fields, __: set[str]) -> Does | None:
    return Echo()


_READERS: dict[str, _Reader] = {
    "blink": _blink,
    "report": _report,
    "say": _say,
    "threshold": _threshold,
    "toggle": _toggle,
    "count": _count,
    "print": _print,
    "follow": _follow,
    "pulse": _pulse,
    "answer": _answer,
    "set": _set,
    "echo": _echo,
}
