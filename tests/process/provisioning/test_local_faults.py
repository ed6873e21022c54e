"""The local cloud when things go wrong: killed, stopped, crowded out, full, missing."""

import asyncio
import os
import random
import signal
import socket
import stat
import sys
import time
from pathlib import Path

import pytest

from benchline.errors import NotReadyError
from controlplane.domain.provisioning import ChangeAction
from controlplane.provisioning.localcloud import mosquitto
from controlplane.provisioning.localcloud.clouds import LocalClouds
from tests.process.provisioning.cloud_checks import erased, intact, nothing_left, settled_as
from tests.process.provisioning.conftest import MakeStack
from tests.process.provisioning.local_rig import Stack, mosquitto_pids

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0
# Each round kills one apply and one destroy; `make chaos` asks for more.
ROUNDS = int(os.environ.get("BENCHLINE_CHAOS_ROUNDS", "10"))
SEED = int(os.environ.get("BENCHLINE_CHAOS_SEED", "0")) or random.SystemRandom().getrandbits(32)


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(handle, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
    finally:
        loop.remove_reader(handle)
        os.close(handle)


async def eventually_ready(stack: Stack) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await stack.cloud.read_broker()
            if found is not None and found.condition == "ready":
                return
            await asyncio.sleep(0.05)


async def pid_of(stack: Stack) -> int:
    """Wait until a broker's program was started, whether or not it says anything."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for pid in mosquitto_pids(stack.root):
                return pid
            await asyncio.sleep(0.05)


async def test_terraform_killed_at_any_moment_is_mended_by_the_next_plan(
    make_stack: MakeStack,
) -> None:
    draw = random.Random(SEED)
    stack = make_stack()
    began = time.monotonic()
    await stack.plan_and_apply()
    usual = {"apply": time.monotonic() - began}
    port = int((await stack.outputs())["broker_endpoint"].split(":")[1])
    began = time.monotonic()
    await stack.plan_and_apply(destroy=True)
    usual["destroy"] = time.monotonic() - began
    kills = 0

    for number in range(ROUNDS):
        for what in ("apply", "destroy"):
            moment = draw.uniform(0, usual[what])
            story = f"round {number} of seed {SEED}: {what} killed after {moment:.3f} s"
            planned = await stack.plan(destroy=what == "destroy")
            killed = await stack.apply(planned, kill_after_s=moment)
            kills += killed.killed
            try:
                await stack.plan_and_apply(destroy=what == "destroy")
                if what == "apply":
                    await intact(stack, ("dev-1", "dev-2"))
                else:
                    erased(stack, port)
            except (AssertionError, NotReadyError) as error:
                raise AssertionError(f"{story}: {error}") from error
    await nothing_left(stack, port)
    assert kills >= ROUNDS // 2, "hardly any kill came before the end"


async def test_a_broker_that_is_made_anew_takes_its_devices_along(make_stack: MakeStack) -> None:
    stack = make_stack(devices=("dev-1", "dev-2"))
    await stack.plan_and_apply()

    planned = await stack.plan(replace=["benchline_broker.this"])
    assert set(planned.actions.values()) == {ChangeAction.REPLACE}
    assert len(planned.actions) == 3
    applied = await stack.apply(planned)

    assert applied.failure is None, applied.text
    await settled_as(stack, ("dev-1", "dev-2"))


async def test_what_a_killed_apply_made_is_cleared_away_when_it_is_not_wanted_any_more(
    make_stack: MakeStack,
) -> None:
    stack = make_stack(devices=("dev-1",))
    planned = await stack.plan()
    assert planned.result is not None
    # Made, and never recorded: as when Terraform dies before it saves its state.
    await stack.cloud.ensure_broker()
    await stack.cloud.ensure_device("dev-1")
    found = await stack.cloud.read_broker()
    assert found is not None

    destroying = await stack.plan(destroy=True)
    assert destroying.actions == {}
    await stack.cloud.keep_only(None)

    await nothing_left(stack, found.port)


def hanging_program(folder: Path) -> Path:
    """A broker that starts and says nothing."""
    program = folder / "mosquitto"
    program.write_text("#!/bin/sh\nsleep 1000\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


async def test_a_stop_is_heeded_in_the_middle_of_a_create(
    make_stack: MakeStack, tmp_path: Path
) -> None:
    programs = [hanging_program(tmp_path)]
    stack = make_stack(find_program=lambda: programs[-1])
    planned = await stack.plan()
    applying = asyncio.create_task(stack.apply(planned))
    pid = await pid_of(stack)

    assert stack.terraform is not None
    await stack.terraform.cancel()
    ended = await applying

    assert ended.failure is not None
    assert ended.failure.reason == "OPERATION_CANCELLED"
    assert "The operation was stopped" in ended.text
    assert ended.done == []
    await gone(pid)
    programs.append(mosquitto.find_mosquitto())
    await stack.plan_and_apply()
    await settled_as(stack, ("dev-1", "dev-2"))


async def test_a_broker_that_says_nothing_is_given_up(
    make_stack: MakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlplane.provisioning.localcloud.broker.START_SECONDS", 0.5)
    stack = make_stack(find_program=lambda: hanging_program(tmp_path))

    ended = await stack.apply(await stack.plan())

    assert "BROKER_NOT_STARTED" in ended.text
    assert mosquitto_pids(stack.root) == []


async def test_a_missing_mosquitto_is_named_with_its_package(
    make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stack = make_stack(devices=())
    planned = await stack.plan()
    monkeypatch.setattr(mosquitto, "_FURTHER_FOLDERS", ())
    monkeypatch.setattr(os, "get_exec_path", lambda: [str(tmp_path)])

    ended = await stack.apply(planned)

    assert "MOSQUITTO_NOT_FOUND" in ended.text
    assert "apt install mosquitto" in ended.text
    monkeypatch.undo()
    await stack.plan_and_apply()
    await settled_as(stack, ())


async def test_a_taken_port_is_named_and_another_one_helps(make_stack: MakeStack) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        taken = squatter.getsockname()[1]
        stack = make_stack(devices=("dev-1",), port=taken)

        ended = await stack.apply(await stack.plan())

        assert "BROKER_PORT_IN_USE" in ended.text
        assert f"port {taken} of this machine is taken" in ended.text
        assert mosquitto_pids(stack.root) == []
        found = await stack.cloud.read_broker()
        assert found is not None
        assert found.condition == "broken: its port is taken by another program"
        stack.port = None
        await stack.cloud.delete_broker()
        await stack.plan_and_apply()
        await settled_as(stack, ("dev-1",))

    stack.port = taken
    moved = await stack.plan()
    assert moved.actions == {"benchline_broker.this": "update"}
    assert not (await stack.apply(moved)).failure
    assert (await stack.outputs())["broker_endpoint"] == f"127.0.0.1:{taken}"
    await settled_as(stack, ("dev-1",))


async def test_a_crashed_broker_is_started_again_and_a_killed_one_is_not(
    make_stack: MakeStack,
) -> None:
    stack = make_stack(devices=("dev-1",))
    await stack.plan_and_apply()
    (pid,) = mosquitto_pids(stack.root)
    os.kill(pid, signal.SIGSEGV)
    await gone(pid)
    await eventually_ready(stack)
    (second,) = mosquitto_pids(stack.root)
    assert second != pid
    await settled_as(stack, ("dev-1",))

    for number in (signal.SIGKILL, signal.SIGTERM):
        (pid,) = mosquitto_pids(stack.root)
        os.kill(pid, number)
        await gone(pid)
        planned = await stack.plan()
        assert planned.drift == {"benchline_broker.this": "update"}
        assert mosquitto_pids(stack.root) == []
        assert not (await stack.apply(planned)).failure
    await settled_as(stack, ("dev-1",))


async def test_the_next_control_plane_starts_the_broker_where_it_was(
    make_stack: MakeStack,
) -> None:
    stack = make_stack()
    await stack.plan_and_apply()
    before = await stack.outputs()
    await stack.cloud.close()
    assert mosquitto_pids(stack.root) == []

    async with LocalClouds(stack.host.stacks_dir) as clouds:
        stack.cloud = clouds.cloud("demo")
        # Without waiting: a broker that is being started is no drift.
        await settled_as(stack, ("dev-1", "dev-2"))
        assert await stack.outputs() == before

    assert mosquitto_pids(stack.root) == []


async def test_no_broker_outlives_a_killed_control_plane(make_stack: MakeStack) -> None:
    stack = make_stack(devices=("dev-1",))
    await stack.plan_and_apply()
    await stack.cloud.close()
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"}
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("cloud_program.py")),
        str(stack.host.stacks_dir),
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    assert program.stdout is not None
    assert await asyncio.wait_for(program.stdout.readline(), PATIENCE_S) == b"ready\n"
    (pid,) = mosquitto_pids(stack.root)

    program.kill()
    await program.wait()

    await gone(pid)
    await stack.cloud.resume()
    await eventually_ready(stack)
    await settled_as(stack, ("dev-1",))


async def test_a_broker_that_nobody_supervises_is_ended_before_another_is_started(
    make_stack: MakeStack,
) -> None:
    stack = make_stack(devices=("dev-1",))
    await stack.plan_and_apply()
    await stack.cloud.close()
    config = stack.cloud_folder / "mosquitto.conf"
    stray = await asyncio.create_subprocess_exec(
        str(mosquitto.find_mosquitto()), "-c", str(config), stderr=asyncio.subprocess.PIPE
    )
    try:
        assert stray.stderr is not None
        while b"running" not in await asyncio.wait_for(stray.stderr.readline(), PATIENCE_S):
            pass

        await stack.cloud.resume()
        await eventually_ready(stack)

        assert await asyncio.wait_for(stray.wait(), PATIENCE_S) == -signal.SIGKILL
        await settled_as(stack, ("dev-1",))
    finally:
        if stray.returncode is None:
            stray.kill()
        await stray.communicate()


@pytest.mark.parametrize("limit", [0, 100, 200, 400, 600])
async def test_a_full_disk_is_named_and_leaves_nothing_half_made(
    make_stack: MakeStack, limit: int
) -> None:
    stack = make_stack(devices=("dev-1",))
    await stack.plan_and_apply()
    await stack.cloud.close()
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("cloud_program.py")),
        str(stack.host.stacks_dir),
        "dev-2",
        str(limit),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"},
    )
    out, _ = await asyncio.wait_for(program.communicate(), PATIENCE_S)
    assert out == b"DISK_FULL\n"
    assert list(stack.cloud_folder.rglob(".*.new")) == []

    await stack.cloud.resume()
    stack.devices = ("dev-1", "dev-2")
    await stack.plan_and_apply()
    await settled_as(stack, ("dev-1", "dev-2"))
