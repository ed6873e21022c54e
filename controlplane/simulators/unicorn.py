"""ESP32-C3 firmware in Benchline's own machine (docs/emulator.md), a child like QEMU.

Deterministic: virtual time is counted in instructions. What the firmware does to the pins'
registers comes through a pipe and corroborates its PIN records.
"""

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path

import re2

from controlplane.childproc.command import MIB, Command, Confinement, Limits
from controlplane.childproc.runner import run
from controlplane.childproc.tools import LocatedTool, Tool, ToolBrokenError, ToolTrouble
from controlplane.simulators.canary import esp32c3_canary
from controlplane.simulators.emulator_log import EmulatorLog
from controlplane.simulators.fault import HALTED, LOCKUP, FirmwareFault, stalled
from controlplane.simulators.flash_file import flash_contents
from controlplane.simulators.following import Run
from controlplane.simulators.machine import ChildSimulator
from controlplane.simulators.machine_kind import Job, Tracing
from controlplane.simulators.protocol import SimulationLimits, Target
from controlplane.simulators.tracing import block_log

EMULATOR = Tool(
    name="emulator-esp32c3",
    package="benchline[virtual]",
    fix="pip install 'benchline[virtual]'",
    version_pattern=r"emulator ([0-9a-f]{12}, unicorn [0-9][0-9a-z.]{0,20})",
)
TABLE_OFFSET = 0x1F_0000
MIPS = 40
SPARE_MS = 1000
"""How much longer than its scenario the machine runs at most: the END record is due before."""

_HALTED, _LOCKUP, _DEVICE_LIMIT, _UNICORN_MISSING = 0, 65, 67, 69
"""Exit codes of the emulator (docs/emulator.md)."""

_VERSION_SECONDS = 10.0

_versions: dict[tuple[str, int], str] = {}


class Esp32C3Emulator:
    """The program `python -m benchline.emulator.esp32c3`."""

    key = "unicorn"
    optional = ""
    file_bytes = MIB
    # Firmware that spins on the timer takes up to twice its device time.
    limits = SimulationLimits(wall_factor=5.0)

    async def locate(self, _machine: str, confinement: Confinement | None) -> LocatedTool:
        """The emulator of this installation, asked for its version once per change of its code."""
        key = (sys.executable, await asyncio.to_thread(_newest_change))
        if key not in _versions:
            _versions[key] = await _ask_version(confinement)
        return LocatedTool(tool=EMULATOR, path=Path(sys.executable), version=_versions[key])

    async def examine(self, machine: str, confinement: Confinement | None) -> LocatedTool:
        """It has but one machine."""
        return await self.locate(machine, confinement)

    def clock(self, _end_ms: int) -> str:
        """The same for every length."""
        return f"{MIPS} instructions/us"

    def command(self, job: Job) -> Command:
        """The emulator with the flash and the table as files."""
        return self._run_command(job)

    @property
    def tracing(self) -> Tracing:
        """It logs each block of instructions before it first runs."""
        return Tracing(command=lambda job: self._run_command(job, "--blocks"), new_log=block_log)

    def _run_command(self, job: Job, *more: str) -> Command:
        flash = job.root / "flash.bin"
        flash.write_bytes(
            flash_contents(job.image, job.target.flash_bytes, job.table, TABLE_OFFSET)
        )
        return _command(
            *("--flash", str(flash), "--mips", str(MIPS), "--log", str(job.log)),
            *("--max-ms", str(job.end_ms + SPARE_MS)),
            *more,
            cwd=job.root,
            writable=(job.root,),
        )

    def live_command(self, job: Job) -> Command:
        """The emulator at the host's pace."""
        flash = job.root / "flash.bin"
        flash.write_bytes(flash_contents(job.image, job.target.flash_bytes))
        return _command(
            *("--flash", str(flash), "--mips", str(MIPS), "--clock", "host"),
            cwd=job.root,
            writable=(job.root,),
            hold_input=True,
        )

    def canary(self, _target: Target) -> bytes:
        """Prints on UART0."""
        return esp32c3_canary()

    def new_log(self) -> EmulatorLog:
        """What reads the emulator's log."""
        return EmulatorLog()

    def notes(self, _target: Target) -> tuple[str, ...]:
        """Nothing that every reader must know."""
        return ()

    def fault(self, run: Run) -> FirmwareFault | None:
        """The emulator says itself how the firmware ended it."""
        if run.rc == _LOCKUP:
            return LOCKUP
        if run.rc == _DEVICE_LIMIT:
            return stalled(run)
        return None

    def core_stopped(self, run: Run) -> FirmwareFault | None:
        """Locked up, or halted with nothing left that could wake it."""
        return HALTED if run.rc == _HALTED else self.fault(run)


def emulator_simulator(scratch: Path, *, confinement: Confinement | None = None) -> ChildSimulator:
    """The rung for the ESP32-C3 that needs nothing but Python packages."""
    return ChildSimulator(Esp32C3Emulator(), scratch, confinement=confinement)


def _command(
    *arguments: str, cwd: Path, writable: tuple[Path, ...] = (), hold_input: bool = False
) -> Command:
    sources = _sources()
    return Command(
        argv=(sys.executable, "-P", "-m", "benchline.emulator.esp32c3", *arguments),
        cwd=cwd,
        writable=writable,
        read_only=(sources / "benchline",),
        env={
            "PYTHONPATH": str(sources),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
        },
        hold_input=hold_input,
    )


def _sources() -> Path:
    """The directory that holds the contract package, which the emulator is part of."""
    found = find_spec("benchline")
    if found is None or found.origin is None:
        raise RuntimeError("the package benchline has no files")
    return Path(found.origin).parents[1]


def _newest_change() -> int:
    emulator = _sources() / "benchline" / "emulator"
    return max(path.stat().st_mtime_ns for path in emulator.rglob("*.py"))


async def _ask_version(confinement: Confinement | None) -> str:
    limits = Limits(wall_s=_VERSION_SECONDS, cpu_s=int(_VERSION_SECONDS), output_bytes=65536)
    try:
        answer = await run(_command("--version", cwd=Path("/")), limits, confinement=confinement)
    except OSError as error:
        what = f"could not be started ({error.strerror})"
        raise ToolBrokenError(EMULATOR, ToolTrouble.UNUSABLE, what, str(error)) from error
    text = (answer.stdout + answer.stderr).decode("utf-8", "replace")
    if answer.limit_hit != "none":
        what = f"did not answer --version within {_VERSION_SECONDS:g} s"
        raise ToolBrokenError(EMULATOR, ToolTrouble.HUNG, what, text)
    if answer.rc == _UNICORN_MISSING:
        raise ToolBrokenError(EMULATOR, ToolTrouble.MISSING, "has no Unicorn to run on", text)
    found = re2.search(EMULATOR.version_pattern, text)
    if answer.rc != 0 or found is None:
        what = f"ended --version with exit code {answer.rc}"
        raise ToolBrokenError(EMULATOR, ToolTrouble.CRASHED, what, text)
    return str(found.group(1))
