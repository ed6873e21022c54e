"""Built-in assertions: did this run happen as planned, so that its verdict means something?"""

from benchline.scenario.records import Event
from benchline.scenario.result import (
    AssertionResult,
    ByteRange,
    Outcome,
    RunEnd,
    RunEndReason,
)
from benchline.scenario.units import show_ms

_OUR_ERRORS = ("table", "bad-signal")


def _result(
    name: str, outcome: Outcome, message: str, expected: str, got: str, event: Event | None
) -> AssertionResult:
    return AssertionResult(
        id=f"core.{name}",
        kind="core",
        outcome=outcome,
        message=message,
        expected=expected,
        got=got,
        at_ms=None if event is None else event.at_ms,
        evidence=() if event is None else (ByteRange(start=event.start, end=event.end),),
    )


class Integrity:
    """Watches BOOT, END, FAULT, ERR and damaged records of one run.

    ``nonce`` (0..2^32-1) and ``build`` are what BOOT must carry; None is not checked. Without
    ``records`` the firmware prints text alone: only the end of the run is waited for.
    """

    def __init__(
        self,
        *,
        end_ms: int,
        nonce: int | None,
        build: str | None,
        simulated: bool,
        records: bool = True,
    ) -> None:
        self._records = records
        self._end_ms = end_ms
        self._nonce = nonce
        self._build = build
        self._simulated = simulated
        self._damaged = 0
        self._first_damaged: Event | None = None
        self.booted = not records
        self.stopped = ""
        """Why nothing after this moment is judged ("" while the run goes on)."""
        self.ended = False

    @property
    def done(self) -> bool:
        """END, FAULT or a second BOOT was seen."""
        return self.ended or bool(self.stopped)

    def feed(self, event: Event) -> list[AssertionResult]:
        """Take one record; returns what it decides."""
        if event.malformed:
            self._damaged += 1
            self._first_damaged = self._first_damaged or event
        elif event.type == "BOOT":
            return self._boot(event)
        elif event.type == "FAULT":
            return [self._fault(event)]
        elif event.type == "ERR" and event.name.startswith(_OUR_ERRORS):
            message = f"the device refused the stimulus table: {event.text[:200]!r}"
            return [
                _result("table", Outcome.BROKEN, message, "an accepted table", event.name, event)
            ]
        elif event.type == "END":
            return self._end(event)
        return []

    def finish(self, end: RunEnd) -> list[AssertionResult]:
        """What is known once the stream is over."""
        found = []
        cause = _CAUSES[end.reason] + (f": {end.detail}" if end.detail else "")
        ours = end.reason in {RunEndReason.TOOL_FAILED, RunEndReason.CANCELLED}
        if not self.booted:
            firmware = self._simulated and not ours
            outcome = Outcome.FAILED if firmware else Outcome.BROKEN
            message = f"firmware never started: no BOOT record; {cause}"
            found.append(_result("boot", outcome, message, "a BOOT record", "none", None))
        elif not self.done:
            expected = "an END record" if self._records else "bytes until the end"
            what = "no END record, due" if self._records else "not read to its end"
            message = f"{what} at {show_ms(self._end_ms)}; {cause}"
            found.append(_result("end", Outcome.BROKEN, message, expected, cause, None))
        if self._damaged and not self.stopped:
            message = f"{self._damaged} damaged records: bytes were lost or altered on the way"
            found.append(
                _result(
                    "records",
                    Outcome.BROKEN,
                    message,
                    "whole records",
                    f"{self._damaged} damaged",
                    self._first_damaged,
                )
            )
        return found

    def _boot(self, event: Event) -> list[AssertionResult]:
        if self.booted:
            cause = event.fields.get("reset", "unknown")[:20]
            self.stopped = "the device rebooted"
            message = f"rebooted during the run (reset cause {cause})"
            return [_result("reboot", Outcome.FAILED, message, "one BOOT", "a second one", event)]
        self.booted = True
        found = []
        if self._nonce is not None:
            wanted, got = f"{self._nonce:08x}", event.fields.get("nonce", "none")[:16]
            if got.lower() != wanted:
                message = f"BOOT has nonce {got}, this run's is {wanted}: another table is in flash"
                found.append(_result("nonce", Outcome.BROKEN, message, wanted, got, event))
            elif event.fields.get("sources") == "real":
                message = "the inputs are real, although a table is in flash"
                found.append(_result("nonce", Outcome.BROKEN, message, "injected", "real", event))
        build = event.fields.get("build", "none")[:64]
        if self._build is not None and build != self._build:
            message = f"BOOT is of build {build}, not {self._build}: another image runs"
            found.append(_result("build", Outcome.BROKEN, message, self._build, build, event))
        if not found:
            found.append(_result("boot", Outcome.PASSED, "booted", "a BOOT record", "BOOT", event))
        return found

    def _fault(self, event: Event) -> AssertionResult:
        kind, pc = event.name[:16] or "unknown", event.fields.get("pc", "unknown")[:16]
        registers = " ".join(
            f"{key}={event.fields[key][:16]}"
            for key in ("lr", "cfsr", "hfsr", "mcause", "addr")
            if key in event.fields
        )
        self.stopped = f"the firmware had a {kind} fault"
        message = f"{kind} fault at {show_ms(event.at_ms)}, pc={pc} {registers}".rstrip()
        return _result("fault", Outcome.FAILED, message, "no fault", f"{kind} pc={pc}", event)

    def _end(self, event: Event) -> list[AssertionResult]:
        self.ended = True
        if not self._records:
            return []
        dropped = event.fields.get("dropped", "0")[:20]
        if dropped != "0":
            message = f"the console was too slow: {dropped} records were dropped"
            return [_result("dropped", Outcome.BROKEN, message, "0 dropped", dropped, event)]
        if event.at_ms < self._end_ms:
            planned, got = show_ms(self._end_ms), show_ms(event.at_ms)
            message = f"END came at {got}, planned is {planned}"
            return [_result("end", Outcome.FAILED, message, f"END at {planned}", got, event)]
        return [_result("end", Outcome.PASSED, "ended", "an END record", "END", event)]


_CAUSES = {
    RunEndReason.STREAM_CLOSED: "the console stream ended",
    RunEndReason.TIME_CAP: "the time cap was reached",
    RunEndReason.CANCELLED: "the run was cancelled",
    RunEndReason.TOOL_FAILED: "a tool failed",
}
