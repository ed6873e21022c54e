"""Questions of a session as facts, and the call that answers them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchline.v1 import question_pb2, session_pb2, verdict_pb2
from tui.state.question import Answered, Asked, Question

if TYPE_CHECKING:
    from tui.client.connection import Connection


def asked_of(wire: question_pb2.QuestionsAsked | question_pb2.QuestionRound) -> Asked:
    """The questions of a round."""
    return Asked(
        round=wire.round,
        questions=tuple(
            Question(
                question_id=one.question_id,
                text=one.text,
                why=one.why,
                choices=tuple(one.choices),
                default=one.default,
            )
            for one in wire.questions
        ),
    )


def answered_of(wire: question_pb2.QuestionsAnswered | question_pb2.QuestionRound) -> Answered:
    """What was said to the questions of a round."""
    answers = tuple((one.question_id, one.text) for one in wire.answers)
    return Answered(round=wire.round, answers=answers, answered_by=wire.answered_by)


def open_round_of(session: session_pb2.Session) -> Asked | None:
    """The questions that a session waits for, if any; it may be WAITING for a board instead."""
    if session.state != verdict_pb2.STATE_WAITING or not session.question_rounds:
        return None
    newest = session.question_rounds[-1]
    return None if newest.answers else asked_of(newest)


async def answer_questions(
    connection: "Connection", name: str, round_number: int, answers: Mapping[str, str]
) -> session_pb2.Session:
    """Answer the questions of a round; safe while the server comes and goes.

    Raises:
        grpc.aio.AioRpcError: NOT_WAITING, or an answer that is none.
    """
    from tui.client.connection import CALL_TIMEOUT_S, new_request_id

    request = session_pb2.AnswerQuestionsRequest(
        name=name,
        request_id=new_request_id(),
        round=round_number,
        answers=[question_pb2.Answer(question_id=key, text=text) for key, text in answers.items()],
    )
    answer = await connection.sessions.AnswerQuestions(
        request, timeout=CALL_TIMEOUT_S, wait_for_ready=True
    )
    return answer.session
