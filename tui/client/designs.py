"""Designs: previews, kept ones and their revisions, as single calls that give facts."""

import json
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc

from benchline.names import DESIGNS
from benchline.v1 import design_pb2, server_pb2, session_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection, is_absent, new_request_id
from tui.client.instants import milliseconds_of
from tui.client.translate import finding_of, outcome_of, summary_of
from tui.client.watch import Away, ignore, watch_list
from tui.state import design as d
from tui.state.fact import Finding, Outcome, SessionSummary

FORMATS = {
    "svg": design_pb2.DRAWING_FORMAT_SVG,
    "mermaid": design_pb2.DRAWING_FORMAT_MERMAID,
    "text": design_pb2.DRAWING_FORMAT_TEXT,
    "bom": design_pb2.DRAWING_FORMAT_BOM_CSV,
}
SIGNS = {
    design_pb2.DesignChange.KIND_ADDED: "+",
    design_pb2.DesignChange.KIND_REMOVED: "-",
    design_pb2.DesignChange.KIND_CHANGED: "~",
}
_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A design by its name (of a kept one or of a session), or by its document."""

    name: str = ""
    document: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A document as the server read it: a design, or what is wrong with its shape."""

    design: d.DesignFact | None
    problems: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


async def board_models(connection: Connection) -> tuple[tuple[str, str, str], ...]:
    """Key, name and part of the board models; none when the server has no catalogue."""
    request = design_pb2.ListBoardModelsRequest(page_size=_PAGE)
    try:
        answer = await connection.designs.ListBoardModels(request, timeout=CALL_TIMEOUT_S)
    except grpc.aio.AioRpcError:
        return ()
    return tuple((one.key, one.title, one.part) for one in answer.board_models)


async def designers(connection: Connection) -> tuple[d.DesignerFact, ...]:
    """Who can design there, and what it may cost."""
    answer = await connection.server.GetServer(
        server_pb2.GetServerRequest(), timeout=CALL_TIMEOUT_S
    )
    return tuple(
        d.DesignerFact(
            designer=one.designer,
            ready=one.ready,
            detail=one.detail,
            fix=one.fix,
            costs=one.costs,
            session_ceiling=one.session_ceiling_micro_usd,
            month_ceiling=one.month_ceiling_micro_usd,
            month_spent=one.month_spent_micro_usd,
        )
        for one in answer.designers
    )


async def preview_design(connection: Connection, prompt: str, board: str) -> d.Preview:
    """What the sentence would become, without starting anything."""
    request = design_pb2.PreviewDesignRequest(prompt=prompt, board=board)
    answer = await connection.designs.PreviewDesign(request, timeout=CALL_TIMEOUT_S)
    outcome = outcome_of(answer.outcome)
    spans = answer.understood or answer.design.understood
    return d.Preview(
        outcome=outcome,
        understood=tuple(
            d.Span(start=one.start, end=one.end, text=one.text, meaning=one.meaning)
            for one in spans
        ),
        design=design_fact(answer.design) if outcome is Outcome.PASSED else None,
        findings=tuple(finding_of(one) for one in answer.findings),
    )


async def suggest_boards(connection: Connection, given: Given) -> tuple[d.Suggestion, ...]:
    """Board models for a design, best first."""
    request = design_pb2.SuggestBoardsRequest(name=given.name, document=given.document)
    answer = await connection.designs.SuggestBoards(request, timeout=CALL_TIMEOUT_S)
    return tuple(
        d.Suggestion(
            board_model=one.board_model,
            fits=one.fits,
            reasons=tuple(one.reasons),
            findings=tuple(finding_of(finding) for finding in one.findings),
        )
        for one in answer.suggestions
    )


async def read_design(
    connection: Connection, name: str
) -> tuple[d.DesignFact, d.StoredFact | None] | None:
    """A design of a session, or a kept one with its revision; None where there is none."""
    try:
        if name.startswith(DESIGNS):
            kept = await connection.designs.GetDesign(
                design_pb2.GetDesignRequest(name=name), timeout=CALL_TIMEOUT_S
            )
            return design_fact(kept.stored_design.design), stored_fact(kept.stored_design)
        made = await connection.sessions.GetSessionDesign(
            session_pb2.GetSessionDesignRequest(name=name), timeout=CALL_TIMEOUT_S
        )
    except grpc.aio.AioRpcError as error:
        if not is_absent(error):
            raise
        return None
    return design_fact(made.design), None


async def draw(connection: Connection, given: Given, how: str) -> str:
    """A drawing of a design, or its bill of materials; ``how`` is a key of FORMATS."""
    request = design_pb2.DrawDesignRequest(
        name=given.name, document=given.document, format=FORMATS[how]
    )
    answer = await connection.designs.DrawDesign(request, timeout=CALL_TIMEOUT_S)
    return str(answer.content)


async def validate(connection: Connection, given: Given) -> tuple[bool, tuple[Finding, ...]]:
    """Whether a design can be built, and everything that the rules say."""
    request = design_pb2.ValidateDesignRequest(name=given.name, document=given.document)
    answer = await connection.designs.ValidateDesign(request, timeout=CALL_TIMEOUT_S)
    return answer.sound, tuple(finding_of(one) for one in answer.findings)


async def check_document(connection: Connection, document: str) -> Checked:
    """Read a document that was edited."""
    request = design_pb2.ParseDesignRequest(document=document)
    answer = await connection.designs.ParseDesign(request, timeout=CALL_TIMEOUT_S)
    if answer.problems:
        problems = tuple(f"{one.path}: {one.message}" for one in answer.problems)
        return Checked(design=None, problems=problems)
    findings = tuple(finding_of(one) for one in answer.findings)
    return Checked(design=design_fact(answer.design), findings=findings)


