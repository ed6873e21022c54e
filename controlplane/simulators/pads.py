"""What the registers say about pins: the levels that appeared on each, in order. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class RegisterLog(Protocol):
    """A simulator's own account of what the firmware did to its registers."""

    bytes_read: int
    guest_errors: list[str]

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the log, cut anywhere."""
        ...

    @property
    def pads(self) -> "Pads":
        """What it says about pins."""
        ...

    @property
    def histogram(self) -> Mapping[str, int]:
        """Accesses to registers that are not modelled, most frequent first."""
        ...

    @property
    def polled_register(self) -> str | None:
        """The register that takes nearly all accesses by being read, if there is one."""
        ...


@dataclass(slots=True, kw_only=True)
class _Pad:
    """One pin: the level on it changes while it is an output."""

    output: bool = False
    latch: int | None = None
    levels: bytearray = field(default_factory=bytearray)
    hidden_writes: int = 0


class Pads:
    """Follows latches and directions of pins by name, such as "PC12" or "GPIO8"."""

    def __init__(self) -> None:
        self._pads: dict[str, _Pad] = {}

    def write(self, pin: str, level: int) -> None:
        """The pin's latch was set to a level."""
        pad = self._pads.setdefault(pin, _Pad())
        if not pad.output:
            pad.hidden_writes += 1
        elif pad.latch != level:
            pad.levels.append(level)
        pad.latch = level

    def set_output(self, pin: str, output: bool) -> None:
        """The pin shows its latch from now on, or no more."""
        pad = self._pads.setdefault(pin, _Pad())
        if output and not pad.output and pad.latch is not None:
            pad.levels.append(pad.latch)
        pad.output = output

    def reset(self) -> None:
        """All pins are inputs, their latches forgotten, as after a reset."""
        for pad in self._pads.values():
            pad.output, pad.latch = False, None

    def levels(self, pin: str) -> bytes:
        """The levels (0 or 1) that appeared on a pin, in order."""
        found = self._pads.get(pin)
        return b"" if found is None else bytes(found.levels)

    def forget_first(self, pin: str) -> None:
        """The first level that appeared on a pin is no longer counted."""
        found = self._pads.get(pin)
        if found is not None:
            del found.levels[:1]

    def hidden_writes(self, pin: str) -> int:
        """How often the pin's latch was written while it was not an output."""
        found = self._pads.get(pin)
        return 0 if found is None else found.hidden_writes

    @property
    def driven(self) -> tuple[str, ...]:
        """The pins on which a level appeared."""
        return tuple(sorted(name for name, pad in self._pads.items() if pad.levels))
