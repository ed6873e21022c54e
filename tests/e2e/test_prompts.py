"""Prompts with drawn numbers arrive whole: in the design, and in what the device is seen to do.

What is judged here is judged without the scenario engine: the transcript is read by a few lines of
this file, and compared with the numbers that the prompt was written from. ``BENCHLINE_PROMPTS``
gives the number of prompts, ``BENCHLINE_PROMPTS_SEED`` other prompts.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Operator

pytestmark = pytest.mark.xdist_group("shared-instance")

COUNT = int(os.environ.get("BENCHLINE_PROMPTS", "6"))
SEED = os.environ.get("BENCHLINE_PROMPTS_SEED", "benchline")
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
WORDS += ["eleven", "twelve"]


@dataclass
class Run:
    """What a finished session shows of itself."""

    session: dict[str, Any]
    design: dict[str, Any]
    records: list[tuple[int, str, str]]
    lines: list[tuple[int, str]]
    stimuli: list[tuple[int, str, float]]
    sent: list[tuple[int, str]]

    def parameters(self, behaviour_id: str) -> dict[str, str]:
        found = next(b for b in self.design["behaviours"] if b["behaviourId"] == behaviour_id)
        return {p["key"]: p["value"] for p in found["parameters"]}

    def switched(self, signal: str) -> list[tuple[int, bool]]:
        """Times at which an output was turned on (True) or off, the first state left out."""
        pin = next(p for p in self.design["pins"] if p["signal"] == signal)
        levels = [
            (at, (rest[-1] == "1") == (pin["active"] == "high"))
            for at, kind, rest in self.records
            if kind == "PIN" and rest.startswith(f"{pin['pin']} v=")
        ]
        return [after for before, after in pairwise(levels) if before[1] != after[1]]

    def at(self, signal: str, ms: int) -> float:
        """The stimulus of a signal at a time."""
        return [value for at, name, value in self.stimuli if name == signal and at <= ms][-1]

    def settled(self, signal: str, ms: int) -> bool:
        """Whether the stimulus has stood for a while."""
        return all(name != signal or not at <= ms <= at + 150 for at, name, _ in self.stimuli)


Check = Callable[[Run], None]


@dataclass
class Wish:
    """A clause of a prompt, and what has to be seen of it."""

    text: str
    checks: list[Check] = field(default_factory=list)


def near(number: str, wanted: float) -> bool:
    return abs(float(number) - wanted) <= 0.001 + abs(wanted) * 1e-5


def is_period(times: list[int], period_ms: float) -> bool:
    """At least two gaps, or one of a long period, whose mean is the period within 2 %."""
    gaps = len(times) - 1
    if gaps < (2 if period_ms < 2500 else 1):
        return False
    mean = (times[-1] - times[0]) / gaps
    return abs(mean - period_ms) <= period_ms * 0.02 + 1 / gaps


def cycle(random: Random, shortest: int, longest: int) -> tuple[str, float]:
    """A wording of a period between two times (ms), and the period."""
    ms = random.randrange(shortest, longest, 10)
    small = random.randint(2, 12)
    spoken = [
        (f"every {ms} ms", ms),
        (f"every {ms / 1000:g} seconds", ms),
        (f"every {ms / 1000:g}s", ms),
        (f"each {ms} milliseconds", ms),
        (f"{small * 10} times per minute", 6000 / small),
        (f"{WORDS[small]} times a second", 1000 / small),
        (f"with a period of {ms} ms", ms),
        ("every half second", 500),
        ("every 3/4 second", 750),
        (f"every {WORDS[small]} hundred milliseconds", small * 100),
        ("once every one and a half seconds", 1500),
    ]
    return random.choice([(text, p) for text, p in spoken if shortest <= p <= longest])


def blink(random: Random) -> Wish:
    hertz = random.randint(5, 120) / 10
    said, period = random.choice(
        [
            (f"at {hertz} Hz", 1000 / hertz),
            (f"with a frequency of {hertz} hertz", 1000 / hertz),
            cycle(random, 80, 2400),
            cycle(random, 80, 2400),
        ]
    )
    thing = random.choice(["the on-board LED", "the built-in LED", "the user LED"])
    verb = random.choice(["blink", "flash", "please blink", "I want you to blink"])

    def check(run: Run) -> None:
        assert near(run.parameters("blink_led")["period"], period)
        assert is_period([at for at, on in run.switched("led") if on], period)

    return Wish(f"{verb} {thing} {said}", [check])


def report(random: Random, sensor: str, unit: str) -> Wish:
    said, period = cycle(random, 120, 6000)
    noun = {"light": "light level", "voltage": "voltage"}.get(sensor, sensor)
    verb = random.choice(["report", "print", "could you report", "log", "output"])

    def check(run: Run) -> None:
        assert near(run.parameters(f"report_{sensor}")["period"], period)
        pattern = re.compile(rf"{sensor} (-?[0-9.]+) {re.escape(unit)}")
        found = [(at, m) for at, text in run.lines if (m := pattern.fullmatch(text))]
        assert is_period([at for at, _ in found], period)
        shown = [(at, float(m[1])) for at, m in found if run.settled(sensor, at)]
        assert shown
        assert all(abs(value - run.at(sensor, at)) <= slack(unit) for at, value in shown)

    return Wish(f"{verb} the {noun} {said}", [check])


def slack(unit: str) -> float:
    return 5 if unit == "mV" else 0.5


def threshold(random: Random, sensor: str, unit: str) -> Wish:
    output = random.choice(["relay", "fan", "heater", "pump", "lamp"])
    low, high, step = {"C": (-150, 900, 10), "%": (120, 800, 10), "mV": (3000, 23000, 10)}[unit]
    off = random.randrange(low, high) / step
    on = off + random.randint(10, 60) / (1 if unit == "mV" else 10)
    rising = random.random() < 0.6
    on, off = (on, off) if rising else (off, on)
    said = f"{unit}", f"{on:g}", f"{off:g}"
    if unit == "C" and random.random() < 0.4:
        warm = [round(value * 9 / 5 + 32) for value in (on, off)]
        on, off = ((f - 32) * 5 / 9 for f in warm)
        said = random.choice(["F", "°F", "degrees Fahrenheit"]), *map(str, warm)
    elif unit == "C":
        said = random.choice(["C", "°C", "degrees", "degrees Celsius"]), *said[1:]
    word, first, second = said
    above, below = ("above", "below") if rising else ("below", "above")
    noun = {"light": "the light level", "voltage": "the voltage"}.get(sensor, f"the {sensor}")
    past = "exceeds" if rising else "falls below"
    more, less = (">", "<") if rising else ("<", ">")
    full = f"switch the {output} on when {noun} is {above} {first} {word}"
    full += f" and off when it is {below} {second} {word}"
    again = f"turn on the {output} if {noun} {past} {first} {word}"
    again += f" and turn it off again {below} {second} {word}"
    terse = f"{output} on {more} {first} {word}, off {less} {second} {word}"
    text = random.choice([full, again, *([terse] if unit != "%" else [])])

    def check(run: Run) -> None:
        said = run.parameters(f"threshold_{output}")
        assert near(said["on_value"], on)
        assert near(said["off_value"], off)
        assert said["on_when"] == (">" if rising else "<")
        assert said["off_when"] == ("<" if rising else ">")
        follows(run, sensor, output, on, off)

    return Wish(text, [check])


def follows(run: Run, sensor: str, output: str, on: float, off: float) -> None:
    """After each stimulus the output is what the prompt's thresholds make of it."""
    rising = on > off
    steps = [(at, value) for at, name, value in run.stimuli if name == sensor]
    state, seen = False, set()
    for (at, value), following in zip(steps, [*steps[1:], (10**9, 0)], strict=True):
        if (value > on) if rising else (value < on):
            state = True
        elif (value < off) if rising else (value > off):
            state = False
        seen.add(state)
        shown = [on for when, on in run.switched(output) if when <= min(at + 250, following[0])]
        assert (shown or [False])[-1] == state, (at, value)
        late = [when for when, _ in run.switched(output) if at + 250 < when < following[0]]
        assert late == []
    assert seen == {True, False}
    edge = 10 if max(on, off) > 200 else 1
    assert min(abs(value - on) for _, value in steps) <= edge
    assert min(abs(value - off) for _, value in steps) <= edge


