"""Comparing what firmware says about its pins with the register writes that QEMU saw. Pure.

QEMU 7.2's netduinoplus2 does not model the GPIO ports: each access is logged with device, offset
and value (`-d unimp`), which the firmware cannot influence other than by making the access. The
register semantics are RM0090 section 8.4: MODER (00), ODR (14), BSRR (18; set wins over reset).
The log has no time, so sequences are compared, not moments.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchline.scenario import AssertionResult, ByteRange, Event, Outcome

_ACCESS = re.compile(
    rb"^([A-Za-z0-9_.\- ]{1,40}): unimplemented device (read|write) +"
    rb"\(size (\d+), offset 0x([0-9a-f]+)(?:, value 0x([0-9a-f]+))?\)$",
    re.MULTILINE,
)
_MODER, _ODR, _BSRR = 0x00, 0x14, 0x18
_MODE_OUTPUT = 1
_RESET_MODES = {"A": 0xA8000000, "B": 0x00000280}
"""MODER after reset of ports A and B; 0 elsewhere (RM0090 8.4.1)."""

MAX_GUEST_ERRORS = 10
MAX_KINDS = 256
FLOOD_SHARE = 0.9
RESULT_ID = "core.pin_corroboration"


@dataclass(slots=True, kw_only=True)
class _Pin:
    """One pin as its registers say: the level on it changes while it is an output."""

    latch: int | None = None
    levels: bytearray = field(default_factory=bytearray)
    hidden_writes: int = 0


class RegisterLog:
    """Reads QEMU's log piece by piece and keeps what it says about pins and unmodelled devices."""

    def __init__(self) -> None:
        self._rest = b""
        self._modes = dict(_RESET_MODES)
        self._pins: dict[str, _Pin] = {}
        self._accesses: Counter[tuple[bytes, bytes, bytes]] = Counter()
        self.guest_errors: list[str] = []
        self.bytes_read = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the log."""
        self.bytes_read += len(data)
        lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if not newline:
            self._rest = self._rest[:65536]
            return
        matched = 0
        for match in _ACCESS.finditer(lines):
            matched += 1
            device, kind, _, offset, value = match.groups()
            key = (device, kind, offset)
            if key in self._accesses or len(self._accesses) < MAX_KINDS:
                self._accesses[key] += 1
            if value is not None and device.startswith(b"GPIO"):
                self._write(device[4:].decode("ascii"), int(offset, 16), int(value, 16))
        if matched <= lines.count(b"\n") and len(self.guest_errors) < MAX_GUEST_ERRORS:
            self._keep_errors(lines)

    def _keep_errors(self, lines: bytes) -> None:
        for line in lines.splitlines():
            if not _ACCESS.match(line) and len(self.guest_errors) < MAX_GUEST_ERRORS:
                self.guest_errors.append(line[:200].decode("ascii", "replace"))

    @property
    def histogram(self) -> dict[str, int]:
        """Accesses to unmodelled registers, such as "RCC read 0x000", most frequent first."""
        ranked = sorted(self._accesses.items(), key=lambda item: (-item[1], item[0]))
        return {
            f"{device.decode()} {kind.decode()} 0x{offset.decode()}": count
            for (device, kind, offset), count in ranked
        }

    @property
    def polled_register(self) -> str | None:
        """The register that takes nearly all accesses by being read, if there is one."""
        total = self._accesses.total()
        for (device, kind, offset), count in self._accesses.most_common(1):
            if kind == b"read" and count >= FLOOD_SHARE * total:
                return f"{device.decode()}+0x{offset.decode()}"
        return None

    def levels(self, pin: str) -> bytes:
        """The levels (0 or 1) that appeared on a pin such as "PC12", in order."""
        found = self._pins.get(pin)
        return b"" if found is None else bytes(found.levels)

    def hidden_writes(self, pin: str) -> int:
        """How often the pin's latch was written while it was not an output."""
        found = self._pins.get(pin)
        return 0 if found is None else found.hidden_writes

    @property
    def driven_pins(self) -> tuple[str, ...]:
        """The pins on which a level appeared."""
        return tuple(sorted(name for name, pin in self._pins.items() if pin.levels))

    def _write(self, port: str, offset: int, value: int) -> None:
        if offset == _MODER:
            self._set_modes(port, value)
        elif offset == _BSRR:
            self._set_levels(port, value & 0xFFFF, (value >> 16) & ~value & 0xFFFF)
        elif offset == _BSRR + 2:
            self._set_levels(port, 0, value & 0xFFFF)
        elif offset == _ODR:
            self._set_levels(port, value & 0xFFFF, ~value & 0xFFFF)

    def _set_modes(self, port: str, value: int) -> None:
        before = self._modes.get(port, 0)
        self._modes[port] = value
        for number in range(16):
            shift = 2 * number
            now_output = (value >> shift) & 3 == _MODE_OUTPUT
            if now_output and (before >> shift) & 3 != _MODE_OUTPUT:
                pin = self._pins.get(f"P{port}{number}")
                if pin is not None and pin.latch is not None:
                    pin.levels.append(pin.latch)

    def _set_levels(self, port: str, high: int, low: int) -> None:
        modes = self._modes.get(port, 0)
        touched = high | low
        number = 0
        while touched >> number:
            if touched >> number & 1:
                pin = self._pins.setdefault(f"P{port}{number}", _Pin())
                level = high >> number & 1
                if (modes >> (2 * number)) & 3 != _MODE_OUTPUT:
                    pin.hidden_writes += 1
                elif pin.latch != level:
                    pin.levels.append(level)
                pin.latch = level
            number += 1


def corroborate(
    events: Iterable[Event], log: RegisterLog
) -> tuple[tuple[AssertionResult, ...], tuple[str, ...]]:
    """Compare PIN records with the log: one finding a pin that lies, and notes.

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
        finding = _check_pin(pin, records, log)
        if finding is not None:
            findings.append(finding)
    notes = tuple(
        f"{pin} was driven by register writes that no PIN record tells; assertions do not see them"
        for pin in log.driven_pins
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


def _check_pin(
    pin: str, records: list[tuple[int, Event]], log: RegisterLog
) -> AssertionResult | None:
    levels = log.levels(pin)
    position = 0
    for number, event in records:
        claim = _claim(event)
        if claim is None:
            continue
        changes, level = claim
        position += changes
        if position > len(levels):
            why = "the register was never written"
            if log.hidden_writes(pin):
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
