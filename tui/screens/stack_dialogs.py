"""What is asked about a stack: questions, its name before something goes away, and forms."""

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

from tui.screens.dialogs import AskScreen
from tui.stack_words import TARGETS

_BETWEEN = re.compile(r"[\s,]+")
_FIELDS = {
    "name": "name: small letters, digits, hyphens",
    "target": f"target: {' or '.join(TARGETS)}; nothing: {TARGETS[0]}",
    "add": "devices to hold, e.g. lamp greenhouse-1",
    "remove": "devices to hold no longer",
    "settings": "settings, e.g. port=18890; port= takes one back",
    "device": "device",
    "topic": "topic below the device's own, e.g. lamp/set",
    "text": "text, at most 256 bytes",
}
NEW_STACK = ("name", "target", "add", "settings")
CHANGED_STACK = ("add", "remove", "settings")
MESSAGE = ("device", "topic", "text")


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


Typed = dict[str, str]
"""What stands in the lines of a form, by their names."""


class FormScreen(ModalScreen[Typed | None]):
    """Lines to type in. What was typed stays until it was taken; ``take`` says what is wrong."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="form.close"),
    ]

    def __init__(
        self,
        title: str,
        about: str,
        fields: tuple[str, ...],
        *,
        take: Callable[[Typed], Awaitable[str]],
        filled: Typed | None = None,
    ) -> None:
        super().__init__()
        self._heading = title
        self._about = about
        self._fields = fields
        self._take = take
        self._filled = filled or {}

    def compose(self) -> ComposeResult:
        """What it is about, then a line for each thing."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._heading
            box.border_subtitle = "tab: next line, enter: do it, esc closes"
            yield Static(Text(self._about), classes="about")
            for name in self._fields:
                yield Input(
                    self._filled.get(name, ""),
                    placeholder=_FIELDS[name],
                    id=f"form-{name}",
                    compact=True,
                )
            yield Static(id="form-wrong", markup=False)

    def on_mount(self) -> None:
        """Type at once, in the first line that is empty."""
        lines = list(self.query(Input))
        next((one for one in lines if not one.value), lines[0]).focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        typed = {name: self.query_one(f"#form-{name}", Input).value for name in self._fields}
        self._say("…")
        self.run_worker(self._send(typed), group="form", exclusive=True)

    async def _send(self, typed: Typed) -> None:
        wrong = await self._take(typed)
        if wrong:
            self._say(wrong)
        else:
            self.dismiss(typed)

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


def ask_reject() -> AskScreen:
    """Before a plan is given up."""
    consequence = "The cloud stays as it is. A session that waits for it ends REFUSED."
    return AskScreen("Reject this plan?", consequence)


def ask_destroy(name: str) -> AskScreen:
    """Before the destruction is planned."""
    consequence = (
        "It is planned; nothing goes away yet. You see everything that would be\n"
        f"destroyed, and approve it with a by typing {name}."
    )
    return AskScreen(f"Plan to destroy {name}?", consequence)


def ask_forget(name: str) -> AskScreen:
    """Before an empty stack is forgotten."""
    return AskScreen(f"Forget {name}?", "Nothing of it is left; its history goes with it.")


def ask_secrets() -> AskScreen:
    """Before sensitive outputs are read."""
    consequence = (
        "The history will tell that you read them, not what they hold.\n"
        "Outputs that are not sensitive are shown without asking."
    )
    return AskScreen("Show the sensitive outputs?", consequence)
