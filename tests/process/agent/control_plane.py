"""The server end of the link as the contract describes it, on a unix socket, and agents to test."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import pty
import select
import signal
import sys
import tty
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc

from benchline.v1 import agent_link_pb2 as pb
from benchline.v1 import artifact_pb2, bench_pb2, event_pb2
from benchline.v1.agent_link_pb2_grpc import (
    AgentLinkServiceServicer,
    add_AgentLinkServiceServicer_to_server,
)
from benchline.v1.artifact_pb2_grpc import (
    ArtifactServiceServicer,
    add_ArtifactServiceServicer_to_server,
)

ROOT = Path(__file__).resolve().parents[3]
WAIT_S = 60.0
CHUNK_BYTES = 64 * 1024


async def until(what: str, condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - the condition is of another process
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited {timeout_s} s for {what}") from None


@dataclass(slots=True)
class StoredConsole:
    """What the server holds of one console. A doubled byte is a fault, a hole needs its gap."""

    data: bytearray = field(default_factory=bytearray)
    epoch: int = 1
    gaps: list[tuple[int, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    missing: int = 0
    largest_message: int = 0

    def take(self, offset: int, data: bytes, epoch: int, gap: str) -> None:
        self.largest_message = max(self.largest_message, len(data))
        if offset < len(self.data):
            self.faults.append(f"doubled: {offset} < {len(self.data)}")
            return
        if offset > len(self.data):
            if not gap:
                self.faults.append(f"hole: {offset} > {len(self.data)}")
            self.missing += offset - len(self.data)
            self.data += b"\0" * (offset - len(self.data))
        if epoch < self.epoch:
            self.faults.append(f"epoch went back: {epoch} < {self.epoch}")
        if gap:
            self.gaps.append((offset, gap))
        self.epoch = epoch
        self.data += data


class ControlPlane(AgentLinkServiceServicer, ArtifactServiceServicer):
    """Stores console bytes, gives out artifacts, sends commands and keeps what agents say."""

    def __init__(self, socket: Path) -> None:
        self.target = f"unix:{socket}"
        self.consoles: dict[str, StoredConsole] = {}
        self.hellos: list[pb.Hello] = []
        self.inventories: list[pb.BoardInventory] = []
        self.accepted: list[str] = []
        self.results: list[pb.CommandResult] = []
        self.progress: list[event_pb2.FlashProgress] = []
        self.steps: list[pb.RecoveryProgress] = []
        self.gateways: dict[str, bench_pb2.BoardCloud] = {}
        self.credentials: dict[str, pb.FetchDeviceCredentialResponse] = {}
        self.artifacts: dict[str, bytes] = {}
        self.read_offsets: list[int] = []
        self.break_reads_after: int | None = None
        self.acknowledges = True
        self.echoes = True
        self.heartbeat_seconds = 2
        self.credit_bytes = 1024 * 1024
        self.heartbeats = 0
        self.link_epoch = 0
        self.messages = 0
        self._streams: list[asyncio.Queue[pb.ConnectResponse]] = []
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server()
        add_AgentLinkServiceServicer_to_server(self, self._server)
        add_ArtifactServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.target)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def console(self, board: str) -> StoredConsole:
        return self.consoles.setdefault(board, StoredConsole())

    def artifact(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.artifacts[digest] = data
        return digest

    def say(self, message: pb.ConnectResponse) -> None:
        self._streams[-1].put_nowait(message)

    def command(self, **fields: Any) -> str:
        wanted = command(**fields)
        self.say(pb.ConnectResponse(command=wanted))
        return wanted.command_id

    def supersede(self) -> None:
        """End the newest stream as if another agent of its name had come."""
        self.say(pb.ConnectResponse())

    def cancel(self, command_id: str) -> None:
        self.say(pb.ConnectResponse(cancel_command=pb.CancelCommand(command_id=command_id)))

    def flash(
        self,
        board: str,
        pieces: dict[int, bytes],
        *,
        image: str = "test",
        part: str = "stm32f405rg",
        reset: bool = True,
        **fields: Any,
    ) -> str:
        flash = self.flash_command(pieces, image, part=part, reset=reset)
        return self.command(board=board, flash=flash, **fields)

    def flash_command(
        self,
        pieces: dict[int, bytes],
        image: str = "test",
        *,
        part: str = "stm32f405rg",
        reset: bool = True,
    ) -> pb.FlashCommand:
        segments = [
            pb.FlashSegment(address=at, sha256=self.artifact(data), size_bytes=len(data))
            for at, data in pieces.items()
        ]
        return pb.FlashCommand(segments=segments, part=part, reset_after=reset, image=image)

    def answers(self, command_id: str) -> list[pb.CommandResult]:
        return [result for result in self.results if result.command_id == command_id]

    async def answer(self, command_id: str, timeout_s: float = WAIT_S) -> pb.CommandResult:
        await until(
            f"the answer to {command_id}", lambda: bool(self.answers(command_id)), timeout_s
        )
        return self.answers(command_id)[-1]

    def board(self, name: str) -> bench_pb2.Board | None:
        if not self.inventories:
            return None
        for board in self.inventories[-1].boards:
            if board.name.endswith(f"/{name}"):
                return board
        return None

    def told(self, name: str) -> bench_pb2.Board:
        """The board as it was told last; an empty one when it was not."""
        return self.board(name) or bench_pb2.Board()

    def phases(self) -> list[str]:
        return [seen.phase for seen in self.progress]

    async def board_ready(self, name: str) -> bench_pb2.Board:
        def ready() -> bool:
            board = self.board(name)
            return board is not None and board.health == "ok"

        await until(f"board {name}", ready)
        board = self.board(name)
        assert board is not None
        return board

    async def more_bytes(self, board: str, count: int) -> None:
        """Waits until `count` more bytes are stored."""
        at = len(self.console(board).data) + count
        await until("more bytes", lambda: len(self.console(board).data) >= at)

    async def linked(self, link_epoch: int) -> None:
        """Waits for the link with this number, from 1."""
        await until("a new link", lambda: self.link_epoch >= link_epoch)

    async def said(self, board: str, text: bytes, timeout_s: float = WAIT_S) -> int:
        """Offset of `text` in a console, once it is stored."""
        stored = self.console(board)
        await until(f"{text!r}", lambda: text in stored.data, timeout_s)
        return stored.data.index(text)

    async def Connect(self, request_iterator, context):
        first = await anext(request_iterator)
        assert first.WhichOneof("message") == "hello"
        self.hellos.append(first.hello)
        self.inventories.append(first.hello.boards)
        self.link_epoch += 1
        mine = self.link_epoch
        outgoing: asyncio.Queue[pb.ConnectResponse] = asyncio.Queue()
        self._streams.append(outgoing)
        acked = [
            pb.ConsoleHead(
                board=head.board,
                offset=len(self.console(head.board).data),
                epoch=self.console(head.board).epoch,
            )
            for head in first.hello.console_heads
        ]
        yield pb.ConnectResponse(
            welcome=pb.Welcome(
                link_epoch=mine,
                heartbeat_seconds=self.heartbeat_seconds,
                console_acked=acked,
                console_credit_bytes=self.credit_bytes,
            )
        )
        listener = asyncio.create_task(self._listen(request_iterator, outgoing))
        try:
            while True:
                message = await outgoing.get()
                if message.WhichOneof("message") is None:
                    await context.abort(grpc.StatusCode.ABORTED, "SUPERSEDED")
                yield message
        finally:
            listener.cancel()

    async def _listen(
        self,
        requests: AsyncIterator[pb.ConnectRequest],
        outgoing: asyncio.Queue[pb.ConnectResponse],
    ) -> None:
        async for request in requests:
            match request.WhichOneof("message"):
                case "heartbeat":
                    self.heartbeats += 1
                    if self.echoes:
                        outgoing.put_nowait(pb.ConnectResponse(heartbeat=request.heartbeat))
                case "boards":
                    self.inventories.append(request.boards)
                case "command_accepted":
                    self.accepted.append(request.command_accepted.command_id)
                case "flash_progress":
                    self.progress.append(request.flash_progress)
                case "recovery_progress":
                    self.steps.append(request.recovery_progress)
                case "gateways":
                    for told in request.gateways.gateways:
                        self.gateways[told.board] = told.cloud
                case "command_result":
                    self.results.append(request.command_result)
                    if self.acknowledges:
                        done = pb.ResultAcknowledged(command_id=request.command_result.command_id)
                        outgoing.put_nowait(pb.ConnectResponse(result_acknowledged=done))

    async def UploadConsole(self, request_iterator, context):
        first = True
        async for request in request_iterator:
            if first and request.link_epoch != self.link_epoch:
                await context.abort(grpc.StatusCode.ABORTED, "SUPERSEDED")
            first = False
            self.messages += 1
            moved: dict[str, int] = {}
            for chunk in request.chunks:
                stored = self.console(chunk.board)
                stored.take(
                    chunk.chunk.offset,
                    chunk.chunk.data,
                    chunk.chunk.epoch,
                    chunk.chunk.gap_before,
                )
                moved[chunk.board] = len(stored.data)
            yield pb.UploadConsoleResponse(
                acked=[pb.ConsoleHead(board=board, offset=at) for board, at in moved.items()]
            )

    async def FetchDeviceCredential(self, request, context):
        if request.link_epoch != self.link_epoch or request.credential_ref not in self.credentials:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not yours")
        return self.credentials[request.credential_ref]

    async def GetArtifact(self, request, context):
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")

    async def WriteArtifact(self, request_iterator, context):
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not here")

    async def ReadArtifact(self, request, context):
        self.read_offsets.append(request.offset)
        if request.sha256 not in self.artifacts:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such artifact")
        data = self.artifacts[request.sha256]
        sent = 0
        for at in range(request.offset, len(data), CHUNK_BYTES):
            if self.break_reads_after is not None and sent >= self.break_reads_after:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
            piece = data[at : at + CHUNK_BYTES]
            sent += len(piece)
            yield artifact_pb2.ReadArtifactResponse(offset=at, data=piece)


def command(
    *,
    board: str,
    command_id: str = "",
    token: int = 1,
    deadline_in_s: float = 60.0,
    **action: Any,
) -> pb.Command:
    found = pb.Command(
        command_id=command_id or uuid.uuid4().hex,
        board=board,
        lease="leases/one",
        fencing_token=token,
        **action,
    )
    found.deadline.FromDatetime(datetime.now(UTC) + timedelta(seconds=deadline_in_s))
    return found


@contextlib.asynccontextmanager
async def control_plane(folder: Path) -> AsyncIterator[ControlPlane]:
    server = ControlPlane(folder / "cp.sock")
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@dataclass(slots=True)
class RunningAgent:
    process: asyncio.subprocess.Process

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), WAIT_S)

    def cpu_ticks(self) -> int:
        """Processor time so far, in ticks of 10 ms."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def rss_kib(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")


