"""The list of device clouds."""

from typing import ClassVar

import grpc
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Static

from tui.client import stacks
from tui.client.connection import failure_of
from tui.client.stack_facts import stack_of
from tui.screens.doors import doors
from tui.screens.frame import FramedScreen
from tui.screens.stack_dialogs import NEW_STACK, FormScreen, Typed, read_form
from tui.session import ConsoleSession
from tui.state.model import Link, Model, StackSeen
from tui.state.stack import StackFact
from tui.widgets.paint import DIM
from tui.widgets.row_table import RowTable
from tui.widgets.stack_text import HEADS, stack_row
from tui.wording import one_line

_NEXT_WIDTH = 60
_WIDTHS = {"Stack": 16, "Target": 7, "State": 13, "Devices": 10, "Drift": 10}
EMPTY = (
    "No device clouds yet.\n\n"
    "A stack is the cloud side of some devices: a broker, an identity for each\n"
    "of them, and what keeps their telemetry. Terraform makes it; nothing is\n"
    "made before you have seen the plan and approved it.\n\n"
    "  n   describe one: name, target, devices; it is planned at once\n\n"
    "Or let a run provision its own device:\n"
    '  benchline run "Publish the uptime every 10 seconds." --stack local\n'
    "From a shell:  benchline stack plan NAME --device lamp"
)
ABOUT_NEW = (
    "local: an MQTT broker on this machine. aws-iot: AWS, with your credentials.\n"
    "It is planned at once; nothing is made before you approve the plan.\n"
)


class CloudsScreen(FramedScreen):
    """Every stack, newest first; enter opens one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="clouds.back"),
        Binding("n", "new_stack", "New stack", id="clouds.new"),
        Binding("y", "copy", "Copy name", id="clouds.copy"),
    ]

    def __init__(self, session: ConsoleSession) -> None:
        super().__init__(session)
        self._shown: list[StackFact] = []

    def compose_body(self) -> ComposeResult:
        """The table, or what to do when it is empty."""
        yield Static("Device clouds", classes="title")
        yield Static("Reading the list…", id="empty", markup=False)
        yield RowTable("Open", id="clouds")
        yield Static(id="detail", markup=False)

    def on_mount(self) -> None:
        """Fixed column widths: measuring them on every update is slow. The list is followed."""
        for name in HEADS:
            self._table.add_column(name, width=_WIDTHS.get(name, _NEXT_WIDTH), key=name)
        self.session.feeds.follow_stacks()

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#clouds", DataTable)

    @property
    def selected(self) -> StackFact | None:
        """The stack under the cursor."""
        row = self._table.cursor_row
        return self._shown[row] if row < len(self._shown) else None

    def paint(self, model: Model) -> None:
        """The rows, when one of them changed."""
        found = [view.fact for view in model.stacks.values()]
        found.sort(key=lambda one: (-one.create_ms, one.name))
        if found != self._shown:
            self._rebuild(found)
        empty = self.query_one("#empty", Static)
        empty.display = not found
        self._table.display = bool(found)
        if not found:
            empty.update(self._empty_text(model))
        self._paint_detail()

    def _empty_text(self, model: Model) -> str:
        if model.link is Link.AWAY:
            return "The control plane is away; it comes back by itself."
        return EMPTY if model.stacks_listed else "Reading the list…"

    def _rebuild(self, found: list[StackFact]) -> None:
        kept = self.selected
        self._table.clear()
        self._shown = found
        for one in found:
            self._table.add_row(*stack_row(one), key=one.name)
        names = [one.name for one in found]
        if kept is not None and kept.name in names:
            self._table.move_cursor(row=names.index(kept.name))
        if self.is_current:
            self._table.focus()

    def _paint_detail(self) -> None:
        stack = self.selected
        detail = self.query_one("#detail", Static)
        detail.display = stack is not None
        if stack is not None:
            told = one_line(stack.message, 300) if stack.message else "nothing happened to it yet"
            shell = f"\nfrom a shell: {stack.next_action}" if stack.next_action else ""
            detail.update(Text(f"{told}{shell}", DIM))

    def reason_against(self, action: str) -> str | None:
        """Opening and copying need a stack; a new one needs the control plane."""
        if action in ("select_cursor", "copy") and self.is_mounted and self.selected is None:
            return "there is no stack to choose; n describes one"
        if action == "new_stack" and self.model.link is not Link.LIVE:
            return "not connected; it comes back by itself"
        return super().reason_against(action)

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._paint_detail()
        self.refresh_bindings()

    @on(DataTable.RowSelected)
    def _opened(self) -> None:
        if self.selected is not None:
            doors(self).open_stack(self.selected.name)

    def action_new_stack(self) -> None:
        """Describe one, and plan it."""
        form = FormScreen("A new device cloud", ABOUT_NEW, NEW_STACK, take=self._create)
        self.app.push_screen(form, self._created)

    async def _create(self, typed: Typed) -> str:
        form = read_form(typed)
        if isinstance(form, str):
            return form
        connection = self.session.connection
        try:
            made = await stacks.create_stack(
                connection, form.name, form.target, form.add, dict(form.settings)
            )
        except grpc.aio.AioRpcError as error:
            return one_line(failure_of(error).message, 300)
        self.session.store.dispatch(StackSeen(stack_of(made)))
        return ""

    def _created(self, typed: Typed | None) -> None:
        if typed is not None:
            name = f"stacks/{typed['name'].strip()}"
            doors(self).open_stack(name, plan=True)

    def action_copy(self) -> None:
        """Copy the name."""
        if self.selected is not None:
            self.app.copy_to_clipboard(self.selected.stack_id)
            self.notify(f"copied {self.selected.stack_id}")

    def action_back(self) -> None:
        """To the screen before."""
        self.app.pop_screen()
