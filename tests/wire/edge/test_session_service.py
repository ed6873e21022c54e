"""SessionService over a real unix socket."""

import asyncio
import uuid
from typing import Any

import grpc
import pytest

from benchline.errors import error_from
from benchline.v1 import session_pb2, session_pb2_grpc, verdict_pb2
from controlplane.domain.event import Note
from tests.wire.edge.conftest import Edge


def stub(edge: Edge) -> Any:
    return session_pb2_grpc.SessionServiceStub(edge.channel)


async def create(edge: Edge, **fields: Any) -> session_pb2.Session:
    request = session_pb2.CreateSessionRequest(**({"prompt": "Blink."} | fields))
    return (await stub(edge).CreateSession(request)).session


async def reason_of(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = error_from(caught.value)
    return caught.value.code().name, error.reason


async def test_a_session_is_created_and_read_back_by_a_prefix_of_its_id(edge: Edge) -> None:
    created = await create(edge, seed=7, board="name=vf405-01", until=verdict_pb2.STAGE_BUILD)
    assert created.state == verdict_pb2.STATE_PENDING
    assert created.principal.startswith("local:")
    assert (created.prompt, created.board_wish, created.seed) == ("Blink.", "name=vf405-01", 7)
    assert created.until == verdict_pb2.STAGE_BUILD
    assert created.outcome == verdict_pb2.OUTCOME_UNSPECIFIED
    found = await stub(edge).GetSession(session_pb2.GetSessionRequest(name=created.name[:20]))
    assert found.session == created
    assert found.session.etag


async def test_a_repeated_request_id_gives_the_first_session(edge: Edge) -> None:
    request_id = str(uuid.uuid4())
    first = await create(edge, request_id=request_id)
    assert await create(edge, request_id=request_id.upper()) == first
    other = create(edge, request_id=request_id, prompt="Blink twice.")
    assert await reason_of(other) == ("ABORTED", "REQUEST_ID_REUSED")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"prompt": ""}, "PROMPT_OR_SOURCE"),
        ({"source": session_pb2.Source(title="x")}, "PROMPT_OR_SOURCE"),
        ({"prompt": "", "source": session_pb2.Source(title="x")}, "INVALID_SOURCE"),
        ({"prompt": "   "}, "PROMPT_EMPTY"),
        ({"prompt": "x" * 4001}, "PROMPT_TOO_LONG"),
        ({"prompt": "x\x1by"}, "PROMPT_UNREADABLE"),
        ({"request_id": "1"}, "INVALID_REQUEST_ID"),
        ({"request_id": str(uuid.uuid1())}, "INVALID_REQUEST_ID"),
        ({"designer": "oracle"}, "UNKNOWN_DESIGNER"),
        ({"board": "x" * 401}, "BOARD_WISH_TOO_LONG"),
        ({"until": verdict_pb2.STAGE_PROVISION}, "STAGE_NOT_AVAILABLE"),
        ({"until": 77}, "INVALID_MESSAGE"),
        ({"cost_ceiling_micro_usd": 1}, "CEILING_INVALID"),
        ({"designer": "claude", "cost_ceiling_micro_usd": 0}, "CEILING_INVALID"),
        ({"designer": "claude", "cost_ceiling_micro_usd": 5_000_001}, "CEILING_INVALID"),
    ],
)
async def test_a_wrong_request_is_refused_with_its_reason(
    edge: Edge, fields: dict[str, Any], reason: str
) -> None:
    assert await reason_of(create(edge, **fields)) == ("INVALID_ARGUMENT", reason)


async def test_a_session_keeps_the_lower_ceiling_of_its_costs(edge: Edge) -> None:
    offline = await create(edge)
    servers = await create(edge, designer="claude")
    own = await create(edge, designer="claude", cost_ceiling_micro_usd=250_000)
    assert [one.cost_ceiling_micro_usd for one in (offline, servers, own)] == [
        0,
        5_000_000,
        250_000,
    ]


async def test_an_image_that_was_not_uploaded_is_not_found(edge: Edge) -> None:
    source = session_pb2.Source(image_sha256="0" * 64, image_filename="a.elf")
    call = create(edge, prompt="", source=source)
    assert await reason_of(call) == ("NOT_FOUND", "ARTIFACT_NOT_FOUND")


async def test_sessions_are_listed_newest_first_over_pages(edge: Edge) -> None:
    names = [(await create(edge)).name for _ in range(5)]
    seen, token = [], ""
    while True:
        page = await stub(edge).ListSessions(
            session_pb2.ListSessionsRequest(page_size=2, page_token=token)
        )
        seen += [session.name for session in page.sessions]
        token = page.next_page_token
        if not token:
            break
    assert seen == names[::-1]


