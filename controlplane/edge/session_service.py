"""Sessions on the wire."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import grpc

from benchline.errors import InvalidRequestError, NotFoundError
from benchline.names import DESIGNS, design_name, parse_design_name, session_id, stack_id
from benchline.v1 import build_pb2, session_pb2, session_pb2_grpc, verdict_pb2
from controlplane.access.principal import current_principal
from controlplane.domain.build import Build
from controlplane.domain.design import Design
from controlplane.domain.question import MOST_QUESTIONS, Answer
from controlplane.domain.session import Session, SessionRequest, Source
from controlplane.domain.verdict import Stage
from controlplane.edge.following import follow_journal
from controlplane.edge.once import once
from controlplane.edge.render import design_message, session_message
from controlplane.edge.requests import (
    check_request_id,
    page_size,
    position,
    read_page_token,
    write_page_token,
)
from controlplane.edge.translate import enum_from_wire, from_wire, to_wire
from controlplane.edge.upload_rules import (
    CLAUDE,
    LONGEST_WISH,
    read_ceiling,
    read_designer,
    read_prompt,
    read_source,
)
from controlplane.journal.journal import Journal
from controlplane.pipeline.provision_stage import LOCAL_STACK
from controlplane.pipeline.stack_checks import check_devices
from controlplane.storage.answers import AnswerStore
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.codec import from_json
from controlplane.storage.designs import DesignStore
from controlplane.storage.sessions import SessionStore
from controlplane.storage.stacks import StackStore

HEARTBEAT_S = 5.0
_LIST_REST_S = 0.2

Context = grpc.aio.ServicerContext[Any, Any]


class Sessions(Protocol):
    """What runs sessions."""

    async def start(self, request: SessionRequest, principal: str, request_id: str) -> Session:
        """Accept a session and begin to work on it; the same request twice is one session."""
        ...

    async def cancel(self, session_id: str) -> Session:
        """Ask a session to end."""
        ...

    async def answer(
        self, session_id: str, given: Sequence[Answer], round_number: int, principal: str
    ) -> Session:
        """Answer what a session asks; it goes on where it waited."""
        ...


class SessionService(session_pb2_grpc.SessionServiceServicer):
    """Validates, delegates, and tells what is stored."""

    def __init__(
        self,
        sessions: Sessions,
        store: SessionStore,
        journal: Journal,
        artifacts: ArtifactStore,
        answers: AnswerStore,
        designs: DesignStore,
        stacks: StackStore,
        *,
        session_ceiling_micro_usd: int = 0,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._designs = designs
        self._stacks = stacks
        self._sessions = sessions
        self._store = store
        self._journal = journal
        self._artifacts = artifacts
        self._answers = answers
        self._heartbeat_s = heartbeat_s
        self._session_ceiling = session_ceiling_micro_usd

    async def CreateSession(
        self, request: session_pb2.CreateSessionRequest, context: Context
    ) -> session_pb2.CreateSessionResponse:
        """Accept a session."""
        request_id = check_request_id(request.request_id)
        principal = current_principal().name
        if request.design:
            earlier = await self._store.find_request(principal, request_id)
            if earlier is not None and _started_from(earlier, request.design):
                return session_pb2.CreateSessionResponse(session=session_message(earlier))
        wanted = await self._read_request(request)
        for sha256 in wanted.source.image_digests if wanted.source is not None else ():
            await self._artifacts.get(sha256)
        session = await self._sessions.start(wanted, principal, request_id)
        return session_pb2.CreateSessionResponse(session=session_message(session))

    async def _read_request(self, request: session_pb2.CreateSessionRequest) -> SessionRequest:
        given = [bool(request.prompt), request.HasField("source"), bool(request.design)]
        if sum(given) != 1:
            raise InvalidRequestError(
                "PROMPT_OR_SOURCE", "a session starts from one of a prompt, a source and a design"
            )
        if len(request.board) > LONGEST_WISH:
            raise InvalidRequestError(
                "BOARD_WISH_TOO_LONG", f"a board wish has at most {LONGEST_WISH} characters"
            )
        until = enum_from_wire(Stage, verdict_pb2.Stage.DESCRIPTOR, request.until)
        if until is Stage.PROVISION and not request.stack:
            raise InvalidRequestError(
                "STAGE_NOT_AVAILABLE", "a session provisions only where a stack is named: name one"
            )
        source = read_source(request.source) if request.HasField("source") else None
        if request.design:
            source = await self._stored_source(request.design)
        return SessionRequest(
            prompt="" if source is not None else read_prompt(request.prompt),
            source=source,
            board_wish=request.board.strip(),
            until=until or Stage.DEPLOY,
            designer=read_designer(request.designer),
            seed=request.seed if request.HasField("seed") else None,
            board_anyway=request.board_anyway,
            cost_ceiling_micro_usd=self._ceiling(request),
            no_questions=request.no_questions,
            stack=await self._read_stack(request),
            device=request.device,
            auto_approve=request.auto_approve,
        )

    async def _read_stack(self, request: session_pb2.CreateSessionRequest) -> str:
        """The id of the stack to provision; "" when none is.

        Raises:
            InvalidRequestError: STACK_NEEDED, INVALID_NAME, INVALID_DEVICE_ID.
            NotFoundError: STACK_NOT_FOUND.
        """
        if not request.stack:
            if request.device or request.auto_approve:
                raise InvalidRequestError(
                    "STACK_NEEDED", "a device and an approval belong to a stack; name it"
                )
            return ""
        if request.device:
            check_devices([request.device])
        stack = stack_id(request.stack)
        if stack != LOCAL_STACK:
            await self._stacks.get(stack)
        return stack

    def _ceiling(self, request: session_pb2.CreateSessionRequest) -> int:
        given = request.HasField("cost_ceiling_micro_usd")
        wished = request.cost_ceiling_micro_usd if given else None
        costs = request.designer == CLAUDE
        return read_ceiling(wished, self._session_ceiling, costs=costs)

    async def _stored_source(self, name: str) -> Source:
        """A stored design as the source of a session; later revisions do not change it."""
        stored = await self._designs.get(*parse_design_name(name))
        return Source(
            design_json=stored.design.to_json(),
            title=stored.design.title,
            design=design_name(stored.design_id, stored.revision),
        )

    async def GetSession(
        self, request: session_pb2.GetSessionRequest, context: Context
    ) -> session_pb2.GetSessionResponse:
        """One session."""
        session = await self._store.find(session_id(request.name))
        return session_pb2.GetSessionResponse(session=session_message(session))

    async def ListSessions(
        self, request: session_pb2.ListSessionsRequest, context: Context
    ) -> session_pb2.ListSessionsResponse:
        """Sessions, newest first."""
        after = read_page_token("sessions", request.page_token)
        sessions, rest = await self._store.page(page_size(request.page_size), after)
        return session_pb2.ListSessionsResponse(
            sessions=[session_message(session) for session in sessions],
            next_page_token=write_page_token("sessions", rest),
        )

    async def CancelSession(
        self, request: session_pb2.CancelSessionRequest, context: Context
    ) -> session_pb2.CancelSessionResponse:
        """Ask a session to end."""

        async def cancel() -> session_pb2.CancelSessionResponse:
            found = await self._store.find(session_id(request.name))
            session = await self._sessions.cancel(found.session_id)
            return session_pb2.CancelSessionResponse(session=session_message(session))

        return await once(self._answers, request, session_pb2.CancelSessionResponse, cancel)

    async def AnswerQuestions(
        self, request: session_pb2.AnswerQuestionsRequest, context: Context
    ) -> session_pb2.AnswerQuestionsResponse:
        """Answer what a session asks."""
        principal = current_principal().name

        async def answer() -> session_pb2.AnswerQuestionsResponse:
            found = await self._store.find(session_id(request.name))
            if len(request.answers) > MOST_QUESTIONS:
                raise InvalidRequestError(
                    "TOO_MANY_ANSWERS", f"a round has at most {MOST_QUESTIONS} questions"
                )
            given = [from_wire(Answer, one) for one in request.answers]
            session = await self._sessions.answer(found.session_id, given, request.round, principal)
            return session_pb2.AnswerQuestionsResponse(session=session_message(session))

        return await once(self._answers, request, session_pb2.AnswerQuestionsResponse, answer)

    async def WatchSession(
        self, request: session_pb2.WatchSessionRequest, context: Context
    ) -> AsyncIterator[session_pb2.WatchSessionResponse]:
        """Stored events, then live ones, until the last of an ended session."""
        session = await self._store.find(session_id(request.name))
        identity = session.session_id

        async def ended() -> int | None:
            current = await self._store.get(identity)
            return current.last_sequence if current.state.ended else None

        async for events, head in follow_journal(
            self._journal,
            identity,
            position(request.from_sequence),
            ended=ended,
            heartbeat_s=self._heartbeat_s,
        ):
            yield session_pb2.WatchSessionResponse(events=events, head_sequence=head)

    async def WatchSessions(
        self, request: session_pb2.WatchSessionsRequest, context: Context
    ) -> AsyncIterator[session_pb2.WatchSessionsResponse]:
        """The newest sessions, then those that change."""
        with self._store.changes() as changes:
            newest, _ = await self._store.page(page_size(request.initial_count), None)
            yield session_pb2.WatchSessionsResponse(
                sessions=[session_message(session) for session in newest]
            )
            while True:
                message = session_pb2.WatchSessionsResponse()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._heartbeat_s):
                        changed = await changes.take()
                    for identity in sorted(changed, reverse=True):
                        message.sessions.append(session_message(await self._store.get(identity)))
                yield message
                # A session in work changes many times a second; once is enough for a list.
                await asyncio.sleep(_LIST_REST_S)

    async def GetSessionDesign(
        self, request: session_pb2.GetSessionDesignRequest, context: Context
    ) -> session_pb2.GetSessionDesignResponse:
        """The design, and the sketch once there is a build."""
        session = await self._store.find(session_id(request.name))
        text = await self._store.get_checkpoint(session.session_id, "design")
        if text is None:
            raise NotFoundError(
                "DESIGN_NOT_FOUND", f"{session.name} has no design", session=session.name
            )
        answer = session_pb2.GetSessionDesignResponse(design=design_message(Design.from_json(text)))
        build = await self._store.get_checkpoint(session.session_id, "build")
        if build is not None:
            sources = from_json(Build, build).sources
            answer.sources.extend(to_wire(item, build_pb2.SourceFile) for item in sources)
        return answer


def _started_from(session: Session, name: str) -> bool:
    """Whether a session started from a stored design that was named so."""
    source = session.request.source
    started = source.design if source is not None else ""
    bare = name.removeprefix(DESIGNS)
    begun = started.removeprefix(DESIGNS)
    return bool(begun) and (begun == bare or begun.startswith(f"{bare}/revisions/"))
