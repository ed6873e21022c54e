"""Random numbers, said in many ways, arrive in the design exactly."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import Behaviour, BehaviourKind, Design
from controlplane.domain.units import decimal_text

DESIGNER = OfflineDesigner()
ONES = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
    *("seventeen", "eighteen", "nineteen"),
]
TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
steady = settings(max_examples=60, derandomize=True)


def in_words(number: int) -> str:
    if number < 20:
        return ONES[number]
    if number < 100:
        rest = f"-{ONES[number % 10]}" if number % 10 else ""
        return TENS[number // 10] + rest
    if number < 1000:
        rest = f" and {in_words(number % 100)}" if number % 100 else ""
        return f"{ONES[number // 100]} hundred{rest}"
    rest = f" {in_words(number % 1000)}" if number % 1000 else ""
    return f"{in_words(number // 1000)} thousand{rest}"


def only(prompt: str, kind: BehaviourKind) -> Behaviour:
    found = DESIGNER.plan(DesignRequest(prompt=prompt))
    assert isinstance(found, Design), (prompt, [str(f) for f in found.findings])
    return next(behaviour for behaviour in found.behaviours if behaviour.kind is kind)


@steady
@given(
    st.integers(10, 60_000),
    st.sampled_from(
        [
            "blink the LED every {n} ms",
            "every {n} milliseconds, blink the on-board LED",
            "flash the LED with a period of {comma} ms",
            "the LED blinks every {words} milliseconds",
            "blink the LED every {seconds} s",
            "make the LED blink once every {seconds} seconds",
        ]
    ),
)
def test_a_blink_period_arrives_exactly(period: int, wording: str) -> None:
    said = wording.format(
        n=period,
        comma=f"{period:,}",
        words=in_words(period),
        seconds=decimal_text(Fraction(period, 1000)),
    )

    assert only(said, BehaviourKind.BLINK).number("period") == period


@steady
@given(
    st.integers(1, 990),
    st.sampled_from(
        ["blink the LED at {r} Hz", "LED blinking at {r} hertz", "blink the LED {r} times a second"]
    ),
)
def test_a_rate_arrives_exactly(tenths: int, wording: str) -> None:
    rate = Fraction(tenths, 10)
    behaviour = only(wording.format(r=decimal_text(rate)), BehaviourKind.BLINK)

    assert behaviour.number("rate") == rate
    assert abs(behaviour.number("period") * rate / 1000 - 1) < Fraction(1, 10_000)


@steady
@given(
    st.integers(-380, 1200),
    st.integers(5, 30),
    st.sampled_from(
        [
            "switch a relay on above {hi} C and off below {lo} C",
            "turn the fan on when the temperature exceeds {hi} °C and off below {lo} °C",
            "relay off below {lo} degrees Celsius and on above {hi} degrees Celsius",
            "if the temperature is > {hi} C turn the pump on; if it is < {lo} C turn it off",
            "turn the relay on above {hi} C with a hysteresis of {h} degrees",
            "switch the relay on above {hi_f} F and off below {lo_f} F",
        ]
    ),
)
def test_thresholds_arrive_exactly(tenths: int, band: int, wording: str) -> None:
    high, width = Fraction(tenths, 10), Fraction(band, 10)
    low = high - width
    said = wording.format(
        hi=decimal_text(high),
        lo=decimal_text(low),
        h=decimal_text(width),
        hi_f=decimal_text(high * 9 / 5 + 32),
        lo_f=decimal_text(low * 9 / 5 + 32),
    )
    behaviour = only(said, BehaviourKind.THRESHOLD)

    assert (behaviour.number("on_value"), behaviour.number("off_value")) == (high, low)


@steady
@given(st.integers(1, 119), st.sampled_from(["{n} C", "{w} degrees", "{n}°C", "{w} celsius"]))
def test_digits_and_words_say_the_same_threshold(number: int, wording: str) -> None:
    said = wording.format(n=number, w=in_words(number))
    behaviour = only(f"turn the heater on below {said}", BehaviourKind.THRESHOLD)

    assert behaviour.number("on_value") == number
    assert behaviour.word("off_when") == ">="


@steady
@given(st.text(max_size=200))
def test_any_text_is_answered_and_never_designed_by_accident(text: str) -> None:
    found = DESIGNER.plan(DesignRequest(prompt=text))

    assert isinstance(found, Refusal)
    assert found.findings
