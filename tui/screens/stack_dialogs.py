"""What is asked about a stack: its name before something goes away, its devices and settings."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.stack_words import TARGETS

_BETWEEN = re.compile(r"[\s,]+")
_FIELDS = {
    "name": "name: small letters, digits, hyphens",
    "target": f"target: {' or '.join(TARGETS)}; nothing: {TARGETS[0]}",
    "add": "devices to hold, e.g. lamp greenhouse-1",
    "remove": "devices to hold no longer",
    "settings": "settings, e.g. port=18890; port= takes one back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StackForm:
    """What was typed about a stack. A new one has a name; settings are pairs."""

    name: str = ""
    target: str = ""
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


def read_form(typed: dict[str, str]) -> StackForm | str:
    """What was typed, or a sentence about what is wrong with it. Pure."""
    settings = []
    for word in filter(None, _BETWEEN.split(typed.get("settings", ""))):
        name, equals, value = word.partition("=")
        if not (name and equals):
            return f"{word[:40]!r} is no setting; it has the form NAME=VALUE"
        settings.append((name, value))
    name, target = typed.get("name", "").strip(), typed.get("target", "").strip()
    if "name" in typed and not name:
        return "a stack needs a name"
    if target and target not in TARGETS:
        return f"there is no target {target[:40]!r}; there is: {', '.join(TARGETS)}"
    return StackForm(
        name=name,
        target=target or TARGETS[0],
        add=_words(typed.get("add", "")),
        remove=_words(typed.get("remove", "")),
        settings=tuple(settings),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, _BETWEEN.split(text)))


class StackFormScreen(ModalScreen[StackForm | None]):
    """Takes a stack's description. What was typed stays until the server has taken it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="stack_form.close"),
    ]

    def __init__(
        self, title: str, about: str, *, new: bool, take: Callable[[StackForm], Awaitable[str]]
    ) -> None:
        super().__init__()
        self._heading = title
        self._about = about
        self._fields = (
            ("name", "target", "add", "settings") if new else ("add", "remove", "settings")
        )
        self._take = take

    def compose(self) -> ComposeResult:
        """What it is about, then a line for each thing."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._heading
            box.border_subtitle = "tab: next line, enter plans it, esc closes"
            yield Static(Text(self._about), classes="about")
            for name in self._fields:
                yield Input(placeholder=_FIELDS[name], id=f"form-{name}", compact=True)
            yield Static(id="form-wrong", markup=False)

    def on_mount(self) -> None:
        """Type at once."""
        self.query(Input).first().focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        typed = {name: self.query_one(f"#form-{name}", Input).value for name in self._fields}
        form = read_form(typed)
        if isinstance(form, str):
            self._say(form)
            return
        self._say("…")
        self.run_worker(self._send(form), group="form", exclusive=True)

    async def _send(self, form: StackForm) -> None:
        wrong = await self._take(form)
        if wrong:
            self._say(wrong)
        else:
            self.dismiss(form)

    def _say(self, text: str) -> None:
        for line in self.query("#form-wrong").results(Static):
            line.update(Text(text, "yellow"))

    def action_close(self) -> None:
        """Change nothing."""
        self.dismiss(None)


class TypeNameScreen(ModalScreen[str]):
    """Asks for the name of a stack, letter by letter; "" when somebody thought better of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="type_name.close"),
    ]

    def __init__(self, title: str, lines: list[str], name: str) -> None:
        super().__init__()
        self._heading = title
        self._lines = lines
        self._wanted = name

    def compose(self) -> ComposeResult:
        """What would happen, and the line."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._heading
            box.border_subtitle = f"type {self._wanted} and enter; esc: no"
            with VerticalScroll(id="keep-about", can_focus=False):
                yield Static(Text("\n".join(self._lines)))
            yield Input(placeholder=self._wanted, id="typed-name", compact=True)
            yield Static(id="form-wrong", markup=False)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        typed = event.value.strip()
        if typed == self._wanted:
            self.dismiss(typed)
            return
        wrong = f"that is not {self._wanted}; nothing was approved"
        self.query_one("#form-wrong", Static).update(Text(wrong, "yellow"))

    def action_close(self) -> None:
        """No."""
        self.dismiss("")
