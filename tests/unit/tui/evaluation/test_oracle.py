"""Verdicts on recorded sessions, and on sessions that differ from them in one thing."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.tui.evaluation.sessions import NAMES, case_of, first_set, recorded
from tui.evaluation.evidence import Complaint, Ending, Evidence
from tui.evaluation.labels import Press, Report, Threshold
from tui.evaluation.oracle import Judgement, Verdict, judge


def judged(name: str, evidence: Evidence, designer: str = "offline") -> Judgement:
    return judge(first_set(), case_of(name), designer, evidence)


def demand_wrong(judgement: Judgement, words: str) -> None:
    assert judgement.verdict is Verdict.ACCEPTED_WRONG, judgement
    assert any(words in problem for problem in judgement.problems), judgement.problems


@pytest.mark.parametrize("name", NAMES)
def test_what_was_built_as_it_was_meant_is_right(name: str) -> None:
    judgement = judged(name, recorded(name).evidence())
    assert (judgement.verdict, judgement.problems) == (Verdict.ACCEPTED_RIGHT, ())


def refusal(message: str = "", stage: str = "DESIGN") -> Evidence:
    complaint = Complaint(stage=stage, code="E1", subject="relay", message=message)
    return Evidence(ending=Ending.REFUSED, stage=stage, message="no", complaints=(complaint,))


@pytest.mark.parametrize(
    ("name", "designer", "verdict"),
    [
        ("crossed_thresholds", "offline", Verdict.REFUSED_RIGHT),
        ("decimal_comma", "offline", Verdict.REFUSED_RIGHT),
        ("blink_2hz", "offline", Verdict.REFUSED_WRONG),
        ("dht22", "offline", Verdict.NOT_OFFERED),
        ("dht22", "claude", Verdict.REFUSED_WRONG),
    ],
)
def test_a_refusal_is_right_wrong_or_beyond_what_is_offered(
    name: str, designer: str, verdict: Verdict
) -> None:
    assert judged(name, refusal(), designer).verdict is verdict


def test_asking_back_is_a_refusal_and_says_whether_it_names_the_matter() -> None:
    asked = refusal("which of the two?")
    assert judged("crossed_thresholds", asked).explained
    silent = replace(asked, complaints=())
    assert not judged("crossed_thresholds", silent).explained
    assert judged("crossed_thresholds", silent).verdict is Verdict.REFUSED_RIGHT


def test_what_had_to_be_refused_and_was_designed_is_wrong_whatever_came_of_it() -> None:
    built = recorded("greenhouse_demo").evidence()
    demand_wrong(judged("crossed_thresholds", built), "it was to be refused (contradictory)")
    demand_wrong(judged("input_only_pin", refusal(stage="BUILD")), "it was designed")


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        (Ending.BROKEN, Verdict.BROKEN),
        (Ending.CANCELLED, Verdict.BROKEN),
        (Ending.FAILED, Verdict.FAILED),
        (Ending.SKIPPED, Verdict.FAILED),
    ],
)
def test_what_was_not_proved_is_neither_accepted_nor_refused(
    ending: Ending, verdict: Verdict
) -> None:
    assert judged("blink_2hz", Evidence(ending=ending, message="so")).verdict is verdict


def test_a_design_that_cannot_be_judged_here_is_told_apart() -> None:
    case = replace(case_of("greenhouse_demo"), unjudged=("the display shows it",))
    built = recorded("greenhouse_demo").evidence()
    assert judge(first_set(), case, "x", built).verdict is Verdict.ACCEPTED_UNJUDGED


# --- the design says something else than the sentence ---------------------------------------------


def parameter(behaviour: str, name: str, value: str) -> Any:
    def change(design: dict[str, Any]) -> None:
        found = next(b for b in design["behaviours"] if b["id"] == behaviour)
        next(p for p in found["parameters"] if p["name"] == name)["value"] = value

    return change


def pin(signal: str, key: str, value: str) -> Any:
    def change(design: dict[str, Any]) -> None:
        next(p for p in design["pins"] if p["signal"] == signal)[key] = value

    return change


def without(collection: str, name: str) -> Any:
    def change(design: dict[str, Any]) -> None:
        design[collection] = [one for one in design[collection] if one["id"] != name]

    return change


def extra_behaviour(design: dict[str, Any]) -> None:
    first = design["behaviours"][0]
    design["behaviours"].append(first | {"id": "another"})


def unproved(design: dict[str, Any]) -> None:
    for scenario in design["scenarios"]:
        scenario["proves"] = [name for name in scenario["proves"] if name != "blink_led"]


def other_board(design: dict[str, Any]) -> None:
    design["board"]["model"] = "esp32-c3-supermini"


def driven_besides(design: dict[str, Any]) -> None:
    relay = next(p for p in design["pins"] if p["signal"] == "relay")
    design["pins"].append(relay | {"pin": "PB9", "signal": "siren", "component": "siren"})


DESIGNS = [
    ("greenhouse_demo", parameter("blink_led", "period", "400"), "period is 400 ms, not 500 ms"),
    ("greenhouse_demo", parameter("report_temperature", "period", "1001"), "period is 1001 ms"),
    ("greenhouse_demo", parameter("threshold_relay", "on_value", "30.1"), "on_value is 30.1 C"),
    ("greenhouse_demo", parameter("threshold_relay", "off_value", "28.5"), "off_value is 28.5"),
    ("greenhouse_demo", parameter("threshold_relay", "on_when", "<"), "on is to be above 30"),
    ("greenhouse_demo", parameter("command_status", "command", "state"), "answers 'status'"),
    ("greenhouse_demo", pin("led", "active", "high"), "led on PC12 is active low, not high"),
    ("greenhouse_demo", pin("led", "pin", "PB9"), "that of the board is on PC12"),
    ("greenhouse_demo", pin("relay", "active", "low"), "relay (PC13)"),
    ("greenhouse_demo", pin("relay", "pin", "PB6"), "relay (PB6) is off, not on"),
    ("greenhouse_demo", without("behaviours", "threshold_relay"), "switches relay by temperature"),
    ("greenhouse_demo", without("behaviours", "blink_led"), "nothing in the design blinks led"),
    ("greenhouse_demo", without("components", "relay"), "the design has no relay"),
    ("greenhouse_demo", extra_behaviour, "2 of kind blink; 1 were asked for"),
    ("greenhouse_demo", unproved, "no scenario proves blink_led"),
    ("greenhouse_demo", driven_besides, "PB9 is driven for siren, which nobody asked for"),
    ("heater_c3", other_board, "model esp32-c3-supermini, not esp32-c3-devkitm-1"),
    ("blink_two", pin("red_led_pb5", "pin", "PB8"), "not on PB5 as was said"),
    ("blink_uneven", parameter("blink_led", "on", "250"), "on is 250 ms, not 200 ms"),
    ("toggle_led", parameter("button_press", "debounce", "30"), "debounce is 30 ms, not 20 ms"),
    ("toggle_led", pin("button", "pin", "PB9"), "button is tried on PA0 high; the design has PB9"),
    ("print_hello", parameter("button_press", "print", "hullo"), "prints 'hullo', not 'hello'"),
    ("ping_and_echo", parameter("command_ping", "answer", "pang"), "is answered with 'pang'"),
    ("ping_and_echo", without("behaviours", "echo"), "nothing in the design echoes"),
]


@pytest.mark.parametrize(("name", "change", "words"), DESIGNS)
def test_a_design_that_differs_from_the_sentence_is_wrong(
    name: str, change: Any, words: str
) -> None:
    session = recorded(name)
    if name == "blink_two":
        signal = next(p["signal"] for p in session.design["pins"] if p["pin"] == "PB5")
        change = pin(signal, "pin", "PB8")
    demand_wrong(judged(name, session.with_design(change).evidence()), words)


# --- the device does something else than the design says ------------------------------------------


def slower(console: str) -> str:
    """Everything of the LED happens later and later."""
    return re.sub(r"BL (\d+) PIN PC12", lambda m: f"BL {round(int(m[1]) * 1.05)} PIN PC12", console)


def longer(console: str) -> str:
    """The LED, which lights when its pin is low, goes off later."""
    return re.sub(
        r"BL (\d+) PIN PC12 v=1",
        lambda m: f"BL {int(m[1]) + 50 * (m[1] != '0')} PIN PC12 v=1",
        console,
    )


def inverted(name: str) -> Any:
    def change(console: str) -> str:
        return re.sub(rf"PIN {name} v=([01])", lambda m: f"PIN {name} v={1 - int(m[1])}", console)

    return change


def silent(name: str) -> Any:
    return lambda console: re.sub(rf"\x1eBL \d+ PIN {name} [^\n]*\n", "", console)


def replaced(old: str, new: str) -> Any:
    return lambda console: console.replace(old, new)


def constant(console: str) -> str:
    return re.sub(r"temperature -?[0-9.]+ C", "temperature 24.0 C", console)


DEVICES = [
    ("greenhouse_demo", slower, "led (PC12) goes on at"),
    ("greenhouse_demo", silent("PC12"), "led (PC12) goes on at no ms"),
    ("greenhouse_demo", inverted("PC13"), "relay (PC13)"),
    ("greenhouse_demo", silent("PC13"), "relay (PC13) is off, not on"),
    ("greenhouse_demo", constant, "no number of it follows what is given"),
    ("greenhouse_demo", replaced("\ntemperature 2", "\ntemperature 3"), "temperature is not"),
    ("greenhouse_demo", replaced("status temperature 27", "status temperature 30"), "'status' at"),
    ("greenhouse_demo", replaced("BL 1100 PIN PC13", "BL 800 PIN PC13"), "relay (PC13) is on, not"),
    ("greenhouse_demo", replaced("READY", "FAULT hard pc=0"), "fault hard pc=0"),
    ("greenhouse_demo", replaced("END dropped=0", "READY"), "the run has no end"),
    ("blink_uneven", inverted("PC12"), "led (PC12) goes on at"),
    ("blink_uneven", longer, "stays on for 250 ms, not for 200 ms"),
    ("toggle_led", silent("PC12"), "button is pressed 2 times, and acts 0 times"),
    ("toggle_led", replaced("BL 1808 PIN PC12 v=1", "BL 1124 PIN PC12 v=1"), "acted on at once"),
    ("print_hello", replaced("hello", "hello\r\nhello"), "button is pressed 2 times"),
    ("count_presses", replaced("pressed 2", "pressed 3"), "pressed 2 times, and acts"),
    ("presses_on_demand", replaced("presses 2", "presses 1"), "is not answered with 2"),
    ("ping_and_echo", replaced("pong", "ping"), "is not answered with 'pong'"),
    ("red_led_hysteresis", replaced("led red led on", "led red led off"), "'led' at"),
    ("report_uptime", replaced("uptime 5", "uptime 9"), "uptime is not reported every 5000 ms"),
    ("numbered_list", silent("PC12"), "led (PC12) goes on at no ms"),
]


@pytest.mark.parametrize(("name", "change", "words"), DEVICES)
def test_a_device_that_differs_from_the_sentence_is_wrong(
    name: str, change: Any, words: str
) -> None:
    demand_wrong(judged(name, recorded(name).with_console(change).evidence()), words)


def test_firmware_of_another_design_proves_nothing() -> None:
    evidence = recorded("greenhouse_demo").evidence()
    for run in evidence.runs:
        run.seen.design = "0123456789ab"
    demand_wrong(judged("greenhouse_demo", evidence), "the firmware is of another design")


def test_runs_that_show_nothing_are_no_proof() -> None:
    evidence = replace(recorded("greenhouse_demo").evidence(), runs=())
    demand_wrong(judged("greenhouse_demo", evidence), "no run shows that it does threshold")


def test_values_that_are_not_beside_the_limit_show_no_threshold() -> None:
    session = recorded("greenhouse_demo")
    main = next(run for run in session.runs if run["scenario"] == "main")
    main["values"]["relay_near_on"] = "24.0"
    demand_wrong(
        judged("greenhouse_demo", session.evidence()), "no run shows that it does threshold"
    )


# --- the labels say something else than what was built --------------------------------------------


@pytest.mark.parametrize(
    "name", ["greenhouse_demo", "red_led_hysteresis", "heater_c3", "toggle_led", "numbered_list"]
)
def test_every_number_of_a_label_is_decided_by_the_run_alone(name: str) -> None:
    """The design's own statements are taken away: what is left are the runs."""
    session = recorded(name)
    for behaviour in session.design["behaviours"]:
        behaviour["kind"] = "unknown"
    case = case_of(name)
    for index, does in enumerate(case.does):
        for other in others(does):
            changed = [*case.does]
            changed[index] = other
            told = judge(first_set(), replace(case, does=tuple(changed)), "x", session.evidence())
            about = [p for p in told.problems if "nothing in the design" not in p]
            assert about, other


def others(does: Any) -> list[Any]:
    """The same wish with one number that is not what was built."""
    match does:
        case Threshold(on=on, off=off):
            step = 2.5 if on.unit != "mV" else 40
            return [
                replace(does, on=replace(on, value=on.value + step)),
                replace(does, off=replace(off, value=off.value - step)),
                replace(does, on=replace(on, value=on.value - 1.2)),
            ]
        case Report():
            return [
                replace(does, every_ms=does.every_ms * 1.5),
                *([replace(does, unit="F")] if does.unit == "C" else []),
            ]
        case Press(debounce_ms=float() as debounce):
            return [replace(does, debounce_ms=debounce / 4)]
    return [replace(does, every_ms=does.every_ms * 1.03)] if hasattr(does, "every_ms") else []


def test_designs_and_runs_of_any_shape_end_in_a_verdict_or_in_one_kind_of_error() -> None:
    from tui.evaluation.evidence import EvidenceError, read_design

    for text in ("", "[]", "null", "{}", '{"board": 3}', "[" * 5000, json.dumps({"board": {}})):
        with pytest.raises(EvidenceError):
            read_design(text)
