"""STM32F4 firmware in QEMU, deterministic: virtual time is counted in instructions.

Console is USART2 on stdio, never semihosting: that would give the guest the host's shell. What
QEMU does not model it logs into a pipe, which corroborates the firmware's PIN records.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchline.scenario import (
    AssertionResult,
    Evaluator,
    Event,
    Outcome,
    RecordSplitter,
    RunEnd,
    RunEndReason,
    RunPlan,
    ScenarioResult,
    pack_table,
)
from controlplane.childproc.command import MIB, Command, Confinement, Limits
from controlplane.childproc.confinement import strongest_confinement
from controlplane.childproc.runner import Child, stream
from controlplane.childproc.tools import LocatedTool, Tool, ToolBrokenError, ToolTrouble, locate
from controlplane.simulators.canary import CANARY_TEXT, canary_image
from controlplane.simulators.corroboration import RegisterLog, corroborate
from controlplane.simulators.identity import icount_option, run_nonce, simulation_key
from controlplane.simulators.protocol import OnEvent, SimulationLimits, SimulationResult

QEMU = Tool(
    name="qemu-system-arm",
    package="qemu-system-arm",
    version_pattern=r"QEMU emulator version ([0-9]+\.[0-9]+\.[0-9]+)",
)
MACHINE = "netduinoplus2"
PARTS = frozenset({"stm32f405rg"})
TABLE_ADDRESS = 0x0800_4000
TRANSLATION_MIB = 64
MEMORY_BYTES = 1024 * MIB
CANARY_SECONDS = 10.0
STALL_SECONDS = 5.0
BUSY_PATIENCE = 5
"""Times that the wall limit is granted while the host is busy."""

GATHER_SECONDS = 0.004
"""QEMU writes the console byte by byte; taking each alone would cost more than the run."""
LOG_PIPE_BYTES = MIB
READ_BYTES = 256 * 1024
_LOCKUP_SIGN = b"Lockup"


@dataclass(slots=True, kw_only=True)
class _Run:
    """What one run has given so far."""

    console: bytearray = field(default_factory=bytearray)
    events: list[Event] = field(default_factory=list)
    log: RegisterLog = field(default_factory=RegisterLog)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    last_byte_at: float = 0.0
    finished: bool = False
    console_full: bool = False
    log_full: bool = False
    timed_out: bool = False
    rc: int | None = None
    stderr: bytes = b""
    confinement: str = ""

    @property
    def booted(self) -> bool:
        """Whether the firmware printed its BOOT record."""
        return any(event.type == "BOOT" for event in self.events)


class QemuSimulator:
    """QEMU's netduinoplus2: an STM32F405 with UARTs, timers and unmodelled GPIO."""

    key = "qemu"
    capabilities = frozenset(
        {
            "serial.rx",
            "serial.tx",
            "pin.read",
            "pin.edges",
            "inject.digital",
            "inject.analog",
            "inject.console",
        }
    )

    def __init__(self, scratch: Path, *, confinement: Confinement | None = None) -> None:
        """`scratch` holds the private directories of runs."""
        self._scratch = scratch
        self._confinement = confinement

    def simulates(self, part: str) -> bool:
        """Whether this machine runs firmware of the part."""
        return part in PARTS

    async def version(self) -> str:
        """The version of the QEMU on the PATH, for cache keys.

        Raises:
            ToolBrokenError: QEMU is missing or does not answer.
        """
        return (await locate(QEMU, confinement=self._confinement)).version

    async def simulate(
        self,
        image: Path,
        plan: RunPlan,
        *,
        limits: SimulationLimits | None = None,
        on_event: OnEvent | None = None,
        build: str | None = None,
    ) -> SimulationResult:
        """Run an image through a plan; see `Simulator.simulate`."""
        started = time.monotonic()
        nonce = run_nonce(plan)
        judge = Evaluator(plan, nonce=nonce, build=build)
        level = self._confinement or await strongest_confinement()
        icount = icount_option(plan.end_ms)
        try:
            tool = await locate(QEMU, confinement=level)
            image = await asyncio.to_thread(image.absolute)
            image_sha256 = await asyncio.to_thread(_sha256, image)
        except ToolBrokenError as error:
            return _unstarted(judge, error, icount, level, nonce)
        run = _Run(confinement=level.value)

        def take(event: Event) -> None:
            run.events.append(event)
            judge.feed(event)
            if on_event is not None:
                on_event(event)
            if judge.done:
                run.finished = True
                run.stop.set()

        bounds = limits or SimulationLimits()
        known = SimulationResult(
            scenario=_no_verdict(plan),
            rung=f"qemu:{MACHINE}",
            machine=MACHINE,
            versions={QEMU.name: tool.version},
            icount=icount,
            confinement=level.value,
            nonce=nonce,
            key=simulation_key(
                image_sha256=image_sha256,
                plan=plan,
                machine=MACHINE,
                version=tool.version,
                icount=icount,
            ),
        )
        table = pack_table(plan, nonce)
        try:
            await self._run(tool, level, image, table, plan.end_ms, bounds, run, take)
            result = await self._judge(tool, level, run, judge, bounds, known)
        except ToolBrokenError as error:
            scenario = judge.finish(RunEnd(reason=RunEndReason.TOOL_FAILED, detail=str(error)))
            result = replace(known, scenario=scenario, tool=error.tool, package=error.package)
        return replace(
            result,
            events=tuple(run.events),
            console=bytes(run.console),
            registers=run.log.histogram,
            notes=(*result.notes, *run.log.guest_errors),
            wall_s=time.monotonic() - started,
        )

    async def _run(
        self,
        tool: LocatedTool,
        level: Confinement,
        image: Path,
        table: bytes,
        end_ms: int,
        limits: SimulationLimits,
        run: _Run,
        take: OnEvent,
    ) -> None:
        async with self._workplace() as root:
            await asyncio.to_thread((root / "table.bin").write_bytes, table)
            command = Command(
                argv=(
                    str(tool.path),
                    *machine_arguments(image, icount_option(end_ms)),
                    # force-raw keeps QEMU from guessing a format from the table's bytes.
                    "-device",
                    f"loader,file={root}/table.bin,addr={TABLE_ADDRESS:#x},force-raw=on",
                    *("-d", "unimp,guest_errors", "-D", f"{root}/log"),
                ),
                cwd=root,
                writable=(root,),
                read_only=(image,),
            )
            wall = limits.wall_s(end_ms)
            bounds = _child_limits(wall)
            with _log_pipe(root / "log", run, limits.log_bytes):
                try:
                    async with stream(
                        command, bounds, confinement=level, gather_s=GATHER_SECONDS
                    ) as child:
                        await _follow(child, run, limits, wall, take)
                except OSError as error:
                    raise ToolBrokenError(
                        QEMU, ToolTrouble.UNUSABLE, "could not be started", str(error)
                    ) from error

    async def _judge(
        self,
        tool: LocatedTool,
        level: Confinement,
        run: _Run,
        judge: Evaluator,
        limits: SimulationLimits,
        known: SimulationResult,
    ) -> SimulationResult:
        """The verdict of a run that has ended, with whose fault an early end was."""
        findings, notes = corroborate(run.events, run.log)
        for finding in findings:
            judge.add_finding(finding)
        known = replace(known, notes=notes)
        if run.finished:
            return replace(known, scenario=judge.finish())
        cause = _firmware_fault(run, limits)
        if cause is None and run.console_full:
            end = RunEnd(reason=RunEndReason.BYTE_CAP, detail=f"{limits.console_bytes} bytes")
            return replace(known, scenario=judge.finish(end))
        if cause is None or not run.booted:
            await self._canary(tool, level)
        if cause is None:
            cause = _fault_of_healthy_machine(run)
        if cause is not None:
            judge.add_finding(_stopped(*cause))
            end = RunEnd(reason=RunEndReason.STREAM_CLOSED, detail=cause[1])
            return replace(known, scenario=_firmware_ended(judge.finish(end)))
        if run.timed_out:
            return replace(known, scenario=judge.finish(RunEnd(reason=RunEndReason.TIME_CAP)))
        raise _died(run)

    async def _canary(self, tool: LocatedTool, level: Confinement) -> None:
        """Run the canary image.

        Raises:
            ToolBrokenError: it printed nothing, so QEMU or this machine is at fault.
        """
        async with self._workplace() as root:
            image = root / "canary.bin"
            await asyncio.to_thread(image.write_bytes, canary_image())
            argv = (str(tool.path), *machine_arguments(image, icount_option(0)))
            command = Command(argv=argv, cwd=root, writable=(root,))
            printed = b""
            try:
                async with (
                    asyncio.timeout(CANARY_SECONDS),
                    stream(command, _child_limits(CANARY_SECONDS), confinement=level) as child,
                ):
                    while CANARY_TEXT not in printed and len(printed) < MIB:
                        piece = await child.read()
                        if not piece:
                            break
                        printed += piece
            except TimeoutError:
                what = f"printed nothing from a known good image within {CANARY_SECONDS:g} s"
                raise ToolBrokenError(QEMU, ToolTrouble.HUNG, what) from None
            except OSError as error:
                what = "could not be started"
                raise ToolBrokenError(QEMU, ToolTrouble.UNUSABLE, what, str(error)) from error
            if CANARY_TEXT not in printed:
                detail = child.stderr.decode("utf-8", "replace")
                what = "does not run a known good image"
                raise ToolBrokenError(QEMU, ToolTrouble.UNUSABLE, what, detail)

    @asynccontextmanager
    async def _workplace(self) -> AsyncIterator[Path]:
        await asyncio.to_thread(self._scratch.mkdir, parents=True, exist_ok=True)
        root = Path(await asyncio.to_thread(tempfile.mkdtemp, dir=self._scratch))
        try:
            yield root
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, root, ignore_errors=True))


