"""``show``: everything that a session made and why it ended as it did."""

import argparse
import json

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from benchline.v1 import build_pb2, deployment_pb2, design_pb2, session_pb2, verdict_pb2
from tui.client.asking import answered_of, asked_of, open_round_of
from tui.client.connection import CALL_TIMEOUT_S, Connection, is_absent
from tui.client.translate import finding_of, outcome_of
from tui.client.watch import read_console
from tui.headless import local
from tui.headless.attempt_lines import tell_attempts, tell_attempts_json, worth_telling
from tui.headless.output import data
from tui.headless.progress import finding_lines
from tui.headless.summary import design_lines, head_lines, source_lines, stage_lines, why_lines
from tui.question_wording import answered_lines, question_lines
from tui.state.console import ConsoleText
from tui.state.run import FlashView
from tui.wording import flash_line

_EXCERPT_BYTES = 600
_EXCERPT_LINES = 4


class Held:
    """Everything that the server holds of one session; what is not there yet is None."""

    def __init__(self, session: session_pb2.Session) -> None:
        self.session = session
        self.design: design_pb2.Design | None = None
        self.sources: list[build_pb2.SourceFile] = []
        self.build: build_pb2.Build | None = None
        self.deployment: deployment_pb2.SessionDeployment | None = None


async def hold(connection: Connection, name: str) -> Held:
    """Read a session with its design, sketch, build and deployment."""
    held = Held(await connection.session(name))
    full = held.session.name
    try:
        made = await connection.sessions.GetSessionDesign(
            session_pb2.GetSessionDesignRequest(name=full), timeout=CALL_TIMEOUT_S
        )
        held.design = made.design
        held.sources = list(made.sources)
    except grpc.aio.AioRpcError as error:
        _forgive_absence(error)
    try:
        built = await connection.builds.GetBuild(
            build_pb2.GetBuildRequest(session=full), timeout=CALL_TIMEOUT_S
        )
        held.build = built.build
        held.sources = held.sources or list(built.build.sources)
    except grpc.aio.AioRpcError as error:
        _forgive_absence(error)
    try:
        deployed = await connection.deployments.GetSessionDeployment(
            deployment_pb2.GetSessionDeploymentRequest(session=full), timeout=CALL_TIMEOUT_S
        )
        held.deployment = deployed.deployment
    except grpc.aio.AioRpcError as error:
        _forgive_absence(error)
    return held


def _forgive_absence(error: grpc.aio.AioRpcError) -> None:
    if not is_absent(error):
        raise error


async def show(options: argparse.Namespace) -> int:
    """Sketch, wiring, transcript and why it passed."""
    connection = await local.ensure_up()
    async with connection:
        if options.attempts:
            session = await connection.session(options.session)
            if options.json:
                await tell_attempts_json(connection, session)
            else:
                await tell_attempts(connection, session, whole=True)
            return 0
        held = await hold(connection, options.session)
        if options.json:
            data(json.dumps(_as_json(held)))
            return 0
        wiring = await _wiring(connection, held)
        await _tell(connection, held, wiring, transcript=not options.no_transcript)
    return 0


async def _wiring(connection: Connection, held: Held) -> list[str]:
    if held.design is None:
        return []
    request = design_pb2.DrawDesignRequest(
        name=held.session.name, format=design_pb2.DRAWING_FORMAT_TEXT
    )
    answer = await connection.designs.DrawDesign(request, timeout=CALL_TIMEOUT_S)
    return str(answer.content).splitlines()


def _as_json(held: Held) -> dict[str, object]:
    told: dict[str, object] = {"session": _dict(held.session)}
    if held.design is not None:
        told["design"] = _dict(held.design)
    told["sources"] = [_dict(one) for one in held.sources]
    if held.build is not None:
        told["build"] = _dict(held.build)
    if held.deployment is not None:
        told["deployment"] = _dict(held.deployment)
    return told


def _dict(message: Message) -> dict[str, object]:
    found: dict[str, object] = MessageToDict(message, always_print_fields_with_no_presence=True)
    return found


