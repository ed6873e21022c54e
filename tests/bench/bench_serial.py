"""How long a line takes from a board's terminal through agent and control plane to a watcher.

`python -m tests.bench.bench_serial [ROUNDS]`. A board writes 1,000 lines a second for two seconds a
round, alone and while eight others write as fast as their terminals take it. A line has arrived
when the watcher holds its last byte; it is on disk by then, at the agent and in the database.
"""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchline.channel import open_channel
from benchline.v1 import bench_pb2, bench_pb2_grpc, console_pb2, console_pb2_grpc
from tests.bench.live import ROOT, Live, live_instance
from tests.bench.row import Row
from tests.process.agent.control_plane import PtyBoard

LINES_A_SECOND = 1000
ROUND_S = 2
FLOODING = 8


def flood(virtual_dir: Path) -> None:
    """Eight boards that write without a pause, until stdin ends."""
    boards = [PtyBoard(virtual_dir, f"flood-{n}") for n in range(FLOODING)]
    block = b"x" * 63 + b"\n"
    os.set_blocking(sys.stdin.fileno(), False)
    while sys.stdin.buffer.read(1) is None:
        for board in boards:
            try:
                os.write(board.master, block * 16)
            except BlockingIOError:
                time.sleep(0.001)


async def until_there(channel: Any, boards: set[str]) -> None:
    """Wait until the server lists all of these boards."""
    stub: Any = bench_pb2_grpc.BenchServiceStub(channel)
    async for answer in stub.WatchBoards(bench_pb2.WatchBoardsRequest(), timeout=30):
        if boards <= {board.name.rpartition("/")[2] for board in answer.boards}:
            return


async def one_round(channel: Any, board: PtyBoard, end: int) -> tuple[list[float], int]:
    """Seconds of every line of a round, and where the console stands after it."""
    stub: Any = console_pb2_grpc.ConsoleServiceStub(channel)
    request = console_pb2.ReadConsoleRequest(
        console=f"consoles/agents/bench/boards/{board.name}", offset=end, follow=True
    )
    watch = stub.ReadConsole(request)
    sent: list[tuple[int, float]] = []
    lines = LINES_A_SECOND * ROUND_S
    writing = asyncio.create_task(write_lines(board, sent, end, lines))
    found: list[float] = []
    async for answer in watch:
        now = time.perf_counter()
        for chunk in answer.chunks:
            end = chunk.offset + len(chunk.data)
        while len(found) < len(sent) and sent[len(found)][0] <= end:
            found.append(now - sent[len(found)][1])
        if len(found) == lines:
            break
    watch.cancel()
    await writing
    return found, end


async def write_lines(board: PtyBoard, sent: list[tuple[int, float]], end: int, lines: int) -> None:
    """Write lines at their rate; notes the end and the time of each."""
    started = time.perf_counter()
    for number in range(lines):
        end += 64
        sent.append((end, time.perf_counter()))
        os.write(board.master, b"%063d\n" % number)
        wait = started + (number + 1) / LINES_A_SECOND - time.perf_counter()
        await asyncio.sleep(max(wait, 0))


async def rounds_of(live: Live, board: PtyBoard, others: set[str], rounds: int) -> list[float]:
    """The 99th percentile of every round."""
    async with open_channel(live.target) as channel:
        await until_there(channel, {board.name, *others})
        _, end = await one_round(channel, board, 0)
        found = []
        for _ in range(rounds):
            seconds, end = await one_round(channel, board, end)
            found.append(sorted(seconds)[len(seconds) * 99 // 100])
        return found


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """The rows of the table: alone, and beside eight boards that flood."""
    with live_instance() as live, ExitStack() as stack:
        virtual = live.data_dir / "virtual"
        quiet_board = PtyBoard(virtual, "pty-01")
        stack.callback(quiet_board.close)
        alone = asyncio.run(rounds_of(live, quiet_board, set(), rounds))
        busy_board = PtyBoard(virtual, "pty-02")
        stack.callback(busy_board.close)
        flooding = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.bench.bench_serial", "--flood", str(virtual)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
            )
        )
        stack.callback(flooding.kill)
        others = {f"flood-{n}" for n in range(FLOODING)}
        flooded = asyncio.run(rounds_of(live, busy_board, others, rounds))
    rows = [
        Row(what="99th percentile of a line, board to watcher", ours=alone, most_s=0.02),
        Row(
            what=f"the same while {FLOODING} boards flood",
            ours=flooded,
            beside=alone,
            beside_what="alone",
            most_s=0.15,
        ),
    ]
    return rows, []


if __name__ == "__main__":
    if sys.argv[1:2] == ["--flood"]:
        flood(Path(sys.argv[2]))
    else:
        rows, _ = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
        sys.stdout.write("\n".join(row.markdown() for row in rows) + "\n")
