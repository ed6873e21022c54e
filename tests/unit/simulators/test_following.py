"""When a device's clock has stopped although its console goes on."""

import pytest

from benchline.scenario import Event, EventKind
from controlplane.simulators.fault import seen_on_console
from controlplane.simulators.following import STANDSTILL_BYTES, Run
from controlplane.simulators.protocol import SimulationLimits


def records(run: Run, step_ms: int, total: int) -> None:
    """Records of 64 bytes, each `step_ms` after the one before."""
    for number in range(total // 64):
        start = number * 64
        event = Event(
            kind=EventKind.RECORD, at_ms=number * step_ms, start=start, end=start + 64, type="OUT"
        )
        run.events.append(event)
        run.look_at_clock(event)


def test_records_without_end_at_one_moment_end_the_run() -> None:
    run = Run(log=None)
    records(run, 0, 2 * STANDSTILL_BYTES)

    assert run.stop.is_set()
    fault = seen_on_console(run)
    assert fault is not None
    assert "device time stopped after 0 ms" in fault.message


@pytest.mark.parametrize(("step_ms", "total"), [(1, 4 * STANDSTILL_BYTES), (0, STANDSTILL_BYTES)])
def test_a_busy_console_is_no_standstill(step_ms: int, total: int) -> None:
    run = Run(log=None)
    records(run, step_ms, total)

    assert not run.stop.is_set()
    assert seen_on_console(run) is None


def test_the_longest_scenario_fits_a_saturated_line() -> None:
    limits = SimulationLimits()

    assert limits.console_cap(600_000) > 600 * 11_520
    assert limits.console_cap(5_000) < 7 * 2 * 11_521
