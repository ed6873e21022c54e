"""``design``: what a sentence would become, and the designs that are kept."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc

from benchline.errors import InvalidRequestError, NotFoundError
from benchline.names import DESIGNS
from benchline.v1 import design_pb2, session_pb2, verdict_pb2
from tui.client.connection import (
    CALL_TIMEOUT_S,
    Connection,
    failure_of,
    is_absent,
    new_request_id,
)
from tui.client.designs import SIGNS, Given, draw
from tui.client.translate import finding_of, outcome_of
from tui.headless import local
from tui.headless.output import data, exit_code, json_line, table, talk
from tui.headless.progress import finding_lines
from tui.headless.summary import design_lines
from tui.state.fact import Outcome
from tui.wording import visible, why_unread

LARGEST_DOCUMENT_BYTES = 1024 * 1024


async def design(options: argparse.Namespace) -> int:
    """Do what the words say; a failed call ends with its reason."""
    connection = await local.ensure_up(need_boards=False)
    async with connection:
        try:
            return await _ACTIONS[options.action](connection, options)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error) from error


async def resolve(connection: Connection, word: str) -> Given:
    """A file, a kept design (``NAME`` or ``NAME@REVISION``) or a session.

    Raises:
        InvalidRequestError: DOCUMENT_UNREADABLE.
        NotFoundError: DESIGN_NOT_FOUND, it is none of them.
    """
    if word == "-" or await asyncio.to_thread(Path(word).is_file):
        return Given(document=read_text(word))
    if word.startswith("sessions/"):
        return Given(name=word)
    name, _, revision = word.partition("@")
    name = name if name.startswith(DESIGNS) else f"{DESIGNS}{name}"
    name += f"/revisions/{revision}" if revision else ""
    if word.startswith(DESIGNS) or revision:
        return Given(name=name)
    if "/" in word or "." in word:
        read_text(word)  # neither a name nor an id, so a file was meant: tell why it is none
    try:
        await connection.designs.GetDesign(
            design_pb2.GetDesignRequest(name=name), timeout=CALL_TIMEOUT_S
        )
    except grpc.aio.AioRpcError as error:
        if not is_absent(error):
            raise
    else:
        return Given(name=name)
    try:
        return Given(name=(await connection.session(word)).name)
    except grpc.aio.AioRpcError as error:
        if not is_absent(error):
            raise
        raise NotFoundError(
            "DESIGN_NOT_FOUND",
            f"{word} is no kept design, no session and no file; `benchline design list` and "
            "`benchline sessions` list them",
            design=word,
        ) from error


def read_text(path: str) -> str:
    """A document from a file, or from stdin for "-".

    Raises:
        InvalidRequestError: DOCUMENT_UNREADABLE.
    """
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(LARGEST_DOCUMENT_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                raw = file.read(LARGEST_DOCUMENT_BYTES + 1)
        text = raw.decode("utf-8")
    except (OSError, ValueError) as error:
        raise InvalidRequestError(
            "DOCUMENT_UNREADABLE",
            f"{path} cannot be read as a document: {why_unread(error)}",
            path=path,
        ) from error
    if len(raw) > LARGEST_DOCUMENT_BYTES:
        raise InvalidRequestError(
            "DOCUMENT_UNREADABLE",
            f"{path} is larger than {LARGEST_DOCUMENT_BYTES} bytes",
            path=path,
        )
    return text


async def _preview(connection: Connection, options: argparse.Namespace) -> int:
    """Design without starting a session; what costs money is a session until DESIGN."""
    if options.designer == "claude":
        return await _designed_by_session(connection, options)
    request = design_pb2.PreviewDesignRequest(prompt=options.prompt, board=options.board or "")
    answer = await connection.designs.PreviewDesign(request, timeout=CALL_TIMEOUT_S)
    outcome = outcome_of(answer.outcome)
    if outcome is Outcome.PASSED and options.wiring:
        given = Given(document=answer.design.json)
        sys.stdout.write(await draw(connection, given, options.wiring))
    elif options.json:
        data(json_line(answer, whole=True))
    elif outcome is Outcome.PASSED:
        _tell_design(answer.design)
    if not options.json:
        _tell_findings(answer.findings)
    if outcome is Outcome.PASSED and options.name:
        await _keep(connection, Given(document=answer.design.json), options)
    return exit_code(outcome)


async def _designed_by_session(connection: Connection, options: argparse.Namespace) -> int:
    """A session that ends with its design: what was asked and answered is kept with it."""
    from tui.headless.following import follow
    from tui.headless.run_verb import create

    request = session_pb2.CreateSessionRequest(
        request_id=new_request_id(),
        prompt=options.prompt,
        board=options.board or "",
        designer=options.designer,
        until=verdict_pb2.STAGE_DESIGN,
        no_questions=options.no_questions,
    )
    if options.ceiling is not None:
        request.cost_ceiling_micro_usd = options.ceiling
    session = await create(connection, request)
    talk(f"session {session.name.rpartition('/')[2]}")
    code = await follow(connection, session.name, json=options.json, asks=True)
    if code:
        return code
    if options.wiring:
        sys.stdout.write(await draw(connection, Given(name=session.name), options.wiring))
    elif not options.json:
        answer = await connection.sessions.GetSessionDesign(
            session_pb2.GetSessionDesignRequest(name=session.name), timeout=CALL_TIMEOUT_S
        )
        _tell_design(answer.design)
    if options.name:
        await _keep(connection, Given(name=session.name), options)
    return code


async def _list(connection: Connection, options: argparse.Namespace) -> int:
    request = design_pb2.ListDesignsRequest(page_size=options.limit)
    answer = await connection.designs.ListDesigns(request, timeout=CALL_TIMEOUT_S)
    if not answer.stored_designs:
        talk("no designs yet; `benchline design PROMPT --name NAME` keeps one")
    _tell_stored(answer.stored_designs, options)
    return 0


async def _history(connection: Connection, options: argparse.Namespace) -> int:
    name = options.words[0].removeprefix(DESIGNS)
    request = design_pb2.ListDesignRevisionsRequest(
        name=f"{DESIGNS}{name}", page_size=options.limit
    )
    answer = await connection.designs.ListDesignRevisions(request, timeout=CALL_TIMEOUT_S)
    _tell_stored(answer.stored_designs, options)
    return 0


def _tell_stored(found: Any, options: argparse.Namespace) -> None:
    if options.json:
        for one in found:
            data(json_line(one, whole=True))
        return
    rows = [
        (
            one.name.removeprefix(DESIGNS),
            f"@{one.revision}",
            one.design.board_model,
            visible(one.design.title),
            visible(one.note),
        )
        for one in found
    ]
    for line in table(rows):
        data(line)


async def _show(connection: Connection, options: argparse.Namespace) -> int:
    given = await resolve(connection, options.words[0])
    if options.wiring:
        sys.stdout.write(await draw(connection, given, options.wiring))
        return 0
    shown, stored = await _read(connection, given)
    if options.document:
        data(shown.json)
    elif options.json:
        data(json_line(stored or shown, whole=True))
    else:
        if stored is not None:
            note = f"  {visible(stored.note)}" if stored.note else ""
            head = stored.head_revision
            data(f"{stored.name} @{stored.revision} of {head}, etag {stored.etag}{note}")
        _tell_design(shown)
    return 0


async def _read(
    connection: Connection, given: Given
) -> tuple[design_pb2.Design, design_pb2.StoredDesign | None]:
    if given.document:
        request = design_pb2.ParseDesignRequest(document=given.document)
        parsed = await connection.designs.ParseDesign(request, timeout=CALL_TIMEOUT_S)
        if parsed.problems:
            listed = "\n".join(f"{one.path}: {one.message}" for one in parsed.problems)
            raise InvalidRequestError("DESIGN_INVALID", f"the document is no design:\n{listed}")
        return parsed.design, None
    if given.name.startswith("sessions/"):
        wanted = session_pb2.GetSessionDesignRequest(name=given.name)
        told = await connection.sessions.GetSessionDesign(wanted, timeout=CALL_TIMEOUT_S)
        return told.design, None
    answer = await connection.designs.GetDesign(
        design_pb2.GetDesignRequest(name=given.name), timeout=CALL_TIMEOUT_S
    )
    return answer.stored_design.design, answer.stored_design


async def _save(connection: Connection, options: argparse.Namespace) -> int:
    given = await resolve(connection, options.words[0])
    return await _keep(connection, given, options)


async def _keep(connection: Connection, given: Given, options: argparse.Namespace) -> int:
    answer = await connection.designs.SaveDesign(
        design_pb2.SaveDesignRequest(
            request_id=new_request_id(),
            design_id=(options.name or "").removeprefix(DESIGNS),
            name=given.name,
            document=given.document,
            note=options.note or "",
        ),
        timeout=CALL_TIMEOUT_S,
    )
    _tell_findings(answer.findings)
    name = answer.stored_design.name.removeprefix(DESIGNS)
    talk(f"kept as {name}; `benchline run --design {name}` builds and proves it")
    return 0


async def _edit(connection: Connection, options: argparse.Namespace) -> int:
    name = DESIGNS + options.words[0].removeprefix(DESIGNS)
    document = read_text(options.words[1])
    etag = options.etag
    if not etag:
        answer = await connection.designs.GetDesign(
            design_pb2.GetDesignRequest(name=name), timeout=CALL_TIMEOUT_S
        )
        etag = answer.stored_design.etag
    request = design_pb2.UpdateDesignRequest(
        request_id=new_request_id(),
        name=name,
        etag=etag,
        document=document,
        note=options.note or "",
    )
    request.update_mask.paths.extend(options.field)
    edited = await connection.designs.UpdateDesign(request, timeout=CALL_TIMEOUT_S)
    if options.json:
        data(json_line(edited, whole=True))
    else:
        _tell_changes(edited.changes)
        _tell_findings(edited.findings)
        talk(f"{edited.stored_design.name} is at revision {edited.stored_design.revision}")
    return 0


async def _validate(connection: Connection, options: argparse.Namespace) -> int:
    given = await resolve(connection, options.words[0])
    request = design_pb2.ValidateDesignRequest(name=given.name, document=given.document)
    answer = await connection.designs.ValidateDesign(request, timeout=CALL_TIMEOUT_S)
    if options.json:
        data(json_line(answer, whole=True))
    else:
        for finding in answer.findings:
            for line in finding_lines(finding_of(finding)):
                data(line)
        talk("sound" if answer.sound else "not sound: it cannot be built")
    return 0 if answer.sound else exit_code(Outcome.REFUSED)


async def _diff(connection: Connection, options: argparse.Namespace) -> int:
    left, right = [await resolve(connection, word) for word in options.words]
    request = design_pb2.DiffDesignsRequest(
        left_name=left.name,
        left_document=left.document,
        right_name=right.name,
        right_document=right.document,
    )
    answer = await connection.designs.DiffDesigns(request, timeout=CALL_TIMEOUT_S)
    if options.json:
        data(json_line(answer, whole=True))
    else:
        _tell_changes(answer.changes)
        if not answer.changes:
            talk("no difference")
    return 1 if answer.changes else 0


async def _boards(connection: Connection, options: argparse.Namespace) -> int:
    given = await resolve(connection, options.words[0])
    request = design_pb2.SuggestBoardsRequest(name=given.name, document=given.document)
    answer = await connection.designs.SuggestBoards(request, timeout=CALL_TIMEOUT_S)
    if options.json:
        data(json_line(answer, whole=True))
        return 0
    rows = [
        ("fits" if one.fits else "cannot", one.board_model, visible("; ".join(one.reasons)))
        for one in answer.suggestions
    ]
    for line in table(rows):
        data(line)
    return 0


def _tell_design(shown: design_pb2.Design) -> None:
    for line in design_lines(shown):
        data(line)


def _tell_findings(findings: Any) -> None:
    for finding in findings:
        for line in finding_lines(finding_of(finding)):
            talk(line)


def _tell_changes(changes: Any) -> None:
    for change in changes:
        data(f"{SIGNS.get(change.kind, '?')} {visible(change.text)}")


_ACTIONS = {
    "": _preview,
    "list": _list,
    "history": _history,
    "show": _show,
    "save": _save,
    "edit": _edit,
    "validate": _validate,
    "diff": _diff,
    "boards": _boards,
}
