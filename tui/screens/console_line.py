"""What screens with one console and a line to type have in common."""

from rich.style import Style
from rich.text import Text
from textual.widgets import Input, Static

from tui.screens.frame import FramedScreen
from tui.widgets.console_pane import ConsolePane


class ConsoleLineScreen(FramedScreen):
    """A `ConsolePane`, the hidden `Input` `#line`, and `#sent`, which says what became of it."""

    def _say(self, text: str, style: Style | str) -> None:
        self.query_one("#sent", Static).update(Text(f" {text}", style))

    def action_back(self) -> None:
        """Close the line, else to the screen before."""
        line = self.query_one("#line", Input)
        if line.display:
            line.display = False
            self.query_one(ConsolePane).focus()
            return
        self.app.pop_screen()

    def action_copy(self) -> None:
        """Copy what is in view."""
        self.app.copy_to_clipboard(self.query_one(ConsolePane).visible_text())
        self.notify("copied the lines in view")
