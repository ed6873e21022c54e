"""Children that are forked from a warm process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchagent.flashers.nursery import Child, Nursery
from tests.process.virtual.boards import is_alive, wait_for

CHILD = """
import os, sys, pathlib
def warm():
    with open(r"{folder}/warmed", "a") as log:
        log.write("once ")
def main(kept):
    for line in sys.stdin:
        print(os.getpid(), line.strip(), flush=True)
        if line == "die\\n":
            return 7
    pathlib.Path(r"{folder}/ended").touch()
    return 0
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "parrot.py").write_text(CHILD.format(folder=tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "parrot"


@pytest.fixture
def nursery(module: str) -> Iterator[Nursery]:
    found = Nursery(module)
    yield found
    found.close()


def open_files(pid: int) -> set[str]:
    return {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}


async def hello(child: Child) -> None:
    child.writer.write(b"hello\n")
    assert await child.reader.readline() == b"%d hello\n" % child.pid


async def finish(child: Child) -> None:
    if child.writer.can_write_eof() and not child.writer.is_closing():
        child.writer.write_eof()
    assert await child.ended(60)
    await child.errors
    await child.close()


async def test_children_run_at_once_apart_and_warm(tmp_path: Path, nursery: Nursery) -> None:
    first, second = await nursery.start(), await nursery.start()
    for child in (first, second, first):
        await hello(child)
    first.writer.write(b"die\n")
    assert await first.ended(60)
    assert await first.exit_code() == 7
    second.signal(signal.SIGKILL)
    assert await second.ended(60)
    assert await second.exit_code() == -signal.SIGKILL
    assert (tmp_path / "warmed").read_text() == "once "
    for child in (first, second):
        await finish(child)


async def test_a_child_keeps_open_what_it_is_given_and_nothing_of_others(
    tmp_path: Path, nursery: Nursery
) -> None:
    with (tmp_path / "mine").open("w") as kept:
        first = await nursery.start((kept.fileno(),))
    second = await nursery.start()
    await hello(first)
    await hello(second)
    files = [open_files(child.pid) for child in (first, second)]
    assert str(tmp_path / "mine") in files[0]
    assert str(tmp_path / "mine") not in files[1]
    # Its talk socket once for both directions, its stderr; nothing of the nursery or the sister.
    assert sum(name.startswith("socket:") for name in files[1]) == 2
    for child in (first, second):
        await finish(child)


async def test_a_child_goes_on_without_its_nursery_and_ends_with_its_stdin(
    tmp_path: Path, nursery: Nursery
) -> None:
    child = await nursery.start()
    nursery.close()
    child.writer.write(b"still here?\n")
    assert await child.reader.readline() == b"%d still here?\n" % child.pid
    child.writer.write_eof()
    assert await child.ended(60)
    assert (tmp_path / "ended").exists()
    assert await child.exit_code() is None
    await finish(child)


async def test_a_nursery_that_was_killed_is_replaced(nursery: Nursery) -> None:
    await finish(await nursery.start())
    pid = nursery.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    child = await nursery.start()
    assert nursery.pid != pid
    await hello(child)
    await finish(child)


async def test_an_idle_nursery_ends_by_itself(module: str) -> None:
    nursery = Nursery(module, idle_s=0.1)
    await finish(await nursery.start())
    pid = nursery.pid
    assert pid is not None
    wait_for("its end", lambda: not is_alive(pid))
    await finish(await nursery.start())
    nursery.close()
