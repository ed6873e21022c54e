"""The gateways of an agent, kept in step with what the control plane says is bound."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from benchagent.bench import Boards
from benchagent.gateway.binding import Binding, GatewayNews
from benchagent.gateway.board_gateway import BoardGateway, FetchCredential

log = logging.getLogger(__name__)

NEWS_GAP_S = 1.0
"""Counts are told at most this often; another state is told at once."""
CANCEL_AGAIN_S = 0.5


class Gateways:
    """One gateway for each bound board; ends all of them when `run` is cancelled."""

    def __init__(
        self,
        boards: Boards,
        *,
        fetch: FetchCredential,
        is_paused: Callable[[str], bool],
        tell: Callable[[GatewayNews], None],
    ) -> None:
        self._boards = boards
        self._fetch = fetch
        self._is_paused = is_paused
        self._tell = tell
        self._wanted: tuple[Binding, ...] = ()
        self._asked = asyncio.Event()
        self._running: dict[str, tuple[BoardGateway, asyncio.Task[None]]] = {}
        self._told: dict[str, GatewayNews] = {}
        self._later: dict[str, asyncio.TimerHandle] = {}

    def bind(self, bindings: Sequence[Binding]) -> None:
        """From now on exactly these boards have gateways. All tell how they are."""
        self._wanted = tuple(bindings)
        self._told.clear()
        self._asked.set()

    def console_grew(self) -> None:
        """Some console has new bytes."""
        for gateway, _ in self._running.values():
            gateway.console_grew()

    async def run(self) -> None:
        """Begin and end gateways as they are bound; end it by cancelling."""
        try:
            while True:
                self._asked.clear()
                await self._reconcile()
                await self._asked.wait()
        finally:
            await self._end(list(self._running))

    async def _reconcile(self) -> None:
        wanted = {binding.board: binding for binding in self._wanted}
        await self._end(
            [
                board
                for board, (gateway, task) in self._running.items()
                if wanted.get(board) != gateway.binding or task.done()
            ]
        )
        for board, binding in wanted.items():
            if board not in self._running:
                self._begin(binding)
        for board in self._running:
            self._news(board)

    def _begin(self, binding: Binding) -> None:
        board = binding.board
        console = self._boards.console(board)
        if console is None:
            log.warning("bound board was never here", extra={"board": board})
            return
        gateway = BoardGateway(
            binding,
            console,
            fetch=self._fetch,
            is_paused=lambda: self._is_paused(board),
            on_news=lambda: self._news(board),
        )
        task = asyncio.create_task(gateway.run(), name=f"gateway {board}")
        task.add_done_callback(_log_fault)
        self._running[board] = (gateway, task)

    async def _end(self, boards: Sequence[str]) -> None:
        ended = [self._running.pop(board)[1] for board in boards]
        for board in boards:
            self._told.pop(board, None)
            if (timer := self._later.pop(board, None)) is not None:
                timer.cancel()
        await ended_for_good(ended)

    def _news(self, board: str) -> None:
        """Tell another state at once, and counts a little later, together."""
        if board not in self._running:
            return
        news, told = self._running[board][0].news, self._told.get(board)
        if told is not None and (told.state, told.message) == (news.state, news.message):
            if news != told and board not in self._later:
                loop = asyncio.get_running_loop()
                self._later[board] = loop.call_later(NEWS_GAP_S, self._say, board)
            return
        self._say(board)

    def _say(self, board: str) -> None:
        if (timer := self._later.pop(board, None)) is not None:
            timer.cancel()
        if board in self._running:
            news = self._told[board] = self._running[board][0].news
            self._tell(news)


async def ended_for_good(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel until all are done: `asyncio.wait_for` of Python 3.11 can swallow a cancellation
    that comes at the moment at which what it waits for is done, and the MQTT client uses it.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)


def _log_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("fault in a gateway", extra={"task": task.get_name()}, exc_info=error)
