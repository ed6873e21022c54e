"""What QEMU's netduinoplus2 logs of accesses to devices that it does not model. Pure.

QEMU 7.2 does not model the GPIO ports: each access is logged with device, offset and value
(`-d unimp`), which the firmware cannot influence other than by making the access. The register
semantics are RM0090 section 8.4: MODER (00), ODR (14), BSRR (18; set wins over reset).
"""

import re
from collections import Counter

from controlplane.simulators.pads import Pads

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


class QemuLog:
    """Reads QEMU's log piece by piece and keeps what it says about pins and unmodelled devices."""

    def __init__(self) -> None:
        self._rest = b""
        self._modes = dict(_RESET_MODES)
        self._accesses: Counter[tuple[bytes, bytes, bytes]] = Counter()
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
            output = (value >> shift) & 3 == _MODE_OUTPUT
            if output != ((before >> shift) & 3 == _MODE_OUTPUT):
                self.pads.set_output(f"P{port}{number}", output)

    def _set_levels(self, port: str, high: int, low: int) -> None:
        touched = high | low
        number = 0
        while touched >> number:
            if touched >> number & 1:
                self.pads.write(f"P{port}{number}", high >> number & 1)
            number += 1