def machine_arguments(image: Path, icount: str) -> tuple[str, ...]:
    """The arguments of a deterministic run without a table: the console on stdio."""
    return (
        *("-M", MACHINE, "-nodefaults", "-no-user-config", "-display", "none"),
        *("-accel", f"tcg,tb-size={TRANSLATION_MIB}", "-icount", icount),
        *("-serial", "null", "-serial", "stdio", "-kernel", str(image)),
    )


def _host_is_busy() -> bool:
    """Whether more programs want to run than there are processors: wall time says little then."""
    return os.getloadavg()[0] > 1.5 * (os.cpu_count() or 1)


def _child_limits(wall_s: float) -> Limits:
    return Limits(
        wall_s=wall_s * BUSY_PATIENCE,
        cpu_s=int(wall_s * BUSY_PATIENCE) + 10,
        memory_bytes=MEMORY_BYTES,
        file_bytes=MIB,
    )


async def _follow(
    child: Child, run: _Run, limits: SimulationLimits, wall_s: float, take: OnEvent
) -> None:
    """Read the console until the run is decided, the child ends, or a limit is reached."""
    run.last_byte_at = time.monotonic()
    reading = asyncio.ensure_future(_read_console(child, run, limits.console_bytes, take))
    stopping = asyncio.ensure_future(run.stop.wait())
    try:
        for _ in range(BUSY_PATIENCE):
            done, _ = await asyncio.wait(
                {reading, stopping}, timeout=wall_s, return_when=asyncio.FIRST_COMPLETED
            )
            run.timed_out = not done
            if done or not _host_is_busy():
                break
        if reading in done:
            reading.result()
            if not run.stop.is_set():
                async with asyncio.timeout(STALL_SECONDS):
                    run.rc = await child.wait()
    except TimeoutError:
        run.timed_out = True
    finally:
        for task in (reading, stopping):
            task.cancel()
        await asyncio.gather(reading, stopping, return_exceptions=True)
        await child.end()
        run.stderr = child.stderr


