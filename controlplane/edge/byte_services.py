"""Console bytes and artifacts on the wire."""

import asyncio
import hashlib
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any, Protocol

import grpc

from benchline.errors import ExhaustedError, InvalidRequestError, NotFoundError
from benchline.names import board_console
from benchline.v1 import artifact_pb2, artifact_pb2_grpc, console_pb2, console_pb2_grpc
from controlplane.access.principal import current_principal
from controlplane.domain.bench import Board
from controlplane.edge.requests import check_request_id, position
from controlplane.edge.translate import to_wire
from controlplane.storage.artifacts import MAX_ARTIFACT_BYTES, ArtifactStore, check_digest
from controlplane.storage.boards import BoardStore
from controlplane.storage.console_log import Chunk, ConsoleLog

HEARTBEAT_S = 5.0
READ_CHUNK_BYTES = 256 * 1024
WRITE_CHUNK_BYTES = 1024 * 1024
_CONSOLE = re.compile(r"consoles/[a-z0-9][a-zA-Z0-9_/-]{0,250}")
_KIND = re.compile(r"[a-z][a-z0-9._-]{0,63}")
_FILENAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,200}")

MAX_SEND_BYTES = 4096

Context = grpc.aio.ServicerContext[Any, Any]


class Typist(Protocol):
    """What sends bytes to boards."""

    async def send(
        self, board: Board, data: bytes, *, holder: str, lease: str, request_id: str
    ) -> None:
        """Send under the lease, or under one for the moment; the same request once.

        Raises:
            NotReadyError: BOARD_BUSY or SEND_FAILED.
            ConflictError: STALE_LEASE.
        """
        ...


