"""``stack telemetry``: what the devices of a stack publish."""

import argparse
import asyncio

import grpc

from benchline.v1 import stack_pb2
from tui.client import stacks as calls
from tui.client.connection import Connection, failure_of
from tui.client.stack_facts import telemetry_of
from tui.client.watch import Back
from tui.headless import local
from tui.headless.output import EXIT_LEFT, data, json_line, talk
from tui.stack_wording import missed_line, telemetry_line
from tui.state.telemetry import Missed

_GIVES_NONE = ("TELEMETRY_NOT_READ", "STACK_NOT_FOUND")


async def telemetry(connection: Connection, options: argparse.Namespace) -> int:
    """Tell the messages that are kept, or those that come from now on."""
    if options.follow:
        return await _follow_telemetry(connection, options)
    came = 0
    try:
        async for message in calls.kept_telemetry(connection, options.name, device=options.device):
            came += 1
            _tell_telemetry(options, message)
    except asyncio.CancelledError:
        return EXIT_LEFT
    if not came:
        talk(f"no device of stack {options.name} published anything since the control plane began")
    return 0


async def _follow_telemetry(connection: Connection, options: argparse.Namespace) -> int:
    """Tell messages until somebody leaves, or the stack gives none any more."""
    gone = told = False

    async def away(reason: str) -> None:
        nonlocal gone
        if not gone:
            talk("the server is away; telemetry goes on when it is back")
        gone = True
        await local.bring_back(reason)

    try:
        async for item in calls.resume_telemetry(
            connection, options.name, device=options.device, on_away=away
        ):
            match item:
                case Back():
                    gone = False
                    talk("connected again")
                case Missed():
                    talk(missed_line(item))
                case _:
                    told = True
                    _tell_telemetry(options, item)
    except asyncio.CancelledError:
        return EXIT_LEFT
    except grpc.aio.AioRpcError as error:
        failure = failure_of(error)
        if not told or failure.reason not in _GIVES_NONE:
            raise
        talk(f"no more telemetry: {failure.message}")
    return 0


def _tell_telemetry(options: argparse.Namespace, message: stack_pb2.TelemetryMessage) -> None:
    data(json_line(message) if options.json else telemetry_line(telemetry_of(message)))
