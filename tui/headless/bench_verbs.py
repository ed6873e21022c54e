"""``boards``, ``console`` and ``lease``."""

import argparse
import asyncio

import grpc
from google.protobuf import duration_pb2

from benchline.errors import NotReadyError
from benchline.v1 import bench_pb2
from tui.board_words import BOARD_ACTIONS
from tui.client.bench_facts import board_of
from tui.client.connection import CALL_TIMEOUT_S, Connection, failure_of, new_request_id
from tui.client.operations import send_line
from tui.client.watch import Back, follow_console
from tui.headless import local
from tui.headless.console_lines import ConsoleLines
from tui.headless.output import EXIT_LEFT, data, json_line, table, talk
from tui.wording import board_line, busy_sentence

_TAIL_BYTES = 4096


async def boards(options: argparse.Namespace) -> int:
    """List the boards, or do something to one."""
    if options.words and options.words[0] in BOARD_ACTIONS:
        from tui.headless.care_verbs import care

        return await care(options)
    connection = await local.ensure_up()
    async with connection:
        found = await connection.all_boards(options.selector)
    if options.json:
        for board in found:
            data(json_line(board, whole=True))
        return 0
    rows = [board_line(board_of(board)) for board in found]
    heads = ("BOARD", "MODEL", "FAMILY", "TOOL", "KIND", "STATE", "SCORE", "FIRMWARE", "REMARK")
    for line in table([heads, *rows]) if rows else []:
        data(line)
    if not rows and options.selector:
        talk(f"no board matches {options.selector!r}; `benchline boards` lists all of them")
    elif not rows:
        talk("no boards; `benchline up` brings virtual ones, an agent brings those of its bench")
    return 0


async def console(options: argparse.Namespace) -> int:
    """Follow the console of a board."""
    connection = await local.ensure_up()
    async with connection:
        board = await _board(connection, options.board)
        if options.send is not None:
            await _type(connection, board, options)
        try:
            async with asyncio.timeout(options.seconds):
                await _follow(connection, board, options)
        except TimeoutError:
            return 0
        except asyncio.CancelledError:
            return EXIT_LEFT
    return 0


async def _board(connection: Connection, name: str) -> bench_pb2.Board:
    request = bench_pb2.GetBoardRequest(name=name)
    answer = await connection.bench.GetBoard(request, timeout=CALL_TIMEOUT_S)
    return answer.board


async def _type(
    connection: Connection, board: bench_pb2.Board, options: argparse.Namespace
) -> None:
    lease = options.lease or ""
    if lease and not lease.startswith("leases/"):
        lease = f"leases/{lease}"
    try:
        await send_line(connection, board.name, options.send, lease=lease)
    except grpc.aio.AioRpcError as error:
        failure = failure_of(error)
        if failure.reason != "BOARD_BUSY":
            raise
        raise NotReadyError("BOARD_BUSY", busy_sentence(board_of(board))) from error


async def _follow(
    connection: Connection, board: bench_pb2.Board, options: argparse.Namespace
) -> None:
    lines = ConsoleLines(json=options.json, raw=options.raw, records=options.records)
    tail = options.tail if options.tail is not None else _TAIL_BYTES
    # What is typed is answered after what was there when the board was looked up.
    answers_only = options.send is not None and options.tail is None
    chunks = follow_console(
        connection,
        board.name,
        offset=board.console_bytes if answers_only else 0,
        tail_bytes=tail,
        on_away=local.bring_back,
    )
    async for chunk in chunks:
        if isinstance(chunk, Back):
            talk("connected again")
        else:
            lines.print(chunk)


async def lease(options: argparse.Namespace) -> int:
    """Take, give back or list leases."""
    connection = await local.ensure_up()
    async with connection:
        match options.action:
            case "acquire":
                return await _acquire(connection, options)
            case "release":
                return await _release(connection, options)
            case _:
                return await _list_leases(connection, options)


async def _acquire(connection: Connection, options: argparse.Namespace) -> int:
    request = bench_pb2.AcquireLeaseRequest(
        request_id=new_request_id(),
        selector=options.selector,
        ttl=duration_pb2.Duration(seconds=options.ttl),
    )
    answer = await connection.bench.AcquireLease(request, timeout=CALL_TIMEOUT_S)
    if options.json:
        data(json_line(answer, whole=True))
    else:
        data(f"{answer.lease.name}  {answer.board.name}")
        talk(f"held for {options.ttl} s; `benchline lease release {answer.lease.name}` ends it")
    return 0


async def _release(connection: Connection, options: argparse.Namespace) -> int:
    name = options.lease if options.lease.startswith("leases/") else f"leases/{options.lease}"
    request = bench_pb2.ReleaseLeaseRequest(name=name)
    await connection.bench.ReleaseLease(request, timeout=CALL_TIMEOUT_S)
    talk("released")
    return 0


async def _list_leases(connection: Connection, options: argparse.Namespace) -> int:
    token, rows = "", []
    while True:
        request = bench_pb2.ListLeasesRequest(page_token=token)
        answer = await connection.bench.ListLeases(request, timeout=CALL_TIMEOUT_S)
        for one in answer.leases:
            if options.json:
                data(json_line(one, whole=True))
            else:
                rows.append((one.name, one.board, one.holder))
        token = answer.next_page_token
        if not token:
            break
    for line in table(rows):
        data(line)
    if not rows and not options.json:
        talk("no board is lent")
    return 0