class ConsoleService(console_pb2_grpc.ConsoleServiceServicer):
    """Stored console bytes, and live ones as they are stored."""

    def __init__(
        self,
        log: ConsoleLog,
        boards: BoardStore,
        typist: Typist,
        *,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._log = log
        self._boards = boards
        self._typist = typist
        self._heartbeat_s = heartbeat_s

    async def ReadConsole(
        self, request: console_pb2.ReadConsoleRequest, context: Context
    ) -> AsyncIterator[console_pb2.ReadConsoleResponse]:
        """Bytes from an offset."""
        console = await self._console(request.console)
        head = await self._log.head(console)
        if head.epoch == 0 and head.offset == 0 and not request.follow:
            raise NotFoundError("CONSOLE_NOT_FOUND", f"{console} never said anything")
        cursor = position(request.offset)
        if request.follow and request.tail_bytes and not cursor:
            cursor = max(head.oldest, head.offset - position(request.tail_bytes))
        last = position(request.end) or (None if request.follow else head.offset)
        first = True
        while last is None or cursor < last:
            limit = 1 << 62 if last is None else last
            chunks = await self._log.read(console, cursor, limit, READ_CHUNK_BYTES)
            if chunks:
                cursor = chunks[-1].end
                yield _message(chunks, max(head.offset, cursor))
                first = False
                continue
            head = await self._log.head(console)
            if head.offset > cursor:
                continue
            if not request.follow:
                break
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    await self._log.wait(console, cursor)
            except TimeoutError:
                yield _message([], head.offset)
                first = False
        if first:
            yield _message([], head.offset)

    async def SendConsole(
        self, request: console_pb2.SendConsoleRequest, context: Context
    ) -> console_pb2.SendConsoleResponse:
        """Send bytes to a board."""
        request_id = check_request_id(request.request_id)
        if not 0 < len(request.data) <= MAX_SEND_BYTES:
            raise InvalidRequestError(
                "SEND_SIZE", f"between 1 and {MAX_SEND_BYTES} bytes can be sent at once"
            )
        board = await self._boards.get(request.board)
        await self._typist.send(
            board,
            request.data,
            holder=current_principal().name,
            lease=request.lease,
            request_id=request_id or str(uuid.uuid4()),
        )
        return console_pb2.SendConsoleResponse()

    async def _console(self, name: str) -> str:
        if name.startswith("agents/"):
            return board_console((await self._boards.get(name)).name)
        if not name.startswith("consoles/"):
            return board_console((await self._boards.get(name)).name)
        if not _CONSOLE.fullmatch(name):
            raise InvalidRequestError("INVALID_NAME", f"{name[:100]!r} is not a console")
        return name


class ArtifactService(artifact_pb2_grpc.ArtifactServiceServicer):
    """Immutable bytes, checked at every read."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def GetArtifact(
        self, request: artifact_pb2.GetArtifactRequest, context: Context
    ) -> artifact_pb2.GetArtifactResponse:
        """Describe an artifact."""
        artifact = await self._artifacts.get(request.sha256)
        return artifact_pb2.GetArtifactResponse(artifact=to_wire(artifact, artifact_pb2.Artifact))

    async def ReadArtifact(
        self, request: artifact_pb2.ReadArtifactRequest, context: Context
    ) -> AsyncIterator[artifact_pb2.ReadArtifactResponse]:
        """A range of an artifact, verified as a whole before the first byte leaves."""
        data = await self._artifacts.read(request.sha256)
        if request.offset > len(data):
            raise InvalidRequestError(
                "INVALID_RANGE",
                f"the artifact has {len(data)} bytes and no byte {request.offset}",
                size=str(len(data)),
            )
        end = min(len(data), request.offset + request.length) if request.length else len(data)
        # At least one message, so that a reader of nothing learns that nothing is right.
        for offset in range(request.offset, max(end, request.offset + 1), READ_CHUNK_BYTES):
            piece = data[offset : min(end, offset + READ_CHUNK_BYTES)]
            yield artifact_pb2.ReadArtifactResponse(offset=offset, data=piece)

    async def WriteArtifact(
        self, request_iterator: AsyncIterator[artifact_pb2.WriteArtifactRequest], context: Context
    ) -> artifact_pb2.WriteArtifactResponse:
        """Store an upload."""
        received = bytearray()
        first: artifact_pb2.WriteArtifactRequest | None = None
        async for message in request_iterator:
            if first is None:
                first = message
                _check_header(first)
            if len(message.data) > WRITE_CHUNK_BYTES:
                raise InvalidRequestError(
                    "CHUNK_TOO_LARGE", f"a message carries at most {WRITE_CHUNK_BYTES} bytes"
                )
            received += message.data
            if len(received) > MAX_ARTIFACT_BYTES:
                raise ExhaustedError(
                    "ARTIFACT_TOO_LARGE", f"an artifact has at most {MAX_ARTIFACT_BYTES} bytes"
                )
        if first is None:
            raise InvalidRequestError("INVALID_MESSAGE", "the upload had no message")
        digest = hashlib.sha256(received).hexdigest()
        if digest != first.sha256:
            raise InvalidRequestError(
                "DIGEST_MISMATCH",
                f"the bytes that came have the digest {digest}; send them again",
                expected=first.sha256,
                got=digest,
            )
        artifact = await self._artifacts.put(
            bytes(received), kind=first.kind, filename=first.filename
        )
        return artifact_pb2.WriteArtifactResponse(artifact=to_wire(artifact, artifact_pb2.Artifact))


def _check_header(first: artifact_pb2.WriteArtifactRequest) -> None:
    check_digest(first.sha256)
    if not _KIND.fullmatch(first.kind):
        raise InvalidRequestError("INVALID_MESSAGE", "kind is a word such as firmware.elf")
    if not _FILENAME.fullmatch(first.filename):
        raise InvalidRequestError("INVALID_MESSAGE", "filename is a file name without a folder")


def _message(chunks: list[Chunk], head: int) -> console_pb2.ReadConsoleResponse:
    return console_pb2.ReadConsoleResponse(
        chunks=[to_wire(chunk, console_pb2.ConsoleChunk) for chunk in chunks], head_offset=head
    )
