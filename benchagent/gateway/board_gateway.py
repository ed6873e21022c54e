"""The gateway of one board: its console on one side, its cloud's broker on the other."""

import asyncio
import logging
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from benchagent.command import CommandError
from benchagent.console import Console
from benchagent.gateway.binding import (
    Binding,
    Credential,
    GatewayNews,
    GatewayState,
    RefusedError,
)
from benchagent.gateway.broker import BrokerLink, BrokerLostError, connected
from benchagent.gateway.records import CloudRecords
from benchagent.spool import Chunk
from benchline.client_tls import client_context
from benchline.cloud_records import CloudVerb, is_topic, message_line

log = logging.getLogger(__name__)

OUTGOING = 256
"""Messages of a board that may wait for the broker; then the oldest is dropped and counted."""
MAX_TOPICS = 32
_LOOK_BACK_BYTES = 256 * 1024
_READ_BYTES = 64 * 1024
_BACKOFF_FIRST_S, _BACKOFF_LAST_S = 0.5, 15.0

FetchCredential = Callable[[Binding], Awaitable[Credential]]
"""Raises RefusedError, or ConnectionError while the control plane is away."""


class BoardGateway:
    """See the module. `is_paused` says that the board is being written right now; `on_news` is
    called whenever `news` is other than before."""

    def __init__(
        self,
        binding: Binding,
        console: Console,
        *,
        fetch: FetchCredential,
        is_paused: Callable[[], bool],
        on_news: Callable[[], None],
    ) -> None:
        self.binding = binding
        self.news = GatewayNews(board=binding.board, stack=binding.stack, device=binding.device)
        self._console = console
        self._fetch = fetch
        self._is_paused = is_paused
        self._on_news = on_news
        self._context: ssl.SSLContext | None = None
        self._grew = asyncio.Event()
        self._outgoing: deque[tuple[str, bytes]] = deque()
        self._to_publish = asyncio.Event()
        self._topics: dict[str, None] = {}
        self._announced = asyncio.Event()

    def console_grew(self) -> None:
        """The console has new bytes."""
        self._grew.set()

    async def run(self) -> None:
        """Carry messages until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_console())
            tasks.create_task(self._keep_connected())

    async def _follow_console(self) -> None:
        """What the board says from now on is published; what it announced since its last boot is
        subscribed to, also when that was before this gateway began."""
        begin = self._console.spool.head
        reader = self._console.spool.reader(max(0, begin.offset - _LOOK_BACK_BYTES))
        records, epoch = CloudRecords(), begin.epoch
        try:
            while True:
                self._grew.clear()
                chunks = reader.read(_READ_BYTES)
                for chunk in chunks:
                    if chunk.epoch < max(begin.epoch, self.binding.from_epoch):
                        continue
                    if chunk.gap or chunk.epoch != epoch:
                        records.reset()
                    if chunk.epoch != epoch:
                        epoch = chunk.epoch
                        self._topics.clear()
                    self._take(chunk, records, begin.offset)
                if not chunks:
                    await self._grew.wait()
                else:
                    await asyncio.sleep(0)
        finally:
            reader.close()

    def _take(self, chunk: Chunk, records: CloudRecords, begin: int) -> None:
        """Take what was printed; of bytes before `begin` only what was announced."""
        old = max(0, min(len(chunk.data), begin - chunk.offset))
        for record in records.feed(chunk.data[:old]):
            if record.verb is CloudVerb.SUB:
                self._announce(record.topic)
        refused = records.refused
        for record in records.feed(chunk.data[old:]):
            if record.verb is CloudVerb.SUB:
                self._announce(record.topic)
            else:
                self._queue(record.topic, record.payload)
        self._count(refused=records.refused - refused)

    def _announce(self, topic: str) -> None:
        if topic in self._topics:
            return
        if len(self._topics) >= MAX_TOPICS or not _is_safe(topic):
            self._count(refused=1)
            return
        self._topics[topic] = None
        self._announced.set()

    def _queue(self, topic: str, payload: bytes) -> None:
        if not _is_safe(topic):
            self._count(refused=1)
            return
        if len(self._outgoing) >= OUTGOING:
            self._outgoing.popleft()
            self._count(dropped=1)
        self._outgoing.append((topic, payload))
        self._to_publish.set()

    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            try:
                await self._connect_once()
            except* RefusedError as group:
                attempt += 1
                self._context = None  # a renewed one may be let in
                self._tell(GatewayState.REFUSED, _first(group))
            except* (BrokerLostError, OSError) as group:
                attempt = 0 if self.news.state is GatewayState.CONNECTED else attempt + 1
                self._tell(GatewayState.CONNECTING, _first(group))
            most = min(_BACKOFF_LAST_S, _BACKOFF_FIRST_S * 2.0 ** min(attempt, 6))
            await asyncio.sleep(random.uniform(_BACKOFF_FIRST_S, most))  # noqa: S311 - no secret

    async def _connect_once(self) -> None:
        """One connection from its begin to its end, which is raised."""
        context = await self._credential()
        async with connected(self.binding, context, lambda: self._count(dropped=1)) as link:
            self._tell(GatewayState.CONNECTED, "")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._publish(link))
                tasks.create_task(self._subscribe(link))
                tasks.create_task(self._deliver(link))

    async def _credential(self) -> ssl.SSLContext:
        """A context with the newest credential; while the control plane is away, the last one."""
        try:
            found = await self._fetch(self.binding)
            self._context = await asyncio.to_thread(
                client_context, found.certificate_pem, found.key_pem, found.ca_pem
            )
        except ConnectionError:
            if self._context is None:
                raise
        except ssl.SSLError as error:
            message = f"the credential of {self.binding.device} is not usable: {error.reason}"
            raise RefusedError(message) from error
        return self._context

    async def _publish(self, link: BrokerLink) -> None:
        while True:
            self._to_publish.clear()
            while self._outgoing:
                message = self._outgoing[0]
                await link.publish(f"{self.binding.topic_prefix}/{message[0]}", message[1])
                # A full queue may have dropped it meanwhile; then another is first.
                if self._outgoing and self._outgoing[0] is message:
                    self._outgoing.popleft()
                self._count(published=1)
            await self._to_publish.wait()

    async def _subscribe(self, link: BrokerLink) -> None:
        subscribed: set[str] = set()
        while True:
            self._announced.clear()
            for topic in [topic for topic in self._topics if topic not in subscribed]:
                await link.subscribe(f"{self.binding.topic_prefix}/{topic}")
                subscribed.add(topic)
            await self._announced.wait()

    async def _deliver(self, link: BrokerLink) -> None:
        prefix = f"{self.binding.topic_prefix}/"
        async for full_topic, payload in link.messages():
            topic = full_topic.removeprefix(prefix)
            if not full_topic.startswith(prefix) or not is_topic(topic):
                self._count(refused=1)
                continue
            if topic not in self._topics:
                continue  # the firmware of this boot has not asked for it
            try:
                line = message_line(topic, payload)
            except ValueError:
                self._count(refused=1)
                continue
            if self._is_paused():
                self._count(dropped=1)
                continue
            try:
                await self._console.send(line)
            except CommandError as error:
                log.info("message not written", extra={"board": self.binding.board, "why": error})
                self._count(dropped=1)
            else:
                self._count(received=1)

    def _count(self, **more: int) -> None:
        grown = {name: getattr(self.news, name) + count for name, count in more.items() if count}
        if grown:
            self.news = replace(self.news, **grown)
            self._on_news()

    def _tell(self, state: GatewayState, message: str) -> None:
        if (state, message) == (self.news.state, self.news.message):
            return
        self.news = replace(self.news, state=state, message=message)
        log.info(
            "gateway",
            extra={"board": self.binding.board, "state": str(state), "why": message},
        )
        self._on_news()


def _is_safe(topic: str) -> bool:
    """Whether a topic stays below the prefix for every broker: no empty or dotted level."""
    return not any(level in ("", ".", "..") for level in topic.split("/"))


def _first(group: BaseExceptionGroup[BaseException]) -> str:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return str(found)[:500] or type(found).__name__