async def changes(connection: Connection, left: Given, right: Given) -> tuple[d.ChangeFact, ...]:
    """Every difference between two designs."""
    request = design_pb2.DiffDesignsRequest(
        left_name=left.name,
        left_document=left.document,
        right_name=right.name,
        right_document=right.document,
    )
    answer = await connection.designs.DiffDesigns(request, timeout=CALL_TIMEOUT_S)
    return tuple(
        d.ChangeFact(sign=SIGNS.get(one.kind, "?"), text=one.text) for one in answer.changes
    )


async def kept_designs(connection: Connection) -> tuple[d.StoredFact, ...]:
    """Kept designs at their newest revisions, newest first."""
    request = design_pb2.ListDesignsRequest(page_size=_PAGE)
    answer = await connection.designs.ListDesigns(request, timeout=CALL_TIMEOUT_S)
    return tuple(stored_fact(one) for one in answer.stored_designs)


async def watch_designs(connection: Connection, *, on_away: Away = ignore) -> AsyncIterator[None]:
    """Whenever the kept designs have to be read."""

    def opened() -> AsyncIterable[design_pb2.WatchDesignsResponse]:
        return connection.designs.WatchDesigns(design_pb2.WatchDesignsRequest())

    async for _ in watch_list(opened, on_away):
        yield


async def revisions(connection: Connection, name: str) -> tuple[d.StoredFact, ...]:
    """The revisions of a kept design, newest first."""
    request = design_pb2.ListDesignRevisionsRequest(name=name, page_size=_PAGE)
    answer = await connection.designs.ListDesignRevisions(request, timeout=CALL_TIMEOUT_S)
    return tuple(stored_fact(one) for one in answer.stored_designs)


async def keep_design(
    connection: Connection, given: Given, *, design_id: str, note: str
) -> d.StoredFact:
    """Keep a design under a new name, "" for one that the server gives.

    Raises:
        grpc.aio.AioRpcError: INVALID_NAME, DESIGN_EXISTS, DESIGN_INVALID.
    """
    request = design_pb2.SaveDesignRequest(
        request_id=new_request_id(),
        design_id=design_id.removeprefix(DESIGNS),
        name=given.name,
        document=given.document,
        note=note,
    )
    answer = await connection.designs.SaveDesign(request, timeout=CALL_TIMEOUT_S)
    return stored_fact(answer.stored_design)


async def revise_design(
    connection: Connection, base: d.StoredFact, document: str, note: str
) -> d.StoredFact:
    """Keep an edited document as the next revision.

    Raises:
        grpc.aio.AioRpcError: STALE_ETAG when somebody else was faster.
    """
    request = design_pb2.UpdateDesignRequest(
        request_id=new_request_id(),
        name=base.name,
        etag=base.etag,
        document=document,
        note=note,
    )
    answer = await connection.designs.UpdateDesign(request, timeout=CALL_TIMEOUT_S)
    return stored_fact(answer.stored_design)


async def run_design(connection: Connection, name: str) -> SessionSummary:
    """Start a session from a kept design."""
    request = session_pb2.CreateSessionRequest(request_id=new_request_id(), design=name)
    answer = await connection.sessions.CreateSession(request, timeout=CALL_TIMEOUT_S)
    return summary_of(answer.session)


def stored_fact(wire: design_pb2.StoredDesign) -> d.StoredFact:
    """A kept design as a list tells it."""
    return d.StoredFact(
        name=wire.name,
        revision=wire.revision,
        head=wire.head_revision,
        title=wire.design.title,
        board_model=wire.design.board_model,
        note=wire.note,
        principal=wire.principal,
        etag=wire.etag,
        update_ms=milliseconds_of(wire.update_time),
    )


def design_fact(wire: design_pb2.Design) -> d.DesignFact:
    """A design."""
    owners = _owners(wire.json)
    return d.DesignFact(
        document=wire.json,
        title=wire.title,
        summary=wire.summary,
        prompt=wire.prompt,
        designer=wire.designer,
        design_hash=wire.design_hash,
        board_model=wire.board_model,
        board_reason=wire.board_reason,
        part=wire.part,
        components=tuple(
            d.ComponentFact(
                component_id=one.component_id,
                kind=one.kind,
                part_number=one.part_number,
                purpose=one.purpose,
            )
            for one in wire.components
        ),
        pins=tuple(
            d.PinFact(
                pin=one.pin,
                signal=one.signal,
                function=one.function,
                component=owners.get((one.pin, one.signal), ""),
                level=pin_level(one),
                fixed_by=one.fixed_by,
                reason=one.reason,
            )
            for one in wire.pins
        ),
        behaviours=tuple((one.behaviour_id, one.text) for one in wire.behaviours),
        assumptions=tuple(wire.assumptions),
        open_questions=tuple(wire.open_questions),
        scenarios=tuple((one.scenario_id, proof_words(one)) for one in wire.scenarios),
        findings=tuple(finding_of(one) for one in wire.findings),
    )


def proof_words(scenario: design_pb2.Scenario) -> str:
    """Its title, and that it was added to what the designer brought."""
    return f"{scenario.title}{' (generated)' if scenario.generated else ''}"


def pin_level(pin: design_pb2.PinAssignment) -> str:
    """``active low, pull up``."""
    parts = [f"active {pin.active}" if pin.active else ""]
    parts.append(f"pull {pin.pull}" if pin.pull not in ("", "none") else "")
    return ", ".join(filter(None, parts))


def _owners(document: str) -> dict[tuple[str, str], str]:
    """Which component each pin belongs to; the document alone says it."""
    try:
        whole: Any = json.loads(document)
        pins = whole.get("pins", [])
        return {(one["pin"], one["signal"]): str(one["component"]) for one in pins}
    except (ValueError, AttributeError, KeyError, TypeError):
        return {}
