"""Sensors that answer a trigger by an echo, on the bench core of every part."""

from pathlib import Path

import pytest

from tests.process.bench_core.rig import ECHO, Target

SKETCH = """
void setup() {
  Serial.begin(115200);
  pinMode(OUT_A, OUTPUT);
  pinMode(IN_C, INPUT);
}
unsigned long measure(unsigned long timeoutUs) {
  digitalWrite(OUT_A, HIGH);
  delayMicroseconds(10);
  digitalWrite(OUT_A, LOW);
  return pulseIn(IN_C, HIGH, timeoutUs);
}
"""


SHORT_TRIGGER = """
  noInterrupts();  // a tick would make it longer
  digitalWrite(OUT_A, HIGH);
  digitalWrite(OUT_A, LOW);
  interrupts();
  Serial.println(pulseIn(IN_C, HIGH, 30000));
  delay(60);
"""


def sketch(loop: str) -> str:
    return SKETCH + f"void loop() {{\n{loop}\n}}\n"


def echo(target: Target, ms: int, width_us: int) -> tuple[int, int, int, int]:
    return (ms, ECHO + target.number("IN_C"), target.number("OUT_A"), width_us)


def test_a_trigger_is_answered_by_exactly_the_width_that_was_told(
    target: Target, tmp_path: Path
) -> None:
    told = [1, 116, 1163, 1164, 23_200]
    rows = [echo(target, 100 * number, width) for number, width in enumerate(told)]
    text = sketch("Serial.println(measure(30000)); while (millis() % 100 != 50) {} ")

    trace = target.prove(tmp_path, text, [*rows, echo(target, 500, 0)], end_ms=590)

    seen = [int(line) for line in trace.lines]
    assert [*dict.fromkeys(seen)] == [*told, 0]
    assert trace.of("ERR") == []


def test_an_echo_takes_its_time(target: Target, tmp_path: Path) -> None:
    text = sketch(
        "const unsigned long start = micros(); measure(30000);"
        " Serial.println((micros() - start) / 1000); delay(60);"
    )

    trace = target.prove(tmp_path, text, [echo(target, 0, 11_600)], end_ms=100)

    assert set(trace.lines) <= {"11", "12"}
    assert trace.lines


@pytest.mark.parametrize(
    "loop",
    [
        SHORT_TRIGGER,
        "Serial.println(measure(1100)); delay(60);",
        "Serial.println(pulseIn(IN_C, HIGH, 30000)); delay(60);",
        "digitalWrite(OUT_A, HIGH); Serial.println(pulseIn(IN_C, HIGH, 30000)); delay(60);",
        "measure(1); delay(2); Serial.println(pulseIn(IN_C, HIGH, 30000)); delay(60);",
    ],
    ids=["short trigger", "short timeout", "no trigger", "no falling edge", "asked too late"],
)
def test_there_is_no_pulse(target: Target, tmp_path: Path, loop: str) -> None:
    trace = target.prove(tmp_path, sketch(loop), [echo(target, 0, 1160)], end_ms=200)

    assert trace.lines
    assert set(trace.lines) == {"0"}


def test_the_pin_itself_shows_the_echo(target: Target, tmp_path: Path) -> None:
    text = sketch(
        "digitalWrite(OUT_A, HIGH); delayMicroseconds(12); digitalWrite(OUT_A, LOW);"
        "const int before = digitalRead(IN_C); delay(5); const int during = digitalRead(IN_C);"
        "digitalWrite(OUT_A, HIGH); delayMicroseconds(12); digitalWrite(OUT_A, LOW);"
        "delay(7); Serial.println(String(before) + during + digitalRead(IN_C)); delay(60);"
    )

    trace = target.prove(tmp_path, text, [echo(target, 0, 10_000)], end_ms=100)

    assert set(trace.lines) == {"010"}, "a trigger during the echo begins no other"


def test_pins_that_do_not_exist_are_reported(target: Target, tmp_path: Path) -> None:
    rows = [
        (1, ECHO + 0xFF, target.number("OUT_A"), 100),
        (2, ECHO + target.number("IN_C"), 999, 5),
    ]

    errors = target.prove(tmp_path, sketch("delay(1);"), rows, end_ms=5).of("ERR")

    assert errors == [
        f"1 bad-signal signal={ECHO + 0xFF}",
        f"2 bad-signal signal={ECHO + target.number('IN_C')}",
    ]


def test_a_host_sets_an_echo_by_a_live_command(target: Target, tmp_path: Path) -> None:
    pin, trigger = target.pins["IN_C"], target.pins["OUT_A"]
    text = sketch(
        "const unsigned long echo = measure(30000);"
        'if (echo > 0) { Serial.println(echo); Serial.println("seen"); } delay(60);'
    )
    elf = target.build(tmp_path, text)

    trace = target.run(
        elf,
        None,
        stop=rb"seen\r\n",
        send=(b"READY\n", f"\x1eecho {pin} {trigger} 1740\n".encode()),
        live=True,
    )

    assert trace.lines == ["1740", "seen"]
    assert [record.split(" ", 1)[1] for record in trace.of("CMD")] == [f"echo {pin}=1740"]


@pytest.mark.parametrize("line", ["echo", "echo PZ1", "echo @", "echo @ 1160", "echo @ @", "ech @"])
def test_what_is_no_command_is_reported(target: Target, tmp_path: Path, line: str) -> None:
    command = line.replace("@", target.pins["IN_C"])

    trace = target.run(
        target.build(tmp_path, sketch("delay(1);")),
        None,
        stop=rb"\x1eBL \d+ ERR [^\n]*\n",
        send=(b"READY\n", f"\x1e{command}\n".encode()),
        live=True,
    )

    assert [record.split(" ", 1)[1] for record in trace.of("ERR")] == ["bad-command"]
