"""Starts and stops the local instance, and waits until it is there."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchline.errors import NotReadyError, UnreachableError
from benchline.instance import Instance, make_private
from benchline.process_id import ProcessId, identify
from benchline.v1 import bench_pb2
from tui.client.connection import Connection
from tui.client.watch import Back, watch_boards
from tui.headless.output import EXIT_USAGE
from tui.instance_record import (
    data_dir_unusable,
    processes_of,
    read_record,
    record_path,
    supervisor_pid,
)
from tui.process import end_all
from tui.supervisor import import_path
from tui.virtual_boards import DEMO, refused, virtual_boards

START_TIMEOUT_S = 30.0
BOARDS_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 60.0
_LOG_TAIL_LINES = 8
_MOST_STARTS = 6
_THERE = (
    bench_pb2.Board.STATE_ACTIVE,
    bench_pb2.Board.STATE_LEASED,
    bench_pb2.Board.STATE_QUARANTINED,
)


def start_supervisor(instance: Instance) -> None:
    """Start the supervisor of an instance; harmless when one runs already.

    Raises:
        InvalidRequestError: VIRTUAL_BOARDS_INVALID or DATA_DIR_UNUSABLE.
    """
    _demand_possible_boards()  # a mistake is told here, not in the logs of boards that never come
    try:
        for folder in (instance.data_dir, instance.run_dir, instance.log_dir):
            make_private(folder)
    except OSError as error:
        raise data_dir_unusable(instance, error) from error
    environment = _environment() | {"BENCHLINE_DATA_DIR": str(instance.data_dir)}
    with (instance.log_dir / "supervisor.log").open("ab") as log:
        subprocess.run(
            [sys.executable, "-P", "-m", "tui.supervisor"],
            cwd=instance.data_dir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            check=True,
        )


def _demand_possible_boards() -> None:
    """Refuse boards that could not run: what a board can be is asked of its own program."""
    added = virtual_boards(os.environ)[len(DEMO) :]
    if not added:
        return
    wishes = json.dumps([board.arguments for board in added])
    asked = subprocess.run(
        [sys.executable, "-P", "-m", "benchagent.virtual.check", wishes],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if asked.returncode == EXIT_USAGE:
        raise refused("; ".join(asked.stdout.splitlines()))


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": import_path()}


async def wait_until_serving(
    connection: Connection, instance: Instance, timeout_s: float = START_TIMEOUT_S
) -> None:
    """Wait until the control plane says that it is ready.

    Raises:
        UnreachableError: INSTANCE_NOT_STARTED.
    """
    end = time.monotonic() + timeout_s
    while not await connection.is_serving():
        if time.monotonic() >= end or _keeps_dying(instance):
            raise UnreachableError("INSTANCE_NOT_STARTED", _why_not(instance))
        await asyncio.sleep(0.05)


async def boards_ready(
    connection: Connection, instance: Instance, timeout_s: float = BOARDS_TIMEOUT_S
) -> bool:
    """Wait until every virtual board is connected, by the server's own announcements.

    One that is out of service stays so over restarts, and is not waited for.
    """
    record = read_record(instance)
    wanted = frozenset(record.boards if record else ())
    try:
        async with asyncio.timeout(timeout_s):
            async for inventory in watch_boards(connection):
                if isinstance(inventory, Back):
                    continue
                there = {b.name.rpartition("/")[2] for b in inventory.boards if b.state in _THERE}
                if there >= wanted:
                    return True
    except TimeoutError:
        pass
    return False


async def start(instance: Instance) -> tuple[Connection, bool]:
    """Bring everything up; gives a connection and whether it was already there.

    Raises:
        UnreachableError: INSTANCE_NOT_STARTED or BOARDS_NOT_READY.
        InvalidRequestError: VIRTUAL_BOARDS_INVALID or DATA_DIR_UNUSABLE.
        NotReadyError: FOREIGN_SERVER, when another program serves this data directory.
    """
    connection = Connection(instance.target)
    try:
        attached = supervisor_pid(instance) is not None
        if not attached:
            await _refuse_foreign_server(connection, instance)
            await asyncio.to_thread(start_supervisor, instance)
        await wait_until_serving(connection, instance)
        await _demand_boards(connection, instance)
    except BaseException:
        await connection.close()
        raise
    return connection, attached


async def _demand_boards(connection: Connection, instance: Instance) -> None:
    if await boards_ready(connection, instance):
        return
    record = read_record(instance)
    dying = [one.name for one in record.programs if one.starts > 1] if record else []
    # What does not even start is the cause: its last line says why, and the agent nothing more.
    tail = "\n".join(f"  {name}: {_last_line(instance.log_dir / f'{name}.log')}" for name in dying)
    tail = tail or _tail(instance.log_dir / "agent.log")
    raise UnreachableError(
        "BOARDS_NOT_READY",
        f"the control plane serves, but the virtual boards did not come within "
        f"{BOARDS_TIMEOUT_S:.0f} s; see {instance.log_dir}\n{tail}".rstrip(),
    )


async def _refuse_foreign_server(connection: Connection, instance: Instance) -> None:
    """A server that no supervisor started (``benchline serve``) keeps the data directory."""
    end = time.monotonic() + 5.0
    while await connection.is_serving():
        record = read_record(instance)
        if record is not None and any(one.alive for one in processes_of(record)):
            return  # left behind by a killed supervisor: the next one ends it first
        if time.monotonic() >= end:
            raise NotReadyError(
                "FOREIGN_SERVER",
                "a control plane that `benchline up` did not start serves this data directory "
                "(`benchline serve`?); stop it first, or use it as it is",
            )
        await asyncio.sleep(0.1)


def stop(instance: Instance) -> bool:
    """Stop everything and wait until it is gone; False when nothing ran.

    Raises:
        UnreachableError: STILL_RUNNING, naming the pids.
    """
    record = read_record(instance)
    pid = supervisor_pid(instance)
    ran = pid is not None
    stayed: list[ProcessId] = []
    if pid:
        process = identify(pid)
        if process is not None:
            stayed = end_all([process], grace_s=STOP_TIMEOUT_S)
    if record is not None:
        leftovers = [one for one in processes_of(record) if one.alive]
        ran = ran or bool(leftovers)
        stayed += end_all(leftovers, grace_s=10.0)
    if stayed:
        pids = ", ".join(str(one.pid) for one in stayed)
        raise UnreachableError("STILL_RUNNING", f"these processes cannot be ended: {pids}")
    record_path(instance).unlink(missing_ok=True)
    return ran


def _keeps_dying(instance: Instance) -> bool:
    """The control plane ended again and again: waiting longer will not help."""
    record = read_record(instance)
    if record is None or supervisor_pid(instance) != record.supervisor.pid:
        return False
    return any(one.name == "controlplane" and one.starts > _MOST_STARTS for one in record.programs)


def _why_not(instance: Instance) -> str:
    log = instance.log_dir / "controlplane.log"
    text = f"the control plane does not get ready; see {log}"
    return f"{text}\n{_tail(log)}".rstrip()


def _last_line(log: Path) -> str:
    return _tail(log).rpartition("\n")[2].strip() or "ends at once and says nothing"


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as handle:
            handle.seek(max(0, log.stat().st_size - 4096))
            lines = handle.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-_LOG_TAIL_LINES:])