async def _read_console(child: Child, run: _Run, cap: int, take: OnEvent) -> None:
    splitter = RecordSplitter()
    while True:
        piece = await child.read(READ_BYTES)
        if not piece:
            for event in splitter.finish():
                take(event)
            return
        run.last_byte_at = time.monotonic()
        piece = piece[: cap - len(run.console)]
        run.console += piece
        for event in splitter.feed(piece):
            take(event)
            if run.finished:
                # What a later moment printed depends on the host's speed: it is not kept.
                del run.console[event.end :]
                return
        if len(run.console) >= cap:
            run.console_full = True
            run.stop.set()
            return


@contextlib.contextmanager
def _log_pipe(path: Path, run: _Run, cap: int) -> Iterator[None]:
    """A named pipe that takes QEMU's log; read as it fills, so that it never fills a disk."""
    os.mkfifo(path, 0o600)
    # Opened for writing too, so that there is no end of file before QEMU opens it.
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, LOG_PIPE_BYTES)
    loop = asyncio.get_running_loop()

    def wait() -> None:
        loop.remove_reader(descriptor)
        gathering.append(loop.call_later(GATHER_SECONDS, gathered))
        del gathering[:-1]

    def gathered() -> None:
        drain()
        loop.add_reader(descriptor, wait)

    def drain() -> None:
        while True:
            try:
                piece = os.read(descriptor, READ_BYTES)
            except BlockingIOError:
                return
            if run.log.bytes_read < cap:
                run.log.feed(piece)
            elif not run.finished:
                run.log_full = True
                run.stop.set()
            if len(piece) < READ_BYTES:
                return

    gathering: list[asyncio.TimerHandle] = []
    loop.add_reader(descriptor, wait)
    try:
        yield
        drain()
    finally:
        for timer in gathering:
            timer.cancel()
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _firmware_fault(run: _Run, limits: SimulationLimits) -> tuple[str, str] | None:
    """(code, message) when the firmware itself certainly ended the run."""
    polled = run.log.polled_register
    if run.log_full and polled is not None:
        return "stuck", f"the firmware is stuck polling register {polled}"
    if run.log_full:
        most = next(iter(run.log.histogram), "none")
        return "flood", (
            f"the firmware made more than {limits.log_bytes // MIB} MiB of register accesses, "
            f"most to {most}"
        )
    if run.rc == -signal.SIGABRT and _LOCKUP_SIGN in run.stderr:
        return "lockup", "lockup: a fault inside the fault handler stopped the processor"
    return None


