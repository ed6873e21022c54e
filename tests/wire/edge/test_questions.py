"""Questions and answers over a real unix socket."""

import uuid
from typing import Any

import pytest

from benchline.v1 import question_pb2, session_pb2, verdict_pb2
from controlplane.domain.question import Question
from tests.wire.edge.conftest import Edge
from tests.wire.edge.test_session_service import create, reason_of, stub

RATE = Question(question_id="rate", text="How fast?", why="It blinks.", choices=("1 Hz", "2 Hz"))
COLOUR = Question(question_id="colour", text="Which colour?", default="red")


async def asking(edge: Edge) -> str:
    session = await create(edge)
    await edge.sessions.ask(session.name.removeprefix("sessions/"), RATE, COLOUR)
    return session.name


def answer(edge: Edge, name: str, request_id: str = "", number: int = 1, **texts: str) -> Any:
    answers = [question_pb2.Answer(question_id=key, text=text) for key, text in texts.items()]
    request = session_pb2.AnswerQuestionsRequest(
        name=name, request_id=request_id, round=number, answers=answers
    )
    return stub(edge).AnswerQuestions(request)


async def test_questions_are_told_answered_and_told_again(edge: Edge) -> None:
    name = await asking(edge)
    asked = (await stub(edge).GetSession(session_pb2.GetSessionRequest(name=name))).session
    assert asked.state == verdict_pb2.STATE_WAITING
    first, second = asked.question_rounds[0].questions
    assert (first.question_id, first.text, list(first.choices)) == (
        "rate",
        "How fast?",
        ["1 Hz", "2 Hz"],
    )
    assert (first.why, first.default, second.default) == ("It blinks.", "", "red")

    request_id = str(uuid.uuid4())
    answered = await answer(edge, name, request_id, rate=" 2 Hz ")
    assert answered.session.state == verdict_pb2.STATE_RUNNING
    (told,) = answered.session.question_rounds
    assert [(one.question_id, one.text) for one in told.answers] == [
        ("rate", "2 Hz"),
        ("colour", "red"),
    ]
    assert told.answered_by.startswith("local:")
    assert await answer(edge, name, request_id, rate=" 2 Hz ") == answered
    assert await reason_of(answer(edge, name, request_id, rate="1 Hz")) == (
        "ABORTED",
        "REQUEST_ID_REUSED",
    )
    assert await reason_of(answer(edge, name, rate="1 Hz")) == (
        "FAILED_PRECONDITION",
        "NOT_WAITING",
    )
    await edge.sessions.finish(name.removeprefix("sessions/"))
    facts = [
        event.WhichOneof("fact")
        async for message in stub(edge).WatchSession(session_pb2.WatchSessionRequest(name=name))
        for event in message.events
    ]
    assert facts.count("questions_asked") == facts.count("questions_answered") == 1


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ({"speed": "1"}, "UNKNOWN_QUESTION"),
        ({"colour": "blue"}, "ANSWER_MISSING"),
        ({"rate": ""}, "ANSWER_EMPTY"),
        ({"rate": "\x1b[2J"}, "ANSWER_UNREADABLE"),
        ({f"q{n}": "x" for n in range(11)}, "TOO_MANY_ANSWERS"),
    ],
)
async def test_what_is_no_answer_is_refused(edge: Edge, texts: dict[str, str], reason: str) -> None:
    name = await asking(edge)
    assert await reason_of(answer(edge, name, **texts)) == ("INVALID_ARGUMENT", reason)


async def test_a_session_that_asks_nothing_takes_no_answers(edge: Edge) -> None:
    session = await create(edge, no_questions=True)
    assert await reason_of(answer(edge, session.name, rate="1 Hz")) == (
        "FAILED_PRECONDITION",
        "NOT_WAITING",
    )
    stored = await edge.store.get(session.name.removeprefix("sessions/"))
    assert stored.request.no_questions
