"""The agent's own socket: what `benchline agent boards` asks of an agent that runs.

`agent.sock` in the agent's folder, which only its user may enter. One JSON object a line each way;
an answer has `ok` and, when that is false, `message`.
"""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchagent.board import Board
from benchagent.discovery.physical import physical_board
from benchagent.discovery.record import Record
from benchagent.enrolment import EnrolError, Enrolment, Wish

log = logging.getLogger(__name__)

SOCKET = "agent.sock"
_MAX_LINE = 64 * 1024
_IDLE_S = 30.0


async def answer(enrolment: Enrolment, asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked. Raises EnrolError."""
    board = str(asked.get("board", ""))
    match asked.get("verb"):
        case "list":
            return {"boards": boards_told(enrolment)}
        case "enrol":
            wish = Wish(
                part=str(asked.get("part", "")),
                model=str(asked.get("model", "")),
                ask=asked.get("ask") is not False,
            )
            return {"board": record_told(await enrolment.enrol(board, wish))}
        case "name":
            await enrolment.name(board, str(asked.get("name", "")))
        case "ignore":
            await enrolment.ignore(board, ignored=asked.get("ignored") is not False)
        case "forget":
            await enrolment.forget(board)
        case verb:
            raise EnrolError(f"this agent does not know {verb!r}; update it")
    return {}


def boards_told(enrolment: Enrolment) -> list[dict[str, Any]]:
    """What is on USB, and what is remembered but away."""
    here = {seen.record.board_id: seen for seen in enrolment.seen()}
    told = [board_told(physical_board(seen, enrolment.nodes)) for seen in here.values()]
    for record in enrolment.book.read().values():
        if record.board_id not in here and record.is_kept:
            health = "ignored" if record.ignored else f"away; last seen in {record.location}"
            told.append(record_told(record) | {"health": health})
    return told


def board_told(board: Board) -> dict[str, Any]:
    """A board as it is printed."""
    return {
        "board": board.board_id,
        "family": board.family,
        "part": board.part,
        "model": board.model,
        "port": str(board.port or ""),
        "probe": board.probe_id,
        "identity": board.identity,
        "flash_tool": board.flash_tool,
        "usb": asdict(board.usb) if board.usb else None,
        "chip": _plain(asdict(board.chip)) if board.chip else None,
        "health": board.health,
    }


def record_told(record: Record) -> dict[str, Any]:
    """A record as it is printed."""
    return {
        "board": record.board_id,
        "family": record.family,
        "part": record.part,
        "model": record.model,
        "chip": _plain(asdict(record.chip)) if record.chip else None,
    }


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    moment = fields.get("read_time")
    return fields | {"read_time": moment.isoformat() if moment is not None else None}


async def serve_locally(folder: Path, enrolment: Enrolment) -> None:
    """Answer on the socket of the agent's folder for ever; end it by cancelling."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            await _serve_one(enrolment, reader, writer)
        writer.close()

    with _short(folder) as short:
        (folder / SOCKET).unlink(missing_ok=True)
        try:
            server = await asyncio.start_unix_server(serve, short / SOCKET, limit=_MAX_LINE)
        except OSError as error:
            log.warning("`benchline agent boards` is not served", extra={"why": str(error)})
            await asyncio.Event().wait()
            return
        try:
            await server.serve_forever()
        finally:
            server.close()
            (folder / SOCKET).unlink(missing_ok=True)


async def _serve_one(
    enrolment: Enrolment, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    async with asyncio.timeout(_IDLE_S):
        line = await reader.readline()
    asked = json.loads(line)
    try:
        told = {"ok": True} | await answer(enrolment, asked if isinstance(asked, dict) else {})
    except EnrolError as error:
        told = {"ok": False, "message": str(error)}
    except OSError as error:
        told = {"ok": False, "message": f"the boards file cannot be kept: {error}"}
    writer.write(json.dumps(told).encode() + b"\n")
    async with asyncio.timeout(_IDLE_S):
        await writer.drain()


async def ask(folder: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """What a running agent says; None when none runs.

    Raises:
        EnrolError: it was not done.
    """
    with _short(folder) as short:
        try:
            reader, writer = await asyncio.open_unix_connection(short / SOCKET, limit=1 << 24)
        except OSError:
            return None
        try:
            writer.write(json.dumps(asked).encode() + b"\n")
            line = await reader.readline()
        except OSError as error:
            raise EnrolError(f"the agent went away: {error}") from error
        finally:
            writer.close()
    return told_or_raised(line)


def told_or_raised(line: bytes) -> dict[str, Any]:
    """An answer. Raises EnrolError when it says that it was not done."""
    try:
        found = json.loads(line)
    except ValueError as error:
        raise EnrolError("the agent went away before it answered; see its log") from error
    if not isinstance(found, dict) or found.get("ok") is not True:
        raise EnrolError(str(found.get("message", "no answer")) if found else "no answer")
    return found


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """The folder under a short path: the path of a socket has 107 bytes at most."""
    place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{place}")
    finally:
        os.close(place)
