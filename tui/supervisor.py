"""Keeps the programs of a local instance running: ``python -m tui.supervisor``.

Starts the virtual boards, the control plane and the agent, restarts whichever ends, and stops
all of them on SIGTERM. Its children end with it, however it ends.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import benchline
from benchline.instance import Instance, current_instance, make_private
from benchline.process_id import identify, started_ticks
from tui.instance_record import (
    InstanceRecord,
    ProgramRecord,
    lock_path,
    processes_of,
    read_record,
    write_record,
)
from tui.process import end_all, signal_group
from tui.virtual_boards import VirtualBoard, expected, virtual_boards

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
STEADY_S = 10.0
"""A program that ran this long is restarted without a longer pause."""

STOP_GRACE_S = 10.0
LOG_CAP_BYTES = 8 * 1024 * 1024
_LOG_CHECK_S = 10.0
_LOCK_PATIENCE_S = 1.0
CONTROL_PLANE = "controlplane"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to keep running. ``stop_rank`` orders the stop: lowest first."""

    name: str
    arguments: tuple[str, ...]
    stop_rank: int


def programs_of(instance: Instance, boards: Sequence[VirtualBoard]) -> tuple[Program, ...]:
    """The programs of a local instance in the order of their start."""
    virtual = str(instance.virtual_dir)
    benches = tuple(
        Program(
            name=board.name,
            arguments=("benchagent.virtual.board", "--dir", virtual, *board.arguments),
            stop_rank=2,
        )
        for board in boards
    )
    server = Program(name=CONTROL_PLANE, arguments=("controlplane", "serve"), stop_rank=1)
    agent = Program(
        name="agent",
        arguments=(
            *("benchagent", "run", "--server", instance.target, "--name", "bench"),
            *("--dir", str(instance.agent_dir), "--virtual-dir", virtual),
        ),
        stop_rank=0,
    )
    return (*benches, server, agent)


def import_path() -> str:
    """PYTHONPATH under which a child finds the packages that this process runs from."""
    roots = [Path(__file__).resolve().parents[1], Path(benchline.__path__[0]).resolve().parent]
    given = os.environ.get("PYTHONPATH", "")
    found = [*map(str, dict.fromkeys(roots)), *filter(None, given.split(os.pathsep))]
    return os.pathsep.join(dict.fromkeys(found))


def _without_foreign_keys(program: Program) -> dict[str, str]:
    """The environment of a program: the key of a service is nobody's but the control plane's."""
    return {
        name: value
        for name, value in os.environ.items()
        if program.name == CONTROL_PLANE or not name.startswith("ANTHROPIC_")
    }


class _Child:
    """One program with its process, its restarts and its log."""

    def __init__(self, program: Program, instance: Instance) -> None:
        self.program = program
        self.log = instance.log_dir / f"{program.name}.log"
        self.pid_file = instance.run_dir / f"{program.name}.pid"
        self._instance = instance
        self._popen: subprocess.Popen[bytes] | None = None
        self._started = 0
        self._began = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._starts = 0
        self._last_exit: int | None = None
        self.due = 0.0

    @property
    def running(self) -> bool:
        return self._popen is not None

    @property
    def record(self) -> ProgramRecord:
        return ProgramRecord(
            name=self.program.name,
            pid=self._popen.pid if self._popen else 0,
            started=self._started if self._popen else 0,
            starts=self._starts,
            last_exit=self._last_exit,
        )

    def start(self, before_exec: Callable[[], None]) -> None:
        """Start it, its talk appended to its log."""
        self.cap_log()
        environment = _without_foreign_keys(self.program) | {
            "BENCHLINE_DATA_DIR": str(self._instance.data_dir),
            "BENCHLINE_PID_FILE": str(self.pid_file),
            "PYTHONPATH": import_path(),
            "PYTHONUNBUFFERED": "1",
        }
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", *self.program.arguments],
                cwd=self._instance.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                preexec_fn=before_exec,  # this process has one thread
            )
        self._started = started_ticks(self._popen.pid) or 0
        self._began = time.monotonic()
        self._starts += 1
        self.pid_file.write_text(f"{self._popen.pid}\n", encoding="ascii")

    def reap(self) -> bool:
        """Take note of its end, if it ended, together with whatever it left behind."""
        if self._popen is None:
            return False
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, self._popen.pid, options) is None:
            return False
        signal_group(self._popen.pid, signal.SIGKILL)
        self._last_exit = self._popen.wait()
        self._popen = None
        self.pid_file.unlink(missing_ok=True)
        now = time.monotonic()
        if now - self._began >= STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        self.due = now + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        return True

    def signal(self, sign: signal.Signals) -> None:
        if self._popen is not None:
            signal_group(self._popen.pid, sign)

    def terminate(self) -> None:
        """Ask the program itself; what it started is its own to end."""
        if self._popen is not None:
            self._popen.terminate()

    def cap_log(self) -> None:
        """Move a log that grew too large aside; writers append, so they go on in place."""
        if not self.log.exists() or self.log.stat().st_size <= LOG_CAP_BYTES:
            return
        with self.log.open("rb") as log:
            log.seek(-LOG_CAP_BYTES, os.SEEK_END)
            tail = log.read()
        self.log.with_suffix(".log.1").write_bytes(tail)
        os.truncate(self.log, 0)


