"""The run side of a virtual board: flashed firmware in a child, its console on the board's PTY."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Protocol

from benchagent.virtual.console import Console, Seen

log = logging.getLogger(__name__)

CONFINERS = ("setpriv", "prlimit")
TOOL_ANSWER_S = 10.0
"""How long a runner may take to say its version or to greet, by default."""
_STDERR_TAIL = 2048
_OPEN_FILES = 256
_PULSE_S = 0.1
"""How often a slow clock loses time."""
_SHORTEST_PULSE_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A tool of the board that does not work, and the package that would bring a good one."""

    tool: str
    package: str
    reason: str


class RunState(StrEnum):
    """What the run side does right now."""

    OFF = "OFF"
    RUNNING = "RUNNING"
    HALTED = "HALTED"
    BLANK = "BLANK"
    LOCKED_UP = "LOCKED_UP"
    FAULT = "FAULT"
    DOWNLOAD = "DOWNLOAD"
    """The ROM's loader waits for a flash tool; no firmware runs."""
    WEDGED = "WEDGED"
    """The chip answers nobody until its power is cycled."""
    STARTING = "STARTING"
    """The firmware of a slow board will start."""
    NO_RUNNER = "NO_RUNNER"
    """Firmware is in flash, and nothing here can execute that kind of processor."""


class ToolFaultError(Exception):
    """The program that runs firmware is missing, hangs or answers nonsense."""


class Ended(StrEnum):
    """What the end of a runner means for the board."""

    LOCKED_UP = "LOCKED_UP"
    BY_ITSELF = "BY_ITSELF"


class Runner(Protocol):
    """A program that executes flashed firmware, and how it is started and judged."""

    @property
    def tool(self) -> str:
        """The program, as a person calls it."""

    @property
    def package(self) -> str:
        """What brings the program."""

    @property
    def speaks_qmp(self) -> bool:
        """Whether it greets and obeys on a QMP channel; else it is frozen by signals."""

    @property
    def address_space(self) -> int:
        """The most memory that it may map, in bytes."""

    @property
    def file_bytes(self) -> int:
        """The largest file that it may write."""

    @property
    def has_rom(self) -> bool:
        """Whether it executes the chip's own ROM, messages included."""

    def check(self, answer_s: float) -> Fault | None:
        """What is wrong with the program, or None."""

    def command(self, image: Path, console: int, control: int) -> Sequence[str]:
        """The program with its arguments; `console` and `control` are inherited descriptors.

        The console is also its standard input and output. Raises ToolFaultError.
        """

    def environment(self) -> dict[str, str]:
        """Its whole environment."""

    def meaning(self, code: int, errors: str) -> Ended:
        """What an exit code and the last words on standard error mean."""


def check_confiners() -> Fault | None:
    """Whether the programs that confine a runner are installed; None when they are."""
    for confiner in CONFINERS:
        if shutil.which(confiner) is None:
            return Fault(tool=confiner, package="util-linux", reason="it is not installed")
    return None


