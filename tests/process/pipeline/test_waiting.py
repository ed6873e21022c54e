"""Sessions that ask: they wait in the store, hold nothing, and go on with the answers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchline.errors import InvalidRequestError, NotReadyError
from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.domain.design import Design
from controlplane.domain.event import Event, Note, SessionChanged, StageChanged
from controlplane.domain.question import (
    MOST_ROUNDS,
    Answer,
    Question,
    QuestionsAnswered,
    QuestionsAsked,
)
from controlplane.domain.session import Session, SessionRequest
from controlplane.domain.verdict import Outcome, Stage, State
from controlplane.pipeline.design_stage import DesignStage
from controlplane.pipeline.stage import StageAsks, StageResult, StageRun
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.work_queue import WorkQueue
from tests.process.pipeline.test_engine import PASSED, Rig, ScriptedStage, request, rig, scripted

RATE = Question(question_id="rate", text="How fast?", choices=("1 Hz", "2 Hz"))
COLOUR = Question(question_id="colour", text="Which colour?", default="red")


def asking(times: int = 1) -> dict[Stage, ScriptedStage]:
    """Stages whose DESIGN asks so often, and passes when it was answered."""

    def design(run: StageRun) -> StageResult | StageAsks:
        if len(run.session.question_rounds) < times:
            return StageAsks(questions=(RATE, COLOUR))
        return PASSED

    return scripted(DESIGN=design)


def answers(**texts: str) -> list[Answer]:
    return [Answer(question_id=name, text=text) for name, text in texts.items()]


async def waiting(r: Rig, session: Session, round_number: int = 1) -> Session:
    while True:
        now = await r.store.get(session.session_id)
        if now.open_round is not None and now.open_round.round == round_number:
            return now
        assert not now.state.ended, now.message
        await r.journal.wait(session.session_id, now.last_sequence)


async def work_left(r: Rig) -> int:
    depth = await WorkQueue(r.store._database).depth()
    return sum(depth.values())


def kinds(events: Sequence[Event], *wanted: type) -> list[Any]:
    return [event.fact for event in events if isinstance(event.fact, wanted)]


async def test_a_session_that_asks_waits_over_a_restart_and_goes_on_when_answered(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path / "x.db", asking()) as r:
        session = await r.engine.start(request(), "local:me", "")
        before = await waiting(r, session)
        assert before.state is State.WAITING
        assert before.message == "asks: How fast? (and 1 more)"
        assert before.stages[0].state is State.WAITING

    again = asking()
    async with rig(tmp_path / "x.db", again) as r:
        assert await r.store.get(session.session_id) == before
        assert await work_left(r) == 0
        answered = await r.engine.answer(session.session_id, answers(rate="2 Hz"), 1, "local:ana")
        assert answered.state is State.RUNNING
        done = await r.ended(session)
        events = await r.journal.read(session.session_id, 1, 100)

    assert done.outcome is Outcome.PASSED
    assert done.question_rounds[0].answers == (
        Answer(question_id="rate", text="2 Hz"),
        Answer(question_id="colour", text="red"),
    )
    assert done.question_rounds[0].answered_by == "local:ana"
    assert again[Stage.DESIGN].runs == [1]
    assert kinds(events, QuestionsAsked, QuestionsAnswered) == [
        QuestionsAsked(round=1, questions=(RATE, COLOUR)),
        QuestionsAnswered(
            round=1, answers=done.question_rounds[0].answers, answered_by="local:ana"
        ),
    ]
    assert not kinds(events, Note)  # waiting is no interruption
    assert [fact.state for fact in kinds(events, SessionChanged)] == [
        State.PENDING,
        State.RUNNING,
        State.WAITING,
        State.RUNNING,
        State.DONE,
    ]
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))


async def test_what_is_no_answer_changes_nothing_and_the_same_answer_twice_is_one(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path / "x.db", asking(times=2)) as r:
        session = await r.engine.start(request(), "local:me", "")
        before = await waiting(r, session)
        for given, reason in (
            (answers(rate="1 Hz", speed="x"), "UNKNOWN_QUESTION"),
            ([*answers(rate="1 Hz"), *answers(rate="2 Hz")], "ANSWER_TWICE"),
            (answers(colour="blue"), "ANSWER_MISSING"),
            (answers(rate=" "), "ANSWER_EMPTY"),
            (answers(rate="x" * 501), "ANSWER_TOO_LONG"),
            (answers(rate="a\nb"), "ANSWER_UNREADABLE"),
        ):
            with pytest.raises(InvalidRequestError) as caught:
                await r.engine.answer(session.session_id, given, 0, "local:me")
            assert caught.value.reason == reason
        assert await r.store.get(session.session_id) == before

        first = answers(rate="1 Hz")
        await r.engine.answer(session.session_id, first, 1, "local:me")
        second = await waiting(r, session, 2)
        assert await r.engine.answer(session.session_id, first, 1, "local:me") == second
        for given, number in ((answers(rate="9 Hz"), 1), (first, 3)):
            with pytest.raises(NotReadyError) as late:
                await r.engine.answer(session.session_id, given, number, "local:me")
            assert late.value.reason == "NOT_WAITING"
        await r.engine.answer(session.session_id, answers(rate="2 Hz"), 0, "local:me")
        done = await r.ended(session)

    said = [[answer.text for answer in each.answers] for each in done.question_rounds]
    assert said == [["1 Hz", "red"], ["2 Hz", "red"]]


async def test_a_session_that_waits_is_cancelled_at_once(tmp_path: Path) -> None:
    async with rig(tmp_path / "x.db", asking()) as r:
        session = await r.engine.start(request(), "local:me", "")
        await waiting(r, session)
        done = await r.engine.cancel(session.session_id)
        events = await r.journal.read(session.session_id, 1, 100)
        with pytest.raises(NotReadyError, match="CANCELLED"):
            await r.engine.answer(session.session_id, answers(rate="1 Hz"), 1, "local:me")
        unfinished = await r.store.unfinished()

    assert done.state is State.CANCELLED
    assert done.open_round is None
    last = kinds(events, StageChanged)[-1]
    assert (last.stage, last.state) == (Stage.DESIGN, State.CANCELLED)
    assert unfinished == []


async def test_sessions_that_wait_take_no_slot(tmp_path: Path) -> None:
    """More wait than there are slots, and another one still runs to its end."""
    stages = asking()
    async with rig(tmp_path / "x.db", stages) as r:
        for _ in range(6):
            await waiting(r, await r.engine.start(request(), "local:me", ""))
        stages[Stage.DESIGN].act = lambda _: PASSED
        done = await r.ended(await r.engine.start(request(), "local:me", ""))

    assert done.outcome is Outcome.PASSED


class RealDesign:
    """The DESIGN stage itself with the offline designer, on the database of a rig."""

    stage: DesignStage

    async def run(self, run: StageRun) -> StageResult | StageAsks:
        return await self.stage.run(run)


@asynccontextmanager
async def designing(folder: Path) -> AsyncIterator[Rig]:
    design = RealDesign()
    async with rig(folder / "x.db", scripted() | {Stage.DESIGN: design}) as r:
        database = r.store._database
        design.stage = DesignStage(
            {"offline": OfflineDesigner()},
            ArtifactStore(folder / "artifacts", database),
            BoardStore(database),
            load_catalogue(),
        )
        yield r


def wish(prompt: str, **more: Any) -> SessionRequest:
    return replace(request(Stage.DESIGN), prompt=prompt, **more)


async def test_an_answer_completes_the_design_and_counts_among_its_inputs(tmp_path: Path) -> None:
    hashes = set()
    async with designing(tmp_path) as r:
        for rate in ("at 2 Hz", "at 1 Hz"):
            session = await r.engine.start(wish("Blink the LED."), "local:me", "")
            asked = await waiting(r, session)
            (question,) = asked.question_rounds[0].questions
            assert question.question_id == "blink_rate"
            said = answers(blink_rate=rate)
            await r.engine.answer(session.session_id, said, 1, "local:me")
            done = await r.ended(session)
            assert done.outcome is Outcome.PASSED, done.message
            assert done.request.prompt == "Blink the LED."
            design = Design.from_json(await r.store.get_checkpoint(done.session_id, "design") or "")
            assert design.prompt == f"Blink the LED {rate}."
            hashes.add(done.stages[0].inputs_hash)
    assert len(hashes) == 2


async def test_who_still_asks_after_three_rounds_is_refused(tmp_path: Path) -> None:
    async with designing(tmp_path) as r:
        session = await r.engine.start(wish("Blink the LED."), "local:me", "")
        for number in range(1, MOST_ROUNDS + 1):
            asked = await waiting(r, session, number)
            why = asked.question_rounds[-1].questions[0].why
            assert ("does not fit" in why) is (number > 1)
            said = answers(blink_rate=f"purple {number}")
            await r.engine.answer(session.session_id, said, number, "local:me")
        done = await r.ended(session)

    assert done.outcome is Outcome.REFUSED
    assert [f.code for f in done.findings] == ["E201", "E106"]
    assert len(done.question_rounds) == MOST_ROUNDS


async def test_where_nobody_can_answer_a_question_refuses(tmp_path: Path) -> None:
    async with designing(tmp_path) as r:
        unasked = wish("Blink the LED.", no_questions=True)
        done = await r.ended(await r.engine.start(unasked, "local:me", ""))
        plain = await r.ended(await r.engine.start(wish("Fly."), "local:me", ""))

    assert done.outcome is plain.outcome is Outcome.REFUSED
    assert [f.code for f in done.findings] == ["E201", "E106"]
    assert done.findings[1].subject == "blink_rate"
    assert [f.code for f in plain.findings] == ["E200"]
    assert plain.question_rounds == ()
