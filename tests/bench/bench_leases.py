"""How fast boards are lent, over the real wire, beside the limit that the disk sets.

    PYTHONPATH=.:proto python tests/bench/bench_leases.py
        [--rounds 5] [--seconds 2] [--agents 1000] [--watchers 100]

A pair is one AcquireLease and one ReleaseLease, two flushed commits. The limit is the same two
commits of a one-row change on a bare connection to SQLite, measured in turn with the rest. Prints
one JSON object a line: medians over the rounds with their ranges.
"""

import argparse
import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc

from benchline.channel import open_channel
from benchline.v1 import bench_pb2, bench_pb2_grpc
from controlplane.domain.bench import Board, BoardKind, BoardState
from controlplane.edge.bench_service import BenchService
from controlplane.edge.interceptors import EdgeInterceptor
from controlplane.fleet.commands import Commands
from controlplane.fleet.registry import Registry
from controlplane.leasing.book import LeaseBook
from controlplane.storage.boards import BoardStore
from controlplane.storage.commands import CommandStore
from controlplane.storage.database import Database
from tests.care import care_of


async def serve(folder: Path, agents: int, boards_each: int) -> None:
    """The server of one measurement, until stdin ends."""
    database = await Database.open(folder / "state.db")
    boards = BoardStore(database)
    for n in range(agents):
        agent = f"agent-{n:04}"
        await boards.link_agent(agent, version="1", host="h")
        inventory = [
            Board(
                name=f"agents/{agent}/boards/b{m:02}",
                model="olimex-stm32-h405",
                part="stm32f405rg",
                kind=BoardKind.VIRTUAL,
                state=BoardState.ACTIVE,
                probe_id=f"remote:{n}",
                identity=f"{n}-{m}",
                port="/dev/pts/1",
            )
            for m in range(boards_each)
        ]
        await boards.put_inventory(agent, inventory)
    async with LeaseBook(database, boards) as book:
        server = grpc.aio.server(interceptors=[EdgeInterceptor()])
        commands = Commands(CommandStore(database), Registry())
        care, recoveries, _ = care_of(folder, folder / "cache", database, boards, book, commands)
        service = BenchService(boards, book, care, recoveries)
        bench_pb2_grpc.add_BenchServiceServicer_to_server(service, server)
        server.add_insecure_port(f"unix:{folder / 's.sock'}")
        await server.start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await server.stop(grace=1)
    await database.close()


async def pairs(target: str, callers: int, seconds: float) -> list[float]:
    """Latencies of AcquireLease, in seconds; one pair each."""
    latencies: list[float] = []
    async with open_channel(target) as channel:
        stub: Any = bench_pb2_grpc.BenchServiceStub(channel)
        end = time.perf_counter() + seconds

        async def caller() -> None:
            request = bench_pb2.AcquireLeaseRequest(selector="model=olimex-stm32-h405")
            while time.perf_counter() < end:
                start = time.perf_counter()
                granted = await stub.AcquireLease(request)
                latencies.append(time.perf_counter() - start)
                await stub.ReleaseLease(bench_pb2.ReleaseLeaseRequest(name=granted.lease.name))

        await asyncio.gather(*(caller() for _ in range(callers)))
    return latencies


async def watch(target: str, stack: AsyncExitStack) -> None:
    """One watcher of the whole inventory, on a connection of its own, until the stack ends."""
    channel = await stack.enter_async_context(open_channel(target))
    stub: Any = bench_pb2_grpc.BenchServiceStub(channel)

    async def follow() -> None:
        async for _ in stub.WatchBoards(bench_pb2.WatchBoardsRequest()):
            pass

    task = asyncio.create_task(follow())
    stack.callback(task.cancel)


def disk_limit(folder: Path, seconds: float) -> list[float]:
    """Latencies of one flushed one-row commit on a bare connection."""
    connection = sqlite3.connect(folder / "limit.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v INTEGER) STRICT")
    connection.execute("INSERT OR IGNORE INTO t VALUES (1, 0)")
    latencies, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        connection.execute("UPDATE t SET v = v + 1")
        latencies.append(time.perf_counter() - start)
        connection.execute("UPDATE t SET v = v + 1")
    connection.close()
    return latencies


def row(latencies: list[float], seconds: float) -> dict[str, float]:
    """Numbers of one run."""
    ordered = sorted(latencies)
    return {
        "pairs_per_s": len(ordered) / seconds,
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[len(ordered) * 99 // 100] * 1000,
    }


async def with_server(
    folder: Path, agents: int, boards_each: int, work: Callable[[str], Awaitable[list[float]]]
) -> list[float]:
    """Run `work` against a fresh server in a process of its own."""
    arguments = ["--agents", str(agents), "--boards-each", str(boards_each)]
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "--serve",
        str(folder),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if server.stdin is None or server.stdout is None:
        raise RuntimeError("the server has no pipes")
    try:
        await server.stdout.readline()
        return await work(f"unix:{folder / 's.sock'}")
    finally:
        server.stdin.close()
        await server.wait()


async def measure(arguments: argparse.Namespace, folder: Path) -> None:
    """All configurations in turn, round after round."""
    seconds = arguments.seconds
    sizes = [(2, 5), (50, 20), (200, 20), (arguments.agents, 1)]
    plans = [(a, b, c, 0) for a, b in sizes for c in (1, min(16, a * b))]
    plans.append((arguments.agents, 1, 16, arguments.watchers))
    found: dict[str, list[dict[str, float]]] = {}
    for round_ in range(arguments.rounds):
        limit = await asyncio.to_thread(disk_limit, folder, seconds)
        found.setdefault("bare SQLite", []).append(row(limit, seconds))
        for number, (agents, each, callers, watchers) in enumerate(plans):

            async def work(target: str, callers: int = callers, watchers: int = watchers) -> Any:
                async with AsyncExitStack() as stack:
                    for _ in range(watchers):
                        await watch(target, stack)
                    return await pairs(target, callers, seconds)

            place = folder / f"r{round_}-{number}"
            latencies = await with_server(place, agents, each, work)
            name = f"{agents} agents x {each} boards, {callers} callers, {watchers} watchers"
            found.setdefault(name, []).append(row(latencies, seconds))
    for name, rows in found.items():
        line: dict[str, object] = {"what": name, "rounds": len(rows)}
        for key in rows[0]:
            values = [numbers[key] for numbers in rows]
            line[key] = round(statistics.median(values), 2)
            line[f"{key}_range"] = [round(min(values), 2), round(max(values), 2)]
        sys.stdout.write(json.dumps(line) + "\n")


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--boards-each", type=int, default=1)
    parser.add_argument("--watchers", type=int, default=100)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        asyncio.run(serve(arguments.serve, arguments.agents, arguments.boards_each))
        return
    with tempfile.TemporaryDirectory(prefix="bench-leases-") as folder:
        asyncio.run(measure(arguments, Path(folder)))


if __name__ == "__main__":
    main()
