"""Which board a request gets. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.domain.bench import Board, BoardState
from controlplane.planning.health import NEUTRAL

_KEYS = ("model", "part", "family", "kind", "name", "flash_tool")
_LONGEST = 400


class SelectorError(ValueError):
    """A selector that cannot be read; the text says how to write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Demands on a board; an empty demand accepts everything.

    `word` is a bare word: the name, the model or the part.
    """

    model: str = ""
    part: str = ""
    kind: str = ""
    name: str = ""
    word: str = ""
    family: str = ""
    flash_tool: str = ""

    def accepts(self, board: Board) -> bool:
        """Whether a board meets every demand, whatever its state."""
        return (
            self.model in ("", board.model)
            and self.part in ("", board.part)
            and self.family in ("", board.family)
            and self.flash_tool in ("", board.flash_tool)
            and self.kind in ("", board.kind)
            and self.name in ("", board.name, board.board_id)
            and self.word in ("", board.name, board.board_id, board.model, board.part)
        )


def parse_selector(text: str) -> Selector:
    """Read `model=olimex-stm32-h405,kind=virtual,name=vf405-01` or one word.

    Other keys are part, family and flash_tool.

    Raises:
        SelectorError: an unknown key, a key given twice, an empty value.
    """
    if len(text) > _LONGEST:
        raise SelectorError(f"a selector has at most {_LONGEST} characters")
    found: dict[str, str] = {}
    for term in filter(None, (piece.strip() for piece in text.split(","))):
        key, equals, value = (piece.strip() for piece in term.partition("="))
        if not equals:
            key, value = "word", key
        if key not in (*_KEYS, "word"):
            raise SelectorError(f"{key!r} is not one of {', '.join(_KEYS)}")
        if key in found:
            raise SelectorError(f"{key!r} is given twice")
        if not value:
            raise SelectorError(f"{key!r} has no value")
        found[key] = value.upper() if key == "kind" else value
    return Selector(**found)


def why_none_matches(selector: str, boards: Iterable[Board]) -> str:
    """What to say when no board matches; `boards` are all that there are."""
    models = sorted({board.model for board in boards if board.model})
    if not models:
        return f"no board matches {selector!r}" if selector else "there is no board yet"
    return f"no board matches {selector!r}; the benches have {', '.join(models)}"


def choose_board(boards: Iterable[Board], selector: Selector) -> Board | None:
    """The free board with the best score that the selector accepts; of equals the lowest name.

    A board is avoided for its faults, never preferred for having been used most: scores of neutral
    and more are equal. Boards that are leased, offline, faulty or quarantined are never chosen.
    """
    free = (b for b in boards if b.state is BoardState.ACTIVE and selector.accepts(b))
    return min(free, key=lambda board: (-min(board.score, NEUTRAL), board.name), default=None)
