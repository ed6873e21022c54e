"""Checks of what is seen on the console: report, say, press, reply, echo."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tui.evaluation.binding import Bound
from tui.evaluation.evidence import Run
from tui.evaluation.labels import Press, Reply, Report, Say
from tui.evaluation.transcript import Line
from tui.evaluation.watching import (
    NUMBER,
    REPLY_MS,
    SETTLE_MS,
    Seen,
    changes,
    in_unit,
    is_on,
    is_period,
    is_value,
    levels,
    lines_after,
    presses,
    sends,
    settled_value,
    short_pulses,
    skeleton,
    slack_of,
    unseen,
    values_of,
    wrong,
)

USUAL_DEBOUNCE_MS = 30.0
"""What a design may take when the sentence says nothing: the design's own number is asked first."""

_LONGEST_LINE = 90
_Series = list[tuple[int, str, str]]


def series(run: Run, commands: tuple[str, ...] = ()) -> Iterator[_Series]:
    """Lines of one look with each of their numbers; then the same without answers."""
    asked = [at for word in commands for at in sends(run, word)]
    for without in (False, True) if asked else (False,):
        groups: dict[str, list[Line]] = defaultdict(list)
        for line in run.lines:
            if without and any(at <= line.at_ms <= at + 100 for at in asked):
                continue
            groups[skeleton(line.text)].append(line)
        for group in groups.values():
            numbers = [NUMBER.findall(line.text) for line in group]
            for index in range(min(map(len, numbers))):
                yield [
                    (line.at_ms, line.text, found[index])
                    for line, found in zip(group, numbers, strict=True)
                ]


def sees_report(
    does: Report, of: Bound | None, unit: str, run: Run, commands: tuple[str, ...]
) -> Seen:
    """Lines once in the period whose number follows what the sensor is given."""
    if of and not values_of(run, of):
        return Seen()
    periodic = False
    for found in series(run, commands):
        first = [one for one in found if not of or one[0] >= values_of(run, of)[0][0]]
        if not is_period([at for at, _, _ in first], does.every_ms):
            continue
        periodic = True
        shown = _follows(does, of, unit, run, first)
        if shown is not None:
            return Seen(shown=shown)
    why = "no number of it follows what is given" if periodic else "no line comes so often"
    message = f"{does.of} is not reported every {does.every_ms:g} ms: {why}"
    return wrong(message) if periodic else unseen(run, does.every_ms, message)


def _follows(does: Report, of: Bound | None, unit: str, run: Run, found: _Series) -> bool | None:
    """None when a number contradicts; else whether enough different values were seen."""
    if of is None:
        return _is_clock(does.of, found)
    given = values_of(run, of)
    wanted = does.unit or unit
    values = []
    for at, text, number in found:
        value = settled_value(given, at)
        if value is None:
            continue
        value = in_unit(value, unit, wanted)
        if not is_value(text, number, value, wanted):
            return None
        values.append(value)
    return bool(values) and max(values) - min(values) > 2 * slack_of(wanted)


def _is_clock(name: str, found: _Series) -> bool | None:
    numbers = [float(number) for _, _, number in found]
    if name == "counter":
        steps = {round(after - one, 6) for one, after in pairwise(numbers)}
        return True if steps == {1.0} else None
    seconds = all(abs(n - at / 1000) <= 1.0 for n, (at, _, _) in zip(numbers, found, strict=True))
    milliseconds = all(abs(n - at) <= 50 for n, (at, _, _) in zip(numbers, found, strict=True))
    return True if (seconds or milliseconds) and len(set(numbers)) > 1 else None


def sees_say(does: Say, run: Run) -> Seen:
    """The line itself, once in the period."""
    times = [line.at_ms for line in run.lines if line.text.strip() == does.text]
    if is_period(times, does.every_ms):
        return Seen(shown=True)
    return unseen(run, does.every_ms, f"'{does.text}' is not printed every {does.every_ms:g} ms")


def sees_press(does: Press, by: Bound, thing: Bound | None, debounce_ms: float, run: Run) -> Seen:
    """Each press does it once; shorter ones and bounces do nothing."""
    few = presses(run, by, debounce_ms * 1.1 + 3)
    most = presses(run, by, max(debounce_ms * 0.9 - 3, 1))
    done = _done(does, thing, run)
    if not len(few) <= len(done) <= len(most):
        return wrong(f"{does.by} is pressed {len(few)} times, and acts {len(done)} times")
    # A press begins when the contact rests; what acts at its first bounce is before that.
    late = [
        at
        for at, act in zip(few, done, strict=False)
        if not -debounce_ms <= act - at <= debounce_ms + SETTLE_MS
    ]
    if late and len(few) == len(most):
        return wrong(f"the press of {does.by} at {late[0]} ms is not acted on at once")
    tried = does.debounce_ms is None or short_pulses(run, by, debounce_ms) > 0
    return Seen(shown=len(few) >= 2 and tried)


