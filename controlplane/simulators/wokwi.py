"""ESP32 firmware in Wokwi's simulation service: the only rung that talks to the outside.

It is used only with a token, and only where it is chosen or no rung of this machine runs the board
model (docs/other-tools.md). What leaves the machine is the image, the stimuli and the wiring
diagram; what comes back is the console and the levels of the outputs, each with the simulated time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchline.scenario import (
    Evaluator,
    Event,
    RunEnd,
    RunEndReason,
    RunPlan,
    SignalKind,
    pack_table,
)
from controlplane.catalog.loader import load_catalogue
from controlplane.childproc.tools import Tool, ToolBrokenError, ToolTrouble
from controlplane.domain.firmware_image import is_test_build
from controlplane.domain.image import ImageError, ImageSegment, flat_image, leave_out, read_image
from controlplane.domain.part import BoardModel, WokwiBoard
from controlplane.exporters.wiring import BOARD_ID, wiring_of_signals
from controlplane.exporters.wokwi_diagram import DIAGRAM, diagram
from controlplane.simulators.corroboration import corroborate
from controlplane.simulators.fault import FirmwareFault, blamed, flood
from controlplane.simulators.identity import digest_of, run_nonce, simulation_key
from controlplane.simulators.machine import no_verdict, rung_name
from controlplane.simulators.protocol import (
    TEST_BUILD_CAPABILITIES,
    OnEvent,
    SimulationLimits,
    SimulationResult,
    Target,
)
from controlplane.simulators.wokwi_feed import Feed

if TYPE_CHECKING:
    from controlplane.simulators.wokwi_link import WokwiLink

DEFAULT_SERVER = "wss://wokwi.com/api/ws/beta"
TABLE_OFFSET = 0x1F_0000
TABLE_BYTES = 16 * 1024
SPARE_MS = 1000
"""How much longer than its scenario the simulation goes on at most: END is due before."""

LIMITS = SimulationLimits(wall_base_s=60.0, wall_factor=20.0)
"""The service simulates slower than life when it is busy (its documentation: 8 MHz at most)."""

UNTRIED = "tested against a local server that speaks Wokwi's protocol, not run against the service"
_TOOL = Tool(
    name="wokwi",
    package="benchline[wokwi]",
    version_pattern="",
    fix="pip install 'benchline[wokwi]'",
)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WokwiSettings:
    """Where the service is and what it is asked with; without a token it is never asked."""

    token: str = field(default="", repr=False)
    server: str = DEFAULT_SERVER


class ServiceBrokenError(ToolBrokenError):
    """The service is at fault, or the way to it, not the operator's firmware."""

    def __init__(self, what: str, fix: str, trouble: ToolTrouble = ToolTrouble.UNUSABLE) -> None:
        super().__init__(_TOOL, trouble, what)
        self.args = (f"Wokwi's service {what}; {fix}",)
        self.fix = fix


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run that is under way."""

    board: BoardModel
    wokwi: WokwiBoard
    plan: RunPlan
    flash_mb: int
    sections: tuple[ImageSegment, ...]
    limits: SimulationLimits
    feed: Feed


class WokwiSimulator:
    """Runs images of the catalogue's boards that Wokwi has."""

    key = "wokwi"
    tells_time_of_text = True
    capabilities = TEST_BUILD_CAPABILITIES
    optional = "benchline[wokwi] with a token in WOKWI_CLI_TOKEN, to have it run by Wokwi's service"

    live = None
    tracer = None

    def __init__(self, settings: WokwiSettings) -> None:
        self._settings = settings

    @property
    def remote(self) -> str:
        """What leaves this machine."""
        sent = "the image, the stimuli and the wiring"
        return f"a run sends {sent} to {self._settings.server}; {UNTRIED}"

    async def version(self, machine: str) -> str:
        """What the service says of itself; see `Simulator.version`."""
        self._demand_usable(machine)
        from controlplane.simulators.wokwi_link import ServiceError, WokwiLink

        try:
            async with WokwiLink(self._settings.server, self._settings.token) as link:
                return f"service {link.version}"
        except ServiceError as error:
            raise _broken(error.fix, str(error), silent=error.silent) from error

    async def examine(self, machine: str) -> str:
        """The same: it cannot be looked at more closely."""
        return await self.version(machine)

    async def simulate(
        self,
        target: Target,
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
        known = self._unstarted(target, plan, nonce)
        sections, records = await asyncio.to_thread(_sections, image, plan, nonce)
        judge = Evaluator(
            plan,
            nonce=nonce if records else None,
            build=build if records else None,
            records=records,
        )
        feed = Feed(plan, judge, limits or LIMITS, records=records, on_event=on_event)
        try:
            if isinstance(sections, str):
                fault = FirmwareFault("image", f"this image cannot be simulated: {sections}")
                result = replace(known, scenario=blamed(fault, judge))
            else:
                board, wokwi = self._demand_usable(target.machine)
                run = _Run(
                    board=board,
                    wokwi=wokwi,
                    plan=plan,
                    flash_mb=target.flash_bytes >> 20,
                    sections=sections,
                    limits=limits or LIMITS,
                    feed=feed,
                )
                result = await self._attempt(run, judge, known, image)
        except ToolBrokenError as error:
            scenario = judge.finish(RunEnd(reason=RunEndReason.TOOL_FAILED, detail=str(error)))
            result = replace(
                known, scenario=scenario, tool=error.tool, package=error.package, fix=error.fix
            )
        return replace(
            result,
            events=tuple(feed.events),
            console=bytes(feed.console),
            wall_s=time.monotonic() - started,
        )

    async def _attempt(
        self, run: _Run, judge: Evaluator, known: SimulationResult, image: Path
    ) -> SimulationResult:
        from controlplane.simulators.wokwi_link import ServiceError, WokwiLink

        try:
            async with WokwiLink(self._settings.server, self._settings.token) as link:
                version = f"service {link.version}"
                known = replace(
                    known,
                    versions={"wokwi": version},
                    key=simulation_key(
                        image_sha256=await asyncio.to_thread(digest_of, image),
                        plan=run.plan,
                        rung=known.rung,
                        machine=known.machine,
                        version=version,
                        clock=known.clock,
                    ),
                )
                timed_out = await self._follow(link, run)
        except ServiceError as error:
            raise _broken(error.fix, str(error), silent=error.silent) from error
        return _judged(run, judge, known, timed_out=timed_out)

    async def _follow(self, link: WokwiLink, run: _Run) -> bool:
        """Upload, start paused, listen, then let it run; whether the wall limit ended it."""
        from wokwi_client import file_ops, pins, simulation

        feed, wire = run.feed, link.wire
        link.listen("serial-monitor:data", feed.serial)
        link.listen("pin:change", feed.pin)
        link.listen("sim:pause", feed.paused)
        wired = diagram(run.board, run.wokwi, wiring_of_signals(run.plan.signals.values()))
        await link.ask("the diagram", file_ops.upload_text(wire, DIAGRAM, wired))
        flash = []
        for section in run.sections:
            name = f"flash-{section.address:x}.bin"
            await link.ask("the image", file_ops.upload(wire, name, section.data))
            flash.append(file_ops.FlashSection(section.address, name))
        start = simulation.start(wire, firmware=flash, flash_size=run.flash_mb, pause=True)
        await link.ask("the start", start)
        # Before the first instruction: what is printed while nobody listens is lost.
        await link.ask("listening", wire.request("serial-monitor:listen", {}))
        for pin in _outputs(run.plan):
            name = run.wokwi.pin(pin)
            feed.names[name] = pin
            await link.ask(f"listening to {pin}", pins.pin_listen(wire, part=BOARD_ID, pin=name))
        feed.running = True
        device_ms = run.plan.end_ms + (SPARE_MS if feed.records else 0)
        await link.ask("going on", simulation.resume(wire, device_ms * 1_000_000))
        return await _wait(link, run)

    def _demand_usable(self, machine: str) -> tuple[BoardModel, WokwiBoard]:
        """The board model that the service knows as `machine`.

        Raises:
            ToolBrokenError: MISSING without a token; unusable in any other way.
        """
        if not self._settings.token:
            raise ToolBrokenError(_TOOL, ToolTrouble.MISSING, "has no token")
        if find_spec("wokwi_client") is None:
            raise ServiceBrokenError("needs its client", f"{_TOOL.fix}")
        parts = urlsplit(self._settings.server)
        if parts.scheme != "wss" and not (parts.scheme == "ws" and parts.hostname in _LOOPBACK):
            what = "would be sent the token unencrypted"
            raise ServiceBrokenError(what, "set WOKWI_CLI_SERVER to a wss:// address")
        for board in load_catalogue().boards.values():
            if board.wokwi is not None and board.wokwi.board == machine:
                return board, board.wokwi
        raise ServiceBrokenError(f"has no {machine}", "choose another board model or simulator")

    def _unstarted(self, target: Target, plan: RunPlan, nonce: int) -> SimulationResult:
        return SimulationResult(
            scenario=no_verdict(plan),
            rung=rung_name(self.key, target.machine),
            machine=target.machine,
            versions={},
            clock="the service's simulated time",
            confinement="none here: run by Wokwi's service",
            key="",
            nonce=nonce,
            notes=(
                f"the image, the stimuli and the wiring were sent to {self._settings.server}",
                f"this rung was {UNTRIED}",
            ),
        )


async def _wait(link: WokwiLink, run: _Run) -> bool:
    stopping = asyncio.ensure_future(run.feed.stop.wait())
    try:
        done, _ = await asyncio.wait(
            {stopping, link.receiving},
            timeout=run.limits.wall_s(run.plan.end_ms),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if stopping not in done:
            link.demand_open("in the middle of the run")
        return not done
    finally:
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)


def _judged(
    run: _Run, judge: Evaluator, known: SimulationResult, *, timed_out: bool
) -> SimulationResult:
    """The verdict of a run that has ended, with whose fault an early end was."""
    feed = run.feed
    if feed.records:
        listened = set(feed.names.values())
        heard = [e for e in feed.events if e.type != "PIN" or e.name in listened]
        findings, notes = corroborate(heard, feed.without_idle_levels())
        for finding in findings:
            judge.add_finding(finding)
        known = replace(known, notes=(*known.notes, *notes, *_unheard(feed.events, listened)))
    if feed.finished:
        return replace(known, scenario=judge.finish())
    if feed.console_full:
        return replace(known, scenario=blamed(flood(len(feed.console)), judge))
    if feed.pins_full:
        fault = FirmwareFault("flood", f"the firmware changed its pins {feed.pin_changes} times")
        return replace(known, scenario=blamed(fault, judge))
    if timed_out:
        seconds = run.limits.wall_s(run.plan.end_ms)
        if not feed.heard:
            what = f"sent nothing of the run within {seconds:g} s"
            raise ServiceBrokenError(what, "try again later", ToolTrouble.HUNG)
        return replace(known, scenario=judge.finish(RunEnd(reason=RunEndReason.TIME_CAP)))
    if not feed.booted:
        # The image may be one that the service does not boot: nothing was shown of the firmware.
        what = f"printed no BOOT record in {run.plan.end_ms + SPARE_MS} ms of simulated time"
        fix = "simulate it on a rung of this machine: whether the service boots it is not known"
        raise ServiceBrokenError(what, fix)
    last = feed.events[-1].at_ms if feed.events else 0
    fault = FirmwareFault("stalled", f"device time stopped after {last} ms: END never came")
    return replace(known, scenario=blamed(fault, judge))


def _unheard(events: Sequence[Event], listened: set[str]) -> tuple[str, ...]:
    others = sorted({e.name for e in events if e.type == "PIN"} - listened)
    return tuple(
        f"PIN records of {pin} were not compared: the scenario does not name it" for pin in others
    )


def _sections(
    image: Path, plan: RunPlan, nonce: int
) -> tuple[tuple[ImageSegment, ...] | str, bool]:
    """What goes into flash, or why nothing can; and whether the firmware prints records."""
    data = image.read_bytes()
    name = image.name if data[:4] == b"\x7fELF" or image.suffix == ".hex" else f"{image.name}.bin"
    try:
        segments = read_image(data, name, base=0)
        if not is_test_build(segments):
            return segments, False
        kept = leave_out(segments, TABLE_OFFSET, TABLE_OFFSET + TABLE_BYTES)
    except ImageError as error:
        return str(error), True
    # A raw image may go on behind the table, erased: that is how flash is anyway.
    below = tuple(s for s in kept if s.address < TABLE_OFFSET)
    if not below:
        return "it has no bytes where the part boots from", True
    whole = ImageSegment(below[0].address, flat_image(below))
    return (whole, ImageSegment(TABLE_OFFSET, pack_table(plan, nonce))), True


def _outputs(plan: RunPlan) -> tuple[str, ...]:
    outputs = [s.spelling for s in plan.signals.values() if s.kind is SignalKind.DIGITAL_OUT]
    return tuple(dict.fromkeys(outputs))


def _broken(fix: str, what: str, *, silent: bool) -> ServiceBrokenError:
    return ServiceBrokenError(what, fix, ToolTrouble.HUNG if silent else ToolTrouble.UNUSABLE)
