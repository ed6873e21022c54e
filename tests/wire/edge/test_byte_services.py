"""Console bytes and artifacts over a real unix socket."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from benchline.errors import error_from
from benchline.v1 import artifact_pb2, artifact_pb2_grpc, console_pb2, console_pb2_grpc
from controlplane.storage.console_log import chunk_of
from tests.wire.edge.conftest import Edge

CONSOLE = "consoles/sessions/abc/attempts/1/simulations/main"


def artifacts(edge: Edge) -> Any:
    return artifact_pb2_grpc.ArtifactServiceStub(edge.channel)


def consoles(edge: Edge) -> Any:
    return console_pb2_grpc.ConsoleServiceStub(edge.channel)


async def upload(edge: Edge, data: bytes, sha256: str | None = None, step: int = 1 << 20) -> Any:
    async def messages() -> AsyncIterator[artifact_pb2.WriteArtifactRequest]:
        yield artifact_pb2.WriteArtifactRequest(
            sha256=sha256 or hashlib.sha256(data).hexdigest(), kind="firmware.elf", filename="a.elf"
        )
        for offset in range(0, len(data), step):
            yield artifact_pb2.WriteArtifactRequest(data=data[offset : offset + step])

    return (await artifacts(edge).WriteArtifact(messages())).artifact


async def download(edge: Edge, **fields: Any) -> tuple[bytes, int]:
    data, largest = b"", 0
    async for message in artifacts(edge).ReadArtifact(artifact_pb2.ReadArtifactRequest(**fields)):
        assert message.offset == fields.get("offset", 0) + len(data)
        data += message.data
        largest = max(largest, len(message.data))
    return data, largest


async def reason(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from(caught.value).reason


async def test_an_upload_comes_back_whole_and_in_ranges(edge: Edge) -> None:
    data = bytes(range(256)) * 4096
    artifact = await upload(edge, data)
    assert artifact.size_bytes == len(data)
    assert await download(edge, sha256=artifact.sha256) == (data, 256 * 1024)
    part, _ = await download(edge, sha256=artifact.sha256, offset=300_000, length=300_000)
    assert part == data[300_000:600_000]
    assert await download(edge, sha256=artifact.sha256, offset=len(data)) == (b"", 0)
    assert await reason(download(edge, sha256=artifact.sha256, offset=2**40)) == "INVALID_RANGE"


async def test_an_upload_with_another_digest_is_refused_and_not_stored(edge: Edge) -> None:
    assert await reason(upload(edge, b"abc", "0" * 64)) == "DIGEST_MISMATCH"
    sha256 = hashlib.sha256(b"abc").hexdigest()
    call = artifacts(edge).GetArtifact(artifact_pb2.GetArtifactRequest(sha256=sha256))
    assert await reason(call) == "ARTIFACT_NOT_FOUND"


async def test_an_upload_that_is_too_large_is_refused(edge: Edge) -> None:
    assert await reason(upload(edge, b"x" * (16 * 1024 * 1024 + 1))) == "ARTIFACT_TOO_LARGE"


async def test_a_corrupt_artifact_is_never_sent_and_names_the_file(edge: Edge) -> None:
    artifact = await upload(edge, b"precious")
    edge.artifacts.path(artifact.sha256).write_bytes(b"precioos")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await download(edge, sha256=artifact.sha256)
    assert caught.value.code() is grpc.StatusCode.DATA_LOSS
    error = error_from(caught.value)
    assert error.facts["file"] == str(edge.artifacts.path(artifact.sha256))
    await upload(edge, b"precious")
    assert (await download(edge, sha256=artifact.sha256))[0] == b"precious"


@pytest.mark.parametrize("sha256", ["", "zz", "../../etc/passwd", "A" * 64])
async def test_what_is_not_a_digest_is_refused(edge: Edge, sha256: str) -> None:
    assert await reason(download(edge, sha256=sha256)) == "INVALID_DIGEST"


async def read(edge: Edge, **fields: Any) -> tuple[bytes, int]:
    data, head = b"", 0
    request = console_pb2.ReadConsoleRequest(**({"console": CONSOLE} | fields))
    async for message in consoles(edge).ReadConsole(request):
        data += b"".join(chunk.data for chunk in message.chunks)
        head = message.head_offset
    return data, head


async def test_stored_console_bytes_are_read_by_range(edge: Edge) -> None:
    data = bytes(n % 251 for n in range(700_000))
    await edge.consoles.append(CONSOLE, [chunk_of(data, offset=0)])
    assert await read(edge) == (data, len(data))
    assert await read(edge, offset=70_000, end=70_010) == (data[70_000:70_010], len(data))
    assert await read(edge, offset=len(data)) == (b"", len(data))
    assert await read(edge, offset=2**64 - 1, end=2**64 - 1) == (b"", len(data))
    assert await read(edge, offset=699_999, end=2**64 - 1) == (data[-1:], len(data))


async def test_a_console_that_never_spoke_is_not_found(edge: Edge) -> None:
    assert await reason(read(edge)) == "CONSOLE_NOT_FOUND"
    assert await reason(read(edge, console="consoles/../x")) == "INVALID_NAME"
    assert await reason(read(edge, console="nowhere")) == "BOARD_NOT_FOUND"


async def test_a_follower_gets_the_tail_then_live_bytes_and_heartbeats(edge: Edge) -> None:
    await edge.consoles.append(CONSOLE, [chunk_of(b"0123456789", offset=0)])
    request = console_pb2.ReadConsoleRequest(console=CONSOLE, follow=True, tail_bytes=4)
    call = consoles(edge).ReadConsole(request)
    messages = aiter(call)
    async with asyncio.timeout(60):
        first = await anext(messages)
        assert (first.chunks[0].offset, first.chunks[0].data) == (6, b"6789")
        heartbeat = await anext(messages)
        assert (len(heartbeat.chunks), heartbeat.head_offset) == (0, 10)
        await edge.consoles.append(CONSOLE, [chunk_of(b"later", offset=12, epoch=2)])
        while not (message := await anext(messages)).chunks:
            pass
    assert message.chunks[0].data == b"later"
    assert message.chunks[0].epoch == 2
    assert message.chunks[0].gap_before == "bytes 10 to 12 are missing"
    call.cancel()
