"""ESP32-C3 and ESP32 firmware in Espressif's QEMU, which no package registry has.

It is recognised by its machine list, since distributions have programs of the same names without
these machines. Options as measured with a build of its 8.1.3: the flash as a file of 2, 4, 8 or
16 MiB, standard input held open (at its end that QEMU prints nothing), shift=5 for exact delays,
the timer groups' watchdogs off.
"""

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from controlplane.childproc.command import MIB, Command, Confinement
from controlplane.childproc.tools import (
    LocatedTool,
    Tool,
    ToolBrokenError,
    ToolTrouble,
    locate,
)
from controlplane.simulators.canary import esp32c3_canary
from controlplane.simulators.fault import FirmwareFault
from controlplane.simulators.flash_file import flash_contents
from controlplane.simulators.following import Run
from controlplane.simulators.machine import ChildSimulator
from controlplane.simulators.machine_kind import Job
from controlplane.simulators.machine_list import list_machines
from controlplane.simulators.protocol import SimulationLimits, Target

ICOUNT = "shift=5,sleep=off"
TABLE_OFFSET = 0x1F_0000
_VERSION = r"QEMU emulator version ([0-9]+\.[0-9]+\.[0-9]+)"
_NOT_CORROBORATED = (
    "PIN records were not compared with register writes: Espressif's QEMU does not log those"
)


def _tool(name: str, package: str) -> Tool:
    fix = f"python $IDF_PATH/tools/idf_tools.py install {package}"
    return Tool(name=name, package=package, version_pattern=_VERSION, fix=fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A machine of Espressif's QEMU, and the driver whose watchdogs are turned off."""

    tool: Tool
    timer: str


KINDS = {
    "esp32c3": _Kind(tool=_tool("qemu-system-riscv32", "qemu-riscv32"), timer="timer.esp32c3.timg"),
    "esp32": _Kind(tool=_tool("qemu-system-xtensa", "qemu-xtensa"), timer="timer.esp32.timg"),
}


class EspressifQemu:
    """Searches `folder`, the PATH and ESP-IDF's tools, in this order."""

    key = "espressif-qemu"
    tracing = None
    optional = (
        "Espressif's QEMU, which comes with ESP-IDF: "
        "python $IDF_PATH/tools/idf_tools.py install qemu-riscv32 qemu-xtensa"
    )
    file_bytes = 16 * MIB
    # Its UART sends at once what firmware writes, so that no rate tells a flood.
    limits = SimulationLimits(console_bytes_per_s=8 * MIB)

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    async def locate(self, machine: str, confinement: Confinement | None) -> LocatedTool:
        """The first program found that lists the machine."""
        kind = KINDS.get(machine)
        if kind is None:
            raise ToolBrokenError(
                _tool(f"Espressif's QEMU for {machine}", "qemu"),
                ToolTrouble.MISSING,
                "is not known here",
            )
        broken: ToolBrokenError | None = None
        for path in await asyncio.to_thread(self._candidates, kind.tool.name):
            try:
                found = await locate(kind.tool, confinement=confinement, path=path)
                if machine in await list_machines(found, confinement):
                    return found
            except ToolBrokenError as error:
                broken = broken or error
        if broken is not None:
            raise broken
        what = f"with a machine {machine} was not found"
        raise ToolBrokenError(kind.tool, ToolTrouble.MISSING, what)

    async def examine(self, machine: str, confinement: Confinement | None) -> LocatedTool:
        """Locating it has looked at its machines."""
        return await self.locate(machine, confinement)

    def clock(self, _end_ms: int) -> str:
        """The same for every length."""
        return f"icount {ICOUNT}"

    def command(self, job: Job) -> Command:
        """QEMU with the flash as a file."""
        flash = job.root / "flash.bin"
        flash.write_bytes(
            flash_contents(job.image, job.target.flash_bytes, job.table, TABLE_OFFSET)
        )
        return Command(
            argv=(str(job.tool.path), *machine_arguments(job.target.machine, flash)),
            cwd=job.root,
            writable=(job.root,),
            hold_input=True,
        )

    def live_command(self, job: Job) -> Command:
        """QEMU with the flash as a file, its time the host's."""
        flash = job.root / "flash.bin"
        flash.write_bytes(flash_contents(job.image, job.target.flash_bytes))
        return Command(
            argv=(str(job.tool.path), *live_arguments(job.target.machine, flash)),
            cwd=job.root,
            writable=(job.root,),
            hold_input=True,
        )

    def canary(self, target: Target) -> bytes:
        """Prints on UART0."""
        if target.machine != "esp32c3":
            raise ToolBrokenError(
                KINDS[target.machine].tool,
                ToolTrouble.UNUSABLE,
                "ended early, and there is no known good image for it to tell why",
            )
        return esp32c3_canary()

    def new_log(self) -> None:
        """Its log was not found to tell register writes of pins."""
        return

    def notes(self, _target: Target) -> tuple[str, ...]:
        """What the verdict does not cover."""
        return (_NOT_CORROBORATED,)

    def fault(self, _run: Run) -> FirmwareFault | None:
        """Nothing is known of how it ends for a fault of the firmware."""
        return None

    def core_stopped(self, run: Run) -> FirmwareFault | None:
        """As little is known of live runs."""
        return self.fault(run)

    def _candidates(self, name: str) -> list[Path]:
        folders = [self._folder] if self._folder is not None else []
        found = [path for folder in folders if (path := folder / name).exists()]
        on_path = shutil.which(name)
        if on_path is not None:
            found.append(Path(on_path).absolute())
        root = Path(os.environ.get("IDF_TOOLS_PATH") or Path.home() / ".espressif")
        found += sorted(root.glob(f"tools/qemu-*/*/qemu/bin/{name}"), reverse=True)
        return list(dict.fromkeys(found))


def machine_arguments(machine: str, flash: Path) -> tuple[str, ...]:
    """The arguments of a deterministic run with the console on stdio."""
    return (*live_arguments(machine, flash), "-icount", ICOUNT)


def live_arguments(machine: str, flash: Path) -> tuple[str, ...]:
    """The arguments of a run in real time with the console on stdio."""
    return (
        *("-M", machine, "-nographic", "-monitor", "none", "-serial", "stdio"),
        *("-drive", f"file={flash},if=mtd,format=raw"),
        *("-global", f"driver={KINDS[machine].timer},property=wdt_disable,value=true"),
    )


def espressif_simulator(
    scratch: Path, *, folder: Path | None = None, confinement: Confinement | None = None
) -> ChildSimulator:
    """The rung for ESP parts that Espressif's own QEMU knows."""
    return ChildSimulator(EspressifQemu(folder), scratch, confinement=confinement)
