"""Designs on the wire: previews, documents, stored designs and their drawings."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from benchline.errors import InvalidRequestError, NotFoundError
from benchline.names import DESIGNS, parse_design_name, session_id
from benchline.v1 import design_pb2, design_pb2_grpc, verdict_pb2
from controlplane.access.principal import current_principal
from controlplane.catalog.loader import Catalogue
from controlplane.domain.codec import DocumentError
from controlplane.domain.design import Design, UnderstoodSpan
from controlplane.domain.finding import Finding
from controlplane.domain.stored_design import StoredDesign
from controlplane.domain.verdict import Stage
from controlplane.edge.design_messages import (
    change_message,
    layout_message,
    problem_message,
    stored_design_message,
    suggestion_message,
)
from controlplane.edge.following import follow_list
from controlplane.edge.render import board_model_message, design_message, finding_message
from controlplane.edge.requests import (
    check_request_id,
    page_size,
    read_page_token,
    write_page_token,
)
from controlplane.edge.translate import to_wire
from controlplane.edge.upload_rules import LONGEST_WISH, read_prompt
from controlplane.planning.bom import bom_csv
from controlplane.planning.complaints import is_sound
from controlplane.planning.diff import diff_designs
from controlplane.planning.documents import edit_design, judge, parse_design
from controlplane.planning.layout import lay_out
from controlplane.planning.suggest import suggest_boards
from controlplane.planning.wiring import wiring_mermaid, wiring_svg, wiring_text
from controlplane.storage.designs import DesignStore, NewRevision
from controlplane.storage.sessions import SessionStore

LONGEST_NOTE = 400
_DRAWINGS = {
    design_pb2.DRAWING_FORMAT_SVG: (wiring_svg, "image/svg+xml", "wiring.svg"),
    design_pb2.DRAWING_FORMAT_MERMAID: (wiring_mermaid, "text/vnd.mermaid", "wiring.mmd"),
    design_pb2.DRAWING_FORMAT_TEXT: (wiring_text, "text/plain", "wiring.txt"),
    design_pb2.DRAWING_FORMAT_BOM_CSV: (bom_csv, "text/csv", "bom.csv"),
}

_HEARTBEAT_S = 5.0

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A design, or why there is none; and what was understood in any case."""

    design: Design | None
    findings: tuple[Finding, ...] = ()
    understood: tuple[UnderstoodSpan, ...] = ()


class Designer(Protocol):
    """What turns a sentence into a design."""

    async def preview(self, prompt: str, board: str) -> Preview:
        """Design without starting a session."""
        ...