def _done(does: Press, thing: Bound | None, run: Run) -> list[int]:
    """When something was done, once for each time that it was."""
    if thing is not None:
        return [one.at_ms for one in changes(levels(run, thing))]
    if does.text:
        return [line.at_ms for line in run.lines if line.text == does.text]
    best: list[int] = []
    for found in series(run):
        numbers = [float(number) for _, _, number in found]
        if numbers == [float(n) for n in range(1, len(numbers) + 1)] and len(found) > len(best):
            best = [at for at, _, _ in found]
    return best


def sees_reply(
    does: Reply, about: Bound | None, unit: str, run: Run, others: tuple[str, ...]
) -> Seen:
    """The line is answered each time, and no other line is answered so."""
    asked = sends(run, does.to)
    if does.text:
        return _fixed_reply(does, run, asked, others)
    if about is None:
        return wrong(f"'{does.to}' cannot be judged: what it answers with is not in the design")
    told = set()
    for at in asked:
        wanted = _wanted(does, about, unit, run, at)
        if wanted is None:
            continue
        lines = [line for line in lines_after(run, at) if _only_after(run, line, asked)]
        if not any(_tells(line.text, wanted, does) for line in lines):
            return wrong(f"'{does.to}' at {at} ms is not answered with {_word(wanted)}")
        told.add(wanted)
    return Seen(shown=len(told) >= 2)


def _fixed_reply(does: Reply, run: Run, asked: list[int], others: tuple[str, ...]) -> Seen:
    for at in asked:
        if not any(line.text == does.text for line in lines_after(run, at)):
            return wrong(f"'{does.to}' at {at} ms is not answered with '{does.text}'")
    for other in run.stimuli.sent:
        word = other.text.rstrip("\r\n")
        clear = not any(abs(other.at_ms - at) <= REPLY_MS for at in asked)
        answered = any(line.text == does.text for line in lines_after(run, other.at_ms))
        if clear and word not in {does.to, does.text, *others} and answered:
            return wrong(f"'{word}' is answered with '{does.text}', as only '{does.to}' should be")
    if not asked and any(line.text == does.text for line in run.lines):
        return wrong(f"'{does.text}' is printed though nobody asked")
    return Seen(shown=bool(asked))


def _wanted(does: Reply, about: Bound, unit: str, run: Run, at_ms: int) -> float | bool | None:
    """What the answer has to tell; None when that is not certain."""
    if does.state:
        states = levels(run, about)
        moved = any(abs(one.at_ms - at_ms) <= SETTLE_MS for one in changes(states))
        return None if moved else is_on(states, at_ms)
    if does.count:
        return float(len([at for at in presses(run, about, USUAL_DEBOUNCE_MS) if at < at_ms - 100]))
    value = settled_value(values_of(run, about), at_ms)
    return None if value is None else in_unit(value, unit, does.unit or unit)


def _only_after(run: Run, line: Line, asked: list[int]) -> bool:
    """Lines of this look come after the question alone, so that a report is not an answer."""
    look = skeleton(line.text)
    return all(
        any(at <= one.at_ms <= at + REPLY_MS for at in asked)
        for one in run.lines
        if skeleton(one.text) == look
    )


def _tells(text: str, wanted: float | bool, does: Reply) -> bool:
    if isinstance(wanted, bool):
        words = text.lower().replace(does.to.lower(), " ", 1).split()
        return ("on" if wanted else "off") in words and ("off" if wanted else "on") not in words
    if does.count:
        return any(float(number) == wanted for number in NUMBER.findall(text))
    return any(is_value(text, number, wanted, does.unit) for number in NUMBER.findall(text))


def _word(wanted: float | bool) -> str:
    return ("on" if wanted else "off") if isinstance(wanted, bool) else f"{wanted:g}"


def sees_echo(commands: tuple[str, ...], run: Run) -> Seen:
    """Each line that is no command comes back as it was sent."""
    shown = False
    for sent in run.stimuli.sent:
        word = sent.text.rstrip("\r\n")
        if not word or word in commands or "\n" in word or len(word) > _LONGEST_LINE:
            continue
        if not any(line.text == word for line in lines_after(run, sent.at_ms)):
            return wrong(f"'{word}' at {sent.at_ms} ms does not come back")
        shown = True
    return Seen(shown=shown)