class Supervisor:
    """Runs the programs of one instance until it is told to stop."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        boards = virtual_boards(os.environ)
        self._boards = expected(boards)
        self._children = [_Child(program, instance) for program in programs_of(instance, boards)]
        self._phase = "running"
        self._pid = os.getpid()
        self._libc = ctypes.CDLL(None, use_errno=True)

    def run(self) -> None:
        """Start everything, keep it running, and stop it in order when told to."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._end_leftovers()
        next_log_check = time.monotonic() + _LOG_CHECK_S
        while True:
            now = time.monotonic()
            for child in self._children:
                if not child.running and child.due <= now:
                    self._start(child)
            if now >= next_log_check:
                next_log_check = now + _LOG_CHECK_S
                for child in self._children:
                    child.cap_log()
            wakes = [child.due for child in self._children if not child.running]
            pause = max(0.0, min([next_log_check, *wakes]) - time.monotonic())
            caught = signal.sigtimedwait(_SIGNALS, pause)
            if caught is not None and caught.si_signo in (signal.SIGTERM, signal.SIGINT):
                break
            self._reap()
        self._stop()

    def _start(self, child: _Child) -> None:
        child.start(self._before_exec)
        self._write()
        _say(f"{child.program.name} started, pid {child.record.pid}")

    def _reap(self) -> bool:
        ended = [child for child in self._children if child.reap()]
        for child in ended:
            _say(f"{child.program.name} ended with {child.record.last_exit}")
        if ended:
            self._write()
        return bool(ended)

    def _before_exec(self) -> None:
        """In the child: end with the supervisor, and have signals as usual."""
        self._libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != self._pid:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _end_leftovers(self) -> None:
        old = read_record(self._instance)
        if old is None:
            return
        stayed = end_all(processes_of(old), grace_s=STOP_GRACE_S)
        for one in stayed:
            _say(f"pid {one.pid} of an earlier supervisor cannot be ended")

    def _stop(self) -> None:
        self._phase = "stopping"
        self._write()
        for rank in range(3):
            group = [c for c in self._children if c.program.stop_rank == rank]
            for child in group:
                child.terminate()
            if not self._wait_for(group, STOP_GRACE_S):
                for child in group:
                    child.signal(signal.SIGKILL)
                self._wait_for(group, STOP_GRACE_S)
        self._instance.run_dir.joinpath("instance.json").unlink(missing_ok=True)
        _say("all programs are stopped")

    def _wait_for(self, children: list[_Child], patience_s: float) -> bool:
        end = time.monotonic() + patience_s
        while True:
            self._reap()
            if not any(child.running for child in children):
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            signal.sigtimedwait({signal.SIGCHLD}, left)

    def _write(self) -> None:
        me = identify(self._pid)
        record = InstanceRecord(
            supervisor=ProgramRecord(
                name="supervisor", pid=self._pid, started=me.started if me else 0, starts=1
            ),
            target=self._instance.target,
            data_dir=str(self._instance.data_dir),
            phase=self._phase,
            boards=self._boards,
            programs=tuple(child.record for child in self._children),
        )
        write_record(self._instance, record)


def _say(text: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    sys.stderr.write(f"{stamp} {text}\n")
    sys.stderr.flush()


def _take_lock(instance: Instance) -> int | None:
    """The locked file's descriptor, or None when another supervisor holds it."""
    handle = os.open(lock_path(instance), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                os.close(handle)
                return None
            time.sleep(0.02)
        else:
            os.ftruncate(handle, 0)
            return handle


def main() -> int:
    """Become a daemon and supervise the instance of the environment."""
    instance = current_instance()
    for folder in (instance.data_dir, instance.run_dir, instance.log_dir):
        make_private(folder)
    lock = _take_lock(instance)
    if lock is None:
        _say("another supervisor runs this instance")
        return 0
    # The lock belongs to the open file, which the daemon inherits: it is held without a break.
    daemon = os.fork()
    if daemon > 0:
        os.pwrite(lock, f"{daemon}\n".encode("ascii"), 0)
        return 0
    os.setsid()
    os.chdir(instance.data_dir)
    Supervisor(instance).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
