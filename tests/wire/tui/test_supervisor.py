"""The supervisor with real processes; only the list of programs is the tests' own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchline.instance import Instance, make_private
from benchline.process_id import ProcessId, identify
from tests.wire.tui.conftest import ROOT
from tui.headless import starting
from tui.instance_record import InstanceRecord, processes_of, read_record, supervisor_pid
from tui.process import end_all

RUN = """
import sys
import tui.supervisor as s
names = ("board", "controlplane", "agent")
s.programs_of = lambda *_: tuple(
    s.Program(name=n, arguments=("tests.wire.tui.idle_program", n), stop_rank=2 - i)
    for i, n in enumerate(names)
)
sys.exit(s.main())
"""


def wait_for(condition: Callable[[], bool], patience_s: float = 60.0) -> None:
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail("the condition did not come true")
        time.sleep(0.01)


def launch(instance: Instance) -> None:
    make_private(instance.data_dir)
    environment = os.environ | {
        "BENCHLINE_DATA_DIR": str(instance.data_dir),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}",
    }
    subprocess.run([sys.executable, "-P", "-c", RUN], env=environment, check=True)


def running(instance: Instance) -> InstanceRecord:
    def all_up() -> bool:
        record = read_record(instance)
        return (
            record is not None
            and supervisor_pid(instance) == record.supervisor.pid
            and len(processes_of(record)) == 3
            and all(one.alive for one in processes_of(record))
        )

    wait_for(all_up)
    record = read_record(instance)
    assert record is not None
    return record


def pid_of(record: InstanceRecord, name: str) -> int:
    return next(one.pid for one in record.programs if one.name == name)


def members(group: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == group and identify(int(entry.name)):
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


@pytest.fixture
def up(instance: Instance) -> Iterator[Instance]:
    launch(instance)
    yield instance
    starting.stop(instance)


def test_everything_runs_and_down_leaves_nothing(up: Instance) -> None:
    record = running(up)
    assert starting.stop(up)
    assert not any(one.alive for one in processes_of(record))
    assert supervisor_pid(up) is None
    assert read_record(up) is None
    assert not starting.stop(up)


@pytest.mark.parametrize("name", ["controlplane", "agent", "board"])
def test_a_killed_program_comes_back_without_what_it_left_behind(up: Instance, name: str) -> None:
    first = running(up)
    old = pid_of(first, name)
    wait_for(lambda: len(members(old)) == 2)
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: pid_of(running(up), name) != old)
    assert members(old) == []
    others = [one for one in running(up).programs if one.name != name]
    assert all(one in first.programs for one in others)


def test_a_second_supervisor_leaves_the_first_alone(up: Instance) -> None:
    first = running(up)
    launch(up)
    assert running(up) == first


def test_children_end_with_a_killed_supervisor_and_the_next_one_starts_clean(
    up: Instance,
) -> None:
    first = running(up)
    os.kill(first.supervisor.pid, signal.SIGKILL)
    wait_for(lambda: not any(one.alive for one in processes_of(first)))
    launch(up)
    assert set(processes_of(running(up))).isdisjoint(processes_of(first))


def test_leftovers_that_ignore_their_parents_death_are_ended_first(up: Instance) -> None:
    first = running(up)
    stuck = pid_of(first, "board")
    os.kill(stuck, signal.SIGSTOP)
    os.kill(first.supervisor.pid, signal.SIGKILL)
    wait_for(lambda: supervisor_pid(up) is None)
    os.kill(stuck, signal.SIGCONT)
    launch(up)
    wait_for(lambda: pid_of(running(up), "board") != stuck)
    assert identify(stuck) is None


def test_a_reused_pid_is_never_ended() -> None:
    me = identify(os.getpid())
    assert me is not None
    stranger = ProcessId(pid=me.pid, started=me.started - 1)
    assert end_all([stranger], grace_s=0.1) == []


def test_a_record_that_cannot_be_read_is_no_record(instance: Instance) -> None:
    make_private(instance.run_dir)
    (instance.run_dir / "instance.json").write_text('{"supervisor": 3}')
    assert read_record(instance) is None