def command(random: Random, sensor: str, unit: str) -> Wish:
    word = random.choice(["status", "get", "read?", "T", "value please", "q7"])
    noun = {"light": "light level"}.get(sensor, sensor)
    text = random.choice(
        [
            f"answer '{word}' with the last {noun}",
            f'when I send "{word}", reply with the {noun}',
            f"the command '{word}' returns the current {noun}",
        ]
    )

    def check(run: Run) -> None:
        pattern = re.compile(rf"{re.escape(word)} {sensor} (-?[0-9.]+) {re.escape(unit)}")
        asked = [at for at, line in run.sent if line == f"{word}\n"]
        answers = [(at, float(m[1])) for at, t in run.lines if (m := pattern.fullmatch(t))]
        assert len(answers) == len(asked) >= 2
        assert all(abs(value - run.at(sensor, at)) <= slack(unit) for at, value in answers)

    return Wish(text, [check])


def button(random: Random) -> Wish:
    debounce = random.randint(10, 80)
    text = random.choice(
        [
            f"toggle the red LED when the button is pressed, debounced by {debounce} ms",
            f"each press of the button toggles the red LED; debounce {debounce} ms",
            f"count the button presses, print the count and debounce the button for {debounce} ms",
        ]
    )

    def check(run: Run) -> None:
        assert near(run.parameters("button_press")["debounce"], debounce)
        counted = [t for _, t in run.lines if t.startswith("button pressed ")]
        if "count" in text:
            assert counted == ["button pressed 1", "button pressed 2"]
        else:
            assert [on for _, on in run.switched("red_led")] == [True, False]

    return Wish(text, [check])


