"""Reads the sheets that the product carries, and chooses those for a design."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from controlplane.domain.part import Part
from controlplane.skills.sheet import Sheet, SheetError, SheetKind, parse_sheet

BENCH_CORE = "bench-core"
VENDOR_ARDUINO = "vendor-arduino"
FRAMEWORKS = frozenset({BENCH_CORE, VENDOR_ARDUINO})
"""What firmware is written against."""

MAX_BYTES = 80 * 1024
"""Bytes of all sheets of one choice: what they may cost in a prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetChoice:
    """Sheets in the order in which they are given, and the ids of those that were too much."""

    sheets: tuple[Sheet, ...]
    omitted: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the chosen sheets."""
        return tuple(sheet.id for sheet in self.sheets)

    def text(self) -> str:
        """All pages, one after the other; the same choice gives the same bytes."""
        return "\n".join(sheet.rendered() for sheet in self.sheets)


@cache
def load_sheets() -> tuple[Sheet, ...]:
    """Read every sheet once, sorted by kind and id.

    Raises:
        SheetError: a sheet cannot be read, or is not called by its id.
    """
    sheets = []
    folder = files("controlplane.skills") / "sheets"
    for entry in folder.iterdir():
        if not entry.name.endswith(".md"):
            continue
        try:
            sheet = parse_sheet(entry.read_text("utf-8"))
        except SheetError as error:
            raise SheetError(error.line, f"{entry.name}:{error.line}: {error}") from error
        if entry.name != f"{sheet.id}.md":
            raise SheetError(2, f"{entry.name}: its id is {sheet.id}")
        sheets.append(sheet)
    return tuple(sorted(sheets, key=_place))


def framework_of(part: Part) -> str:
    """The framework that firmware for a part is written against."""
    return BENCH_CORE if part.bench_core else VENDOR_ARDUINO


def sheets_for(
    board_model: str, part: str, components: Iterable[str], framework: str
) -> SheetChoice:
    """The sheets for a design: on scenarios, the framework, the board, then its components.

    The order does not depend on that of ``components``. What does not fit into MAX_BYTES is left
    out from the end.
    """
    return choose(load_sheets(), board_model, part, components, framework)


def choose(
    sheets: Iterable[Sheet],
    board_model: str,
    part: str,
    components: Iterable[str],
    framework: str,
    max_bytes: int = MAX_BYTES,
) -> SheetChoice:
    """Choose among sheets."""
    wanted = frozenset(components)
    chosen: list[Sheet] = []
    omitted: list[str] = []
    room = max_bytes
    for sheet in sorted(sheets, key=_place):
        if not _applies(sheet, board_model, part, wanted, framework):
            continue
        size = len(sheet.rendered().encode()) + 1
        if omitted or size > room:
            omitted.append(sheet.id)
            continue
        room -= size
        chosen.append(sheet)
    return SheetChoice(sheets=tuple(chosen), omitted=tuple(omitted))


_ORDER = tuple(SheetKind)


def _place(sheet: Sheet) -> tuple[int, str]:
    return _ORDER.index(sheet.kind), sheet.id


def _applies(
    sheet: Sheet, board_model: str, part: str, components: frozenset[str], framework: str
) -> bool:
    match sheet.kind:
        case SheetKind.SCENARIO:
            return True
        case SheetKind.FRAMEWORK:
            return framework in sheet.frameworks
        case SheetKind.BOARD_FAMILY:
            return part in sheet.parts or board_model in sheet.boards
        case SheetKind.COMPONENT:
            return not components.isdisjoint(sheet.components)
