"""BenchService over a real unix socket."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf import duration_pb2

from benchline.errors import error_from
from benchline.v1 import bench_pb2, bench_pb2_grpc
from controlplane.domain.bench import Board, BoardKind, BoardState
from tests.wire.edge.conftest import Edge


def stub(edge: Edge) -> Any:
    return bench_pb2_grpc.BenchServiceStub(edge.channel)


def board(name: str, state: BoardState = BoardState.ACTIVE, model: str = "h405") -> Board:
    return Board(
        name=f"agents/bench/boards/{name}",
        model=model,
        part="stm32f405rg",
        kind=BoardKind.VIRTUAL,
        state=state,
        probe_id="remote:127.0.0.1:1",
        identity=name,
        port="/dev/pts/1",
    )


@pytest.fixture
async def bench(edge: Edge) -> Edge:
    await edge.boards.link_agent("bench", version="1", host="lab")
    await edge.boards.put_inventory(
        "bench", [board("vf-01"), board("vf-02"), board("vf-03", BoardState.FAULTY)]
    )
    return edge


async def refusal(call: Any) -> tuple[str, str, dict[str, str]]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = error_from(caught.value)
    return caught.value.code().name, error.reason, error.facts


async def test_boards_are_listed_with_their_state_and_pages(bench: Edge) -> None:
    first = await stub(bench).ListBoards(bench_pb2.ListBoardsRequest(page_size=2))
    rest = await stub(bench).ListBoards(
        bench_pb2.ListBoardsRequest(page_size=2, page_token=first.next_page_token)
    )
    boards = [*first.boards, *rest.boards]
    assert [item.name.rpartition("/")[2] for item in boards] == ["vf-01", "vf-02", "vf-03"]
    assert [item.state for item in boards] == [
        bench_pb2.Board.STATE_ACTIVE,
        bench_pb2.Board.STATE_ACTIVE,
        bench_pb2.Board.STATE_FAULTY,
    ]
    assert not rest.next_page_token
    assert (await stub(bench).ListAgents(bench_pb2.ListAgentsRequest())).agents[0].online


async def test_a_wrong_selector_is_refused(bench: Edge) -> None:
    call = stub(bench).ListBoards(bench_pb2.ListBoardsRequest(selector="colour=red"))
    assert (await refusal(call))[:2] == ("INVALID_ARGUMENT", "INVALID_SELECTOR")


async def test_a_board_is_found_by_its_last_name_alone(bench: Edge) -> None:
    found = await stub(bench).GetBoard(bench_pb2.GetBoardRequest(name="vf-02"))
    assert found.board.name == "agents/bench/boards/vf-02"
    assert (await refusal(stub(bench).GetBoard(bench_pb2.GetBoardRequest(name="vf-09"))))[:2] == (
        "NOT_FOUND",
        "BOARD_NOT_FOUND",
    )


async def test_leases_are_granted_renewed_released_and_refused_when_all_are_lent(
    bench: Edge,
) -> None:
    request_id = str(uuid.uuid4())
    request = bench_pb2.AcquireLeaseRequest(selector="model=h405", request_id=request_id)
    first = await stub(bench).AcquireLease(request)
    assert first.board.name.endswith("vf-01")
    assert first.board.state == bench_pb2.Board.STATE_LEASED
    assert (await stub(bench).AcquireLease(request)).lease == first.lease
    second = await stub(bench).AcquireLease(bench_pb2.AcquireLeaseRequest())
    assert second.board.name.endswith("vf-02")
    code, reason, facts = await refusal(stub(bench).AcquireLease(bench_pb2.AcquireLeaseRequest()))
    assert (code, reason) == ("FAILED_PRECONDITION", "BOARD_BUSY")
    assert (facts["leased"], facts["faulty"]) == ("2", "1")

    held = (await stub(bench).ListLeases(bench_pb2.ListLeasesRequest())).leases
    assert [lease.name for lease in held] == [second.lease.name, first.lease.name]
    ttl = duration_pb2.Duration(seconds=600)
    renewed = await stub(bench).RenewLease(
        bench_pb2.RenewLeaseRequest(name=first.lease.name, ttl=ttl)
    )
    assert renewed.lease.expire_time.ToDatetime() > first.lease.expire_time.ToDatetime()
    release = bench_pb2.ReleaseLeaseRequest(name=first.lease.name)
    await stub(bench).ReleaseLease(release)
    await stub(bench).ReleaseLease(release)
    stale = stub(bench).RenewLease(bench_pb2.RenewLeaseRequest(name=first.lease.name))
    assert (await refusal(stale))[:2] == ("ABORTED", "STALE_LEASE")
    third = await stub(bench).AcquireLease(bench_pb2.AcquireLeaseRequest(selector="vf-01"))
    assert third.lease.fencing_token == first.lease.fencing_token + 1


@pytest.mark.parametrize("seconds", [0, -1, 3601, 10**11])
async def test_a_time_to_live_outside_its_range_is_refused(bench: Edge, seconds: int) -> None:
    request = bench_pb2.AcquireLeaseRequest(ttl=duration_pb2.Duration(seconds=seconds))
    assert (await refusal(stub(bench).AcquireLease(request)))[1] == "INVALID_TTL"


async def test_a_watcher_of_boards_sees_changes_and_heartbeats(bench: Edge) -> None:
    watch = stub(bench).WatchBoards(bench_pb2.WatchBoardsRequest())
    messages = aiter(watch)
    first = await anext(messages)
    assert [len(first.boards), len(first.agents)] == [3, 1]
    await bench.book.acquire("vf-01", "me", timedelta(seconds=30))
    async with asyncio.timeout(60):
        while True:
            message = await anext(messages)
            if message.boards and message.boards[0].holder == "me":
                break
        assert message.version > first.version
        while (await anext(messages)).boards:
            pass
    watch.cancel()
