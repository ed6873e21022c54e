"""Under which name, and with which note, a design is kept."""

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepWish:
    """What was typed; an empty name lets the server give one."""

    design_id: str
    note: str


NOTHING_TYPED = KeepWish(design_id="", note="")


class KeepScreen(ModalScreen[KeepWish | None]):
    """Shows what would be kept; enter keeps it, esc does not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="keep.close"),
        Binding("pagedown", "scroll(1)", "More", show=False, id="keep.more"),
        Binding("pageup", "scroll(-1)", "Less", show=False, id="keep.less"),
    ]

    def __init__(
        self, title: str, about: Text, *, named: bool, typed: KeepWish = NOTHING_TYPED
    ) -> None:
        super().__init__()
        self._wish = typed
        self._heading = title
        self._about = about
        self._named = named

    def compose(self) -> ComposeResult:
        """What it is about, then the lines to type in."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._heading
            next_line = "" if self._named else "tab: next line, "
            box.border_subtitle = f"{next_line}enter keeps it, esc does not"
            with VerticalScroll(id="keep-about", can_focus=False):
                yield Static(self._about, markup=False)
            if not self._named:
                yield Input(
                    self._wish.design_id,
                    placeholder="name: letters, digits, hyphens; none: one is given",
                    id="name",
                    compact=True,
                )
            yield Input(
                self._wish.note, placeholder="note: what it is about", id="note", compact=True
            )

    def on_mount(self) -> None:
        """Type at once."""
        self.query(Input).first().focus()

    @on(Input.Submitted)
    def _keep(self) -> None:
        named = self.query("#name").results(Input)
        name = next((one.value.strip() for one in named), "")
        self.dismiss(KeepWish(design_id=name, note=self.query_one("#note", Input).value.strip()))

    def action_scroll(self, pages: int) -> None:
        """Read on while the cursor stays in its line."""
        about = self.query_one("#keep-about", VerticalScroll)
        about.scroll_relative(y=pages * max(1, about.size.height - 1), animate=False)

    def action_close(self) -> None:
        """Keep nothing."""
        self.dismiss(None)