class Machine:
    """One runner at a time, started from an image of the flash.

    `slow` is the part of the time that is taken away from it: 0.02 lets its clock run 2 % slow.

    All its children are started by one thread that lives as long as the board: the kernel sends
    the parent-death signal when the *thread* that started a child ends.
    """

    def __init__(
        self,
        *,
        runner: Runner,
        image: Path,
        console: Console,
        on_state: Callable[[RunState, Fault | None], None],
        answer_s: float = TOOL_ANSWER_S,
        slow: float = 0.0,
    ) -> None:
        self._runner = runner
        self._answer_s = answer_s
        self._slow = slow
        self._running = False
        self._frozen_s = 0.0
        self._began = 0.0
        self._image = image
        self._console = console
        self._on_state = on_state
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="machine")
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._generation = 0

    def check(self) -> Future[Fault | None]:
        """Look at the tool: what is wrong with it, or None."""
        return self._worker.submit(self._check)

    def boot(self, seen: Seen = bytes) -> None:
        """Start firmware from the image, ending what ran before; returns at once.

        An observer of the console sees what `seen` makes of its bytes.
        """
        self._worker.submit(self._guarded, partial(self._boot, seen))

    def freeze(self) -> None:
        """Stop virtual time; returns when it stands still."""
        self._worker.submit(self._guarded, self._freeze).result()

    def thaw(self) -> None:
        """Let virtual time go on."""
        self._worker.submit(self._guarded, self._thaw).result()

    def power_off(self) -> None:
        """End the firmware; returns when the child is gone."""
        self._worker.submit(self._guarded, self._power_off).result()

    def close(self) -> None:
        """End the firmware and the worker thread."""
        self.power_off()
        self._worker.shutdown()

    def _check(self) -> Fault | None:
        return check_confiners() or self._runner.check(self._answer_s)

    def _fault(self, reason: str) -> Fault:
        return Fault(tool=self._runner.tool, package=self._runner.package, reason=reason)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except ToolFaultError as error:
            self._end_child()
            self._on_state(RunState.FAULT, self._fault(str(error)))

    def _boot(self, seen: Seen) -> None:
        self._end_child()
        console, console_remote = socket.socketpair()
        control, control_remote = socket.socketpair()
        errors_reader, errors_writer = os.pipe2(os.O_CLOEXEC)
        handed_over = (console_remote.fileno(), control_remote.fileno())
        try:
            command = self._runner.command(self._image, *handed_over)
            qmp = self._runner.speaks_qmp
            self._process = subprocess.Popen(
                _confined(command, self._runner),
                stdin=subprocess.DEVNULL if qmp else handed_over[0],
                stdout=errors_writer if qmp else handed_over[0],
                stderr=errors_writer,
                pass_fds=handed_over,
                start_new_session=True,
                env=self._runner.environment(),
            )
        except ToolFaultError:
            console.close()
            control.close()
            os.close(errors_reader)
            raise
        except OSError as error:
            console.close()
            control.close()
            os.close(errors_reader)
            raise ToolFaultError(f"it cannot be started: {error.strerror}") from error
        finally:
            console_remote.close()
            control_remote.close()
            os.close(errors_writer)
        self._console.attach(console, seen)
        self._control = control
        self._generation += 1
        threading.Thread(
            target=self._watch,
            args=(self._process, errors_reader, self._generation),
            name="machine-watch",
            daemon=True,
        ).start()
        if self._runner.speaks_qmp:
            control.settimeout(self._answer_s)
            self._greet(control)
        self._on_state(RunState.RUNNING, None)
        self._running, self._frozen_s, self._began = True, 0.0, time.monotonic()
        if self._slow:
            threading.Thread(
                target=self._slow_down, args=(self._generation,), name="slow-clock", daemon=True
            ).start()

    def _greet(self, control: socket.socket) -> None:
        try:
            greeting = _read_message(control)
        except OSError as error:
            raise ToolFaultError(f"it did not greet in {self._answer_s:g} s") from error
        if "QMP" not in greeting:
            raise ToolFaultError("its control channel did not greet as QEMU does")
        self._execute("qmp_capabilities")

    def _freeze(self) -> None:
        if self._alive():
            self._stop_time()
            self._running = False
            self._on_state(RunState.HALTED, None)

    def _thaw(self) -> None:
        if self._alive():
            self._resume_time()
            self._running, self._frozen_s, self._began = True, 0.0, time.monotonic()
            self._on_state(RunState.RUNNING, None)

    def _slow_down(self, generation: int) -> None:
        """Take a part of the machine's time away, in pulses too short to be seen one by one."""
        while generation == self._generation:
            time.sleep(_PULSE_S)
            with contextlib.suppress(RuntimeError):  # the board is closing
                self._worker.submit(self._guarded, partial(self._pulse, generation))

    def _pulse(self, generation: int) -> None:
        if generation != self._generation or not self._running or not self._alive():
            return
        now = time.monotonic()
        owed = (now - self._began) * self._slow - self._frozen_s
        if owed < _SHORTEST_PULSE_S:
            return
        self._stop_time()
        time.sleep(min(owed, _PULSE_S))
        self._resume_time()
        self._frozen_s += time.monotonic() - now

    def _stop_time(self) -> None:
        if self._runner.speaks_qmp:
            self._execute("stop")
        elif self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def _resume_time(self) -> None:
        if self._runner.speaks_qmp:
            self._execute("cont")
        elif self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _power_off(self) -> None:
        self._end_child()
        self._on_state(RunState.OFF, None)

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _execute(self, command: str) -> None:
        if self._control is None:
            return
        try:
            self._control.sendall(json.dumps({"execute": command}).encode() + b"\n")
            while True:
                answer = _read_message(self._control)
                if "return" in answer:
                    return
                if "error" in answer:
                    raise ToolFaultError(f"it refused {command}")
        except OSError as error:
            if self._alive():
                raise ToolFaultError(f"it did not answer {command}") from error

    def _end_child(self) -> None:
        self._generation += 1
        self._running = False
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        if self._control is not None:
            self._control.close()
            self._control = None
        self._console.detach(drain=True)

    def _watch(self, process: subprocess.Popen[bytes], errors: int, generation: int) -> None:
        tail = b""
        with contextlib.closing(os.fdopen(errors, "rb", buffering=0)) as stream:
            while chunk := stream.read(4096):
                tail = (tail + chunk)[-_STDERR_TAIL:]
        code = process.wait()
        with contextlib.suppress(RuntimeError):  # the board is closing
            self._worker.submit(self._ended, generation, code, tail.decode("utf-8", "replace"))

    def _ended(self, generation: int, code: int, errors: str) -> None:
        if generation != self._generation:
            return
        self._console.detach(drain=True)
        if self._runner.meaning(code, errors) is Ended.LOCKED_UP:
            self._on_state(RunState.LOCKED_UP, None)
        else:
            last = errors.strip().splitlines()[-1:] or ["without a word"]
            reason = f"it ended by itself with code {code}: {last[0][:200]}"
            self._on_state(RunState.FAULT, self._fault(reason))


def _read_message(control: socket.socket) -> dict[str, object]:
    """One JSON line of the control channel, at most 64 KiB. Raises ToolFaultError or OSError."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = control.recv(1)
        if not byte:
            raise ToolFaultError("it closed its control channel")
        line += byte
        if len(line) > 65536:
            raise ToolFaultError("its control channel talks nonsense")
    try:
        message = json.loads(line)
    except ValueError as error:
        raise ToolFaultError("its control channel talks nonsense") from error
    if not isinstance(message, dict):
        raise ToolFaultError("its control channel talks nonsense")
    return message


def _confined(command: Sequence[str], runner: Runner) -> Sequence[str]:
    """A child with limits: no new privileges, no core files, no life after its parent."""
    limits = (f"--as={runner.address_space}", f"--fsize={runner.file_bytes}")
    return (
        *("setpriv", "--no-new-privs", "--pdeathsig", "KILL"),
        *("prlimit", "--core=0", f"--nofile={_OPEN_FILES}", *limits),
        "--",
        *command,
    )