async def _tell(connection: Connection, held: Held, wiring: list[str], *, transcript: bool) -> None:
    session = held.session
    lines = head_lines(session)
    lines += ["", "STAGES", *stage_lines(session)]
    for finding in session.findings:
        lines += finding_lines(finding_of(finding))
    if session.question_rounds:
        lines += ["", "QUESTIONS", *_question_lines(session)]
    if held.design is not None:
        lines += ["", "DESIGN", *design_lines(held.design)]
    if wiring:
        lines += ["", "WIRING", *wiring]
    if held.sources:
        lines += ["", "SKETCH", *source_lines(held.sources)]
    if held.build is not None:
        lines += ["", "BUILD", *_build_lines(held.build)]
    if held.deployment is not None and held.deployment.flashes:
        lines += ["", "FLASHES", *_flash_lines(held.deployment)]
    for line in lines:
        data(line)
    if worth_telling(session):
        data("")
        data("ATTEMPTS")
        await tell_attempts(connection, session)
    for result in session.scenario_results:
        await _tell_scenario(connection, result, transcript=transcript)


def _question_lines(session: session_pb2.Session) -> list[str]:
    """What was asked and what was said to it; what is open comes with the way to answer."""
    short, lines = session.name.rpartition("/")[2], list[str]()
    for wire in session.question_rounds:
        asked = question_lines(asked_of(wire), short)
        lines += asked if open_round_of(session) == asked_of(wire) else asked[:-1]
        lines += answered_lines(answered_of(wire)) if wire.answers else []
    return lines


async def _tell_scenario(
    connection: Connection, result: verdict_pb2.ScenarioResult, *, transcript: bool
) -> None:
    console = result.console
    text = b""
    if console.console and console.end > console.start:
        text = await read_console(connection, console.console, start=console.start, end=console.end)
    excerpts = {
        index: _excerpt(text, console.start, assertion)
        for index, assertion in enumerate(result.assertions)
    }
    data("")
    data(f"WHY {result.scenario_id} {outcome_of(result.outcome).value}")
    for line in why_lines(result, excerpts):
        data(line)
    if transcript and text:
        data("")
        data(f"TRANSCRIPT {console.console} [{console.start}, {console.end})")
        for line in transcript_lines(text, console.start):
            data(f"  {line}")


def transcript_lines(text: bytes, start: int = 0) -> list[str]:
    """Console bytes as lines; records of the bench core are marked with ``·``."""
    shown = ConsoleText(max_lines=1_000_000, start=start)
    shown.feed(text, offset=start)
    return [f"· {line.text}" if line.record else line.text for line in shown.lines()]


def _excerpt(text: bytes, start: int, assertion: verdict_pb2.AssertionResult) -> list[str]:
    lines: list[str] = []
    for one in assertion.evidence[:_EXCERPT_LINES]:
        piece = text[max(0, one.start - start) : max(0, one.end - start)][:_EXCERPT_BYTES]
        found = [line for line in transcript_lines(piece) if line.strip()]
        lines += [f"{line}   [{one.start}, {one.end})" for line in found[:1]] + found[1:2]
    more = len(assertion.evidence) - _EXCERPT_LINES
    if more > 0:
        lines.append(f"and {more} more ranges")
    return lines


def _build_lines(build: build_pb2.Build) -> list[str]:
    lines = [f"  build {build.build_id} with {build.toolchain} ({build.confinement})"]
    lines.append(
        f"  flash {build.flash_used_bytes:,} of {build.flash_limit_bytes:,} bytes, "
        f"RAM {build.ram_used_bytes:,} of {build.ram_limit_bytes:,} bytes"
    )
    lines += [f"  {one.kind:<24} {one.sha256[:12]}  {one.filename}" for one in build.artifacts]
    return lines


def _flash_lines(deployment: deployment_pb2.SessionDeployment) -> list[str]:
    lines = []
    for one in deployment.flashes:
        view = FlashView(
            command_id=one.command_id,
            board=one.board,
            image=one.image,
            outcome=outcome_of(one.outcome),
            message=one.message,
            sectors_erased=one.sectors_erased,
            sectors_skipped=one.sectors_skipped,
            bytes_programmed=one.bytes_programmed,
        )
        proof = f", read back {one.read_back_sha256[:12]}" if one.read_back_sha256 else ""
        lines.append(f"  {flash_line(view)}{proof}")
        if one.reason:
            lines.append(f"    because {one.reason}")
        if any(not attempt.endswith(": ok") for attempt in one.attempts):
            lines += [f"    tried {attempt}" for attempt in one.attempts]
    lines.append(f"  the board was left with the {deployment.left_image or 'unknown'} image")
    return lines
