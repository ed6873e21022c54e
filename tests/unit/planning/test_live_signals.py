import pytest

from benchline.scenario import Signal, SignalKind
from controlplane.planning.live_signals import (
    Setting,
    UnknownSignalError,
    inputs_of,
    setting_of,
)

TEMPERATURE = Signal(
    name="temperature",
    kind=SignalKind.ANALOG,
    pin=1,
    spelling="PA1",
    unit="C",
    mv_at_zero=500,
    mv_per_unit=10,
    minimum=-40,
    maximum=125,
)
BUTTON = Signal(name="button", kind=SignalKind.DIGITAL_IN, pin=0, spelling="PA0", active_high=False)
LED = Signal(name="led", kind=SignalKind.DIGITAL_OUT, pin=44, spelling="PC12")
DISTANCE = Signal(
    name="distance",
    kind=SignalKind.ECHO,
    pin=21,
    spelling="PB5",
    unit="cm",
    trigger=24,
    trigger_spelling="PB8",
    us_per_unit=58,
    minimum=2,
    maximum=400,
)
INPUTS = inputs_of([TEMPERATURE, LED, BUTTON, TEMPERATURE, DISTANCE])


def setting(name: str, value: str) -> Setting:
    return setting_of(INPUTS, {"PA0", "PA1", "GPIO4"}.__contains__, name, value)


def test_outputs_are_no_inputs_and_each_name_is_there_once() -> None:
    assert INPUTS == (TEMPERATURE, BUTTON, DISTANCE)


@pytest.mark.parametrize(
    ("name", "value", "pin", "given"),
    [
        ("temperature", "25", "PA1", 931),
        ("temperature", " 25 C", "PA1", 931),
        ("temperature", "-40.0", "PA1", 124),
        ("button", "on", "PA0", 0),
        ("button", "OFF", "PA0", 1),
        ("button", "1", "PA0", 0),
        ("pa1", "2048", "PA1", 2048),
        ("GPIO4", "high", "GPIO4", 1),
        ("GPIO4", "off", "GPIO4", 0),
        ("PA1", "4095", "PA1", 4095),
    ],
)
def test_a_value_is_told_as_the_pin_gets_it(name: str, value: str, pin: str, given: int) -> None:
    assert setting(name, value) == Setting(pin, given)


def test_the_command_is_one_record_of_the_bench_core() -> None:
    assert setting("temperature", "25").command == b"\x1eset PA1 931\n"


@pytest.mark.parametrize("name", ["humidity", "led", "PC12", "", "PA1 1\n\x1eset PA0"])
def test_neither_a_signal_nor_a_pin(name: str) -> None:
    with pytest.raises(UnknownSignalError, match="temperature, button"):
        setting(name, "1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "126"),
        ("temperature", "warm"),
        ("temperature", "nan"),
        ("temperature", "inf"),
        ("temperature", ""),
        ("button", "2"),
        ("button", ""),
        ("PA1", "4096"),
        ("PA1", "-1"),
        ("PA1", "1.5"),
        ("PA1", "1\n\x1eset PA0 1"),
        ("PA1", "٣"),
    ],
)
def test_what_an_input_does_not_take(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="cannot be put on"):
        setting(name, value)


@pytest.mark.parametrize(
    ("value", "width"), [("20", 1160), ("20 cm", 1160), ("2", 116), ("none", 0), (" None ", 0)]
)
def test_a_distance_is_the_answer_to_each_trigger(value: str, width: int) -> None:
    found = setting("distance", value)

    assert found == Setting("PB5", width, "PB8")
    assert found.command == f"\x1eecho PB5 PB8 {width}\n".encode()


@pytest.mark.parametrize("value", ["1", "401", "0", "on", "near"])
def test_what_is_no_distance_is_refused_with_what_it_takes(value: str) -> None:
    with pytest.raises(ValueError, match="a number in cm or none"):
        setting("distance", value)
