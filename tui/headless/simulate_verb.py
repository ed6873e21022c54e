"""``simulate``: firmware live in a simulator, to watch, type at, set, reset and stop."""

import argparse
import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc

from benchline.v1 import live_simulation_pb2, session_pb2, verdict_pb2
from tui.client.connection import Connection, failure_of, new_request_id
from tui.client.live import (
    all_lives,
    live_fact_of,
    live_of,
    reset_live,
    send_to_live,
    set_live_signal,
    start_live,
    stop_live,
)
from tui.client.watch import Back, watch_live
from tui.headless import local
from tui.headless.console_lines import ConsoleLines
from tui.headless.following import session_exit, to_its_end
from tui.headless.output import EXIT_LEFT, data, exit_code, json_line, table, talk
from tui.headless.run_verb import create
from tui.headless.source import load_source
from tui.headless.summary import session_lines
from tui.headless.typing_in import typed
from tui.live_wording import LIVE_HEADS, live_cells, live_inputs, live_news
from tui.state.fact import Outcome, State
from tui.state.run import FIRMWARE, RunView

_SESSION = re.compile(r"(sessions/)?[0-9a-zA-Z]{4,32}")
_UNBUILT = (verdict_pb2.OUTCOME_FAILED, verdict_pb2.OUTCOME_BROKEN, verdict_pb2.OUTCOME_REFUSED)

Live = live_simulation_pb2.LiveSimulation


async def simulate(options: argparse.Namespace) -> int:
    """Start firmware, or do something with what runs."""
    connection = await local.ensure_up(need_boards=False)
    async with connection:
        action, *rest = options.words
        if action in _ACTIONS:
            return await _ACTIONS[action](connection, rest, options)
        return await _start(connection, action, options)


async def _start(connection: Connection, what: str, options: argparse.Namespace) -> int:
    session, seen = await _session_of(connection, what, options)
    built = any(one.kind in FIRMWARE for one in session.artifacts)
    if not built and session.outcome in _UNBUILT:
        if options.json:
            data(json_line(session, whole=True))
        for line in [] if options.json else session_lines(session, seen):
            talk(line)
        return session_exit(session)
    live = await start_live(connection, session.name)
    talk(f"live simulation {_short(live)}: Ctrl-C ends it, lines typed here go to it")
    watching = asyncio.ensure_future(_follow(connection, live, options, tail_bytes=0, types=True))
    try:
        async with asyncio.timeout(options.seconds):
            return await watching
    except TimeoutError:
        await _leave(connection, live, options)
        return 0
    except asyncio.CancelledError:
        await _leave(connection, live, options)
        return EXIT_LEFT


async def _session_of(
    connection: Connection, what: str, options: argparse.Namespace
) -> tuple[session_pb2.Session, RunView | None]:
    """The session whose firmware is meant, built now when it has to be; what was told of it."""
    path = Path(what)
    there = await asyncio.to_thread(path.exists)
    if not there and _SESSION.fullmatch(what):
        return await connection.session(what), None
    request = session_pb2.CreateSessionRequest(
        request_id=new_request_id(),
        board=options.board or "",
        designer=options.designer or "",
        until=verdict_pb2.STAGE_BUILD,
    )
    if there or (not re.search(r"\s", what) and (path.suffix or "/" in what)):
        source = await load_source(connection, path)
        if source.HasField("image"):
            # A finished image is read and placed by the stage that would judge it.
            request.until = verdict_pb2.STAGE_SIMULATE
            del source.scenarios[:]
        request.source.CopyFrom(source)
    else:
        request.prompt = what
    session = await create(connection, request)
    return await to_its_end(connection, session.name, json=False, asks=True)


async def _follow(
    connection: Connection,
    live: Live,
    options: argparse.Namespace,
    *,
    tail_bytes: int,
    types: bool,
) -> int:
    """Print what it says until it ends; gives the exit code of that."""
    lines = ConsoleLines(json=options.json, raw=options.raw, records=options.records)
    spoke, seen = asyncio.Event(), None
    typing = asyncio.ensure_future(_type(connection, live, spoke)) if types else None
    try:
        async for told in watch_live(
            connection, live.name, tail_bytes=tail_bytes, on_away=local.bring_back
        ):
            match told:
                case Back():
                    talk("connected again")
                case Live():
                    _tell(seen, told, json=options.json)
                    live = seen = told
                case _:
                    lines.print(told)
                    spoke.set()
    finally:
        if typing is not None:
            typing.cancel()
            await asyncio.gather(typing, return_exceptions=True)
    outcome = live_fact_of(live).outcome
    return 0 if outcome is Outcome.NONE else exit_code(outcome)


