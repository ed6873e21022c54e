"""Whether the tools are here that flash boards and run virtual ones."""

import importlib.util
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from benchagent.doctor.check import Check, Pc

_MACHINES_S = 20.0


def tools(pc: Pc, *, virtual: bool) -> Iterator[Check]:
    """Python packages, then programs."""
    yield _package("pyserial", "serial", needed=True)
    yield _package("pyocd", "pyocd", needed=True)
    yield _package("esptool", "esptool", needed=True)
    yield _package("unicorn", "unicorn", needed=virtual)
    yield _program(
        pc,
        "qemu-system-arm",
        needed=virtual,
        lack="virtual STM32 boards cannot run firmware",
        fix="sudo apt install qemu-system-arm",
    )
    yield _espressif_qemu(pc)
    yield _program(
        pc,
        "uhubctl",
        needed=False,
        lack="USB ports cannot be switched off and on to recover a board",
        fix="sudo apt install uhubctl, and a hub that can switch its ports",
    )
    yield _program(
        pc,
        "dfu-util",
        needed=False,
        lack="STM32 boards in DFU mode cannot be written by hand",
        fix="sudo apt install dfu-util",
    )


def _package(distribution: str, module: str, *, needed: bool) -> Check:
    extra = "virtual" if module == "unicorn" else "agent"
    fix = f"pip install 'benchline[{extra}]'"
    if importlib.util.find_spec(module) is None:
        return Check(name=distribution, good=False, needed=needed, message="not installed", fix=fix)
    try:
        found = version(distribution)
    except PackageNotFoundError:
        found = "of unknown version"
    return Check(name=distribution, good=True, needed=needed, message=found)


def _program(pc: Pc, name: str, *, needed: bool, lack: str, fix: str) -> Check:
    path = pc.program(name)
    message = str(path) if path else f"not found; {lack}"
    return Check(name=name, good=path is not None, needed=needed, message=message, fix=fix)


def _espressif_qemu(pc: Pc) -> Check:
    """Espressif's QEMU has the same name as the stock one: only its list of machines tells."""
    name = "qemu-system-riscv32"
    path = pc.program(name)
    message = "not found; ESP32-C3 runs on the emulator of this program"
    good = False
    if path is not None:
        good = "esp32c3" in _machines(str(path))
        other = f"{path} is not Espressif's; ESP32-C3 runs on the emulator of this program"
        message = f"{path}, with ESP32-C3" if good else other
    return Check(
        name=f"{name} (Espressif)",
        good=good,
        needed=False,
        message=message,
        fix="python $IDF_PATH/tools/idf_tools.py install qemu-riscv32, then put it on PATH",
    )


def _machines(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "-M", "help"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_MACHINES_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
