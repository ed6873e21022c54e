"""How right a device's clock is, told from when a host read it."""

import random
from collections.abc import Callable

import pytest

from benchline.scenario import ClockMeter, ClockReading, Outcome, TraceVerdict, diff_traces
from tests.unit.scenario.device import Device

Late = Callable[[random.Random], float]


def idle(chance: random.Random) -> float:
    return chance.expovariate(1 / 1.5)


def busy(chance: random.Random) -> float:
    return chance.expovariate(1 / 30)


def read(error: float, late: Late, *, seconds: float = 6, every_ms: int = 100) -> ClockMeter:
    """A device whose clock is off by ``error`` and a host that reads late."""
    meter, chance = ClockMeter(), random.Random(5)
    host = 0.0
    for device_ms in range(0, int(seconds * 1000), every_ms):
        host = max(host, 1e12 + device_ms / (1 + error) + late(chance))
        meter.add(device_ms, host)
    return meter


@pytest.mark.parametrize("error", [-0.2, -0.02, 0.0, 0.02, 0.1])
def test_the_error_of_a_clock_is_read(error: float) -> None:
    found = read(error, idle).reading()
    assert found is not None
    assert found.error == pytest.approx(error, abs=0.003)
    assert found.is_wrong is (abs(error) > 0.01)


@pytest.mark.parametrize("seed", range(20))
def test_a_right_clock_on_a_busy_host_is_never_called_wrong(seed: int) -> None:
    meter, chance, host = ClockMeter(), random.Random(seed), 0.0
    for device_ms in range(0, 5000, 250):
        host = max(host, 1e12 + device_ms + busy(chance))
        meter.add(device_ms, host)
    found = meter.reading()
    assert found is None or not found.is_wrong


def test_a_pause_of_the_host_is_no_slow_clock() -> None:
    meter = ClockMeter()
    for device_ms in range(0, 6000, 100):
        meter.add(device_ms, 1e12 + device_ms + (400 if device_ms > 2500 else 0))
    found = meter.reading()
    assert found is None or not found.is_wrong


def test_time_that_is_lost_in_steps_is_no_slow_clock() -> None:
    meter, host = ClockMeter(), 1e12
    for device_ms in range(0, 9000, 50):
        host += 50 + (60 if device_ms % 1000 == 0 else 0)  # 6 % in all
        meter.add(device_ms, host)
    assert meter.reading() is None


def test_lost_time_that_is_made_up_is_no_fast_clock() -> None:
    called = 0
    for seed in range(40):
        meter, chance = ClockMeter(), random.Random(seed)
        for index in range(60):
            late = 200 * (1 - index / 60) + chance.choice((0, 0, 25, 40, 60))
            meter.add(index * 100, 1e12 + index * 100 + late)
        found = meter.reading()
        called += found is not None and found.is_wrong
    assert called == 0


@pytest.mark.parametrize(("seconds", "every_ms"), [(2.5, 100), (6, 1000)])
def test_too_little_says_nothing(seconds: float, every_ms: int) -> None:
    assert read(-0.1, idle, seconds=seconds, every_ms=every_ms).reading() is None
    assert ClockMeter().reading() is None


def heard(error: float, lost: float, *, end: str) -> ClockReading:
    """A device that also stands still for this share of the time, and what its END tells."""
    meter, chance, host = ClockMeter(), random.Random(5), 0.0
    device = Device()
    for device_ms in range(0, 6000, 100):
        host = max(host, 1e12 + device_ms / (1 + error) * (1 + lost) + idle(chance))
        meter.hear(Device().record(device_ms, "VAL n v=1").events()[1:], host)
    meter.hear(device.record(6000, f"END dropped=0{end}").events()[1:], host + 100)
    found = meter.reading()
    assert found is not None
    return found


@pytest.mark.parametrize(("error", "is_wrong"), [(0.0, False), (-0.04, True)])
def test_ticks_that_the_device_knows_to_be_lost_are_no_slow_clock(
    error: float, is_wrong: bool
) -> None:
    found = heard(error, 0.06, end=" lost=360")
    assert found.error == pytest.approx(error, abs=0.005)
    assert found.is_wrong is is_wrong


@pytest.mark.parametrize("end", [" lost=360", " lost=x", " lost=99999999999999999999"])
def test_lost_ticks_never_make_a_clock_fast(end: str) -> None:
    assert heard(0.0, 0.0, end=end).error == pytest.approx(0, abs=0.005)


def test_a_reset_begins_again() -> None:
    meter = read(-0.1, idle)
    for device_ms in range(0, 4000, 100):
        meter.add(device_ms, 2e12 + device_ms)
    found = meter.reading()
    assert found is not None
    assert found.error == pytest.approx(0, abs=0.001)


def test_everything_read_in_one_piece_says_nothing() -> None:
    meter = ClockMeter()
    for device_ms in range(0, 6000, 100):
        meter.add(device_ms, 1e12)
    assert meter.reading() is None


@pytest.mark.parametrize(
    ("error", "words"), [(-0.02, "clock 2.0 % slow"), (0.031, "clock 3.1 % fast")]
)
def test_equal_traces_of_a_wrong_clock_diverge(error: float, words: str) -> None:
    events = Device().pin(500, "PC12", 1).line(900, "hello").end().events()
    clock = ClockReading(error=error, spread=0.002, span_ms=9000)
    passed = (Outcome.PASSED, Outcome.PASSED)
    diff = diff_traces(events, events, outcomes=passed, clock=clock)
    assert (diff.verdict, diff.equal) == (TraceVerdict.DIVERGED, False)
    assert words in diff.message
    right = ClockReading(error=-0.012, spread=0.003, span_ms=9000)
    diff = diff_traces(events, events, outcomes=passed, clock=right)
    assert (diff.verdict, diff.equal) == (TraceVerdict.BOTH_PASS, True)
