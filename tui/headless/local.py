"""Finds the local instance, and starts it when it is not there."""

import asyncio
from collections.abc import Callable

from benchline.instance import current_instance
from tui.client.connection import Connection
from tui.headless.output import talk

Say = Callable[[str], None]
"""Where a sentence for the operator goes."""


async def ensure_up(*, need_boards: bool = True, say: Say = talk) -> Connection:
    """A connection to the local instance, which is started when nobody serves it.

    Raises:
        UnreachableError: INSTANCE_NOT_STARTED, with the end of the log that tells why.
        InvalidRequestError: VIRTUAL_BOARDS_INVALID or DATA_DIR_UNUSABLE.
    """
    instance = current_instance()
    connection = Connection(instance.target)
    try:
        if await connection.is_serving():
            return connection
        # Loaded only now: most verbs find an instance that runs.
        from tui import instance_record
        from tui.headless import starting

        started = instance_record.supervisor_pid(instance) is None
        if started:
            say(f"starting the local instance in {instance.data_dir}")
            await asyncio.to_thread(starting.start_supervisor, instance)
        await starting.wait_until_serving(connection, instance)
        if started and need_boards and not await starting.boards_ready(connection, instance):
            say("the virtual boards are not there yet; see `benchline boards`")
    except BaseException:
        await connection.close()
        raise
    return connection


async def bring_back(_: str, say: Say = talk) -> None:
    """Start the local instance again when its supervisor was killed.

    A supervisor that was stopped (``down``) leaves no record and is left alone.
    """
    from tui.headless.starting import start_supervisor
    from tui.instance_record import record_path, supervisor_pid

    instance = current_instance()
    if record_path(instance).exists() and supervisor_pid(instance) is None:
        say("the local instance is gone; starting it again")
        await asyncio.to_thread(start_supervisor, instance)