def _tell(before: Live | None, live: Live, *, json: bool) -> None:
    if json:
        data(json_line(live, whole=True))
    was, fact = live_fact_of(before) if before is not None else None, live_fact_of(live)
    for line in live_news(was, fact):
        talk(line)
    began = fact.state is State.RUNNING and (was is None or not was.epoch)
    if began and fact.test_build:
        talk(f"{live_inputs(fact)}; `benchline simulate set {fact.live_id} INPUT=VALUE`")


def _short(live: Live) -> str:
    return live.name.rpartition("/")[2]


async def _type(connection: Connection, live: Live, spoke: asyncio.Event) -> None:
    """Send standard input. Before firmware has said anything nobody knows that it listens."""
    if live.test_build:
        await spoke.wait()
    async for piece in typed():
        try:
            await send_to_live(connection, live.name, piece)
        except grpc.aio.AioRpcError as error:
            talk(f"not sent: {failure_of(error).message}")


async def _leave(connection: Connection, live: Live, options: argparse.Namespace) -> None:
    short = _short(live)
    if options.keep:
        talk(f"left; it goes on: `benchline simulate watch {short}`, `… stop {short}` ends it")
        return
    with contextlib.suppress(grpc.aio.AioRpcError):  # a server that is gone has ended it
        stopped = await stop_live(connection, live.name)
        _tell(live, stopped, json=options.json)


async def _watch(connection: Connection, rest: list[str], options: argparse.Namespace) -> int:
    live = await live_of(connection, rest[0])
    try:
        async with asyncio.timeout(options.seconds):
            return await _follow(connection, live, options, tail_bytes=options.tail, types=False)
    except TimeoutError:
        return 0
    except asyncio.CancelledError:
        talk(f"left; end it with `benchline simulate stop {_short(live)}`")
        return EXIT_LEFT


async def _list(connection: Connection, rest: list[str], options: argparse.Namespace) -> int:
    found = await all_lives(connection, limit=options.limit, session=rest[0] if rest else "")
    if options.json:
        for live in found:
            data(json_line(live, whole=True))
        return 0
    rows = [live_cells(live_fact_of(live)) for live in found]
    for line in table([LIVE_HEADS, *rows]) if rows else []:
        data(line)
    if not found:
        talk("none yet; `benchline simulate SESSION` starts the firmware of a session")
    return 0


async def _send(connection: Connection, rest: list[str], options: argparse.Namespace) -> int:
    live = await live_of(connection, rest[0])
    await send_to_live(connection, live.name, f"{rest[1]}\n".encode())
    _done(live, "sent", options)
    return 0


async def _set(connection: Connection, rest: list[str], options: argparse.Namespace) -> int:
    live = await live_of(connection, rest[0])
    signal, _, value = rest[1].partition("=")
    answer = await set_live_signal(connection, live.name, signal.strip(), value.strip())
    if options.json:
        data(json_line(answer, whole=True))
    else:
        talk(f"{answer.pin} was given {answer.level_or_counts}")
    return 0


async def _reset(connection: Connection, rest: list[str], options: argparse.Namespace) -> int:
    live = await reset_live(connection, (await live_of(connection, rest[0])).name)
    _done(live, f"boot epoch {live.epoch}", options)
    return 0


async def _stop(connection: Connection, rest: list[str], options: argparse.Namespace) -> int:
    live = await stop_live(connection, (await live_of(connection, rest[0])).name)
    _done(live, live.message, options)
    return 0


def _done(live: Live, words: str, options: argparse.Namespace) -> None:
    if options.json:
        data(json_line(live, whole=True))
    else:
        talk(words)


_Action = Callable[[Connection, list[str], argparse.Namespace], Awaitable[int]]
_ACTIONS: dict[str, _Action] = {
    "list": _list,
    "watch": _watch,
    "send": _send,
    "set": _set,
    "reset": _reset,
    "stop": _stop,
}
