"""Asks the questions of a session at the terminal, while it is watched."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

import grpc

from benchline.errors import InvalidRequestError
from tui.client.asking import answer_questions
from tui.client.connection import Connection, failure_of
from tui.question_wording import answer_command, lettered, picked
from tui.state.question import Asked, Question
from tui.state.run import RunView
from tui.wording import visible

_READ_BYTES = 4096


def at_terminal() -> bool:
    """Whether a person sits in front: what is asked is read and can be answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


class TerminalAsker:
    """Use as an async context manager; answers that come from elsewhere end the asking."""

    def __init__(self, connection: Connection, name: str, say: Callable[[str], None]) -> None:
        self._connection = connection
        self._name = name
        self._say = say
        self._asked: Asked | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Nothing is asked yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ask no more."""
        await self._stop()

    async def follow(self, view: RunView) -> None:
        """Ask what is open now, and only that."""
        if view.open_round == self._asked:
            return
        await self._stop()
        self._asked = view.open_round
        if self._asked is not None:
            self._task = asyncio.create_task(self._ask(self._asked))

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _ask(self, asked: Asked) -> None:
        """Ask until the answers are taken, or the terminal is closed."""
        while True:
            answers: dict[str, str] = {}
            for question in asked.questions:
                said = await self._one(question)
                if said is None:
                    later = answer_command(asked, self._name.rpartition("/")[2])
                    self._say(f"  not answered; the session waits: {later}")
                    return
                answers[question.question_id] = said
            try:
                await answer_questions(self._connection, self._name, asked.round, answers)
            except grpc.aio.AioRpcError as error:
                failure = failure_of(error)
                self._say(f"  {failure.reason}: {failure.message}")
                if isinstance(failure, InvalidRequestError):
                    continue
            return

    async def _one(self, question: Question) -> str | None:
        """The answer to one question; None when nothing can be typed any more."""
        self._say(f"? {visible(question.text)}")
        if question.why:
            self._say(f"    {visible(question.why)}")
        for letter, choice in lettered(question):
            self._say(f"    {letter}) {visible(choice)}")
        while True:
            sys.stderr.write(f"  [{visible(question.default)}] > " if question.default else "  > ")
            sys.stderr.flush()
            typed = await _typed_line()
            if typed is None:
                return None
            if said := picked(question, typed):
                return said


async def _typed_line() -> str | None:
    """The next line of the terminal, None at its end; being cancelled leaves it alone."""
    loop, fd = asyncio.get_running_loop(), sys.stdin.fileno()
    typed: asyncio.Future[bytes] = loop.create_future()

    def readable() -> None:
        loop.remove_reader(fd)
        typed.set_result(os.read(fd, _READ_BYTES))

    loop.add_reader(fd, readable)
    try:
        line = await typed
    finally:
        loop.remove_reader(fd)
    return line.decode("utf-8", "replace") if line else None
