"""Which image goes onto the marked boards."""

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

_HELP = (
    "An image, or several with spaces between: each board gets its part's.\n"
    ".elf .hex .bin flasher_args.json; nothing: the image of the newest run."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashWish:
    """What the operator typed."""

    paths: str
    waves: str


class FlashScreen(ModalScreen[FlashWish | None]):
    """Asks for images and waves; enter starts, esc closes and keeps what was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="flash.close"),
    ]

    def __init__(self, boards: str, last: FlashWish) -> None:
        super().__init__()
        self._boards = boards
        self.wish = last

    def compose(self) -> ComposeResult:
        """Two lines to type in."""
        with Vertical(classes="dialog") as box:
            box.border_title = f"Flash {self._boards}"
            box.border_subtitle = "enter starts, tab changes the line, esc closes"
            yield Static(_HELP, markup=False)
            paths = Input(self.wish.paths, placeholder="image", id="paths", compact=True)
            paths.border_title = "image"
            yield paths
            waves = Input(
                self.wish.waves, placeholder="waves, e.g. 1,25%,rest", id="waves", compact=True
            )
            waves.border_title = "waves"
            yield waves

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one("#paths", Input).focus()

    @on(Input.Changed)
    def _typed(self) -> None:
        self.wish = FlashWish(
            paths=self.query_one("#paths", Input).value.strip(),
            waves=self.query_one("#waves", Input).value.strip(),
        )

    @on(Input.Submitted)
    def _start(self) -> None:
        self.dismiss(self.wish)

    def action_close(self) -> None:
        """Flash nothing."""
        self.dismiss(None)
