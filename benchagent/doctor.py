"""Checks of a lab PC: what an agent needs, and what to do where it is missing."""

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TextIO

EXIT_OK = 0
EXIT_FINDINGS = 1
_PROBE_RULES = (Path("/etc/udev/rules.d"), Path("/usr/lib/udev/rules.d"), Path("/lib/udev/rules.d"))
_PORT_PATTERNS = ("ttyACM*", "ttyUSB*")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. `needed` tells whether the agent can work without."""

    name: str
    good: bool
    needed: bool
    message: str
    fix: str = ""


def checks(*, virtual: bool) -> Iterator[Check]:
    """All checks, the ones that matter most first."""
    yield _package("pyserial", "serial", needed=True)
    yield _package("pyocd", "pyocd", needed=True)
    yield _package("unicorn", "unicorn", needed=virtual)
    yield _qemu(needed=virtual)
    yield _ports()
    yield _probe_rules()
    yield _modem_manager()


def report(out: TextIO, *, as_json: bool, virtual: bool) -> int:
    """Write the checks; exit code 1 when something that is needed is missing."""
    missing = False
    for check in checks(virtual=virtual):
        missing |= check.needed and not check.good
        if as_json:
            out.write(json.dumps(asdict(check)) + "\n")
            continue
        mark = "ok" if check.good else "MISSING" if check.needed else "note"
        out.write(f"{mark:8}{check.name}: {check.message}\n")
        if check.fix and not check.good:
            out.write(f"{'':8}-> {check.fix}\n")
    return EXIT_FINDINGS if missing else EXIT_OK


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


def _qemu(*, needed: bool) -> Check:
    path = shutil.which("qemu-system-arm")
    return Check(
        name="qemu-system-arm",
        good=path is not None,
        needed=needed,
        message=path or "not found; virtual boards cannot run firmware",
        fix="apt install qemu-system-arm",
    )


def _ports() -> Check:
    ports = [port for pattern in _PORT_PATTERNS for port in sorted(Path("/dev").glob(pattern))]
    closed = [str(port) for port in ports if not os.access(port, os.R_OK | os.W_OK)]
    if closed:
        message = f"not permitted: {', '.join(closed)}"
    elif ports:
        message = f"usable: {', '.join(map(str, ports))}"
    else:
        message = "no USB serial port is plugged in"
    return Check(
        name="serial ports",
        good=not closed,
        needed=bool(closed),
        message=message,
        fix="sudo usermod -aG dialout $USER, then log in again",
    )


def _probe_rules() -> Check:
    names = ("stlink", "st-link", "pyocd", "openocd", "probe-rs")
    found = any(
        any(name in rule.name.lower() for name in names)
        for folder in _PROBE_RULES
        if folder.is_dir()
        for rule in folder.glob("*.rules")
    )
    good = found or os.getuid() == 0
    return Check(
        name="probe permissions",
        good=good,
        needed=False,
        message="udev rules found" if found else "no udev rules for debug probes",
        fix="install the rules of github.com/pyocd/pyOCD/tree/main/udev for ST-Link and CMSIS-DAP",
    )


def _modem_manager() -> Check:
    running = False
    for name in _PROC.glob("[0-9]*/comm"):
        try:
            running |= name.read_text().strip() == "ModemManager"
        except OSError:
            continue
    return Check(
        name="ModemManager",
        good=not running,
        needed=False,
        message="it writes to new serial ports and disturbs boards" if running else "not running",
        fix="sudo systemctl disable --now ModemManager, or a udev rule with ID_MM_DEVICE_IGNORE=1",
    )
