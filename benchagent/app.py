"""Puts an agent together and runs it until it is told to stop."""

import asyncio
import fcntl
import logging
import os
import platform
import signal
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from benchagent.bench import Boards
from benchagent.board import Board, BoardKind
from benchagent.care import Care
from benchagent.config import Config
from benchagent.discovery import Discovery
from benchagent.discovery.book import BoardBook
from benchagent.enrolment import Enrolment, told_by
from benchagent.execution import Execution
from benchagent.flashers.protocol import TargetIdentity
from benchagent.flashers.registry import Flashers
from benchagent.gateway.gateways import Gateways
from benchagent.identify import identify_board
from benchagent.images import ImageCache
from benchagent.inbox import Inbox
from benchagent.link import ArtifactReader, Handlers, Identity, Link
from benchagent.local_control import serve_locally
from benchagent.outbox import Outbox
from benchagent.power import PowerSwitches
from benchagent.recovery.climb import Workshop
from benchagent.runner import Runner
from benchline.errors import ConflictError
from benchline.instance import make_private

log = logging.getLogger(__name__)

SYNC_S = 1.0


def program_version() -> str:
    """Version of the installed distribution; empty in a checkout that is not installed."""
    try:
        return version("benchline")
    except PackageNotFoundError:
        return ""


@contextmanager
def claimed(config: Config) -> Iterator[None]:
    """Hold the agent's folder: two agents never share one.

    Raises:
        ConflictError: AGENT_RUNNING.
    """
    make_private(config.folder)
    lock = os.open(config.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                "AGENT_RUNNING",
                f"another agent uses {config.folder}; stop it or choose another --dir",
                folder=str(config.folder),
            ) from error
        if config.pid_file is not None:
            config.pid_file.write_text(f"{os.getpid()}\n")
        yield
    finally:
        os.close(lock)


class App:
    """One agent with all its parts."""

    def __init__(self, config: Config, flashers: Flashers) -> None:
        self._config = config
        self._flashers = flashers
        self._inbox = Inbox(config.journal)
        self._outbox = Outbox()
        self._switches = PowerSwitches(config.folder)
        self.boards = Boards(config.spool_dir, self._grew, self._changed, self._switches.marked)
        book = BoardBook(config.folder)
        self._discovery = Discovery(config.virtual_dir, config.usb, book, self._found)
        self._enrolment = Enrolment(
            book=book,
            nodes=config.usb.nodes,
            seen=lambda: self._discovery.seen,
            identify=self._identify,
            is_busy=lambda board: self._runner.is_busy(board),
            on_change=self._discovery.look_again,
        )
        images = ImageCache(config.image_dir, ArtifactReader(config.server))
        workshop = Workshop(
            boards=self.boards,
            flashers=flashers,
            images=images,
            switches=self._switches,
            on_progress=self._outbox.progress,
            on_identity=self._learned,
        )
        self._runner = Runner(
            Execution(
                inbox=self._inbox,
                boards=self.boards,
                images=images,
                flashers=flashers,
                care=Care(workshop, self._outbox.step),
                record_dir=config.record_dir,
                on_result=self._outbox.result,
                on_progress=self._outbox.progress,
                on_change=self._changed,
                on_identity=self._learned,
            )
        )
        identity = Identity(
            agent=config.name,
            version=program_version(),
            boot_id=uuid.uuid4().hex,
            host=platform.node(),
            capabilities=(
                *(f"flash.{tool}" for tool in flashers.usable),
                *(("virtual",) if config.virtual_dir else ()),
            ),
        )
        self.link = Link(
            config.server,
            identity,
            inbox=self._inbox,
            boards=self.boards,
            outbox=self._outbox,
            handlers=Handlers(
                command=self._runner.submit,
                cancel=self._runner.cancel,
                bind=lambda bindings: self._gateways.bind(bindings),
            ),
        )
        self._gateways = Gateways(
            self.boards,
            fetch=self.link.fetch_credential,
            is_paused=self._runner.is_writing,
            tell=self._outbox.gateway,
        )
        self._looked = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish what runs, within the grace."""
        recovered = await self._inbox.recover()
        self.boards.proven = await self._inbox.proven_images()
        self.boards.released = await self._inbox.released_images()
        log.info(
            "agent up",
            extra={
                "agent": self._config.name,
                "to_run": len(recovered.to_run),
                "cut_off": len(recovered.cut_off),
                "interrupted": recovered.interrupted,
            },
        )
        services: list[asyncio.Task[None]] = []
        try:
            services.append(asyncio.create_task(self._discovery.run(), name="discovery"))
            services.append(asyncio.create_task(self._sync(), name="sync"))
            control = serve_locally(self._config.folder, self._enrolment)
            services.append(asyncio.create_task(control, name="local control"))
            await self._first_of(services, self._looked)
            await self._runner.resume(recovered.cut_off, recovered.to_run)
            services.append(asyncio.create_task(self._gateways.run(), name="gateways"))
            services.append(asyncio.create_task(self.link.run(), name="link"))
            await self._first_of(services, stop)
            log.info("stopping")
            await self._runner.stop(self._config.grace_s)
        finally:
            for service in services:
                service.cancel()
            await asyncio.gather(*services, return_exceptions=True)
            self._flashers.close()
            self.boards.close()
            self._inbox.close()
            log.info("agent down")

    @staticmethod
    async def _first_of(services: Sequence[asyncio.Task[None]], event: asyncio.Event) -> None:
        """Wait for the event. A service that ends before is a fault and is raised."""
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait((*services, waiting), return_when=asyncio.FIRST_COMPLETED)
            for service in services:
                if service.done():
                    service.result()
        finally:
            waiting.cancel()

    async def _identify(self, board: Board) -> TargetIdentity:
        return await identify_board(self._flashers, self.boards, board)

    async def _learned(self, board_id: str, identity: TargetIdentity) -> None:
        """A chip was asked on the way: keep what it said, of a virtual board until we end."""
        board = self.boards.get(board_id)
        if board is not None and board.kind is BoardKind.VIRTUAL:
            part = identity.part or board.part
            self.boards.chips[board_id] = told_by(identity, part=part, now=datetime.now(UTC)).chip
        await self._enrolment.learned(board_id, identity)

    async def _found(self, boards: Sequence[Board]) -> None:
        if self.boards.update(boards, self._discovery.left):
            self.link.console_added()
        self._looked.set()
        self._changed()

    def _changed(self) -> None:
        self._outbox.boards(self.boards.inventory())

    def _grew(self) -> None:
        self.link.console_grew()
        self._gateways.console_grew()

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(SYNC_S)
            if self._switches.look():
                self._changed()
            for spool in self.boards.unsynced():
                await asyncio.to_thread(spool.sync)


async def serve(config: Config, flashers: Flashers) -> None:
    """Run an agent until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await App(config, flashers).run(stop)
