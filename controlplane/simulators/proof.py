"""Whether a simulator or the firmware is at fault: a known good image tells."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from controlplane.childproc.command import MIB, Confinement
from controlplane.childproc.runner import stream
from controlplane.childproc.tools import LocatedTool, ToolBrokenError, ToolTrouble
from controlplane.simulators.canary import CANARY_TEXT
from controlplane.simulators.following import Run, child_limits
from controlplane.simulators.machine_kind import Job, Machine

CANARY_SECONDS = 10.0


async def prove(
    machine: Machine, job: Job, level: Confinement, scratch: Path, *, live: bool = False
) -> None:
    """Run the canary image of a machine, started as the job was.

    Raises:
        ToolBrokenError: it printed nothing, so the simulator or this host is at fault.
    """
    tool = job.tool.tool
    async with workplace(scratch) as root:
        image = root / "canary.bin"
        await asyncio.to_thread(image.write_bytes, machine.canary(job.target))
        canary = replace(job, root=root, image=image, table=None, log=Path("/dev/null"), end_ms=0)
        describe = machine.live_command if live else machine.command
        command = await asyncio.to_thread(describe, canary)
        bounds = child_limits(CANARY_SECONDS, machine.file_bytes)
        printed = b""
        try:
            async with (
                asyncio.timeout(CANARY_SECONDS),
                stream(command, bounds, confinement=level) as child,
            ):
                while CANARY_TEXT not in printed and len(printed) < MIB:
                    piece = await child.read()
                    if not piece:
                        break
                    printed += piece
        except TimeoutError:
            what = f"printed nothing from a known good image within {CANARY_SECONDS:g} s"
            raise ToolBrokenError(tool, ToolTrouble.HUNG, what) from None
        except OSError as error:
            what = "could not be started"
            raise ToolBrokenError(tool, ToolTrouble.UNUSABLE, what, str(error)) from error
        if CANARY_TEXT not in printed:
            detail = child.stderr.decode("utf-8", "replace")
            what = "does not run a known good image"
            raise ToolBrokenError(tool, ToolTrouble.UNUSABLE, what, detail)


def died(tool: LocatedTool, run: Run) -> ToolBrokenError:
    """The error of a child whose end nothing explains."""
    rc = run.rc if run.rc is not None else 0
    ending = f"signal {-rc}" if rc < 0 else f"exit code {rc}"
    detail = run.stderr.decode("utf-8", "replace")
    return ToolBrokenError(tool.tool, ToolTrouble.CRASHED, f"ended early with {ending}", detail)


@asynccontextmanager
async def workplace(scratch: Path) -> AsyncIterator[Path]:
    """A private directory for one run, gone with it."""
    await asyncio.to_thread(scratch.mkdir, parents=True, exist_ok=True)
    root = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=scratch))
    try:
        yield root
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, root, ignore_errors=True))
