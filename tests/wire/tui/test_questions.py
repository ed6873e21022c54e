"""What a session asks, in the console and with the verbs, against a real server."""

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from textual.widgets import Input

from benchline.errors import InvalidRequestError, NotReadyError
from benchline.instance import Instance
from benchline.v1 import question_pb2, session_pb2, verdict_pb2
from tests.wire.tui.conftest import Command
from tests.wire.tui.fake_server import FakeControlPlane
from tests.wire.tui.test_console_screens import SIZES, console, notes, shows, until
from tests.wire.tui.test_verbs import lines_of
from tui.screens.run import RunScreen
from tui.widgets.question_panel import AnswerLine

RATE = question_pb2.Question(
    question_id="blink_rate",
    text='How fast does it blink, in "Blink the LED"?',
    why="A proof counts full cycles.",
    choices=["at 2 Hz", "at 1 Hz", "x'; rm -rf ~ #\x1b[2J"],
)
COLOUR = question_pb2.Question(question_id="colour", text="Which colour?", default="red")


def said(request: session_pb2.AnswerQuestionsRequest) -> dict[str, str]:
    return {one.question_id: one.text for one in request.answers}


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_that_asks_is_marked_and_answered_in_the_console(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int]
) -> None:
    plane.add_asking(RATE, COLOUR)
    async with console(instance, size) as pilot:
        await shows(pilot, "WAITING for you", "enter, then a: answer", "1 run going on")
        await pilot.press("enter")
        await shows(pilot, "How fast does it blink", "Question 1 of 2", "a) at 2 Hz   b) at 1 Hz")
        await shows(pilot, "A proof counts full cycles.", "… Design", "a: answer")
        await pilot.press("a", "down", "down")
        line = pilot.app.screen.query_one(AnswerLine)
        await until(pilot, lambda: line.value == "at 1 Hz")
        await pilot.press("escape", "a")  # what stands in the line is kept
        assert isinstance(pilot.app.screen, RunScreen)
        assert line.value == "at 1 Hz"
        await pilot.press("enter")
        await shows(pilot, "Question 2 of 2", "Which colour?", "left empty: red")
        await pilot.press("enter")
        await shows(pilot, "PASSED (virtual)", "every check passed")
        await until(pilot, lambda: not pilot.app.screen.query_one("#questions").display)
        await pilot.press("a")
        await until(pilot, lambda: "this run asks nothing" in notes(pilot))
    assert [said(one) for one in plane.answered] == [{"blink_rate": "at 1 Hz", "colour": "red"}]
    assert plane.answered[0].round == 1


async def test_an_answer_that_is_refused_is_kept_to_be_mended(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.add_asking(RATE)
    plane.answers_refused = InvalidRequestError("ANSWER_TOO_LONG", "at most 500 are read")
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "WAITING for you")
        await pilot.press("enter")
        await shows(pilot, "Question 1 of 1")
        await pilot.press("a", "enter")
        await until(pilot, lambda: any("say something" in note for note in notes(pilot)))
        await pilot.press(*"3 Hz", "enter")
        await until(pilot, lambda: "at most 500 are read" in notes(pilot))
        line = pilot.app.screen.query_one("#answer", Input)
        assert (line.value, plane.answered) == ("3 Hz", [])
        await pilot.press("enter")
        await shows(pilot, "PASSED (virtual)")
    assert [said(one) for one in plane.answered] == [{"blink_rate": "3 Hz"}]


