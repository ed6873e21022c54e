"""``up``, ``down``, ``serve``, ``agent`` and ``doctor``."""

import argparse
import asyncio
import json
import os
import sys

import grpc

from benchline.instance import current_instance
from benchline.v1 import bench_pb2, server_pb2
from tui.client.connection import Connection
from tui.headless import local, starting
from tui.headless.output import EXIT_USAGE, data, json_line, talk
from tui.instance_record import read_record
from tui.supervisor import import_path

_UNUSABLE = {
    bench_pb2.Board.STATE_QUARANTINED: "  out of service",
    bench_pb2.Board.STATE_OFFLINE: "  offline",
}


async def up(options: argparse.Namespace) -> int:
    """Start the local instance, or attach to the one that runs."""
    instance = current_instance()
    connection, attached = await starting.start(instance)
    async with connection:
        boards = await connection.all_boards()
    record = read_record(instance)
    if options.json:
        programs = record.programs if record else ()
        pids = {one.name: one.pid for one in programs}
        pids["supervisor"] = record.supervisor.pid if record else 0
        told = {
            "target": instance.target,
            "dataDir": str(instance.data_dir),
            "attached": attached,
            "pids": pids,
            "boards": [board.name for board in boards],
        }
        data(json.dumps(told))
        return 0
    talk("already up" if attached else "up")
    data(f"target  {instance.target}")
    data(f"data    {instance.data_dir}")
    for board in boards:
        data(f"board   {board.name}  {board.model}{_UNUSABLE.get(board.state, '')}")
    talk("`benchline run PROMPT` starts a session, `benchline down` stops everything")
    return 0


async def down(options: argparse.Namespace) -> int:
    """Stop the local instance."""
    ran = await asyncio.to_thread(starting.stop, current_instance())
    if options.json:
        data(json.dumps({"stopped": ran}))
    else:
        talk("stopped" if ran else "nothing was running")
    return 0


def replace_with(module: str, arguments: list[str]) -> int:
    """Become another program of the product."""
    environment = os.environ | {"PYTHONPATH": import_path()}
    sys.stdout.flush()
    words = [sys.executable, "-P", "-m", module, *arguments]
    os.execve(sys.executable, words, environment)  # noqa: S606  # no shell is wanted


async def doctor(options: argparse.Namespace) -> int:
    """Checks of the server's tools, then those of the agent."""
    checks, server_ok = await _server_checks()
    checks += await _agent_checks()
    for check in checks:
        if options.json:
            data(json_line(check, whole=True))
            continue
        # What is right and still has something to do is optional, and not there.
        sign = "✗" if not check.ok else "·" if check.fix else "✓"
        data(f"{sign} {check.check_name:<24} {check.detail}")
        if check.fix:
            data(f"    {check.fix}")
    return 0 if server_ok and all(check.ok for check in checks) else 3


async def _server_checks() -> tuple[list[server_pb2.Check], bool]:
    connection: Connection = await local.ensure_up()
    async with connection:
        try:
            request = server_pb2.GetServerRequest(run_checks=True)
            answer = await connection.server.GetServer(request, timeout=120)
        except grpc.aio.AioRpcError as error:
            talk(f"the server's checks cannot be run: {error.details()}")
            return [], False
        return list(answer.checks), True


async def _agent_checks() -> list[server_pb2.Check]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "benchagent", "doctor", "--json"),
        env=os.environ | {"PYTHONPATH": import_path()},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    checks = []
    for line in out.decode("utf-8", errors="replace").splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            checks.append(_check(found))
    if child.returncode == EXIT_USAGE or (not checks and child.returncode):
        reason = err.decode("utf-8", errors="replace").strip().splitlines()
        detail = reason[-1] if reason else f"exit code {child.returncode}"
        checks.append(server_pb2.Check(check_name="agent", ok=False, detail=detail))
    return checks


def _check(found: dict[str, object]) -> server_pb2.Check:
    good = bool(found.get("good"))
    return server_pb2.Check(
        check_name=f"agent: {found.get('name', '')}",
        ok=good or not found.get("needed", True),
        detail=str(found.get("message", "")),
        fix="" if good else str(found.get("fix", "")),
    )
