"""How virtual time relates to the host's clock: not at all, or one to one."""

import time
from typing import Protocol

TICKS_PER_MS = 16_000
LEEWAY_MS = 2.0
"""How far the machine may run ahead before it sleeps: each sleep costs two wake-ups."""

LOST_MS = 250.0
"""A machine further behind than this was frozen or starved; it goes on from now."""


class Pacer(Protocol):
    """Tells how long to sleep."""

    def ahead_ms(self, ticks: int) -> float:
        """How far virtual time is ahead of the host's; 0 or less means: go on."""
        ...

    def ticks_now(self) -> int | None:
        """Where virtual time should be now; None when it follows no clock."""
        ...

    def rebase(self, ticks: int) -> None:
        """From now on: `ticks` is now."""
        ...


class Unpaced:
    """As fast as possible: the same instructions at the same virtual times in every run."""

    def ahead_ms(self, _ticks: int) -> float:
        """Never ahead."""
        return 0.0

    def ticks_now(self) -> int | None:
        """Follows no clock."""
        return None

    def rebase(self, _ticks: int) -> None:
        """There is nothing to put together."""


class HostPaced:
    """One to one with the host's clock, times `scale`; time that was lost is not caught up."""

    def __init__(self, scale: float = 1.0) -> None:
        self._ticks_per_ms = TICKS_PER_MS * scale
        self._anchor_s = time.monotonic()
        self._anchor_ticks = 0

    def ahead_ms(self, ticks: int) -> float:
        """How far ahead; far behind, the two are put together again."""
        ahead = (ticks - self._ticks()) / self._ticks_per_ms
        if ahead < -LOST_MS:
            self.rebase(ticks)
            return 0.0
        return ahead

    def ticks_now(self) -> int | None:
        """Where virtual time should be."""
        return int(self._ticks())

    def rebase(self, ticks: int) -> None:
        """From now on: `ticks` is now."""
        self._anchor_s, self._anchor_ticks = time.monotonic(), ticks

    def _ticks(self) -> float:
        passed_ms = (time.monotonic() - self._anchor_s) * 1000
        return self._anchor_ticks + passed_ms * self._ticks_per_ms
