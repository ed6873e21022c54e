"""``boards reset|power|identify|recover|quarantine|return|health BOARD``."""

import argparse
import asyncio

from google.protobuf.message import Message

from benchline.v1 import bench_pb2, recovery_pb2
from tui.client.care import (
    board_health,
    identify_board,
    power_board,
    quarantine_board,
    recover_board,
    reset_board,
    return_board,
)
from tui.client.care_wording import (
    health_lines,
    outcome_word,
    quarantine_words,
    recovery_line,
    step_line,
)
from tui.client.connection import Connection
from tui.headless import local
from tui.headless.output import EXIT_LEFT, data, exit_code, json_line, talk


async def care(options: argparse.Namespace) -> int:
    """Do something to one board."""
    action, board = options.words
    connection = await local.ensure_up()
    async with connection:
        if action == "recover":
            return await _recover(connection, board, options)
        answer = await _do(connection, action, board, options)
    if options.json:
        data(json_line(answer, whole=True))
    return 0


async def _do(
    connection: Connection, action: str, board: str, options: argparse.Namespace
) -> Message:
    lease = _lease(options)
    match action:
        case "reset":
            answer = await reset_board(
                connection, board, bootloader=options.bootloader, lease=lease
            )
            what = "its bootloader runs" if options.bootloader else "its firmware starts again"
            talk(f"{board} was reset: {what}, from byte {answer.console_offset} of its console")
            return answer
        case "power":
            state = "on" if options.on else "off" if options.off else "cycle"
            switched = await power_board(connection, board, state, lease=lease)
            talk(f"{board}: power {'cycled' if state == 'cycle' else state}")
            return switched
        case "identify":
            identified = await identify_board(connection, board, lease=lease)
            if not options.json:
                data(chip_line(identified.chip))
            return identified
        case "quarantine":
            out = await quarantine_board(connection, board, options.reason)
            talk(f"{board} is out of service: {quarantine_words(out.quarantine)}")
            return out
        case "return":
            back = await return_board(connection, board)
            talk(f"{board} is in service")
            return back
        case _:
            health = await board_health(connection, board)
            for line in () if options.json else health_lines(health):
                data(line)
            return health


async def _recover(connection: Connection, board: str, options: argparse.Namespace) -> int:
    ended = recovery_pb2.Recovery()
    try:
        async for message in recover_board(connection, board, lease=_lease(options)):
            if options.json:
                data(json_line(message, whole=True))
            if message.HasField("recovery"):
                ended = message.recovery
            elif not options.json and message.step.outcome:
                data(step_line(message.step))
            elif not options.json:
                talk(step_line(message.step))
    except asyncio.CancelledError:
        talk(f"the recovery of {board} goes on; `benchline boards health {board}` tells how")
        return EXIT_LEFT
    if not options.json:
        data(recovery_line(ended))
    return exit_code(outcome_word(ended.outcome))


def chip_line(chip: bench_pb2.Chip) -> str:
    """One chip as it described itself."""
    size = f", {chip.flash_bytes // 1024} KiB flash" if chip.flash_bytes else ""
    more = f", {', '.join(chip.features)}" if chip.features else ""
    locked = f", protected: {', '.join(chip.protections)}" if chip.protections else ""
    return f"{chip.name} {chip.revision}, {chip.identity or 'no id'}{size}{more}{locked}"


def _lease(options: argparse.Namespace) -> str:
    lease: str = options.lease or ""
    return f"leases/{lease}" if lease and not lease.startswith("leases/") else lease
