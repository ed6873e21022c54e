"""The virtual boards of a local instance: those of the demo, and those of the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from benchline.errors import InvalidRequestError

VARIABLE = "BENCHLINE_VIRTUAL_BOARDS"
_MOST = 64
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SHAPE = "NAME:MODEL[:PERSONALITY[:FAULT]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualBoard:
    """One board to run; personality and faults are words of the board program."""

    name: str
    model: str = ""
    """Board model; empty for the program's default."""
    personality: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the board program is told besides its directory."""
        found = ["--name", self.name]
        if self.model:
            found += ["--model", self.model]
        for word in self.personality:
            found += ["--personality", word]
        for word in self.faults:
            found += ["--fault", word]
        return tuple(found)


DEMO = (
    VirtualBoard(name="vf405-01"),
    VirtualBoard(name="vf405-02"),
    VirtualBoard(name="vc3-01", model="esp32-c3-devkitm-1"),
    VirtualBoard(name="vc3-02", model="esp32-c3-devkitm-1"),
)


def virtual_boards(environment: Mapping[str, str]) -> tuple[VirtualBoard, ...]:
    """The demo's boards and those that the environment adds.

    Raises:
        InvalidRequestError: VIRTUAL_BOARDS_INVALID.
    """
    wishes = re.split(r"[,\s]+", environment.get(VARIABLE, "").strip())
    boards = [*DEMO, *(_board(text) for text in wishes if text)]
    names = [board.name for board in boards]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise refused(f"{', '.join(twice)}: there is such a board already")
    if len(boards) > _MOST:
        raise refused(f"{len(boards)} boards; {_MOST} at most")
    return tuple(boards)


def refused(why: str) -> InvalidRequestError:
    """The boards that the environment adds cannot be run."""
    return InvalidRequestError("VIRTUAL_BOARDS_INVALID", f"{VARIABLE}: {why}", why=why)


def expected(boards: tuple[VirtualBoard, ...]) -> tuple[str, ...]:
    """The boards that should come up: all without a fault."""
    return tuple(board.name for board in boards if not board.faults)


def _board(text: str) -> VirtualBoard:
    parts = text.split(":")
    if not 2 <= len(parts) <= 4 or not parts[1]:
        raise refused(f"{text!r} is not {_SHAPE}")
    name, model, personality, faults = (*parts, "", "")[:4]
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(model):
        raise refused(f"{text!r}: names have lower-case letters, digits and -")
    return VirtualBoard(
        name=name, model=model, personality=_words(personality), faults=_words(faults)
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split("/") if word)
