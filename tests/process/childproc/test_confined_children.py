"""Real children at every level that this machine allows."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from controlplane.childproc.command import Command, Confinement, LimitHit, Limits
from controlplane.childproc.confinement import (
    ConfinementMissingError,
    confined_argv,
    strongest_confinement,
)
from controlplane.childproc.runner import run, stream

LEVELS = tuple(Confinement)
SHELL = "/bin/sh"


async def allowed(level: Confinement) -> Confinement:
    """The level, or the nearest weaker one where the kernel refuses it."""
    strongest = await strongest_confinement()
    return max(level, strongest, key=LEVELS.index)


def shell(script: str, **facts: object) -> Command:
    return Command(argv=(SHELL, "-c", script), cwd=Path("/"), **facts)


async def until(condition: object, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - another process tells nothing
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("level", LEVELS)
async def test_output_and_exit_code_come_back(level: Confinement) -> None:
    ended = await run(
        shell("echo out; echo err >&2; exit 7"), Limits(), confinement=await allowed(level)
    )

    assert (ended.rc, ended.stdout, ended.stderr) == (7, b"out\n", b"err\n")
    assert ended.limit_hit is LimitHit.NONE


@pytest.mark.parametrize("level", LEVELS)
async def test_a_signal_is_told_as_a_negative_code(level: Confinement) -> None:
    ended = await run(shell("kill -6 $$"), Limits(), confinement=await allowed(level))

    assert ended.rc == -6


@pytest.mark.parametrize("level", LEVELS)
async def test_the_wall_limit_ends_a_child_and_its_children(
    level: Confinement, tmp_path: Path
) -> None:
    script = f"sleep 1000 & echo $! > {tmp_path}/pid; sleep 1000"
    command = shell(script, writable=(tmp_path,))
    ended = await run(command, Limits(wall_s=2), confinement=await allowed(level))

    assert ended.limit_hit is LimitHit.WALL
    # A shell that a busy machine let do nothing in that time left nothing behind either.
    noted = tmp_path / "pid"
    if level is Confinement.RLIMITS and noted.exists() and (pid := noted.read_text().strip()):
        await until(lambda: gone(int(pid)))


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


@pytest.mark.parametrize("level", LEVELS)
async def test_the_cpu_limit_is_named(level: Confinement) -> None:
    ended = await run(
        shell("while :; do :; done"), Limits(cpu_s=1), confinement=await allowed(level)
    )

    assert ended.limit_hit is LimitHit.CPU


async def test_a_file_larger_than_the_limit_is_not_written(tmp_path: Path) -> None:
    script = f"exec dd if=/dev/zero of={tmp_path}/large bs=65536 count=64"
    limits = Limits(file_bytes=65536)
    ended = await run(shell(script, writable=(tmp_path,)), limits, confinement=Confinement.RLIMITS)

    assert ended.rc != 0
    assert (tmp_path / "large").stat().st_size == 65536


@pytest.mark.parametrize("level", LEVELS)
async def test_output_beyond_the_cap_is_dropped_and_flagged(level: Confinement) -> None:
    script = "i=0; while [ $i -lt 2000 ]; do echo 0123456789; i=$((i+1)); done"
    ended = await run(shell(script), Limits(output_bytes=100), confinement=await allowed(level))

    assert ended.rc == 0
    assert len(ended.stdout) == 100
    assert ended.truncated


async def demand_bubblewrap() -> None:
    if shutil.which("bwrap") is None:
        pytest.fail("bwrap is missing: apt install bubblewrap")
    if await strongest_confinement() is not Confinement.BUBBLEWRAP:
        pytest.skip("this kernel refuses user namespaces here (a chroot, or forbidden to users)")


async def test_bubblewrap_hides_files_and_network(tmp_path: Path) -> None:
    await demand_bubblewrap()
    (tmp_path / "secret").write_text("hidden")
    script = f"cat {tmp_path}/secret; cat /etc/passwd; ls /sys/class/net; wc -l < /proc/net/dev"
    ended = await run(shell(script), Limits(), confinement=Confinement.BUBBLEWRAP)

    assert b"hidden" not in ended.stdout
    assert b"root:" not in ended.stdout
    assert ended.stdout.split() == [b"3"], "two heading lines and the loopback device"


async def test_only_named_directories_are_writable(tmp_path: Path) -> None:
    await demand_bubblewrap()
    open_, closed = tmp_path / "open", tmp_path / "closed"
    open_.mkdir()
    closed.mkdir()
    script = f"echo a > {open_}/file; echo b > {closed}/file; echo c > /usr/file"
    command = shell(script, writable=(open_,), read_only=(closed,))
    ended = await run(command, Limits(), confinement=Confinement.BUBBLEWRAP)

    assert ended.rc != 0
    assert (open_ / "file").exists()
    assert not (closed / "file").exists()


@pytest.mark.parametrize("level", LEVELS)
async def test_cancelling_leaves_no_process(level: Confinement, tmp_path: Path) -> None:
    script = f"echo started > {tmp_path}/mark; sleep 1000"
    started = tmp_path / "mark"
    command = shell(script, writable=(tmp_path,))
    task = asyncio.create_task(run(command, Limits(), confinement=await allowed(level)))
    await until(started.exists)
    children = child_pids()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert children
    await until(lambda: not child_pids() & children)


def child_pids() -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid() and fields[0] != "Z":
                found.add(int(entry.name))
    return found


@pytest.mark.parametrize("level", LEVELS)
async def test_a_stream_is_read_while_the_child_runs(level: Confinement) -> None:
    script = "echo ready; exec sleep 1000"
    async with stream(shell(script), Limits(), confinement=await allowed(level)) as child:
        assert await child.read() == b"ready\n"
        assert child.rc is None
    assert child.rc == -9


async def test_a_slow_reader_holds_the_child_back() -> None:
    script = "exec yes 0123456789"
    async with stream(shell(script), Limits()) as child:
        first = await child.read(10)
        await until(lambda: len(child.stdout) >= 256 * 1024)
        held = len(child.stdout)

    assert first == b"0123456789"
    assert held < 2 * 256 * 1024


async def test_a_missing_util_linux_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)

    with pytest.raises(ConfinementMissingError, match="apt install util-linux"):
        confined_argv(shell("true"), Limits(), Confinement.RLIMITS)


@pytest.mark.parametrize("level", LEVELS)
async def test_a_child_may_have_to_yield_to_others(level: Confinement) -> None:
    usual = await run(shell("nice"), Limits(), confinement=await allowed(level))
    meek = await run(shell("nice"), Limits(niceness=7), confinement=await allowed(level))

    assert int(meek.stdout) == min(19, int(usual.stdout) + 7)


@pytest.mark.parametrize("level", LEVELS)
async def test_a_child_that_is_listened_to_can_be_typed_at(level: Confinement) -> None:
    command = shell("read line; echo got $line; exec sleep 1000", hold_input=True)
    async with stream(command, Limits(), confinement=await allowed(level)) as child:
        assert child.write(b"hello\n")
        assert await child.read() == b"got hello\n"
        # It reads no more: what waits for it is bounded, and nobody waits with it.
        taken = sum(child.write(b"x" * 4096) for _ in range(100))
        assert 0 < taken < 100

    assert not child.write(b"x")
