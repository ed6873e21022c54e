"""The emulator as a program: bounds, exit codes, signals, its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.process.emulator.conftest import (
    FLASH_BYTES,
    SOURCES,
    Assemble,
    Emulate,
    child_environment,
    command,
)

SPIN = "  j .\n"
FLOOD = "  li t0, UART\n1: sw t0, 0(t0)\n  j 1b\n"
TICKING = """
  li s0, TIMER
  li t1, 1 << 30
2: sw t1, 4(s0)
  lw t2, 0x44(s0)
  srli t2, t2, 18               # 16.4 ms
  beq t2, s1, 2b
  mv s1, t2
  li t0, UART
  li t3, '.'
  sw t3, 0(t0)
  j 2b
"""
"""Prints a dot each 16.4 ms of device time."""


@pytest.mark.parametrize(
    ("source", "options", "code"),
    [
        (SPIN, ("--max-ms", "100"), 67),
        (SPIN, ("--max-instructions", "1000"), 67),
        (SPIN, ("--max-wall", "0.2"), 66),
        (FLOOD, ("--max-console", "1000"), 68),
    ],
)
def test_bounds_have_their_codes(
    emulate: Emulate, source: str, options: tuple[str, ...], code: int
) -> None:
    ran = emulate(source, *options)

    assert ran.returncode == code
    assert len(ran.stdout) <= 1000


@pytest.mark.parametrize(
    ("flash", "told"),
    [
        (b"\xff" * FLASH_BYTES, b"invalid header: 0xffffffff"),
        (b"\xff" * 1000, b"1000 bytes"),
        (b"\xe9\x20" + bytes(FLASH_BYTES - 2), b"invalid segment count: 32"),
        (b"\xe9\x01" + bytes(FLASH_BYTES - 2), b""),
    ],
    ids=["blank", "odd-size", "segments", "empty-segment"],
)
def test_what_the_rom_would_not_start(tmp_path: Path, flash: bytes, told: bytes) -> None:
    path = tmp_path / "flash.bin"
    path.write_bytes(flash)
    ran = subprocess.run(
        command("--flash", str(path), "--max-ms", "10"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=child_environment(),
        timeout=60,
        check=False,
    )

    # A segment of no bytes loads nothing: the jump to address 0 then faults for ever.
    assert ran.returncode == (64 if told else 65)
    assert told in ran.stderr


def test_a_wrong_command_line_is_said() -> None:
    for wrong in (["--pin", "30=1"], ["--adc", "1=5000"], ["--clock-scale", "0"], []):
        ran = subprocess.run(
            command(*wrong), capture_output=True, env=child_environment(), timeout=60, check=False
        )
        assert ran.returncode == 2


def test_without_unicorn_it_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "unicorn.py").write_text("raise ImportError('not here')\n")
    environment = {**child_environment(), "PYTHONPATH": f"{tmp_path}:{SOURCES}"}
    ran = subprocess.run(
        command("--version"), capture_output=True, env=environment, timeout=60, check=False
    )

    assert ran.returncode == 69
    assert b"benchline[virtual]" in ran.stderr


def test_a_unicorn_that_counts_otherwise_is_refused(assemble: Assemble) -> None:
    """A stand-in that finds the counter nowhere, as another version of Unicorn might."""
    probe = (
        "import benchline.emulator.processor as p, benchline.emulator.esp32c3 as e, sys\n"
        "p._SEARCHED_BYTES = 64\n"
        f"sys.exit(e.main(['--flash', {str(assemble(SPIN))!r}]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", probe],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=child_environment(),
        timeout=60,
        check=False,
    )

    assert ran.returncode == 70
    assert b"does not count" in ran.stderr


def test_the_host_clock_is_kept_and_scaled(assemble: Assemble) -> None:
    """Device time over wall time, from a line of dots each 16.4 ms of device time."""
    for scale in (1.0, 3.0):
        image = assemble(TICKING)
        began = time.monotonic()
        child = start(image, "--clock-scale", str(scale))
        assert child.stdout is not None
        child.stdout.read(121)
        passed = time.monotonic() - began
        end(child)

        # Never faster than asked for; a busy host may make it slower.
        assert passed > 0.95 * 120 * 0.01638 / scale


def test_a_frozen_machine_catches_nothing_up(assemble: Assemble) -> None:
    child = start(assemble(TICKING))
    assert child.stdout is not None
    child.stdout.read(3)
    child.send_signal(signal.SIGSTOP)
    time.sleep(1.0)
    os.set_blocking(child.stdout.fileno(), False)
    child.stdout.read()
    os.set_blocking(child.stdout.fileno(), True)
    began = time.monotonic()
    child.send_signal(signal.SIGCONT)
    # Caught up, the 61 dots of the frozen second would come at once.
    child.stdout.read(40)
    passed = time.monotonic() - began
    end(child)

    assert passed > 0.4


def test_sigterm_ends_it_and_completes_the_log(assemble: Assemble, tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = start(assemble(TICKING), "--log", str(log))
    assert child.stdout is not None
    child.stdout.read(1)
    child.terminate()
    code = child.wait(30)
    end(child)

    assert code == 0
    assert log.read_text().endswith("note stopped: told to stop\n")


def test_it_dies_with_its_parent(assemble: Assemble) -> None:
    arguments = command("--flash", str(assemble(TICKING)), "--clock", "host")
    program = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({arguments!r}, stdin=subprocess.PIPE)\n"
        "print(child.pid, file=sys.stderr, flush=True)\n"
        "time.sleep(1000)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    )
    assert parent.stdout is not None
    assert parent.stderr is not None
    parent.stderr.readline()
    parent.stdout.read(2)
    parent.kill()
    parent.wait()
    # The emulator holds the pipe's other end: this returns when it is gone.
    parent.stdout.read()
    parent.stderr.read()
    parent.stdout.close()
    parent.stderr.close()


def start(flash: Path, *options: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command("--flash", str(flash), "--clock", "host", "--max-wall", "60", *options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(),
    )


def end(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
