"""What waits to be said on the control stream. Bounded: newer news replace older ones."""

import asyncio
from collections import deque
from collections.abc import Sequence

from benchagent.board import Board
from benchagent.command import Progress, RecoveryProgress, Result
from benchagent.gateway.binding import GatewayNews

Said = Sequence[Board] | Progress | RecoveryProgress | Result | GatewayNews | str
"""An inventory, a progress, an answer, how a gateway is, or the id of a command that was
accepted."""
_MOST_STEPS = 256


class Outbox:
    """Collects news in the order in which the control plane has to hear them.

    Accepted commands come first, then progress and steps, then answers, then gateways, then the
    inventory.
    Progress of one phase is replaced by newer progress of it; answers are bounded by the journal's
    open commands.
    """

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._accepted: deque[str] = deque()
        self._progress: deque[Progress] = deque()
        self._steps: deque[RecoveryProgress] = deque(maxlen=_MOST_STEPS)
        self._results: dict[str, Result] = {}
        self._gateways: dict[str, GatewayNews] = {}
        self._boards: Sequence[Board] | None = None

    def accepted(self, command_id: str) -> None:
        """A command is in the journal."""
        if command_id not in self._accepted:
            self._accepted.append(command_id)
        self._news.set()

    def progress(self, progress: Progress) -> None:
        """A flash moved."""
        if self._progress:
            last = self._progress[-1]
            if (last.command_id, last.phase) == (progress.command_id, progress.phase):
                self._progress.pop()
        self._progress.append(progress)
        self._news.set()

    def step(self, progress: RecoveryProgress) -> None:
        """A step of a recovery began or ended; the answer tells all of them once more."""
        self._steps.append(progress)
        self._news.set()

    def result(self, result: Result) -> None:
        """A command ended."""
        self._results[result.command_id] = result
        self._news.set()

    def gateway(self, news: GatewayNews) -> None:
        """A gateway is other than before; only the newest of each board is said."""
        self._gateways[news.board] = news
        self._news.set()

    def boards(self, boards: Sequence[Board]) -> None:
        """The inventory changed."""
        self._boards = boards
        self._news.set()

    def clear(self) -> None:
        """Forget everything: a new stream begins with a Hello that says it all."""
        self._accepted.clear()
        self._progress.clear()
        self._steps.clear()
        self._results.clear()
        self._gateways.clear()
        self._boards = None

    async def next(self) -> Said:
        """The next thing to say; waits for one."""
        while True:
            if self._accepted:
                return self._accepted.popleft()
            if self._progress:
                return self._progress.popleft()
            if self._steps:
                return self._steps.popleft()
            if self._results:
                return self._results.pop(next(iter(self._results)))
            if self._gateways:
                return self._gateways.pop(next(iter(self._gateways)))
            if self._boards is not None:
                boards, self._boards = self._boards, None
                return boards
            self._news.clear()
            await self._news.wait()
