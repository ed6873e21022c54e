"""Whose fault an early end of a run was: the firmware's, as far as the machine can tell. Pure."""

import time
from dataclasses import replace
from typing import NamedTuple

from benchline.scenario import (
    AssertionResult,
    Evaluator,
    Outcome,
    RunEnd,
    RunEndReason,
    ScenarioResult,
)
from controlplane.simulators.following import STALL_SECONDS, Run
from controlplane.simulators.protocol import MIB, SimulationLimits


class FirmwareFault(NamedTuple):
    """What the firmware did that ended its run."""

    code: str
    message: str

    @property
    def finding(self) -> AssertionResult:
        """The assertion that fails for it."""
        return AssertionResult(
            id=f"core.{self.code}",
            kind="core",
            outcome=Outcome.FAILED,
            message=self.message,
            expected="an END record",
            got=self.message,
        )


LOCKUP = FirmwareFault("lockup", "lockup: a fault inside the fault handler stopped the processor")

HALTED = FirmwareFault("halted", "the processor has stopped for good: nothing can wake it")


def seen_in_log(run: Run, limits: SimulationLimits) -> FirmwareFault | None:
    """What the register log alone proves."""
    if run.log is None or not run.log_full:
        return None
    polled = run.log.polled_register
    if polled is not None:
        return FirmwareFault("stuck", f"the firmware is stuck polling register {polled}")
    most = next(iter(run.log.histogram), "none")
    return FirmwareFault(
        "flood",
        f"the firmware made more than {limits.log_bytes // MIB} MiB of register accesses, "
        f"most to {most}",
    )


def flood(console_bytes: int) -> FirmwareFault:
    """The console carried all that a run may print, and END was not among it."""
    what = f"the firmware printed {console_bytes:,} bytes, as many as a run may: END never came"
    return FirmwareFault("flood", what)


def seen_on_console(run: Run) -> FirmwareFault | None:
    """What the bytes of the console prove, however long they took to come."""
    if run.standstill:
        return stalled(run)
    return flood(len(run.console)) if run.console_full else None


def of_healthy_machine(run: Run) -> FirmwareFault | None:
    """What is the firmware's fault once the simulator is known to work."""
    silent_s = time.monotonic() - run.last_byte_at
    if run.timed_out and not run.booted:
        return FirmwareFault("start", "the firmware printed no BOOT record")
    if run.timed_out and silent_s >= STALL_SECONDS:
        return stalled(run)
    if run.rc is not None and run.rc > 0 and not run.events:
        text = run.stderr[:200].decode("utf-8", "replace").strip()
        return FirmwareFault("image", f"the machine does not load this image: {text}")
    return None


def stalled(run: Run) -> FirmwareFault:
    """The machine goes on, but what the firmware says of time does not."""
    last = run.events[-1].at_ms if run.events else 0
    return FirmwareFault("stalled", f"device time stopped after {last} ms: END never came")


def blamed(fault: FirmwareFault, judge: Evaluator) -> ScenarioResult:
    """The verdict on a run that a fault of the firmware ended."""
    judge.add_finding(fault.finding)
    end = RunEnd(reason=RunEndReason.STREAM_CLOSED, detail=fault.message)
    return _firmware_ended(judge.finish(end))


def _firmware_ended(result: ScenarioResult) -> ScenarioResult:
    """A missing END that the firmware caused is its fault, not the lab's."""
    kept = tuple(a for a in result.assertions if a.id not in {"core.end", "core.boot"})
    if any(a.outcome is Outcome.BROKEN for a in kept):
        return result
    reason = next(a.message for a in kept if a.outcome is Outcome.FAILED)
    return replace(result, assertions=kept, outcome=Outcome.FAILED, reason=reason)
