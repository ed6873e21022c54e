"""What the ESP32-C3 emulator logs of the pins' registers (docs/emulator.md). Pure."""

import re
from collections import Counter

from controlplane.simulators.pads import Pads
from controlplane.simulators.qemu_log import FLOOD_SHARE, MAX_GUEST_ERRORS, MAX_KINDS

PINS = 22
_SIMPLE_OUTPUT = 0x80
"""GPIO_FUNC<n>_OUT_SEL, low 8 bits: the pad shows GPIO_OUT. Also the value after a reset."""

_LINE = re.compile(
    rb"^(?:gpio \d+ (?P<register>reset|enable|out|func(?P<pin>\d+)) 0x(?P<value>[0-9a-f]{8})"
    rb"(?: of 0x(?P<mask>[0-9a-f]{8}))?"
    rb"|unmodelled (?P<access>read|write) 0x(?P<address>[0-9a-f]{8}) n=(?P<count>\d{1,15}))$",
    re.MULTILINE,
)


class EmulatorLog:
    """Reads the emulator's log piece by piece."""

    def __init__(self) -> None:
        self._rest = b""
        self._counts: Counter[tuple[str, str]] = Counter()
        self._routed_elsewhere = self._enable = self._out = self._written = 0
        self.pads = Pads()
        self.guest_errors: list[str] = []
        self.bytes_read = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the log."""
        self.bytes_read += len(data)
        lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if not newline:
            self._rest = self._rest[:65536]
            return
        for line in lines.splitlines():
            match = _LINE.match(line)
            if match is None:
                if len(self.guest_errors) < MAX_GUEST_ERRORS:
                    self.guest_errors.append(line[:200].decode("ascii", "replace"))
            elif match["register"] is not None:
                mask = int(match["mask"] or b"0", 16)
                self._write(match["register"], match["pin"], int(match["value"], 16), mask)
            else:
                self._count(match["access"], match["address"], int(match["count"]))

    @property
    def histogram(self) -> dict[str, int]:
        """Accesses to unmodelled registers, such as "read 0x60026010", most frequent first."""
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return {f"{access} 0x{address}": count for (access, address), count in ranked}

    @property
    def polled_register(self) -> str | None:
        """The register that takes nearly all unmodelled accesses by being read, if there is one."""
        total = self._counts.total()
        for (access, address), count in self._counts.most_common(1):
            if access == "read" and count >= FLOOD_SHARE * total:
                return f"0x{address}"
        return None

    def _count(self, access: bytes, address: bytes, count: int) -> None:
        key = (access.decode(), address.decode())
        if key in self._counts or len(self._counts) < MAX_KINDS:
            self._counts[key] = count

    def _write(self, register: bytes, pin: bytes | None, value: int, mask: int) -> None:
        if register == b"out":
            self._set_levels(value, mask)
        elif register == b"enable":
            self._set_outputs(value, self._routed_elsewhere)
        elif register == b"reset":
            self._routed_elsewhere = self._enable = self._out = self._written = 0
            self.pads.reset()
        elif pin is not None and int(pin) < PINS:
            bit = 1 << int(pin)
            elsewhere = self._routed_elsewhere & ~bit
            if value & 0xFF != _SIMPLE_OUTPUT:
                elsewhere |= bit
            self._set_outputs(self._enable, elsewhere)

    def _set_levels(self, out: int, written: int) -> None:
        news = (self._out ^ out | written & ~self._written) & written
        for number in range(PINS):
            if news >> number & 1:
                self.pads.write(f"GPIO{number}", out >> number & 1)
        self._out, self._written = out, written

    def _set_outputs(self, enable: int, elsewhere: int) -> None:
        before, after = self._enable & ~self._routed_elsewhere, enable & ~elsewhere
        for number in range(PINS):
            if (before ^ after) >> number & 1:
                self.pads.set_output(f"GPIO{number}", bool(after >> number & 1))
        self._enable, self._routed_elsewhere = enable, elsewhere