def agent_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'proto'}"}


@contextlib.asynccontextmanager
async def agent(
    server: ControlPlane, folder: Path, *options: str, pass_fds: Sequence[int] = ()
) -> AsyncIterator[RunningAgent]:
    """An agent process over `folder`, ended with SIGTERM unless it ended before.

    It sees the USB tree of `folder`, never the boards of this PC.
    """
    with (folder / "agent.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchagent", "run", "--server", server.target, "--name", "bench"),
            *("--dir", str(folder / "agent"), "--virtual-dir", str(folder / "virtual")),
            *("--sysfs-root", str(folder / "sys"), "--dev-root", str(folder / "dev")),
            *options,
            env=agent_environment(),
            stderr=log,
            pass_fds=pass_fds,
        )
    running = RunningAgent(process)
    try:
        yield running
    finally:
        try:
            if process.returncode is None:
                assert await running.stop() == 0
        finally:
            if process.returncode is None:
                await running.kill()


class PtyBoard:
    """A registry entry over a terminal of the test's own: a board that says what the test says."""

    def __init__(self, virtual_dir: Path, name: str) -> None:
        self.name = name
        self.folder = virtual_dir / name
        self.folder.mkdir(parents=True)
        self._open_terminal()
        self.publish()

    def publish(self, **fields: object) -> None:
        link = self.folder / "console"
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._slave))
        entry = {
            "name": self.name,
            "kind": "VIRTUAL",
            "board_model": "olimex-stm32-h405",
            "part": "stm32f405rg",
            "probe": "remote:127.0.0.1:1",
            "probe_uid": "0" * 24,
            "tty": str(link),
            "pid": os.getpid(),
            "boot_time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "run_state": "RUNNING",
            "fault": None,
            **fields,
        }
        fresh = self.folder / "board.json.new"
        fresh.write_text(json.dumps(entry))
        fresh.replace(self.folder / "board.json")

    async def say(self, data: bytes) -> None:
        """Write all of `data`, waiting for the reader where the terminal is full."""
        await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        while data:
            _, writable, _ = select.select([], [self.master], [], WAIT_S)
            assert writable, f"nobody reads the console of {self.name}"
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self.master, data) :]

    def typed(self) -> bytes:
        """What was written to the board since the last look."""
        try:
            return os.read(self.master, 65536)
        except BlockingIOError:
            return b""

    def _open_terminal(self) -> None:
        self.master, self._slave = pty.openpty()
        os.set_blocking(self.master, False)
        tty.setraw(self._slave)

    def restart(self) -> None:
        """Power off and on: the terminal is another one."""
        os.close(self._slave)
        os.close(self.master)
        self._open_terminal()
        self.publish()

    def close(self) -> None:
        os.close(self._slave)
        os.close(self.master)


@contextlib.contextmanager
def pty_board(folder: Path, name: str = "pty-01") -> Iterator[PtyBoard]:
    board = PtyBoard(folder / "virtual", name)
    try:
        yield board
    finally:
        board.close()
