"""``scenario``: check, run, diff."""

import argparse
import asyncio
import dataclasses
import json
from pathlib import Path

from benchline.errors import InvalidRequestError, NotReadyError
from benchline.scenario import (
    ClockMeter,
    ClockReading,
    Event,
    Finding,
    Outcome,
    RecordSplitter,
    Severity,
    TraceDiff,
    TraceVerdict,
    check,
    diff_traces,
    parse_scenario,
    pin_names,
    read_scenario,
)
from benchline.scenario.trace import PinNames
from benchline.v1 import verdict_pb2
from tui.client.connection import Connection
from tui.client.watch import read_pieces
from tui.headless import local
from tui.headless.output import data, talk
from tui.headless.run_verb import run as run_session
from tui.wording import runner_name, visible, why_unread

_MAX_BYTES = 64 * 1024 * 1024
_OUTCOMES = {
    verdict_pb2.OUTCOME_PASSED: Outcome.PASSED,
    verdict_pb2.OUTCOME_FAILED: Outcome.FAILED,
}


async def scenario(options: argparse.Namespace) -> int:
    """Check scenario files, judge an image with one, or compare two runs of one."""
    match options.action:
        case "check":
            return await asyncio.to_thread(check_files, options)
        case "run":
            return await _run(options)
        case _:
            return await _diff(options)


def check_files(options: argparse.Namespace) -> int:
    """Print every finding with its line; 1 when there is one."""
    found = 0
    for name in options.files:
        findings = findings_of(Path(name))
        found += len(findings)
        for one in findings:
            if options.json:
                data(json.dumps({"file": name, **dataclasses.asdict(one)}))
            else:
                advice = f" ({one.fix})" if one.fix else ""
                text = f"{one.severity.value.lower()}: {one.subject}: {one.message}{advice}"
                data(f"{name}:{one.line}: {visible(text)} [{one.code}]")
        if not findings:
            talk(f"{name}: good")
    return 1 if found else 0


def findings_of(path: Path) -> tuple[Finding, ...]:
    """Everything wrong or doubtful about a scenario file.

    Raises:
        InvalidRequestError: SOURCE_UNUSABLE, when it cannot be read as text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(
            "SOURCE_UNUSABLE", f"{path} cannot be read: {why_unread(error)}"
        ) from error
    read, findings = read_scenario(text)
    if read is None:
        return findings
    return tuple(dict.fromkeys((*findings, *check(read))))


async def _run(options: argparse.Namespace) -> int:
    """A session that judges the source with this one file."""
    bad = await asyncio.to_thread(findings_of, Path(options.file))
    errors = [one for one in bad if one.severity is Severity.ERROR]
    if errors:
        raise InvalidRequestError("SCENARIO_INVALID", "\n".join(str(one) for one in errors))
    options.scenario = [options.file]
    options.prompt = options.designer = options.design = None
    options.demo = options.examples = options.no_questions = options.auto_approve = False
    options.stack = options.device = options.ceiling = None
    return await run_session(options)


async def _diff(options: argparse.Namespace) -> int:
    files = (Path(options.left), Path(options.right)) if options.right else None
    if files and all(await asyncio.to_thread(_are_files, files)):
        one, other = await asyncio.to_thread(_read_both, files)
        found = diff_traces(
            _events(one),
            _events(other),
            tolerance_ms=options.tolerance,
            pins=await asyncio.to_thread(_pins_of, options.signals),
        )
        return _tell(options, "", found)
    for name in filter(None, (options.left, options.right)):
        if "/" in name.removeprefix("sessions/"):
            raise InvalidRequestError("SOURCE_UNUSABLE", f"{name} is not a file", path=name)
    connection = await local.ensure_up()
    async with connection:
        pairs = await _pairs(connection, options.left, options.right)
        worst = 0
        for name, simulated, on_board in pairs:
            simulation = await _trace(connection, simulated)
            board = await _trace(connection, on_board)
            first, second = _OUTCOMES.get(simulated.outcome), _OUTCOMES.get(on_board.outcome)
            found = diff_traces(
                simulation.events,
                board.events,
                clock=board.clock,
                outcomes=(first, second) if first and second else None,
                tolerance_ms=options.tolerance,
            )
            title = (
                f"{name}: {runner_name(simulated.runner)} against {runner_name(on_board.runner)}"
            )
            worst = max(worst, _tell(options, title, found))
    return worst


def _pins_of(files: list[str] | None) -> tuple[PinNames, PinNames] | None:
    """What the pins of both sides are for, from the scenarios that they ran.

    Raises:
        InvalidRequestError: SCENARIO_INVALID or SOURCE_UNUSABLE.
    """
    if files is None:
        return None
    one, other = (_names_in(Path(name)) for name in files)
    return one, other


def _names_in(path: Path) -> PinNames:
    errors = [str(one) for one in findings_of(path) if one.severity is Severity.ERROR]
    if errors:
        raise InvalidRequestError("SCENARIO_INVALID", "\n".join(errors))
    return pin_names(parse_scenario(path.read_text(encoding="utf-8")))


def _are_files(paths: tuple[Path, Path]) -> list[bool]:
    return [path.is_file() for path in paths]


def _read_both(paths: tuple[Path, Path]) -> tuple[bytes, bytes]:
    return paths[0].read_bytes(), paths[1].read_bytes()


async def _pairs(
    connection: Connection, name: str, wanted: str | None
) -> list[tuple[str, verdict_pb2.ScenarioResult, verdict_pb2.ScenarioResult]]:
    """Scenarios of a session that both a simulator and a board ran."""
    session = await connection.session(name)
    simulated: dict[str, verdict_pb2.ScenarioResult] = {}
    on_board: dict[str, verdict_pb2.ScenarioResult] = {}
    for result in session.scenario_results:
        kind = simulated if result.stage == verdict_pb2.STAGE_SIMULATE else on_board
        kind[result.scenario_id] = result
    both = [one for one in simulated if one in on_board and wanted in (None, one)]
    if not both:
        which = f"scenario {wanted}" if wanted else "any scenario"
        raise NotReadyError(
            "NOTHING_TO_COMPARE", f"{which} of {name} was not run by both a simulator and a board"
        )
    return [(one, simulated[one], on_board[one]) for one in both]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Trace:
    """What a run said, and what its times say of the device's clock."""

    events: list[Event]
    clock: ClockReading | None


async def _trace(connection: Connection, result: verdict_pb2.ScenarioResult) -> _Trace:
    console = result.console
    splitter, meter = RecordSplitter(), ClockMeter()
    events: list[Event] = []
    pieces = read_pieces(
        connection, console.console, start=console.start, end=console.end, most=_MAX_BYTES
    )
    async for piece, read_ms in pieces:
        found = splitter.feed(piece)
        meter.hear(found, read_ms)
        events += found
    return _Trace(events=events, clock=meter.reading())


def _events(raw: bytes) -> list[Event]:
    return list(RecordSplitter().feed(raw))


def _tell(options: argparse.Namespace, title: str, found: TraceDiff) -> int:
    if options.json:
        told = {"title": title, "equal": found.equal, **dataclasses.asdict(found)}
        data(json.dumps(told))
    else:
        head = f"{title}: " if title else ""
        data(f"{head}{visible(found.message)}, clocks differ by at most {found.worst_ms} ms")
    differs = not found.equal or found.verdict in (
        TraceVerdict.SIM_ONLY,
        TraceVerdict.BOARD_ONLY,
        TraceVerdict.DIVERGED,
    )
    return 1 if differs else 0
