"""Small screens on top of others: a text, a question, the keys."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

HELP = """\
1       runs                           n       new run
2       bench                          3       designs that are kept
4       device clouds                  c       a run: the cloud of its device
enter   open what is under the cursor  esc     back
tab     next pane of a run             d       design and sketch
t       a run's attempts and costs     D       a run's design view
e       edit a design; evidence        c       compare revisions
s       keep a run's design            v       a design: validate it
f       follow a console or hold it    b       records shown or not
a       answer what a run asks         ↑ ↓     answers that would do
x       cancel a run (asks)            r       a run's sentence again
s       type a line at a board         y       copy
l       a run: its firmware live       l       the runs: live ones
v       live: put a value on an input  r, x    live: reset it, end it
space   mark a board                   F       flash the marked boards
R       flash again what did not pass  x       abort a flash (asks)
i       a board: ask its chip          r       a board: reset it
v       a board: recover it            h       a board: its health
Q       a board: quarantine or return  y       copy its name
n       the clouds: describe a stack   p       a stack: plan it
a, x    a stack: approve, reject       A       a stack: apply the plan
d, D    a stack: look for drift; plan  c       a stack: cancel what runs
        to destroy it                  o       a stack: sensitive outputs
e       a stack: devices and settings  delete  a stack: forget an empty one
s       a stack: message to a device
q       leave; runs go on without you  ?       these keys

▶ running   … waiting   ✓ PASSED   ✗ FAILED: the firmware is wrong
! BROKEN: the lab or a tool   - SKIPPED   ⊘ REFUSED: cannot, because …

Every key has a twin in the shell: benchline --help"""


class TextScreen(ModalScreen[None]):
    """Some lines to read; any of esc, enter, q closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "close", "Close", id="text.close"),
        Binding("y", "copy", "Copy", id="text.copy"),
    ]

    def __init__(self, title: str, lines: list[str]) -> None:
        super().__init__()
        self._heading = title
        self._lines = lines

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        with VerticalScroll(classes="dialog") as box:
            box.border_title = self._heading
            box.border_subtitle = "esc closes, y copies"
            yield Static(Text("\n".join(self._lines)))

    def action_close(self) -> None:
        """Back to the screen below."""
        self.dismiss(None)

    def action_copy(self) -> None:
        """Copy the whole text."""
        self.app.copy_to_clipboard("\n".join(self._lines))
        self.notify("copied")


class AskScreen(ModalScreen[bool]):
    """A question that is answered with y or n."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="ask.yes"),
        Binding("n,escape", "answer(False)", "No", id="ask.no"),
    ]

    def __init__(self, question: str, consequence: str) -> None:
        super().__init__()
        self._question = question
        self._consequence = consequence

    def compose(self) -> ComposeResult:
        """Question, consequence, answers."""
        with Vertical(classes="dialog") as box:
            box.border_title = self._question
            box.border_subtitle = "y yes   n no"
            yield Static(Text(self._consequence))

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)
