"""A line on stderr that moves, on a terminal, and lines of talk that keep clear of it."""

import asyncio
import sys
from abc import ABC, abstractmethod
from typing import Self

from tui.headless.output import talk
from tui.wording import one_line

_TICK_S = 0.25
_WIDTH = 78


class StatusLine(ABC):
    """Use as an async context manager; `status` is asked four times a second."""

    def __init__(self, *, plain: bool = False) -> None:
        self._moving = sys.stderr.isatty() and not plain
        self._shown = ""
        self._ticker: asyncio.Task[None] | None = None

    @abstractmethod
    def status(self) -> str:
        """What the line says now; "" takes it away."""

    async def __aenter__(self) -> Self:
        """Begin to move the status line, on a terminal."""
        if self._moving:
            self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take the status line away."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        self._show("")

    def say(self, line: str) -> None:
        """A line of talk that keeps clear of the status line."""
        self._show("")
        talk(line)

    def refresh(self) -> None:
        """Show the status as it is now."""
        self._show(self.status())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self.refresh()

    def _show(self, text: str) -> None:
        if not self._moving or text == self._shown:
            return
        sys.stderr.write(f"\r\x1b[K{one_line(text, _WIDTH)}" if text else "\r\x1b[K")
        sys.stderr.flush()
        self._shown = text
