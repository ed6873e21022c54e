"""A choice out of many, with a line to search in; what cannot be chosen says why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.widgets.paint import BOLD, DIM
from tui.wording import visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Something to choose. ``why_not`` is empty when it can be chosen, ``words`` are searched."""

    value: str
    title: str
    detail: str = ""
    why_not: str = ""
    words: str = ""

    def fits(self, search: str) -> bool:
        """Whether every word of a search is somewhere in it."""
        text = f"{self.title} {self.detail} {self.words}".lower()
        return all(word in text for word in search.lower().split())


class ChooseScreen(ModalScreen[str | None]):
    """Type to search, arrows to move, enter takes; esc changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="choose.close"),
        Binding("down", "move(1)", "Next", show=False, priority=True, id="choose.next"),
        Binding("up", "move(-1)", "Before", show=False, priority=True, id="choose.before"),
        Binding("enter", "take", "Take", show=False, priority=True, id="choose.take"),
    ]

    def __init__(self, title: str, choices: Sequence[Choice], chosen: str) -> None:
        super().__init__()
        self._heading = title
        self._choices = tuple(choices)
        self._chosen = chosen
        self._shown: tuple[Choice, ...] = ()

    def compose(self) -> ComposeResult:
        """What is searched for, and what fits."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._heading
            box.border_subtitle = "type to search, enter takes, esc changes nothing"
            yield Input(placeholder="search", id="search", compact=True)
            yield OptionList(id="choices", markup=False)
            yield Static(id="why-not", markup=False)

    def on_mount(self) -> None:
        """Begin at what is chosen now."""
        self.query_one("#search", Input).focus()
        self._fill("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def _fill(self, search: str) -> None:
        options = self.query_one("#choices", OptionList)
        self._shown = tuple(one for one in self._choices if one.fits(search))
        options.clear_options()
        options.add_options([Option(_line(one)) for one in self._shown])
        values = [one.value for one in self._shown]
        if values:
            options.highlighted = values.index(self._chosen) if self._chosen in values else 0
        self._tell_why()

    @on(OptionList.OptionHighlighted)
    def _tell_why(self) -> None:
        one = self._current
        why = visible(one.why_not) if one is not None else "nothing here fits; esc changes nothing"
        self.query_one("#why-not", Static).update(Text(f"⊘ {why}" if why else "", "yellow"))

    @property
    def _current(self) -> Choice | None:
        at = self.query_one("#choices", OptionList).highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    @on(OptionList.OptionSelected)
    def action_take(self) -> None:
        """Close with what is under the cursor, when it can be chosen."""
        one = self._current
        if one is None:
            return
        if one.why_not:
            self.notify(one.why_not, title=one.title, severity="warning", markup=False)
            return
        self.dismiss(one.value)

    def action_move(self, by: int) -> None:
        """Move the cursor while the search keeps what is typed."""
        options = self.query_one("#choices", OptionList)
        if by > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_close(self) -> None:
        """Change nothing."""
        self.dismiss(None)


def _line(choice: Choice) -> Text:
    text = Text()
    if choice.why_not:
        text.append(f"⊘ {visible(choice.title)}", DIM)
    else:
        text.append(visible(choice.title), BOLD)
    if choice.detail:
        text.append(f"\n    {visible(choice.detail)}", DIM)
    return text
