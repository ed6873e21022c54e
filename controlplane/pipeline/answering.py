"""Answers to the questions of a session: checked, stored with its journal, and worked on."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from benchline.errors import BenchlineError, InvalidRequestError, NotReadyError
from controlplane.domain.event import SessionChanged, StageChanged
from controlplane.domain.question import Answer, QuestionRound, QuestionsAnswered
from controlplane.domain.session import Session, StageRecord
from controlplane.domain.verdict import Stage, State
from controlplane.storage.database import Database, Transaction
from controlplane.storage.sessions import SessionStore

LONGEST_ANSWER = 500


async def answer_session(
    database: Database,
    store: SessionStore,
    session_id: str,
    given: Sequence[Answer],
    *,
    round_number: int,
    answered_by: str,
    work_on: Callable[[Transaction, str], None],
) -> Session:
    """Take the answers of a round; ``work_on`` is called in the same transaction.

    The same answers once more change nothing. ``round_number`` 0 means the newest round.

    Raises:
        NotFoundError: SESSION_NOT_FOUND.
        NotReadyError: NOT_WAITING.
        InvalidRequestError: UNKNOWN_QUESTION, ANSWER_TWICE, ANSWER_MISSING, ANSWER_EMPTY,
            ANSWER_TOO_LONG, ANSWER_UNREADABLE.
    """

    def work(tx: Transaction) -> Session:
        session = store.get_in(tx, session_id)
        number = round_number or len(session.question_rounds)
        asked = next((r for r in session.question_rounds if r.round == number), None)
        if asked is None:
            raise _not_waiting(session)
        answers = checked_answers(asked, given)
        if asked.answers == answers:
            return session
        if asked is not session.open_round:
            raise _not_waiting(session)
        answered = replace(asked, answers=answers, answered_by=answered_by)
        # DESIGN begins anew, which is not the same as being resumed after an interruption.
        anew = StageRecord(stage=Stage.DESIGN)
        facts = (
            QuestionsAnswered(round=asked.round, answers=answers, answered_by=answered_by),
            StageChanged(stage=Stage.DESIGN, state=State.PENDING),
            SessionChanged(state=State.RUNNING, message="answered; the design goes on"),
        )
        changed = store.record_in(
            tx,
            session_id,
            facts,
            stage=Stage.DESIGN,
            attempt=session.attempt,
            change=lambda s: replace(
                s,
                state=State.RUNNING,
                message="",
                question_rounds=(*s.question_rounds[:-1], answered),
                stages=tuple(anew if r.stage is Stage.DESIGN else r for r in s.stages),
            ),
        )
        work_on(tx, session_id)
        return changed

    return await database.transact(work)


def checked_answers(asked: QuestionRound, given: Sequence[Answer]) -> tuple[Answer, ...]:
    """One answer for each question, in their order; defaults fill what was left out.

    Raises:
        InvalidRequestError: UNKNOWN_QUESTION, ANSWER_TWICE, ANSWER_MISSING, ANSWER_EMPTY,
            ANSWER_TOO_LONG, ANSWER_UNREADABLE.
    """
    known = {question.question_id for question in asked.questions}
    texts: dict[str, str] = {}
    for answer in given:
        name = answer.question_id
        if name not in known:
            raise InvalidRequestError(
                "UNKNOWN_QUESTION",
                f"nobody asked {name[:40]!r}; the questions are {', '.join(sorted(known))}",
                question=name[:40],
            )
        if name in texts:
            raise InvalidRequestError(
                "ANSWER_TWICE", f"{name} is answered twice; say one of the two", question=name
            )
        texts[name] = _checked_text(name, answer.text)
    for question in asked.questions:
        if question.question_id not in texts and question.default:
            texts[question.question_id] = question.default
    missing = [q.question_id for q in asked.questions if q.question_id not in texts]
    if missing:
        raise InvalidRequestError(
            "ANSWER_MISSING",
            f"no answer to {', '.join(missing)}; questions without a default are answered together",
            questions=", ".join(missing),
        )
    return tuple(
        Answer(question_id=q.question_id, text=texts[q.question_id]) for q in asked.questions
    )


def _checked_text(question: str, text: str) -> str:
    said = text.strip()
    if not said:
        raise InvalidRequestError(
            "ANSWER_EMPTY", f"the answer to {question} is empty; say something", question=question
        )
    if len(said) > LONGEST_ANSWER:
        raise InvalidRequestError(
            "ANSWER_TOO_LONG",
            f"the answer to {question} has {len(said)} characters; at most {LONGEST_ANSWER} are "
            "read",
            question=question,
            limit=str(LONGEST_ANSWER),
        )
    if not said.isprintable():
        raise InvalidRequestError(
            "ANSWER_UNREADABLE",
            f"the answer to {question} holds control characters or several lines",
            question=question,
        )
    return said


def _not_waiting(session: Session) -> BenchlineError:
    asking = session.open_round
    now = f"round {asking.round} is open" if asking else f"it is {session.state}"
    return NotReadyError(
        "NOT_WAITING",
        f"{session.name} does not wait for these answers: {now}; `benchline answer` shows what "
        "it asks",
        session=session.name,
        state=session.state.value,
    )
