"""Faults that somebody asks a virtual board for; a board without any is healthy."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

_SECONDS_MAX = 3600.0
_REPLUG_S = 1.0
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")


class FaultError(ValueError):
    """A fault that nobody knows, or with a value that means nothing; the message says why."""


class FaultKind(StrEnum):
    """What can go wrong with a board."""

    SILENT = "silent"
    """The probe, or the loader, never answers again."""
    UNPLUG = "unplug"
    """The board is gone, until the fault is cleared."""
    REPLUG = "replug"
    """The board is gone and comes back under another path."""
    EIO = "eio"
    """The port fails in the middle of reading; it is there again under the same path at once."""
    READBACK = "readback"
    """Reading flash returns a wrong bit at one address."""
    WEDGED = "wedged"
    """The chip answers nobody, whatever is reset, until its power is cycled."""
    SWAPPED = "swapped"
    """The registry names the ports of another board as this one's."""
    CLEAR = "clear"
    """No fault any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultOrder:
    """One fault to arm: its kind and what `KIND=VALUE` says about it."""

    kind: FaultKind
    count: int = 0
    """SILENT, UNPLUG, WEDGED: requests until it happens. EIO: bytes. READBACK: the address."""
    seconds: float = 0.0
    name: str = ""


class Trouble(StrEnum):
    """How one request to the board goes wrong."""

    NONE = "ok"
    HANG = "hang"
    UNPLUGGED = "unplugged"
    WEDGED = "wedged"


def parse_fault(text: str) -> FaultOrder:
    """Read `KIND` or `KIND=VALUE`. Raises FaultError."""
    word, _, value = text.strip().partition("=")
    try:
        kind = FaultKind(word)
    except ValueError as error:
        known = ", ".join(FaultKind)
        raise FaultError(f"no fault {word!r}; there are {known}") from error
    match kind:
        case FaultKind.SILENT | FaultKind.UNPLUG | FaultKind.WEDGED | FaultKind.EIO:
            return FaultOrder(kind=kind, count=_count(kind, value or "0"))
        case FaultKind.READBACK:
            return FaultOrder(kind=kind, count=_count(kind, value))
        case FaultKind.REPLUG:
            return FaultOrder(kind=kind, seconds=_seconds(value) if value else _REPLUG_S)
        case FaultKind.SWAPPED:
            if not _NAME.fullmatch(value):
                raise FaultError("swapped=NAME needs the name of the other board")
            return FaultOrder(kind=kind, name=value)
    if value:
        raise FaultError("clear takes no value")
    return FaultOrder(kind=kind)


def _count(kind: FaultKind, text: str) -> int:
    try:
        count = int(text, 0)
    except ValueError as error:
        raise FaultError(f"{kind}=N needs a number, not {text!r}") from error
    if not 0 <= count <= 0xFFFF_FFFF:
        raise FaultError(f"{kind}=N needs a number of 32 bits")
    return count


def _seconds(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError as error:
        raise FaultError(f"replug=SECONDS needs a number, not {text!r}") from error
    if not (math.isfinite(seconds) and 0 <= seconds <= _SECONDS_MAX):
        raise FaultError(f"replug=SECONDS is {_SECONDS_MAX:g} at most")
    return seconds


@dataclass(slots=True, kw_only=True)
class Faults:
    """The armed faults of one board that strike while a flash tool talks to it."""

    hang_after: int | None = None
    """Never answer again after this many requests."""
    unplug_after: int | None = None
    """Gone after this many requests."""
    wedge_after: int | None = None
    """Wedged after this many requests."""
    requests: int = 0
    vanish: Callable[[], None] | None = None
    """Takes the whole board away when it is unplugged; without it only the probe answers so."""
    wedge: Callable[[], None] | None = None
    """Tells the board that it is wedged now."""
    is_wedged: bool = False
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, order: FaultOrder) -> None:
        """Let it happen after so many requests from now."""
        with self._guard:
            at = self.requests + order.count
            if order.kind is FaultKind.SILENT:
                self.hang_after = at
            elif order.kind is FaultKind.UNPLUG:
                self.unplug_after = at
            elif order.kind is FaultKind.WEDGED:
                self.wedge_after = at

    def clear(self) -> None:
        """No fault strikes any more."""
        with self._guard:
            self.hang_after = self.unplug_after = self.wedge_after = None
            self.is_wedged = False

    def power_cycled(self) -> None:
        """A wedged chip is cured by power alone."""
        with self._guard:
            self.is_wedged = False

    def count(self) -> Trouble:
        """Count one request of a flash tool; gives how it goes. May take the board away."""
        trouble, tell = self._count()
        if tell is not None:
            tell()
        return trouble

    def _count(self) -> tuple[Trouble, Callable[[], None] | None]:
        with self._guard:
            self.requests += 1
            if self.hang_after is not None and self.requests > self.hang_after:
                return Trouble.HANG, None
            if self.unplug_after is not None and self.requests > self.unplug_after:
                return Trouble.UNPLUGGED, self.vanish
            if self.is_wedged:
                return Trouble.WEDGED, None
            if self.wedge_after is not None and self.requests > self.wedge_after:
                self.wedge_after, self.is_wedged = None, True
                return Trouble.WEDGED, self.wedge
            return Trouble.NONE, None
