"""Power switches that are programs: uhubctl, and commands of the bench's owner."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from benchagent.power.protocol import OFF_S, PowerError, PowerState, cycle

RUN_S = 30.0
_MOST_OUTPUT = 4096
_LOCATION = re.compile(r"\d{1,3}(?:-\d{1,2}(?:\.\d{1,2}){0,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class UhubctlSwitch:
    """A port of a USB hub with per-port power switching, through the program uhubctl.

    Arguments as its manual page gives them (uhubctl(8), version 2.4.0): `--location`, `--ports`,
    `--action`, `--delay`. Not tried on hardware.
    """

    location: str
    """The hub, e.g. `1-1.4`: bus and chain of ports."""
    port: int
    off_s: float = OFF_S
    program: str = "uhubctl"
    run_s: float = RUN_S

    def __post_init__(self) -> None:
        """Raises ValueError: not a hub's place."""
        if not _LOCATION.fullmatch(self.location):
            raise ValueError(f"location = {self.location!r} is no hub, e.g. 1-1.4")
        if not 0 < self.port < 32:
            raise ValueError(f"port = {self.port} is no port of a hub")

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"port {self.port} of hub {self.location} (uhubctl)"

    async def switch(self, state: PowerState) -> None:
        """Do it. Raises PowerError."""
        place = (f"--location={self.location}", f"--ports={self.port}")
        order = (f"--action={state}", f"--delay={self.off_s:g}")
        await run((self.program, *place, *order), self.run_s + self.off_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSwitch:
    """Commands of the bench's owner; no shell looks at them."""

    on: tuple[str, ...]
    off: tuple[str, ...]
    cycle: tuple[str, ...] = ()
    """Off, a moment and on when it is left out."""
    off_s: float = OFF_S
    run_s: float = RUN_S

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"the command {self.on[0]}"

    async def switch(self, state: PowerState) -> None:
        """Do it. Raises PowerError."""
        match state:
            case PowerState.ON:
                await run(self.on, self.run_s)
            case PowerState.OFF:
                await run(self.off, self.run_s)
            case PowerState.CYCLE if self.cycle:
                await run(self.cycle, self.run_s)
            case PowerState.CYCLE:
                await cycle(self, self.off_s)


async def run(command: Sequence[str], limit_s: float) -> None:
    """Run a program to its end in a session of its own. Raises PowerError unless it gives 0."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        hint = "; install the apt package uhubctl" if command[0] == "uhubctl" else ""
        raise PowerError(f"{command[0]}: {error.strerror}{hint}") from error
    try:
        async with asyncio.timeout(limit_s):
            said = await _output(process)
            code = await process.wait()
    except TimeoutError as error:
        raise PowerError(f"{command[0]} did not end in {limit_s:g} s") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())
    if code:
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["without a word"]
        raise PowerError(f"{command[0]} ended with code {code}: {last[0][:200]}")


async def _output(process: asyncio.subprocess.Process) -> bytes:
    """The last of what it says; all of it is read, so that it never waits for us."""
    said = b""
    if process.stdout is not None:
        while piece := await process.stdout.read(_MOST_OUTPUT):
            said = (said + piece)[-_MOST_OUTPUT:]
    return said