class DesignService(design_pb2_grpc.DesignServiceServicer):
    """Designs, and the catalogue they are made of."""

    def __init__(
        self,
        designer: Designer,
        catalogue: Catalogue,
        designs: DesignStore,
        sessions: SessionStore,
    ) -> None:
        self._designer = designer
        self._catalogue = catalogue
        self._designs = designs
        self._sessions = sessions

    async def PreviewDesign(
        self, request: design_pb2.PreviewDesignRequest, context: Context
    ) -> design_pb2.PreviewDesignResponse:
        """A design, or REFUSED with all reasons."""
        if len(request.board) > LONGEST_WISH:
            raise InvalidRequestError(
                "BOARD_WISH_TOO_LONG", f"a board wish has at most {LONGEST_WISH} characters"
            )
        preview = await self._designer.preview(read_prompt(request.prompt), request.board.strip())
        refused = preview.design is None
        answer = design_pb2.PreviewDesignResponse(
            outcome=verdict_pb2.OUTCOME_REFUSED if refused else verdict_pb2.OUTCOME_PASSED,
            findings=_findings(preview.findings),
            understood=[to_wire(one, design_pb2.UnderstoodSpan) for one in preview.understood],
        )
        if preview.design is not None:
            answer.design.CopyFrom(design_message(preview.design))
        return answer

    async def ListBoardModels(
        self, request: design_pb2.ListBoardModelsRequest, context: Context
    ) -> design_pb2.ListBoardModelsResponse:
        """Board models by key."""
        after = read_page_token("boardModels", request.page_token)
        size = page_size(request.page_size)
        models = sorted(self._catalogue.boards.values(), key=lambda model: model.key)
        rest = [model for model in models if after is None or model.key > after]
        page = rest[:size]
        return design_pb2.ListBoardModelsResponse(
            board_models=[board_model_message(model) for model in page],
            next_page_token=write_page_token(
                "boardModels", page[-1].key if len(rest) > size else None
            ),
        )

    async def ParseDesign(
        self, request: design_pb2.ParseDesignRequest, context: Context
    ) -> design_pb2.ParseDesignResponse:
        """The design, and everything that is wrong with it."""
        try:
            design = parse_design(request.document, self._catalogue)
        except DocumentError as error:
            problems = [problem_message(path, message) for path, message in error.problems]
            return design_pb2.ParseDesignResponse(problems=problems)
        return design_pb2.ParseDesignResponse(
            design=design_message(design), findings=_findings(design.findings)
        )

    async def ValidateDesign(
        self, request: design_pb2.ValidateDesignRequest, context: Context
    ) -> design_pb2.ValidateDesignResponse:
        """What the rules say."""
        findings = judge(await self._given(request.name, request.document), self._catalogue)
        return design_pb2.ValidateDesignResponse(
            sound=is_sound(findings), findings=_findings(findings)
        )

    async def SuggestBoards(
        self, request: design_pb2.SuggestBoardsRequest, context: Context
    ) -> design_pb2.SuggestBoardsResponse:
        """Board models, best first."""
        design = await self._given(request.name, request.document)
        found = suggest_boards(design, self._catalogue)
        return design_pb2.SuggestBoardsResponse(suggestions=map(suggestion_message, found))

    async def LayOutDesign(
        self, request: design_pb2.LayOutDesignRequest, context: Context
    ) -> design_pb2.LayOutDesignResponse:
        """Boxes and wires."""
        design = await self._given(request.name, request.document)
        layout = lay_out(design, self._catalogue.electrical)
        return design_pb2.LayOutDesignResponse(layout=layout_message(layout))

    async def DrawDesign(
        self, request: design_pb2.DrawDesignRequest, context: Context
    ) -> design_pb2.DrawDesignResponse:
        """A drawing, or the bill of materials."""
        wanted = request.format or design_pb2.DRAWING_FORMAT_SVG
        if wanted not in _DRAWINGS:
            raise InvalidRequestError("INVALID_MESSAGE", f"{wanted} is not a drawing format")
        draw, media_type, filename = _DRAWINGS[wanted]
        design = await self._given(request.name, request.document)
        return design_pb2.DrawDesignResponse(
            content=draw(design, self._catalogue.electrical),
            media_type=media_type,
            filename=filename,
        )

    async def DiffDesigns(
        self, request: design_pb2.DiffDesignsRequest, context: Context
    ) -> design_pb2.DiffDesignsResponse:
        """Every difference."""
        left = await self._given(request.left_name, request.left_document)
        right = await self._given(request.right_name, request.right_document)
        return design_pb2.DiffDesignsResponse(
            changes=map(change_message, diff_designs(left, right))
        )

    async def SaveDesign(
        self, request: design_pb2.SaveDesignRequest, context: Context
    ) -> design_pb2.SaveDesignResponse:
        """Revision 1; a repeated call stores nothing new."""
        request_id = check_request_id(request.request_id)
        principal = current_principal().name
        design = await self._given(request.name, request.document)
        wished = request.design_id.strip().lower()
        design_id = parse_design_name(wished)[0] if wished else ""
        if not design_id:
            # A repeated call has to find what the first one stored.
            seed = f"{principal}/{request_id}/{design.design_hash}"
            design_id = f"d{hashlib.sha256(seed.encode()).hexdigest()[:11]}"
        new = NewRevision(design=design, note=_note(request.note), principal=principal)
        stored = await self._designs.create(design_id, new)
        return design_pb2.SaveDesignResponse(
            stored_design=stored_design_message(stored),
            findings=_findings(judge(stored.design, self._catalogue)),
        )

    async def GetDesign(
        self, request: design_pb2.GetDesignRequest, context: Context
    ) -> design_pb2.GetDesignResponse:
        """One revision."""
        stored = await self._designs.get(*parse_design_name(request.name))
        return design_pb2.GetDesignResponse(stored_design=stored_design_message(stored))

    async def WatchDesigns(
        self, request: design_pb2.WatchDesignsRequest, context: Context
    ) -> AsyncIterator[design_pb2.WatchDesignsResponse]:
        """Whenever a design was stored or got a revision."""
        async for count in follow_list(self._designs.changes, heartbeat_s=_HEARTBEAT_S):
            yield design_pb2.WatchDesignsResponse(changes=count)

    async def ListDesigns(
        self, request: design_pb2.ListDesignsRequest, context: Context
    ) -> design_pb2.ListDesignsResponse:
        """Stored designs, newest first."""
        after = read_page_token("designs", request.page_token)
        found, rest = await self._designs.page(page_size(request.page_size), after)
        return design_pb2.ListDesignsResponse(
            stored_designs=[stored_design_message(each, brief=True) for each in found],
            next_page_token=write_page_token("designs", rest),
        )

    async def ListDesignRevisions(
        self, request: design_pb2.ListDesignRevisionsRequest, context: Context
    ) -> design_pb2.ListDesignRevisionsResponse:
        """Revisions, newest first."""
        design_id, _ = parse_design_name(request.name)
        token = read_page_token(f"revisions of {design_id}", request.page_token)
        before = int(token) if token and token.isdecimal() and len(token) < 10 else None
        found, rest = await self._designs.revisions(design_id, page_size(request.page_size), before)
        return design_pb2.ListDesignRevisionsResponse(
            stored_designs=[stored_design_message(each, brief=True) for each in found],
            next_page_token=write_page_token(
                f"revisions of {design_id}", None if rest is None else str(rest)
            ),
        )

    async def UpdateDesign(
        self, request: design_pb2.UpdateDesignRequest, context: Context
    ) -> design_pb2.UpdateDesignResponse:
        """The next revision."""
        check_request_id(request.request_id)
        design_id, revision = parse_design_name(request.name)
        if revision is not None:
            raise InvalidRequestError("INVALID_NAME", "a revision never changes; name the design")
        if not request.etag:
            raise InvalidRequestError("ETAG_MISSING", "an edit names the etag of what it edits")
        base = await self._edited(design_id, request.etag)
        try:
            made = edit_design(
                base.design, request.document, tuple(request.update_mask.paths), self._catalogue
            )
        except DocumentError as error:
            raise _unusable(error) from error
        new = NewRevision(design=made, note=_note(request.note), principal=current_principal().name)
        stored = await self._designs.update(design_id, request.etag, new)
        return design_pb2.UpdateDesignResponse(
            stored_design=stored_design_message(stored),
            findings=_findings(judge(stored.design, self._catalogue)),
            changes=map(change_message, diff_designs(base.design, stored.design)),
        )

    async def _edited(self, design_id: str, etag: str) -> StoredDesign:
        """The revision that an edit was made of: the newest, or for a repeated call its parent."""
        head = await self._designs.get(design_id)
        if head.etag != etag and head.parent_revision:
            parent = await self._designs.get(design_id, head.parent_revision)
            if parent.etag == etag:
                return parent
        return head

    async def _given(self, name: str, document: str) -> Design:
        """The design that a call is about.

        Raises:
            InvalidRequestError: NAME_OR_DOCUMENT, DESIGN_INVALID.
            NotFoundError: DESIGN_NOT_FOUND, SESSION_NOT_FOUND.
        """
        if bool(name) == bool(document):
            raise InvalidRequestError("NAME_OR_DOCUMENT", "give a name or a document, not both")
        if document:
            try:
                return parse_design(document, self._catalogue)
            except DocumentError as error:
                raise _unusable(error) from error
        if name.startswith(DESIGNS):
            return (await self._designs.get(*parse_design_name(name))).design
        session = await self._sessions.find(session_id(name))
        text = await self._sessions.get_checkpoint(session.session_id, "design")
        if text is None:
            raise NotFoundError(
                "DESIGN_NOT_FOUND", f"{session.name} has no design", session=session.name
            )
        return Design.from_json(text)


def _findings(findings: tuple[Finding, ...]) -> list[verdict_pb2.Finding]:
    return [finding_message(item, Stage.DESIGN) for item in findings]


def _note(text: str) -> str:
    if len(text) > LONGEST_NOTE or not text.replace("\n", " ").replace("\t", " ").isprintable():
        raise InvalidRequestError(
            "INVALID_NOTE", f"a note is text of at most {LONGEST_NOTE} characters"
        )
    return text


def _unusable(error: DocumentError) -> InvalidRequestError:
    listed = "\n".join(f"{path}: {message}" for path, message in error.problems)
    return InvalidRequestError(
        "DESIGN_INVALID", f"the document is no design:\n{listed}"[:4000], problems=listed[:2000]
    )
