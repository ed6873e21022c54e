"""Which ways of reaching a board are tried, in which order, and when it makes sense to go on.

Pure. A ladder is a sequence of rungs, the usual way first, each slower or harsher than the one
before. A flasher climbs it only for failures that another way of connecting can cure; what is
refused stays refused, and what the board itself got wrong twice in the same words is its fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchagent.flashers.protocol import Reason

MHZ = 1_000_000
KHZ = 1000
_MAX_WORDS = 200

CURABLE_CONNECTING = frozenset({Reason.PROBE_LOST, Reason.TARGET_SILENT})
"""Failures to connect that a slower or harsher connection may cure."""
CURABLE_WORKING = frozenset({Reason.TARGET_SILENT, Reason.WRITE_FAILED, Reason.VERIFY_FAILED})
"""Failures of an open connection that a slower one may cure. A probe that was lost while it worked
is not among them: somebody has pulled it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwdRung:
    """One way of connecting over SWD."""

    frequency_hz: int
    under_reset: bool = False
    """Hold the reset line while connecting: for firmware that sleeps or took the debug pins."""

    @property
    def words(self) -> str:
        """The rung for people: `attach at 4 MHz`."""
        if self.frequency_hz >= MHZ:
            speed = f"{self.frequency_hz / MHZ:g} MHz"
        else:
            speed = f"{self.frequency_hz / KHZ:g} kHz"
        return f"{'under reset' if self.under_reset else 'attach'} at {speed}"


def swd_ladder(*, under_reset: bool = False) -> tuple[SwdRung, ...]:
    """The rungs for a board behind an SWD probe; `under_reset` leaves out attaching.

    4 MHz is the most that an ST-Link/V2 offers, and CMSIS-DAP probes offer it too; 1 MHz is
    pyOCD's own default; 400 kHz is for long or bad wires. Not tried on hardware.
    """
    attach = SwdRung(frequency_hz=4 * MHZ)
    harsher = tuple(
        SwdRung(frequency_hz=frequency, under_reset=True)
        for frequency in (4 * MHZ, 1 * MHZ, 400 * KHZ)
    )
    return harsher if under_reset else (attach, *harsher)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one rung ended; `reason` is None when it worked."""

    rung: str
    reason: Reason | None = None
    message: str = ""
    connected: bool = False
    """The board answered before it failed."""
    committed: bool = False
    """The firmware was being started: nothing may be repeated then."""

    @property
    def words(self) -> str:
        """The attempt for people: `attach at 4 MHz: TARGET_SILENT: no ACK`."""
        if self.reason is None:
            return f"{self.rung}: ok"
        return f"{self.rung}: {self.reason}: {self.message}"[:_MAX_WORDS]


def worth_another(attempts: Sequence[Attempt]) -> bool:
    """Whether the next rung may cure what the last one died of."""
    last = attempts[-1]
    if last.reason is None or last.committed:
        return False
    if last.reason not in (CURABLE_WORKING if last.connected else CURABLE_CONNECTING):
        return False
    # The same byte wrong in the same way over two different connections: the flash is worn.
    return not (
        last.reason is Reason.VERIFY_FAILED
        and len(attempts) > 1
        and (attempts[-2].reason, attempts[-2].message) == (last.reason, last.message)
    )


def next_rung(
    rungs: Sequence[SwdRung], last: SwdRung, attempts: Sequence[Attempt]
) -> SwdRung | None:
    """The rung to try after `last`, the way of the last attempt; None when none can help.

    Holding the reset line helps to connect. What goes wrong afterwards needs a slower clock.
    """
    if not worth_another(attempts):
        return None
    later = rungs[rungs.index(last) + 1 :]
    if attempts[-1].connected:
        later = [rung for rung in later if rung.frequency_hz < last.frequency_hz]
    return later[0] if later else None