@pytest.mark.parametrize("token", ["x", "WyJib2FyZHMiLCAieCJd", "e30=", "\xff"])
async def test_a_forged_page_token_is_refused(edge: Edge, token: str) -> None:
    call = stub(edge).ListSessions(session_pb2.ListSessionsRequest(page_token=token))
    assert await reason_of(call) == ("INVALID_ARGUMENT", "INVALID_PAGE_TOKEN")


async def test_a_negative_page_size_is_refused(edge: Edge) -> None:
    call = stub(edge).ListSessions(session_pb2.ListSessionsRequest(page_size=-1))
    assert await reason_of(call) == ("INVALID_ARGUMENT", "INVALID_PAGE_SIZE")


async def test_a_repeated_cancel_gives_the_first_answer(edge: Edge) -> None:
    session = await create(edge)
    request = session_pb2.CancelSessionRequest(name=session.name, request_id=str(uuid.uuid4()))
    first = await stub(edge).CancelSession(request)
    assert first.session.state == verdict_pb2.STATE_CANCELLED
    assert await stub(edge).CancelSession(request) == first
    again = stub(edge).CancelSession(session_pb2.CancelSessionRequest(name=session.name))
    assert await reason_of(again) == ("FAILED_PRECONDITION", "SESSION_ENDED")


async def test_a_watcher_sees_stored_and_live_events_and_ends_with_the_session(
    edge: Edge,
) -> None:
    session = await create(edge)
    identity = session.name.removeprefix("sessions/")
    await edge.store.record(identity, [Note(text=str(n)) for n in range(1200)])
    sequences: list[int] = []
    heartbeats = 0
    async for message in stub(edge).WatchSession(
        session_pb2.WatchSessionRequest(name=session.name)
    ):
        sequences += [event.sequence for event in message.events]
        if not message.events:
            heartbeats += 1
            assert message.head_sequence == 1201
            await edge.sessions.finish(identity)
    assert sequences == list(range(1, 1203))
    assert heartbeats == 1


async def test_a_watcher_resumes_exactly(edge: Edge) -> None:
    session = await create(edge)
    identity = session.name.removeprefix("sessions/")
    await edge.store.record(identity, [Note(text=str(n)) for n in range(10)])
    await edge.sessions.finish(identity)
    watch = stub(edge).WatchSession(
        session_pb2.WatchSessionRequest(name=session.name, from_sequence=8)
    )
    events = [event async for message in watch for event in message.events]
    assert [event.sequence for event in events] == [8, 9, 10, 11, 12]
    assert [event.WhichOneof("fact") for event in events] == ["note"] * 4 + ["session_changed"]
    assert events[0].note.text == "6"


async def test_a_watch_from_beyond_the_end_of_an_ended_session_is_empty(edge: Edge) -> None:
    session = await create(edge)
    await edge.sessions.finish(session.name.removeprefix("sessions/"))
    request = session_pb2.WatchSessionRequest(name=session.name, from_sequence=2**64 - 1)
    assert [message async for message in stub(edge).WatchSession(request)] == []


async def test_a_watch_of_compacted_history_says_where_to_begin(edge: Edge) -> None:
    session = await create(edge)
    identity = session.name.removeprefix("sessions/")
    await edge.store.record(identity, [Note(text=str(n)) for n in range(10)])
    await edge.database.transact(lambda tx: edge.journal.compact(tx, identity, 5))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub(edge).WatchSession(session_pb2.WatchSessionRequest(name=session.name)):
            pass
    error = error_from(caught.value)
    assert (error.reason, error.facts) == ("HISTORY_COMPACTED", {"oldest": "5"})


async def test_many_watchers_follow_one_session(edge: Edge) -> None:
    session = await create(edge)
    identity = session.name.removeprefix("sessions/")

    async def watch() -> list[int]:
        request = session_pb2.WatchSessionRequest(name=session.name)
        return [
            event.sequence
            async for message in stub(edge).WatchSession(request)
            for event in message.events
        ]

    async with asyncio.TaskGroup() as group:
        watchers = [group.create_task(watch()) for _ in range(8)]
        for n in range(50):
            await edge.store.record(identity, [Note(text=str(n))])
        await edge.sessions.finish(identity)
    assert all(task.result() == list(range(1, 53)) for task in watchers)


async def test_a_session_without_a_design_says_so(edge: Edge) -> None:
    session = await create(edge)
    call = stub(edge).GetSessionDesign(session_pb2.GetSessionDesignRequest(name=session.name))
    assert await reason_of(call) == ("NOT_FOUND", "DESIGN_NOT_FOUND")
