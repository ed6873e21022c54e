"""Starts real virtual boards, builds real firmware and calls stock pyOCD, for process tests."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
FIRMWARE = Path(__file__).parent / "firmware"
STOCK_TARGET = "stm32f412xg"
WAIT_S = 60.0


def wait_for(what: str, condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s for {what}")
        select.select([], [], [], 0.02)


@dataclass(slots=True)
class RunningBoard:
    directory: Path
    entry: dict[str, Any]
    process: subprocess.Popen[str]

    @property
    def probe(self) -> str:
        return str(self.entry["probe"])

    @property
    def uid(self) -> str:
        return str(self.entry["probe_uid"])

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "stats.json").read_text())
        return found

    def now(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "board.json").read_text())
        return found

    def wait_run_state(self, state: str) -> None:
        wait_for(f"run state {state}", lambda: self.now()["run_state"] == state)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=WAIT_S)


def environment(*first: Path) -> dict[str, str]:
    """This process's environment with these folders, then the checkout, first for imports."""
    roots = (*first, ROOT, ROOT / "proto")
    paths = [*map(str, roots), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def board_command(directory: Path, name: str, *options: str) -> list[str]:
    module = "benchagent.virtual.board"
    return [sys.executable, "-m", module, "--dir", str(directory), "--name", name, *options]


@contextlib.contextmanager
def virtual_board(
    directory: Path,
    *options: str,
    name: str = "vf405-01",
    holding: Path | None = None,
    first: Path | None = None,
) -> Iterator[RunningBoard]:
    """A board process that said it is ready, its flash `holding` an ELF; ended with SIGTERM.

    What it imports is searched for in `first` before anywhere else.
    """
    if holding is not None:
        (directory / name).mkdir()
        (directory / name / "flash.bin").write_bytes(flash_image(holding))
    process = subprocess.Popen(
        board_command(directory, name, *options),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=None,
        text=True,
        env=environment(*filter(None, [first])),
    )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"the board ended with code {process.wait(timeout=WAIT_S)}"
            yield RunningBoard(directory / name, json.loads(line), process)
        finally:
            process.terminate()
            process.wait(timeout=WAIT_S)


def children_of(parent: int) -> list[int]:
    """The processes that a process started."""
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def require(program: str, package: str) -> str:
    path = shutil.which(program)
    assert path is not None, f"{program} is missing: install the apt package {package}"
    return path


def build_firmware(directory: Path, *, tag: str = "one", padding: int = 4, usart: int = 2) -> Path:
    """An ELF that boots with `boot TAG`; `padding` makes its code that many bytes longer."""
    elf = directory / f"{tag}.elf"
    elf.write_bytes(_built(tag, padding, usart))
    return elf


@functools.cache
def _built(tag: str, padding: int, usart: int) -> bytes:
    compiler = require("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    flags = [
        "-mcpu=cortex-m4",
        "-mthumb",
        "-ffreestanding",
        "-nostdlib",
        "-Os",
        "-Wall",
        "-Wextra",
        "-Werror",
    ]
    defines = [f'-DTAG="{tag}"', f"-DPADDING={padding}", f"-DUSART={usart}"]
    script, source = str(FIRMWARE / "flash.ld"), str(FIRMWARE / "test_firmware.c")
    with tempfile.TemporaryDirectory() as scratch:
        elf = Path(scratch) / "firmware.elf"
        command = [compiler, *flags, *defines, "-T", script, source, "-o", str(elf)]
        subprocess.run(command, check=True)
        return elf.read_bytes()


@functools.cache
def c3_image(tag: str = "one") -> bytes:
    """A flash image of an ESP32-C3 that boots with `boot TAG`."""
    tool = "riscv64-unknown-elf-"
    compiler = require(tool + "gcc", "gcc-riscv64-unknown-elf")
    flags = ["-march=rv32imc", "-mabi=ilp32", "-mcmodel=medany", "-ffreestanding", "-nostdlib"]
    flags += ["-nostartfiles", "-Os", "-Wall", "-Wextra", "-Werror", "-Wl,--no-warn-rwx-segments"]
    script, source = str(FIRMWARE / "c3_flash.ld"), str(FIRMWARE / "c3_firmware.c")
    with tempfile.TemporaryDirectory() as scratch:
        elf, code, data = (Path(scratch) / name for name in ("a.elf", "a.code", "a.data"))
        command = [compiler, *flags, f'-DTAG="{tag}"', "-T", script, source, "-o", str(elf)]
        subprocess.run(command, check=True)
        for section, out in ((".text", code), (".rodata", data)):
            copy = [tool + "objcopy", "-O", "binary", "-j", section, str(elf), str(out)]
            subprocess.run(copy, check=True)
        return code.read_bytes().ljust(0x1_0000, b"\xff") + data.read_bytes()


def flash_image(elf: Path) -> bytes:
    """What 1 MiB of flash holds once the ELF is in it, as objcopy says."""
    objcopy = require("arm-none-eabi-objcopy", "binutils-arm-none-eabi")
    binary = elf.with_suffix(".bin")
    options = ["-O", "binary", "--gap-fill", "0xff", "--pad-to", "0x08100000"]
    subprocess.run([objcopy, *options, str(elf), str(binary)], check=True)
    return binary.read_bytes()


def pyocd(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Stock pyOCD, as a person would call it."""
    return subprocess.run(
        [sys.executable, "-m", "pyocd", *arguments],
        capture_output=True,
        text=True,
        timeout=WAIT_S * 2,
        check=False,
    )


def stock_flash(probe: str, image: Path, *options: str) -> None:
    done = pyocd("flash", "-u", probe, "--target", STOCK_TARGET, *options, str(image))
    assert done.returncode == 0, done.stderr


def stock_reset(probe: str, *options: str) -> None:
    done = pyocd("reset", "-u", probe, "--target", STOCK_TARGET, *options)
    assert done.returncode == 0, done.stderr


def stock_readback(probe: str, directory: Path) -> bytes:
    """All of flash, read by stock pyOCD."""
    out = directory / "readback.bin"
    command = f"savemem 0x08000000 0x100000 {out}"
    done = pyocd("cmd", "-u", probe, "--target", STOCK_TARGET, "-c", command)
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


def esptool(port: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Stock esptool, as a person would call it."""
    return subprocess.run(
        [sys.executable, "-m", "esptool", "--port", port, *arguments],
        capture_output=True,
        text=True,
        timeout=WAIT_S * 2,
        check=False,
    )


def stock_esptool(port: str, *arguments: str) -> str:
    """What esptool says when it does what it was asked."""
    done = esptool(port, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def order(board: RunningBoard, **fields: object) -> dict[str, Any]:
    """One order on the board's control socket; gives its answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(board.entry["control"])
        client.sendall(json.dumps(fields).encode() + b"\n")
        answer: dict[str, Any] = json.loads(client.makefile("rb").readline())
    return answer


class ConsoleReader:
    """Reads and writes a board's console as any serial program would."""

    def __init__(self, tty: str) -> None:
        self._descriptor = os.open(tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.seen = b""

    def until_quiet(self) -> bytes:
        """Everything read so far, once nothing more came for a moment; for a halted board."""
        while select.select([self._descriptor], [], [], 0.5)[0]:
            self.seen += os.read(self._descriptor, 65536)
        return self.seen

    def until(self, text: bytes, timeout_s: float = WAIT_S, *, after: int = 0) -> bytes:
        """Everything read so far, once it has `text` after that many bytes."""
        deadline = time.monotonic() + timeout_s
        while text not in self.seen[after:]:
            left = deadline - time.monotonic()
            assert left > 0, f"waited for {text!r}, saw {self.seen[-500:]!r}"
            if select.select([self._descriptor], [], [], left)[0]:
                self.seen += os.read(self._descriptor, 65536)
        return self.seen

    def until_lost(self) -> None:
        """Read until the port fails: the end of the file, then EIO for whoever asks it anything."""
        deadline = time.monotonic() + WAIT_S
        while select.select([self._descriptor], [], [], deadline - time.monotonic())[0]:
            try:
                data = os.read(self._descriptor, 65536)
            except OSError as error:
                assert error.errno == errno.EIO  # noqa: PT017 - both ways are a lost port
                data = b""
            if not data:
                break
            self.seen += data
        with pytest.raises(OSError, match="Errno 5"):
            os.write(self._descriptor, b"x")

    def send(self, text: bytes) -> None:
        os.write(self._descriptor, text)

    def forget(self) -> None:
        self.seen = b""

    def close(self) -> None:
        os.close(self._descriptor)


@contextlib.contextmanager
def console(tty: str) -> Iterator[ConsoleReader]:
    reader = ConsoleReader(tty)
    try:
        yield reader
    finally:
        reader.close()
