"""What a family of chips brings to a virtual board, and what the board gives to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from benchagent.virtual.console import Console
from benchagent.virtual.faults import Faults
from benchagent.virtual.flash_array import FlashArray
from benchagent.virtual.machine import RunState
from benchagent.virtual.models import BoardModel
from benchagent.virtual.store import BoardStore


class BootMode(StrEnum):
    """What a chip does when its reset is released."""

    APP = "app"
    DOWNLOAD = "download"


class RunSide(Protocol):
    """What executes flashed firmware while nothing else has the chip."""

    def boot(self) -> None:
        """Start the firmware in flash from its reset vector."""

    def freeze(self) -> None:
        """Stop time for the firmware, keeping its state."""

    def thaw(self) -> None:
        """Let frozen firmware go on where it stopped."""

    def power_off(self) -> None:
        """End the firmware; its state is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """Where a chip sits: the parts of the board that every family shares."""

    name: str
    model: BoardModel
    store: BoardStore
    array: FlashArray
    console: Console
    lock: threading.RLock
    """Held while the chip changes, whoever makes it change."""
    run_side: RunSide
    faults: Faults
    has_rom: bool
    """Whether the runner has the chip's own ROM, which says what it does at a start."""
    report: Callable[[RunState], None]
    """Tell the board what its chip does now, when no firmware runs."""
    save: Callable[[], None]
    """Write the counters down: something that counts just happened."""
    save_all: Callable[[], None]
    """Write flash and counters down: a tool just looked at what it wrote."""


class Silicon(Protocol):
    """One chip with the way a flash tool reaches it. Called under the board's lock."""

    @property
    def probe(self) -> str:
        """How a flash tool finds it; empty where that is the console's port."""

    @property
    def identity(self) -> str:
        """What a flash tool reads as its identity."""

    @property
    def rfc2217(self) -> str:
        """URL of the port with reset lines; empty where there is none."""

    @property
    def wants_firmware(self) -> bool:
        """Whether firmware should run now: the chip is powered, not halted, not in a loader."""

    def bootable(self) -> bool:
        """Whether the flash holds something that the chip would start."""

    def serve(self) -> None:
        """Begin to answer flash tools."""

    def typed(self, data: bytes) -> bytes:
        """Bytes that somebody wrote to the console port; gives those for the firmware."""

    def power_on(self) -> None:
        """Power comes: boot what is in flash."""

    def power_off(self) -> None:
        """Power goes: the firmware and everything volatile are gone."""

    def reset(self, mode: BootMode) -> None:
        """The reset button, with the boot pin or without. Raises ControlError."""

    def blank(self) -> None:
        """There was nothing to start: do what the chip does then."""

    def plug(self) -> None:
        """The board is plugged in again: offer the ports under other names."""

    def unplug(self) -> None:
        """The board is unplugged: nobody is answered any more."""

    def close(self) -> None:
        """End every server."""
