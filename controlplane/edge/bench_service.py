"""Agents, boards and leases on the wire."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import lru_cache
from typing import Any

import grpc
from google.protobuf import duration_pb2

from benchline.errors import InvalidRequestError
from benchline.v1 import bench_pb2, bench_pb2_grpc
from controlplane.access.principal import current_principal
from controlplane.domain.bench import Agent, Board
from controlplane.edge.care_calls import CareCalls
from controlplane.edge.requests import (
    check_request_id,
    page_size,
    read_page_token,
    write_page_token,
)
from controlplane.edge.translate import to_wire
from controlplane.leasing.book import DEFAULT_TTL, LeaseBook
from controlplane.pipeline.board_care import BoardCare
from controlplane.pipeline.recovery import Recoveries
from controlplane.storage.boards import BoardStore

HEARTBEAT_S = 5.0
# Changes that follow one another faster are told together: a watcher gets whole inventories. A
# watcher rests twenty times as long as its last message took, so that all watchers together take
# about a twentieth of the server, however many they are.
_SMALLEST_GAP_S = 0.1
_LARGEST_GAP_S = 5.0
_REST = 20

Context = grpc.aio.ServicerContext[Any, Any]


class BenchService(CareCalls, bench_pb2_grpc.BenchServiceServicer):
    """Lends boards and tells what is on each bench."""

    def __init__(
        self,
        boards: BoardStore,
        leases: LeaseBook,
        care: BoardCare,
        recoveries: Recoveries,
        *,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._care = care
        self._recoveries = recoveries
        self._boards = boards
        self._leases = leases
        self._heartbeat_s = heartbeat_s
        self._inventory = bench_pb2.WatchBoardsResponse()
        self._reading = asyncio.Lock()

    async def ListAgents(
        self, request: bench_pb2.ListAgentsRequest, context: Context
    ) -> bench_pb2.ListAgentsResponse:
        """Agents by name."""
        after = read_page_token("agents", request.page_token) or ""
        size = page_size(request.page_size)
        rest = [agent for agent in await self._boards.agents() if agent.name > after]
        page = rest[:size]
        return bench_pb2.ListAgentsResponse(
            agents=[to_wire(agent, bench_pb2.Agent) for agent in page],
            next_page_token=write_page_token("agents", page[-1].name if len(rest) > size else None),
        )

    async def ListBoards(
        self, request: bench_pb2.ListBoardsRequest, context: Context
    ) -> bench_pb2.ListBoardsResponse:
        """Boards by name."""
        after = read_page_token("boards", request.page_token) or ""
        size = page_size(request.page_size)
        found = await self._boards.boards(request.selector)
        rest = [board for board in found if board.name > after]
        page = rest[:size]
        return bench_pb2.ListBoardsResponse(
            boards=[to_wire(board, bench_pb2.Board) for board in page],
            next_page_token=write_page_token("boards", page[-1].name if len(rest) > size else None),
        )

    async def GetBoard(
        self, request: bench_pb2.GetBoardRequest, context: Context
    ) -> bench_pb2.GetBoardResponse:
        """One board."""
        if not request.name:
            raise InvalidRequestError("INVALID_NAME", "the name of a board is needed")
        board = await self._boards.get(request.name)
        return bench_pb2.GetBoardResponse(board=to_wire(board, bench_pb2.Board))

    async def WatchBoards(
        self, request: bench_pb2.WatchBoardsRequest, context: Context
    ) -> AsyncIterator[bench_pb2.WatchBoardsResponse]:
        """The whole inventory now, and after every change."""
        told = 0
        while True:
            version = self._boards.version
            if version > told:
                start = time.monotonic()
                inventory = await self._whole(version)
                yield inventory
                told = inventory.version
                gap = _REST * (time.monotonic() - start)
                await asyncio.sleep(min(max(gap, _SMALLEST_GAP_S), _LARGEST_GAP_S))
                continue
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    await self._boards.wait(told)
            except TimeoutError:
                yield bench_pb2.WatchBoardsResponse(version=told)

    async def AcquireLease(
        self, request: bench_pb2.AcquireLeaseRequest, context: Context
    ) -> bench_pb2.AcquireLeaseResponse:
        """Lend a free board."""
        lease, board = await self._leases.acquire(
            request.selector,
            current_principal().name,
            _ttl(request.ttl, given=request.HasField("ttl")),
            check_request_id(request.request_id),
        )
        return bench_pb2.AcquireLeaseResponse(
            lease=to_wire(lease, bench_pb2.Lease), board=to_wire(board, bench_pb2.Board)
        )

    async def RenewLease(
        self, request: bench_pb2.RenewLeaseRequest, context: Context
    ) -> bench_pb2.RenewLeaseResponse:
        """Move the expiry of a lease."""
        lease = await self._leases.renew(
            request.name, _ttl(request.ttl, given=request.HasField("ttl"))
        )
        return bench_pb2.RenewLeaseResponse(lease=to_wire(lease, bench_pb2.Lease))

    async def ReleaseLease(
        self, request: bench_pb2.ReleaseLeaseRequest, context: Context
    ) -> bench_pb2.ReleaseLeaseResponse:
        """Give a board back."""
        await self._leases.release(request.name)
        return bench_pb2.ReleaseLeaseResponse()

    async def ListLeases(
        self, request: bench_pb2.ListLeasesRequest, context: Context
    ) -> bench_pb2.ListLeasesResponse:
        """Leases that are held, newest first."""
        after = read_page_token("leases", request.page_token)
        leases, rest = await self._leases.page(page_size(request.page_size), after)
        return bench_pb2.ListLeasesResponse(
            leases=[to_wire(lease, bench_pb2.Lease) for lease in leases],
            next_page_token=write_page_token("leases", rest),
        )

    async def _whole(self, version: int) -> bench_pb2.WatchBoardsResponse:
        """The inventory, read once for all watchers of a version."""
        async with self._reading:
            if self._inventory.version < version:
                # The version is taken first: what changes meanwhile is told again, never lost.
                newest = self._boards.version
                boards, agents = await self._boards.boards(), await self._boards.agents()
                self._inventory = bench_pb2.WatchBoardsResponse(
                    boards=map(_board_message, boards),
                    agents=map(_agent_message, agents),
                    version=newest,
                )
            return self._inventory


@lru_cache(maxsize=16_384)
def _board_message(board: Board) -> bench_pb2.Board:
    """Of an inventory, in which most boards are as they were the last time."""
    return to_wire(board, bench_pb2.Board)


@lru_cache(maxsize=4_096)
def _agent_message(agent: Agent) -> bench_pb2.Agent:
    return to_wire(agent, bench_pb2.Agent)


def _ttl(duration: duration_pb2.Duration, *, given: bool) -> timedelta:
    if not given:
        return DEFAULT_TTL
    try:
        return duration.ToTimedelta()
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError("INVALID_TTL", f"not a duration: {error}") from error
