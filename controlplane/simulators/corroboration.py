"""Comparing what firmware says about its pins with the register writes of the simulator. Pure.

Sequences are compared, not moments: QEMU's log has no time.
"""

from collections.abc import Iterable

from benchline.scenario import AssertionResult, ByteRange, Event, Outcome
from controlplane.simulators.pads import Pads

RESULT_ID = "core.pin_corroboration"


def corroborate(
    events: Iterable[Event], pads: Pads
) -> tuple[tuple[AssertionResult, ...], tuple[str, ...]]:
    """Compare PIN records with the registers: one finding a pin that lies, and notes.

    Drives that no record tells are a note while the pin has no records at all (a sketch may use
    registers directly), and a finding when records and drives are mixed on one pin.
    """
    by_pin: dict[str, list[tuple[int, Event]]] = {}
    number = 0
    for event in events:
        if event.type == "PIN" and not event.malformed:
            number += 1
            by_pin.setdefault(event.name, []).append((number, event))
    findings = []
    for pin, records in by_pin.items():
        finding = _check_pin(pin, records, pads)
        if finding is not None:
            findings.append(finding)
    notes = tuple(
        f"{pin} was driven by register writes that no PIN record tells; assertions do not see them"
        for pin in pads.driven
        if pin not in by_pin
    )
    if by_pin and not findings:
        findings.append(
            AssertionResult(
                id=RESULT_ID,
                kind="core",
                outcome=Outcome.PASSED,
                message="every PIN record has its register write",
            )
        )
    return tuple(findings), notes


def _check_pin(pin: str, records: list[tuple[int, Event]], pads: Pads) -> AssertionResult | None:
    levels = pads.levels(pin)
    position = 0
    for number, event in records:
        claim = _claim(event)
        if claim is None:
            continue
        changes, level = claim
        position += changes
        if position > len(levels):
            why = "the register was never written"
            if pads.hidden_writes(pin):
                why = "its mode is input"
            elif levels:
                why = f"the register was written for {len(levels)} changes only"
            return _finding(pin, number, event, level, why)
        if levels[position - 1] != level:
            return _finding(pin, number, event, level, f"the register was set to {1 - level}")
    # The end of the run may fall between a write and its record: one change is given.
    if position + 1 < len(levels):
        number, event = records[-1]
        extra = len(levels) - position
        why = f"the pin changed {extra} more times than its records tell"
        return _finding(pin, number, event, levels[-1], why)
    return None


def _claim(event: Event) -> tuple[int, int] | None:
    """How many changes a record tells and the level after them; None for PWM records."""
    level = event.fields.get("v", event.fields.get("last"))
    count = event.fields.get("n", "1")
    if level not in ("0", "1") or not (count.isascii() and count.isdecimal()):
        return None
    return min(int(count[:10]), 1 << 32), int(level)


def _finding(pin: str, number: int, event: Event, level: int, why: str) -> AssertionResult:
    return AssertionResult(
        id=f"{RESULT_ID}.{pin}"[:80],
        kind="core",
        outcome=Outcome.FAILED,
        message=(
            f"pin_corroboration: record {number} says {pin}={level} at {event.at_ms} ms but {why}"
        ),
        expected="the register write of each PIN record",
        got=why,
        at_ms=event.at_ms,
        evidence=(ByteRange(start=event.start, end=event.end),),
    )