BOARDS = {
    "olimex-stm32-h405": "On an Olimex STM32-H405: ",
    "esp32-c3-devkitm-1": "On an ESP32-C3-DevKitM-1: ",
}
"""One board model of each family, and how a prompt may name it."""


def draw(random: Random, board: str) -> tuple[str, list[Check]]:
    """A prompt of two to four wishes in any order, and what has to be seen of each."""
    sensor, unit = random.choice([("temperature", "C")] * 2 + [("light", "%"), ("voltage", "mV")])
    # The sensor is named by the first wish about it, so that later ones may say "it".
    makers = [report, threshold, command]
    about = [make(random, sensor, unit) for make in random.sample(makers, random.randint(1, 3))]
    plain = [blink(random)] if random.random() < 0.8 else []
    plain += [button(random)] if random.random() < 0.4 or not plain else []
    wishes = [*about, *plain]
    random.shuffle(wishes)
    joint = random.choice(["; ", ". ", "\n", ", and ", ";\n- "])
    hello = random.choice(["", "", "Hello! ", BOARDS[board]])
    prompt = hello + joint.join(wish.text for wish in wishes) + random.choice(["", ".", " "])
    return prompt, [check for wish in wishes for check in wish.checks]


def read_console(console: bytes) -> tuple[list[tuple[int, str, str]], list[tuple[int, str]]]:
    """Records (time, type, rest) and user lines (time of their first byte, text)."""
    records: list[tuple[int, str, str]] = []
    lines: list[tuple[int, str]] = []
    begun = 0
    console = re.sub(rb"\x1eCL [^\n]*\n", b"", console)
    for part in re.split(rb"(\x1eBL [^\n]*\n)", console):
        if part.startswith(b"\x1eBL "):
            stamp, kind, *rest = part[4:-1].decode().split(" ", 2)
            records.append((int(stamp), kind, "".join(rest)))
            begun = int(stamp) if kind == "OUT" else begun
        else:
            lines += [(begun, text) for text in part.decode().splitlines() if text]
    return records, lines


