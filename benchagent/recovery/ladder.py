"""What to try next to bring a board back: from the mildest means to the harshest.

Pure. A rung is tried once at most, and only when it can cure the present trouble; a rung that is
left out is left out for a reason that people are told. The trouble may change on the way: a board
that was silent answers after a power cycle and then turns out to write wrongly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Action(StrEnum):
    """One kind of step."""

    CHECK = "CHECK"
    SOFT_RESET = "SOFT_RESET"
    HARD_RESET = "HARD_RESET"
    BOOTLOADER = "BOOTLOADER"
    SLOWER = "SLOWER"
    OTHER_FLASHER = "OTHER_FLASHER"
    POWER_CYCLE = "POWER_CYCLE"
    CANARY = "CANARY"
    RESTORE = "RESTORE"


RUNGS = (
    Action.SOFT_RESET,
    Action.HARD_RESET,
    Action.BOOTLOADER,
    Action.SLOWER,
    Action.OTHER_FLASHER,
    Action.POWER_CYCLE,
)
"""The usual order."""


class StepOutcome(StrEnum):
    """How a step ended."""

    PASSED = "PASSED"
    BROKEN = "BROKEN"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; without outcome while it goes on."""

    action: Action
    outcome: StepOutcome | None = None
    reason: str = ""
    message: str = ""
    start_time: datetime
    duration_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What can be done with one board from here."""

    soft_reset: bool
    hard_reset: bool
    bootloader: bool
    resets_through_probe: bool
    """Its reset line hangs on the very probe that the flash tool talks through."""
    other_tools: tuple[str, ...] = ()
    power: bool = False
    no_power: str = ""
    """Why its power cannot be switched."""

    def missing(self, rung: Action) -> str:
        """Why a rung cannot be tried here at all; empty when it can."""
        match rung:
            case Action.SOFT_RESET if not self.soft_reset:
                return "its flash tool has only the reset line"
            case Action.HARD_RESET if not self.hard_reset:
                return "nothing here pulls its reset line"
            case Action.BOOTLOADER if not self.bootloader:
                return "it is flashed through a debug probe, which needs no bootloader"
            case Action.OTHER_FLASHER if not self.other_tools:
                return "no other flash tool here knows its family"
            case Action.POWER_CYCLE if not self.power:
                return self.no_power or "nothing here switches its power"
        return ""


AWAY = "UNKNOWN_BOARD"
"""The board is not there at all."""
CANARY_SILENT = "CANARY_SILENT"
"""Known good firmware was proved in flash and does not say what it should."""
POWER_FAILED = "POWER_FAILED"

UNREACHABLE = frozenset({AWAY, "PROBE_NOT_FOUND", "PROBE_LOST", "NO_CONSOLE", "NO_RESET"})
"""Troubles with the way to the board, not with its chip."""
_WRONG_BYTES = frozenset({"VERIFY_FAILED", "WRITE_FAILED", "READ_BACK_MISMATCH"})
_HOPELESS = {
    "TARGET_MISMATCH": "another chip is there than should be: look at the cables",
    "TARGET_LOCKED": "the chip is protected, and removing that would erase it",
    "PORT_BUSY": "another program holds its port: close it",
    "PROBE_BUSY": "another program holds its probe: close it",
    "TOOL_MISSING": "its flash tool is not installed here",
    "BOARD_UNUSABLE": "it cannot be flashed from here",
    "BAD_REQUEST": "its flash tool does not know what is asked",
    "BAD_COMMAND": "its flash tool does not know what is asked",
    "IMAGE_TOO_LARGE": "the image is larger than its flash",
    "IMAGE_CORRUPT": "the image is damaged, not the board",
    "IMAGE_MISSING": "the image cannot be had, whatever the board does",
    "IMAGEUNREACHABLE": "the image cannot be had, whatever the board does",
}
_RESETS = (Action.SOFT_RESET, Action.HARD_RESET, Action.BOOTLOADER)


def cannot_help(rung: Action, trouble: str, means: Means) -> str:
    """Why a rung cannot cure a trouble; empty when it may."""
    if trouble in _HOPELESS:
        return _HOPELESS[trouble]
    if trouble in _WRONG_BYTES and rung in _RESETS:
        return "the flash tool restarts the chip for each write anyway"
    if trouble == CANARY_SILENT and rung not in (
        Action.SOFT_RESET,
        Action.HARD_RESET,
        Action.POWER_CYCLE,
    ):
        return "the firmware is in flash, byte for byte, and does not run"
    gone = trouble in UNREACHABLE
    if not gone and trouble != "TOOL_HUNG":
        return ""
    if rung in _RESETS and means.resets_through_probe:
        return "the probe itself does not answer, and the reset goes through it"
    if rung is Action.SLOWER or (rung is Action.OTHER_FLASHER and gone):
        return "what does not answer at all does not answer to that either"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The rung to try, or None; and those that were left out before it, each with the reason."""

    rung: Action | None
    left_out: tuple[tuple[Action, str], ...] = ()


def next_rung(
    means: Means, trouble: str, tried: Sequence[Action], order: Sequence[Action] = RUNGS
) -> Decision:
    """What to try now against `trouble`, after the rungs `tried`.

    Rungs that `order` does not name come after those that it does, in their usual order.
    """
    left_out: list[tuple[Action, str]] = []
    for rung in full_order(order):
        if rung in tried:
            continue
        why = means.missing(rung) or cannot_help(rung, trouble, means)
        if not why:
            return Decision(rung=rung, left_out=tuple(left_out))
        left_out.append((rung, why))
    return Decision(rung=None, left_out=tuple(left_out))


def full_order(order: Sequence[Action]) -> tuple[Action, ...]:
    """Every rung once, those of `order` first."""
    wanted = [rung for rung in dict.fromkeys(order) if rung in RUNGS]
    return (*wanted, *(rung for rung in RUNGS if rung not in wanted))
