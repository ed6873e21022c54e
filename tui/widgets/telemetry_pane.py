"""What the devices of a cloud publish, painted at a fixed rate however fast it comes."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.cloud_wording import telemetry_lines
from tui.state.cloud import Telemetry, hear
from tui.state.stack import TelemetryTold

_PAINT_S = 0.25
_SILENT = "Telemetry is read once the cloud is made."


class TelemetryPane(VerticalScroll):
    """The newest messages of each device."""

    def __init__(self, *, id: str, classes: str) -> None:  # noqa: A002  # Textual's word
        super().__init__(id=id, classes=classes, can_focus=True)
        self._telemetry: Telemetry = {}
        self._instead = _SILENT
        self._changed = True

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(id="telemetry-text", markup=False)

    def on_mount(self) -> None:
        """Paint what changed."""
        self.set_interval(_PAINT_S, self._paint)

    @property
    def text(self) -> Text:
        """What is shown, or will be soon."""
        if self._instead:
            return Text(self._instead, "yellow")
        return Text("\n".join(telemetry_lines(self._telemetry)))

    def begin(self) -> None:
        """Forget what was heard: it is told again."""
        self._telemetry = {}
        self.say("")

    def hear(self, told: TelemetryTold) -> None:
        """Show one more message."""
        self._telemetry = hear(self._telemetry, told)
        self._changed = True

    def say(self, instead: str) -> None:
        """Show why nothing is heard; with "" show what is."""
        self._instead = instead
        self._changed = True

    def _paint(self) -> None:
        if self._changed:
            self._changed = False
            self.query_one("#telemetry-text", Static).update(self.text)
