"""STM32F4 firmware in QEMU, deterministic: virtual time is counted in instructions.

Console is a USART on stdio, never semihosting: that would give the guest the host's shell. What
QEMU does not model it logs into a pipe, which corroborates the firmware's PIN records.
"""

import signal
from pathlib import Path

from controlplane.childproc.command import MIB, Command, Confinement
from controlplane.childproc.tools import (
    LocatedTool,
    Tool,
    ToolBrokenError,
    ToolTrouble,
    locate,
)
from controlplane.simulators.canary import stm32_canary
from controlplane.simulators.fault import LOCKUP, FirmwareFault
from controlplane.simulators.following import Run
from controlplane.simulators.identity import icount_option
from controlplane.simulators.machine import ChildSimulator
from controlplane.simulators.machine_kind import Job, Tracing
from controlplane.simulators.machine_list import list_machines
from controlplane.simulators.protocol import SimulationLimits, Target
from controlplane.simulators.qemu_log import QemuLog
from controlplane.simulators.tracing import disassembly_log

QEMU = Tool(
    name="qemu-system-arm",
    package="qemu-system-arm",
    version_pattern=r"QEMU emulator version ([0-9]+\.[0-9]+\.[0-9]+)",
)
MACHINE = "netduinoplus2"
MACHINE_PART = "stm32f405rg"
TABLE_ADDRESS = 0x0800_4000
TRANSLATION_MIB = 64

_LOCKUP_SIGN = b"Lockup"


class NetduinoPlus2:
    """QEMU's netduinoplus2: an STM32F405 with UARTs, timers and unmodelled GPIO."""

    key = "qemu"
    optional = ""
    file_bytes = MIB
    limits = SimulationLimits()

    async def locate(self, _machine: str, confinement: Confinement | None) -> LocatedTool:
        """The QEMU on the PATH; builds without this machine are rare."""
        return await locate(QEMU, confinement=confinement)

    async def examine(self, machine: str, confinement: Confinement | None) -> LocatedTool:
        """Look whether this build has the machine after all."""
        found = await self.locate(machine, confinement)
        if machine not in await list_machines(found, confinement):
            what = f"{found.version} has no machine {machine}"
            raise ToolBrokenError(QEMU, ToolTrouble.UNUSABLE, what)
        return found

    def clock(self, end_ms: int) -> str:
        """Larger steps for longer runs."""
        return f"icount {icount_option(end_ms)}"

    def command(self, job: Job) -> Command:
        """QEMU with the image, and the table laid beside it."""
        return self._run_command(job, "unimp,guest_errors")

    @property
    def tracing(self) -> Tracing:
        """It logs each block of instructions when it translates it, before it first runs."""
        return Tracing(command=self._traced_command, new_log=disassembly_log)

    def _traced_command(self, job: Job) -> Command:
        return self._run_command(job, "in_asm")

    def _run_command(self, job: Job, logged: str) -> Command:
        stimuli: tuple[str, ...] = ()
        if job.table is not None:
            table = job.root / "table.bin"
            table.write_bytes(job.table)
            # force-raw keeps QEMU from guessing a format from the table's bytes.
            stimuli = ("-device", f"loader,file={table},addr={TABLE_ADDRESS:#x},force-raw=on")
        arguments = machine_arguments(
            job.image, icount_option(job.end_ms), job.target.console_serial
        )
        return Command(
            argv=(
                *(str(job.tool.path), *arguments, *stimuli),
                *("-d", logged, "-D", str(job.log)),
            ),
            cwd=job.root,
            writable=(job.root,),
            read_only=(job.image,),
        )

    def live_command(self, job: Job) -> Command:
        """QEMU with the image, its time the host's."""
        return Command(
            argv=(str(job.tool.path), *live_arguments(job.image, job.target.console_serial)),
            cwd=job.root,
            writable=(job.root,),
            read_only=(job.image,),
            hold_input=True,
        )

    def canary(self, target: Target) -> bytes:
        """Prints on the console's USART."""
        return stm32_canary(target.console_serial)

    def new_log(self) -> QemuLog:
        """What reads `-d unimp`."""
        return QemuLog()

    def notes(self, target: Target) -> tuple[str, ...]:
        """Another part of the family than the machine's."""
        if target.part == MACHINE_PART:
            return ()
        return (f"an STM32F405 ({MACHINE}) stands in for the {target.part_name}",)

    def fault(self, run: Run) -> FirmwareFault | None:
        """QEMU aborts when a fault cannot be taken."""
        if run.rc == -signal.SIGABRT and _LOCKUP_SIGN in run.stderr:
            return LOCKUP
        return None

    def core_stopped(self, run: Run) -> FirmwareFault | None:
        """A core that locked up; one that only sleeps for ever keeps QEMU running."""
        return self.fault(run)


def machine_arguments(image: Path, icount: str, console_serial: int = 1) -> tuple[str, ...]:
    """The arguments of a deterministic run without a table: the console on stdio."""
    return (*live_arguments(image, console_serial), "-icount", icount)


def live_arguments(image: Path, console_serial: int) -> tuple[str, ...]:
    """The arguments of a run in real time: the console on stdio."""
    serials = ["-serial", "null"] * console_serial
    return (
        *("-M", MACHINE, "-nodefaults", "-no-user-config", "-display", "none"),
        *("-accel", f"tcg,tb-size={TRANSLATION_MIB}"),
        *(*serials, "-serial", "stdio", "-kernel", str(image)),
    )


def qemu_simulator(scratch: Path, *, confinement: Confinement | None = None) -> ChildSimulator:
    """The rung for STM32F4 parts."""
    return ChildSimulator(NetduinoPlus2(), scratch, confinement=confinement)
