"""The programs that execute flashed firmware: QEMU for STM32F4, an emulator or QEMU for ESP32."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchagent.virtual.machine import Ended, Fault, Runner, ToolFaultError

QEMU = "qemu-system-arm"
EMULATOR = "benchline.emulator.esp32c3"
_VERSION = re.compile(r"QEMU emulator version (\d+)\.(\d+)")
_GIB = 1024**3
_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
_PATHS = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True, kw_only=True)
class QemuStm32:
    """QEMU's `netduinoplus2`, an STM32F405, whose core also runs the images of the other F4 parts.

    Time is the host's: no `-icount`, a live board runs at its own pace.
    """

    tool: str = QEMU
    console_serial: int = 1
    """The machine's serial port that is the console: 0 is USART1, 1 is USART2."""
    package: str = QEMU
    speaks_qmp: bool = True
    address_space: int = 2 * _GIB
    file_bytes: int = 0
    has_rom: bool = False

    def check(self, answer_s: float) -> Fault | None:
        """Whether it is a QEMU that answers in time; None when it is good."""
        return _qemu_fault(self.tool, self.package, answer_s)

    def command(self, image: Path, console: int, control: int) -> Sequence[str]:
        """QEMU without network and without anything that firmware could reach."""
        path = shutil.which(self.tool)
        if path is None:
            raise ToolFaultError("it is not installed")
        return (
            path,
            *("-M", "netduinoplus2", "-nodefaults", "-no-user-config", "-display", "none"),
            *("-nic", "none", "-monitor", "none", "-accel", "tcg,tb-size=32"),
            *("-sandbox", _SANDBOX),
            *("-chardev", f"socket,id=console,fd={console}"),
            *("-serial", "null") * self.console_serial,
            *("-serial", "chardev:console"),
            *("-chardev", f"socket,id=control,fd={control}"),
            *("-mon", "chardev=control,mode=control"),
            *("-kernel", str(image)),
        )

    def environment(self) -> dict[str, str]:
        """Nothing of this process."""
        return dict(_PATHS)

    def meaning(self, code: int, errors: str) -> Ended:
        """A fault inside the fault handler: a real core would lock up, QEMU aborts."""
        return _qemu_ended(code, errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorC3:
    """The project's own ESP32-C3 machine, paced to the host's clock."""

    clock_scale: float = 1.0
    tool: str = EMULATOR
    package: str = "benchline[virtual]"
    speaks_qmp: bool = False
    address_space: int = 4 * _GIB
    file_bytes: int = 0
    has_rom: bool = False

    def check(self, answer_s: float) -> Fault | None:
        """Whether its packages can be imported; None when they can."""
        for module in (EMULATOR, "unicorn"):
            if not _is_there(module):
                reason = f"the Python package {module} is not installed"
                return Fault(tool=self.tool, package=self.package, reason=reason)
        return None

    def command(self, image: Path, console: int, control: int) -> Sequence[str]:
        """The emulator as a child: its console is its standard input and output."""
        arguments = ["--flash", str(image), "--clock", "host"]
        if self.clock_scale != 1.0:
            arguments += ["--clock-scale", f"{self.clock_scale:g}"]
        return (sys.executable, "-P", "-m", EMULATOR, *arguments)

    def environment(self) -> dict[str, str]:
        """The packages that this process runs from, nothing else."""
        paths = [path for path in sys.path if path and Path(path).is_dir()]
        return {**_PATHS, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}

    def meaning(self, code: int, errors: str) -> Ended:
        """Firmware that stopped the core for good leaves a silent board."""
        del errors
        return Ended.LOCKED_UP if code in _CORE_STOPPED else Ended.BY_ITSELF


_CORE_STOPPED = frozenset({0, 65})
"""Exit codes of a core that will not go on: docs/emulator.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EspressifQemu:
    """Espressif's QEMU, where it is installed: runs what the ROM of that chip runs."""

    tool: str
    machine: str
    package: str = "Espressif's QEMU (idf_tools.py install qemu-xtensa qemu-riscv32)"
    speaks_qmp: bool = True
    address_space: int = 4 * _GIB
    file_bytes: int = 64 * 1024**2
    """Its snapshot keeps what the ROM writes to flash in a file of its own."""
    has_rom: bool = True

    def check(self, answer_s: float) -> Fault | None:
        """Whether it is a QEMU that answers in time; None when it is good."""
        return _qemu_fault(self.tool, self.package, answer_s)

    def command(self, image: Path, console: int, control: int) -> Sequence[str]:
        """QEMU with the flash as an MTD drive that it never writes."""
        path = shutil.which(self.tool)
        if path is None:
            raise ToolFaultError("it is not installed")
        return (
            path,
            *("-M", self.machine, "-nodefaults", "-no-user-config", "-display", "none"),
            *("-nic", "none", "-monitor", "none"),
            *("-drive", f"file={image},if=mtd,format=raw,snapshot=on"),
            *("-chardev", f"socket,id=console,fd={console}", "-serial", "chardev:console"),
            *("-chardev", f"socket,id=control,fd={control}"),
            *("-mon", "chardev=control,mode=control"),
        )

    def environment(self) -> dict[str, str]:
        """Nothing of this process but a place for the snapshot."""
        return dict(_PATHS)

    def meaning(self, code: int, errors: str) -> Ended:
        """An abort is a core that locked up."""
        return _qemu_ended(code, errors)


def _qemu_fault(tool: str, package: str, answer_s: float) -> Fault | None:
    reason = _version_trouble(tool, answer_s)
    return Fault(tool=tool, package=package, reason=reason) if reason else None


def _qemu_ended(code: int, errors: str) -> Ended:
    """QEMU aborts where a core locks up."""
    return Ended.LOCKED_UP if "Lockup" in errors or code == -6 else Ended.BY_ITSELF


def esp_runner(machine: str, program: str, *, clock_scale: float, answer_s: float) -> Runner | None:
    """What can run images of an ESP32 part here: our emulator, Espressif's QEMU, or nothing."""
    ours = machine == "esp32c3" and _is_there(EMULATOR)
    if ours and _is_there("unicorn"):
        return EmulatorC3(clock_scale=clock_scale)
    if qemu_has_machine(program, machine, answer_s):
        return EspressifQemu(tool=program, machine=machine)
    return EmulatorC3(clock_scale=clock_scale) if ours else None


def qemu_has_machine(program: str, machine: str, answer_s: float) -> bool:
    """Whether a QEMU is installed that lists `machine`: stock QEMU has programs of that name."""
    path = shutil.which(program)
    if path is None:
        return False
    try:
        answer = subprocess.run(
            [path, "-M", "help"],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=answer_s,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    listed = answer.stdout[:65536].decode("utf-8", "replace").splitlines()
    return any(line.split()[:1] == [machine] for line in listed)


def _version_trouble(qemu: str, answer_s: float) -> str:
    """Why `qemu` is no QEMU that answers in `answer_s` seconds; empty when it is one."""
    path = shutil.which(qemu)
    if path is None:
        return "it is not installed"
    try:
        answer = subprocess.run(
            [path, "--version"],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=answer_s,
        )
    except subprocess.TimeoutExpired:
        return f"it did not answer --version in {answer_s:g} s"
    except OSError as error:
        return f"it cannot be started: {error.strerror}"
    if not _VERSION.match(answer.stdout[:200].decode("utf-8", "replace")):
        return "it did not answer --version as QEMU does"
    return ""


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
