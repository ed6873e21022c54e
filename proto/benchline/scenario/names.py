"""Stable ids: each assertion gets one, and repeats are unrolled."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from benchline.scenario.model import (
    Assertion,
    Bounce,
    Expect,
    ExpectCount,
    ExpectLatency,
    ExpectPeriod,
    Formula,
    Never,
    PinLevel,
    Press,
    Ramp,
    Repeat,
    Send,
    Step,
    Stimulus,
    Time,
)

_KIND_NAMES: dict[type[Step], str] = {
    Expect: "expect",
    ExpectPeriod: "expect_period",
    ExpectLatency: "expect_latency",
    ExpectCount: "expect_count",
    PinLevel: "pin",
    Never: "never",
}


def kind_of(step: Step) -> str:
    """The key under which a step is written, such as ``expect_period``."""
    return _KIND_NAMES.get(type(step), type(step).__name__.lower())


def all_steps(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps with those inside repeats, in file order."""
    for step in steps:
        yield step
        if isinstance(step, Repeat):
            yield from all_steps(step.steps)


def name_assertions(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Give each assertion without an id ``<kind>_<n>``, n counting its kind from 1."""
    taken = {step.id for step in all_steps(steps)}
    counts: dict[str, int] = {}

    def named(step: Step) -> Step:
        if isinstance(step, Repeat):
            return replace(step, steps=tuple(named(inner) for inner in step.steps))
        if not isinstance(step, Assertion):
            return step
        kind = kind_of(step)
        counts[kind] = counts.get(kind, 0) + 1
        if step.id:
            return step
        name = f"{kind}_{counts[kind]}"
        while name in taken:
            name += "x"
        taken.add(name)
        return replace(step, id=name)

    return tuple(named(step) for step in steps)


def shifted(time: Time, offset_ms: int) -> Time:
    """A time, later by an offset."""
    if isinstance(time, Formula):
        return Formula(text=f"{time.text} + {offset_ms}") if offset_ms else time
    return time + offset_ms


def unrolled(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps with repeats unrolled; ids inside a repeat get ``_1``, ``_2`` ..."""
    for step in steps:
        if not isinstance(step, Repeat):
            yield step
            continue
        for turn in range(step.times):
            for inner in unrolled(step.steps):
                yield _moved(inner, turn * step.every_ms, f"_{turn + 1}")


def unrolled_count(steps: Sequence[Step]) -> int:
    """How many steps ``unrolled`` gives, without unrolling them."""
    return sum(
        step.times * unrolled_count(step.steps) if isinstance(step, Repeat) else 1 for step in steps
    )


def _moved(step: Step, offset: int, suffix: str) -> Step:
    name = f"{step.id}{suffix}" if step.id else ""
    if isinstance(step, Stimulus | Send | Press | Bounce | Ramp):
        return replace(step, id=name, at=shifted(step.at, offset))
    if isinstance(step, PinLevel):
        return replace(step, id=name, at=shifted(step.at, offset))
    if isinstance(step, Assertion):
        after = None if step.after is None else shifted(step.after, offset)
        until = None if step.until is None else shifted(step.until, offset)
        return replace(step, id=name, after=after, until=until)
    return step
