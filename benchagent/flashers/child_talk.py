"""How a flasher's child process talks to its parent, and how it bounds itself."""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from benchagent.flashers.protocol import Phase, Reason

EXIT_HUNG = 70
HOLD_S = 15.0
"""How long a halted board waits for the parent."""


class OperationError(Exception):
    """The operation ends here; carries its reason."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Release(StrEnum):
    """How a hold ended."""

    RELEASED = "RELEASED"
    ABANDONED = "ABANDONED"
    """The parent is gone."""
    EXPIRED = "EXPIRED"


class Talk:
    """Writes JSON lines to the parent and knows when the last progress was.

    Nothing else can write to the parent: file descriptor 1 is pointed at stderr. A parent that
    is gone is no error.
    """

    def __init__(self, *, watchdog_s: float) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._guard = threading.Lock()
        self._last = time.monotonic()
        self._limit_s = watchdog_s
        self.cancelled = False
        self._may_interrupt = False
        self._saying = False
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def say(self, event: str, **fields: Any) -> None:
        """Send one event; counts as progress."""
        line = json.dumps({"event": event, **fields}).encode() + b"\n"
        self._saying = True
        with self._guard:
            self._last = time.monotonic()
            with contextlib.suppress(ConnectionError):
                while line:
                    line = line[os.write(self._out, line) :]
        self._saying = False

    def progress(self, phase: Phase, done: int, total: int) -> None:
        """Send how far a phase is; ends the operation here when it was cancelled."""
        fraction = done / total if total else 1.0
        self.say("progress", phase=phase, fraction=fraction, done=done, total=total)
        self.check_cancelled()

    def cancel(self) -> None:
        """Cancel the operation; to be called from a signal handler.

        Where the operation may be interrupted it ends right here, else at its next check.
        """
        self.cancelled = True
        if self._may_interrupt and not self._saying:
            self._may_interrupt = False
            raise OperationError(Reason.CANCELLED, "cancelled")

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """What is done in here may end at any line when the operation is cancelled."""
        self._may_interrupt = True
        try:
            yield
        finally:
            self._may_interrupt = False

    def is_alone(self) -> bool:
        """Whether the parent is gone. Only for operations in which it has nothing to say."""
        with contextlib.suppress(ConnectionError):
            return bool(select.select([0], [], [], 0)[0]) and not os.read(0, 1)
        return True

    def check_cancelled(self) -> None:
        """End the operation when it was cancelled. Raises OperationError CANCELLED."""
        if self.cancelled:
            raise OperationError(Reason.CANCELLED, "cancelled")

    def hold(self) -> Release:
        """Tell the parent that the board is halted and wait until it says to go on."""
        self.say("holding")
        ready = select.select([0], [], [], HOLD_S)[0]
        if not ready:
            return Release.EXPIRED
        with contextlib.suppress(ConnectionError):
            if os.read(0, 16):
                return Release.RELEASED
        return Release.ABANDONED

    def _watch(self) -> None:
        while time.monotonic() - self._last < self._limit_s:
            time.sleep(0.5)
        os._exit(EXIT_HUNG)
