"""The firmware of a virtual board: when it starts, from which image, and how its tool is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from benchagent.virtual.console import Console
from benchagent.virtual.machine import TOOL_ANSWER_S, Fault, Machine, Runner, RunState
from benchagent.virtual.models import BoardModel
from benchagent.virtual.personality import LedInverter, Personality, table_seen
from benchagent.virtual.saver import FlashSaver
from benchline.scenario.table import TABLE_BYTES_MAX

_FIRST_HEAL_S = 0.25
_HEAL_DELAY_MAX_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How firmware is run."""

    name: str
    model: BoardModel
    runner: Runner | None
    """What executes firmware; None when nothing here can."""
    personality: Personality
    slow: float = 0.0
    """The part of its time that the runner loses, where it cannot be slow by itself."""
    tool_answer_s: float = TOOL_ANSWER_S


class Chip(Protocol):
    """What a chip says about the firmware in its flash."""

    @property
    def wants_firmware(self) -> bool:
        """Whether firmware should run now."""

    def bootable(self) -> bool:
        """Whether the flash holds something that the chip would start."""

    def blank(self) -> None:
        """There was nothing to start."""


class FirmwareRun:
    """The run side of a board. Everything is called under the board's lock."""

    def __init__(
        self,
        options: RunOptions,
        *,
        saver: FlashSaver,
        console: Console,
        lock: threading.RLock,
        report: Callable[[RunState, Fault | None], None],
    ) -> None:
        self._options = options
        self._saver = saver
        self._lock = lock
        self._report = report
        self._chip: Chip | None = None
        self._starting: threading.Timer | None = None
        self._start_held = False
        self._checking: Future[Fault | None] | None = None
        self._heal_delay_s = _FIRST_HEAL_S
        self._next_check = 0.0
        self._machine: Machine | None = None
        if options.runner is not None:
            changed = options.personality.changes_table
            self._machine = Machine(
                runner=options.runner,
                image=saver.store.run_path if changed else saver.store.flash_path,
                console=console,
                on_state=report,
                answer_s=options.tool_answer_s,
                slow=options.slow,
            )

    def serve(self, chip: Chip) -> Fault | None:
        """Run the firmware of this chip from now on; gives what is wrong with the tool."""
        self._chip = chip
        return None if self._machine is None else self._machine.check().result()

    def boot(self) -> None:
        """Start the firmware in flash, from a saved image, when there is one."""
        self._forget_start()
        self._saver.save_flash()
        if self._chip is None or not self._chip.bootable():
            self.power_off()
            self._report(RunState.BLANK, None)
            if self._chip is not None:
                self._chip.blank()
            return
        self._saver.array.wear.boots += 1
        self._saver.save_wear()
        delay_s = self._options.personality.slow_boot_s
        if self._machine is None:
            self._report(RunState.NO_RUNNER, None)
        elif delay_s:
            self.power_off()
            self._start_after(delay_s)
        else:
            self._start(self._machine)

    def freeze(self) -> None:
        """Stop time for the firmware, keeping its state."""
        if self._starting is not None:
            self._forget_start()
            self._start_held = True
            self._report(RunState.HALTED, None)
        elif self._machine is not None:
            self._machine.freeze()

    def thaw(self) -> None:
        """Let frozen firmware go on where it stopped."""
        if self._machine is None:
            return
        if self._start_held:
            self._start_held = False
            self._start(self._machine)
        else:
            self._machine.thaw()

    def power_off(self) -> None:
        """End the firmware; its state is gone."""
        self._forget_start()
        if self._machine is not None:
            self._machine.power_off()
        self._saver.save_wear()

    def close(self) -> None:
        """End the firmware for good."""
        self._forget_start()
        if self._machine is not None:
            self._machine.close()

    def heal(self) -> bool:
        """Look at a faulty tool again after 0.5 s, 1 s … 60 s; boot when it is good by then.

        Gives whether the fault is over although no firmware has to run.
        """
        now = time.monotonic()
        if self._machine is None or self._chip is None:
            return False
        if self._checking is None:
            if now >= self._next_check:
                self._checking = self._machine.check()
            return False
        if not self._checking.done():
            return False
        fault, self._checking = self._checking.result(), None
        self._heal_delay_s = min(2 * self._heal_delay_s, _HEAL_DELAY_MAX_S)
        self._next_check = now + self._heal_delay_s
        if fault is not None:
            return False
        if self._chip.wants_firmware and self._chip.bootable():
            self.boot()
            return False
        return True

    def _start_after(self, delay_s: float) -> None:
        self._report(RunState.STARTING, None)
        self._starting = timer = threading.Timer(delay_s, lambda: self._start_late(timer))
        timer.daemon = True
        timer.start()

    def _start_late(self, timer: threading.Timer) -> None:
        with self._lock:
            if self._starting is timer and self._machine is not None:
                self._starting = None
                self._start(self._machine)

    def _start(self, machine: Machine) -> None:
        """Start it from the flash, or from what this board's personality makes of it."""
        personality, table = self._options.personality, self._options.model.table
        if personality.changes_table:
            image = bytearray(self._saver.array.bytes)
            held = bytes(image[table : table + TABLE_BYTES_MAX])
            seen = table_seen(held, personality, self._options.name)
            image[table : table + len(seen)] = seen
            self._saver.store.save_run_image(bytes(image))
        led = personality.inverted_led
        machine.boot(LedInverter(led) if led else bytes)

    def _forget_start(self) -> None:
        self._start_held = False
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
