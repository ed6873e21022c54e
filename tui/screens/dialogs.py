"""Small screens on top of others: a text, a question, the keys."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

HELP = """\
everywhere
  1 to 4 runs, bench, designs, clouds  n      new run
  enter  what is under the cursor      esc    back
  ?      these keys                    y      copy
  q      leave; runs go on without you ctrl+p palette

runs, a run
  tab    next pane                     d      design and sketch
  a      answer what it asks           ↑ ↓    answers that would do
  t      its attempts, and their costs D      its design, whole
  l      live; in the list: live ones  r      its sentence again
  c      the cloud of its device       x      cancel it (asks)

a console, a live simulation
  f      follow, or hold still         b      records or not
  s      type a line                   v      put a value on an input
  r      reset it                      x      end it

a design
  → tab  next tab                      v      validate it
  s      keep a run's design           e      edit it
  r      run a kept one                c      compare revisions

the bench
  space  mark a board                  F      flash the marked boards
  R      flash again what did not pass x      abort a flash (asks)
  i      ask the chip who it is        r      reset the board
  v      recover it                    h      its health
  Q      out of service, or back

the clouds, a stack
  n      describe a new one            p      plan it
  a      approve the plan              x      reject the plan
  A      apply the plan                c      cancel what runs
  d      look for drift                D      plan to destroy it
  e      devices and settings          s      message to a device
  o      sensitive outputs (asks)      delete forget an empty one

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
