"""The run side of a virtual board: flashed firmware in QEMU, its console on the board's PTY."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchagent.virtual.console import Console

log = logging.getLogger(__name__)

QEMU = "qemu-system-arm"
QEMU_PACKAGE = "qemu-system-arm"
CONFINERS = ("setpriv", "prlimit")
_VERSION = re.compile(r"QEMU emulator version (\d+)\.(\d+)")
TOOL_ANSWER_S = 10.0
"""How long QEMU may take to say its version or to greet, by default."""
_STDERR_TAIL = 2048
_ADDRESS_SPACE = 2 * 1024**3
_OPEN_FILES = 256


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


class ToolFaultError(Exception):
    """QEMU is missing, hangs or answers nonsense."""


def check_qemu(qemu: str, answer_s: float = TOOL_ANSWER_S) -> Fault | None:
    """Whether `qemu` is a QEMU that answers in `answer_s` seconds; None when it is good."""
    for confiner in CONFINERS:
        if shutil.which(confiner) is None:
            return Fault(tool=confiner, package="util-linux", reason="it is not installed")
    path = shutil.which(qemu)
    if path is None:
        return _fault(qemu, "it is not installed")
    try:
        answer = subprocess.run(
            [path, "--version"],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=answer_s,
        )
    except subprocess.TimeoutExpired:
        return _fault(qemu, f"it did not answer --version in {answer_s:g} s")
    except OSError as error:
        return _fault(qemu, f"it cannot be started: {error.strerror}")
    if not _VERSION.match(answer.stdout[:200].decode("utf-8", "replace")):
        return _fault(qemu, "it did not answer --version as QEMU does")
    return None


def _fault(qemu: str, reason: str) -> Fault:
    return Fault(tool=qemu, package=QEMU_PACKAGE, reason=reason)


class Machine:
    """One QEMU `netduinoplus2` (an STM32F405) at a time, started from the saved flash image.

    All its children are started by one thread that lives as long as the board: the kernel sends
    the parent-death signal when the *thread* that started a child ends.
    """

    def __init__(
        self,
        *,
        qemu: str,
        image: Path,
        console: Console,
        on_state: Callable[[RunState, Fault | None], None],
        answer_s: float = TOOL_ANSWER_S,
    ) -> None:
        self._qemu = qemu
        self._answer_s = answer_s
        self._image = image
        self._console = console
        self._on_state = on_state
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="machine")
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._generation = 0

    def check(self) -> Future[Fault | None]:
        """Look at the tool: what is wrong with it, or None."""
        return self._worker.submit(check_qemu, self._qemu, self._answer_s)

    def boot(self) -> None:
        """Start firmware from the image, ending what ran before; returns at once."""
        self._worker.submit(self._guarded, self._boot)

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

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except ToolFaultError as error:
            self._end_child()
            self._on_state(RunState.FAULT, _fault(self._qemu, str(error)))

    def _boot(self) -> None:
        self._end_child()
        path = shutil.which(self._qemu)
        if path is None:
            raise ToolFaultError("it is not installed")
        console, console_remote = socket.socketpair()
        control, control_remote = socket.socketpair()
        errors_reader, errors_writer = os.pipe2(os.O_CLOEXEC)
        handed_over = (console_remote.fileno(), control_remote.fileno(), errors_writer)
        try:
            self._process = subprocess.Popen(
                _command_line(path, self._image, *handed_over[:2]),
                stdin=subprocess.DEVNULL,
                stdout=errors_writer,
                stderr=errors_writer,
                pass_fds=handed_over[:2],
                start_new_session=True,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            )
        except OSError as error:
            console.close()
            control.close()
            os.close(errors_reader)
            raise ToolFaultError(f"it cannot be started: {error.strerror}") from error
        finally:
            console_remote.close()
            control_remote.close()
            os.close(errors_writer)
        self._console.attach(console)
        self._control = control
        self._generation += 1
        threading.Thread(
            target=self._watch,
            args=(self._process, errors_reader, self._generation),
            name="machine-watch",
            daemon=True,
        ).start()
        control.settimeout(self._answer_s)
        self._greet(control)
        self._on_state(RunState.RUNNING, None)

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
            self._execute("stop")
            self._on_state(RunState.HALTED, None)

    def _thaw(self) -> None:
        if self._alive():
            self._execute("cont")
            self._on_state(RunState.RUNNING, None)

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
        if "Lockup" in errors or code == -6:
            # A fault inside the fault handler: a real core would lock up, QEMU aborts.
            self._on_state(RunState.LOCKED_UP, None)
        else:
            last = errors.strip().splitlines()[-1:] or ["without a word"]
            reason = f"it ended by itself with code {code}: {last[0][:200]}"
            self._on_state(RunState.FAULT, _fault(self._qemu, reason))


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


def _command_line(qemu: str, image: Path, console: int, control: int) -> Sequence[str]:
    """QEMU as a child without network, new privileges, core files or a life after its parent.

    USART2, the console of the board model, is the machine's second serial port. Time is the
    host's: no `-icount`, a live board runs at its own pace.
    """
    return (
        *("setpriv", "--no-new-privs", "--pdeathsig", "KILL"),
        *("prlimit", "--core=0", f"--as={_ADDRESS_SPACE}", f"--nofile={_OPEN_FILES}", "--fsize=0"),
        "--",
        qemu,
        *("-M", "netduinoplus2", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-nic", "none", "-monitor", "none", "-accel", "tcg,tb-size=32"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-chardev", f"socket,id=console,fd={console}"),
        *("-serial", "null", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=control,fd={control}", "-mon", "chardev=control,mode=control"),
        *("-kernel", str(image)),
    )
