"""Faults that a test asks a virtual board for; a board without any is healthy."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import StrEnum


class Trouble(StrEnum):
    """How one request to the board goes wrong."""

    NONE = "ok"
    HANG = "hang"
    UNPLUGGED = "unplugged"
    WEDGED = "wedged"


@dataclass(slots=True, kw_only=True)
class Faults:
    """The armed faults of one board."""

    hang_after: int | None = None
    """Never answer again after this many requests."""
    unplug_after: int | None = None
    """Gone after this many requests."""
    requests: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def count(self) -> Trouble:
        """Count one request of a flash tool; gives how it goes."""
        with self._guard:
            self.requests += 1
            if self.hang_after is not None and self.requests > self.hang_after:
                return Trouble.HANG
            if self.unplug_after is not None and self.requests > self.unplug_after:
                return Trouble.UNPLUGGED
            return Trouble.NONE