def _fault_of_healthy_machine(run: _Run) -> tuple[str, str] | None:
    """(code, message) for what is the firmware's fault once QEMU is known to work."""
    silent_s = time.monotonic() - run.last_byte_at
    if run.timed_out and not run.booted:
        return "start", "the firmware printed no BOOT record"
    if run.timed_out and silent_s >= STALL_SECONDS:
        last = run.events[-1].at_ms if run.events else 0
        return "stalled", f"device time stopped after {last} ms: END never came"
    if run.rc is not None and run.rc > 0 and not run.events:
        text = run.stderr[:200].decode("utf-8", "replace").strip()
        return "image", f"the machine does not load this image: {text}"
    return None


def _died(run: _Run) -> ToolBrokenError:
    rc = run.rc if run.rc is not None else 0
    ending = f"signal {-rc}" if rc < 0 else f"exit code {rc}"
    detail = run.stderr.decode("utf-8", "replace")
    return ToolBrokenError(QEMU, ToolTrouble.CRASHED, f"ended early with {ending}", detail)


def _stopped(code: str, message: str) -> AssertionResult:
    return AssertionResult(
        id=f"core.{code}",
        kind="core",
        outcome=Outcome.FAILED,
        message=message,
        expected="an END record",
        got=message,
    )


def _firmware_ended(result: ScenarioResult) -> ScenarioResult:
    """A missing END that the firmware caused is its fault, not the lab's."""
    kept = tuple(a for a in result.assertions if a.id not in {"core.end", "core.boot"})
    if any(a.outcome is Outcome.BROKEN for a in kept):
        return result
    reason = next(a.message for a in kept if a.outcome is Outcome.FAILED)
    return replace(result, assertions=kept, outcome=Outcome.FAILED, reason=reason)


def _no_verdict(plan: RunPlan) -> ScenarioResult:
    return ScenarioResult(
        scenario_id=plan.scenario_id,
        title=plan.title,
        outcome=Outcome.BROKEN,
        assertions=(),
        seed=plan.seed,
        values=plan.shown,
    )


def _unstarted(
    judge: Evaluator, error: ToolBrokenError, icount: str, level: Confinement, nonce: int
) -> SimulationResult:
    end = RunEnd(reason=RunEndReason.TOOL_FAILED, detail=str(error))
    return SimulationResult(
        scenario=judge.finish(end),
        rung=f"qemu:{MACHINE}",
        machine=MACHINE,
        versions={},
        icount=icount,
        confinement=level.value,
        key="",
        nonce=nonce,
        tool=error.tool,
        package=error.package,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
