"""Errors mean the same on both sides of the wire."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_status import rpc_status

from benchline.channel import open_channel
from benchline.errors import (
    BenchlineError,
    ConflictError,
    CorruptError,
    NotReadyError,
    error_from,
    status_of,
)


async def raising_server(socket: Path, error: BenchlineError | None) -> grpc.aio.Server:
    async def answer(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        if error is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "come back later")
        await context.abort_with_status(rpc_status.to_status(status_of(error)))
        return b""

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Errors", {"Raise": handler}),)
    )
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    return server


@pytest.fixture
async def failing_call(tmp_path: Path) -> AsyncIterator[Any]:
    servers: list[grpc.aio.Server] = []

    async def call(error: BenchlineError | None) -> BenchlineError:
        socket = tmp_path / f"{len(servers)}.sock"
        servers.append(await raising_server(socket, error))
        async with open_channel(f"unix:{socket}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/test.Errors/Raise")(b"", timeout=60)
        return error_from(caught.value)

    yield call
    for server in servers:
        await server.stop(None)


async def test_an_error_arrives_as_the_class_that_was_raised_with_all_its_facts(
    failing_call: Any,
) -> None:
    sent = NotReadyError(
        "BOARD_BUSY", "no board is free", retry_delay=timedelta(seconds=5), matching="3"
    )

    got = await failing_call(sent)

    assert type(got) is NotReadyError
    assert (got.reason, str(got)) == ("BOARD_BUSY", "no board is free")
    assert got.facts == {"matching": "3"}
    assert got.retry_delay == timedelta(seconds=5)


@pytest.mark.parametrize("kind", [ConflictError, CorruptError])
async def test_every_class_keeps_its_identity(
    failing_call: Any, kind: type[BenchlineError]
) -> None:
    assert type(await failing_call(kind("SOME_REASON", "text"))) is kind


async def test_a_status_without_our_details_keeps_its_text(failing_call: Any) -> None:
    got = await failing_call(None)

    assert (got.reason, str(got)) == ("UNAVAILABLE", "come back later")