def observed(operator: Operator, session: dict[str, Any]) -> Run:
    """Gather what the session says of its design, its stimuli and its console."""
    shown = operator("show", session["name"].removeprefix("sessions/"), "--json")
    design = json.loads(shown.out.splitlines()[-1])["design"]
    result = next(r for r in session["scenarioResults"] if r["scenarioId"] == "main")
    sha256 = result["reportSha256"]
    report = json.loads((operator.data_dir / "artifacts" / sha256[:2] / sha256[2:]).read_bytes())
    text = next(s["yaml"] for s in design["scenarios"] if s["scenarioId"] == "main")
    steps = yaml.safe_load(text)["steps"]
    stimuli = [s["stimulus"] for s in steps if "stimulus" in s]
    records, lines = read_console(operator.console(result["console"]))
    return Run(
        session=session,
        design=design,
        records=records,
        lines=lines,
        stimuli=[
            (int(s["at"][:-2]), s["signal"], float(report["values"][s["value"][1:]]))
            for s in stimuli
        ],
        sent=[(int(s["send"]["at"][:-2]), s["send"]["text"]) for s in steps if "send" in s],
    )


DRAWN = [
    *((number, "olimex-stm32-h405") for number in range(COUNT)),
    *((number, "esp32-c3-devkitm-1") for number in range(COUNT, COUNT + (COUNT + 1) // 2)),
]
"""Numbers that no other test and no other family draws."""


@pytest.mark.parametrize(("number", "board"), DRAWN)
def test_a_prompt_with_drawn_numbers_is_done_to_the_letter(
    operator: Operator, number: int, board: str
) -> None:
    prompt, checks = draw(Random(f"{SEED} {number}"), board)

    wish = ("--board", board, "--until", "simulate", "--json", "--seed", str(number))
    run = operator("run", prompt, *wish)

    assert run.code == 0, f"{prompt}\n{run}"
    assert run.session["outcome"] == "OUTCOME_PASSED"
    found = observed(operator, run.session)
    for check in checks:
        check(found)


REFUSED = [
    ("Blink the LED at 2 Hz and e-mail me.", ["e-mail me"]),
    ("Blink the LED at 2 Hz and at 3 Hz; post it to Twitter.", ["at 3 Hz", "post it to Twitter"]),
    ("Switch a relay on above 25 C and off below 30 C.", ["relay"]),
    ("Blink the LED at 5 kHz; report the temperature every 2 ms.", ["led", "temperature"]),
    ("Turn the fan on above 30 C and on below 10 C, and send an SMS.", ["fan", "send an SMS"]),
    ("Report the humidity every second and answer 'a' with 'b' and 'a' with 'c'.", ["a"]),
    ("The alarm goes off above 40 C.", ["buzzer"]),
    ("Blink the LED every 2,5 s.", ["every 2,5 s"]),
    ("Turn the pump on above 300 C; blink an LED on PA13 at 1 Hz.", ["pump", "led_pa13"]),
    ("Blink the LED at 2 Hz, but never when the temperature is above 30 C.", ["never"]),
]


@pytest.mark.parametrize(("prompt", "subjects"), REFUSED)
def test_contradictions_and_foreign_wishes_are_refused_whole(
    operator: Operator, prompt: str, subjects: list[str]
) -> None:
    run = operator("run", prompt, "--until", "simulate", "--json")

    assert run.code == 4, run
    assert run.session["outcome"] == "OUTCOME_REFUSED"
    findings = run.session["findings"]
    for subject in subjects:
        assert any(subject in finding["subject"] for finding in findings), findings
    assert all(finding["message"] and finding["fix"] for finding in findings)
    assert not run.session["artifacts"]