async def test_the_verbs_show_the_questions_and_take_the_answers(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.add_asking(RATE, COLOUR)
    listed = await benchline("sessions")
    assert "WAITING for you" in listed.out
    assert "benchline answer SESSION" in listed.err
    asked = await benchline("answer", "01k")
    assert asked.code == 0
    assert "? blink_rate: How fast does it blink" in asked.out
    assert "answer: benchline answer 01kdemo blink_rate='at 2 Hz'" in asked.out
    assert "\x1b" not in asked.out
    shown = await benchline("show", "01k")
    assert "QUESTIONS" in shown.out
    (told,) = lines_of((await benchline("answer", "01k", "--json")).out)
    assert [one["questionId"] for one in told["questions"]] == ["blink_rate", "colour"]

    ran = await benchline("answer", "01k", "blink_rate=at 3 Hz")
    assert (ran.code, ran.out) == (0, "")
    assert "benchline watch 01kdemo" in ran.err
    assert [said(one) for one in plane.answered] == [{"blink_rate": "at 3 Hz"}]
    shown = await benchline("show", "01k")
    assert "blink_rate = at 3 Hz" in shown.out
    assert "answer:" not in shown.out
    nothing = await benchline("answer", "01k")
    assert (nothing.code, nothing.out) == (0, "")
    assert "asks nothing; it is DONE" in nothing.err


async def test_answers_that_are_none_are_usage_errors_and_late_ones_are_refused(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.add_asking(RATE)
    for words in (("at 2 Hz",), ("=x",), ("blink_rate=a", "blink_rate=b")):
        assert (await benchline("answer", "01k", *words)).code == 2
    plane.answers_refused = NotReadyError("NOT_WAITING", "it is RUNNING")
    late = await benchline("answer", "01k", "blink_rate=2 Hz")
    assert late.code == 4
    assert "NOT_WAITING" in late.err
    assert plane.answered == []


async def test_a_watcher_without_a_terminal_is_told_the_command_and_goes_on_watching(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.add_asking(RATE)
    child = await benchline.start("watch", "01kdemo", "--json")
    assert child.stdout is not None
    assert child.stderr is not None
    async with asyncio.timeout(60):
        while b"questionsAsked" not in await child.stdout.readline():
            pass
        while b"answer: benchline answer 01kdemo blink_rate='at 2 Hz'" not in (
            await child.stderr.readline()
        ):
            pass
        assert child.returncode is None
        assert (await benchline("answer", "01kdemo", "blink_rate=at 2 Hz")).code == 0
        out, err = await child.communicate()
    assert child.returncode == 0
    assert lines_of(out.decode())[-1]["outcome"] == "OUTCOME_PASSED"
    assert b"answered by local:ana" in err


async def test_a_run_says_when_nobody_is_there_to_answer(
    plane: FakeControlPlane, benchline: Command
) -> None:
    assert (await benchline("run", "Blink.", "--no-questions")).code == 0
    assert (await benchline("run", "Blink.")).code == 0
    assert [one.no_questions for one in plane.created] == [True, False]


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)


async def heard(fd: int) -> AsyncIterator[str]:
    """Everything that a terminal showed so far, again after each piece."""
    text = ""
    while True:
        text += (await asyncio.to_thread(os.read, fd, 4096)).decode("utf-8", "replace")
        yield text


async def wait_for(fd: int, words: str) -> str:
    async with asyncio.timeout(60):
        async for text in heard(fd):
            if words in text:
                return text
    raise AssertionError


async def test_a_run_in_a_terminal_asks_there(plane: FakeControlPlane, benchline: Command) -> None:
    plane.asks = [RATE, COLOUR]
    with terminal() as (ours, theirs):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "tui", "run", "Blink the LED."),
            env=benchline.environment,
            stdin=theirs,
            stderr=theirs,
            stdout=asyncio.subprocess.PIPE,
        )
        os.close(theirs)
        text = await wait_for(ours, "  > ")
        assert "? How fast does it blink" in text
        assert "b) at 1 Hz" in text
        os.write(ours, b"\n")  # no default: asked again
        await wait_for(ours, "  > ")
        os.write(ours, b"b\n")
        await wait_for(ours, "[red] > ")
        os.write(ours, b"\n")
        async with asyncio.timeout(60):
            out, _ = await child.communicate()
    assert child.returncode == 0, out
    assert [said(one) for one in plane.answered] == [{"blink_rate": "at 1 Hz", "colour": "red"}]
    assert plane.sessions["sessions/01kdemo"].state == verdict_pb2.STATE_DONE


async def test_answers_from_elsewhere_end_the_asking_in_a_terminal(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.asks = [RATE]
    with terminal() as (ours, theirs):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "tui", "run", "Blink the LED."),
            env=benchline.environment,
            stdin=theirs,
            stderr=theirs,
            stdout=asyncio.subprocess.PIPE,
        )
        os.close(theirs)
        await wait_for(ours, "  > ")
        assert (await benchline("answer", "01kdemo", "blink_rate=at 5 Hz")).code == 0
        async with asyncio.timeout(60):
            await child.communicate()
    assert child.returncode == 0
    assert [said(one) for one in plane.answered] == [{"blink_rate": "at 5 Hz"}]
