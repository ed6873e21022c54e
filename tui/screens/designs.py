"""The designs that are kept."""

import time
from typing import ClassVar

import grpc
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.client.connection import failure_of
from tui.client.designs import kept_designs, watch_designs
from tui.screens.doors import doors
from tui.screens.frame import FramedScreen
from tui.session import ConsoleSession
from tui.state.design import StoredFact
from tui.widgets.design_text import stored_line
from tui.widgets.paint import BOLD, DIM
from tui.wording import one_line

_EMPTY = (
    "No designs are kept yet.\n\n"
    "D in a run shows its design, and s keeps it there; or in the shell:\n"
    '  benchline design "Blink the LED at 2 Hz" --name blinker'
)


class DesignList(OptionList):
    """Kept designs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", id="designs.open"),
    ]


class DesignsScreen(FramedScreen):
    """A list of kept designs, newest first; enter opens one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="designs.back"),
    ]

    def __init__(self, session: ConsoleSession) -> None:
        super().__init__(session)
        self._kept: tuple[StoredFact, ...] = ()

    def compose_body(self) -> ComposeResult:
        """A heading and the list, or what to do when it is empty."""
        yield Static(Text("Designs", BOLD), classes="title")
        yield DesignList(id="designs", markup=False)
        yield Static("Reading…", id="empty", markup=False)

    def on_mount(self) -> None:
        """The list has the keys, and is followed."""
        self.query_one("#designs").focus()
        self.run_worker(self._follow(), group="follow", exclusive=True)

    async def _follow(self) -> None:
        try:
            async for _ in watch_designs(self.session.connection):
                await self._read()
        except grpc.aio.AioRpcError as error:
            self._say(error)

    async def _read(self) -> None:
        try:
            kept = await kept_designs(self.session.connection)
        except grpc.aio.AioRpcError as error:
            self._say(error)
            return
        if not self.put("#empty", _EMPTY):
            return
        options = self.query_one("#designs", OptionList)
        self.query_one("#empty").display = not kept
        if kept != self._kept:
            at = options.highlighted or 0
            self._kept = kept
            options.clear_options()
            options.add_options([Option(_line(one)) for one in kept])
            options.highlighted = min(at, len(kept) - 1) if kept else None
        self.refresh_bindings()

    def _say(self, error: grpc.aio.AioRpcError) -> None:
        failure = failure_of(error)
        self.put("#empty", f"{failure.reason}: {failure.message}")

    @on(OptionList.OptionSelected)
    def _open(self, event: OptionList.OptionSelected) -> None:
        doors(self).open_design(self._kept[event.option_index].name)

    def action_back(self) -> None:
        """To the screen before."""
        self.app.pop_screen()


def _line(stored: StoredFact) -> Text:
    when = time.strftime("%d %b %H:%M", time.localtime(stored.update_ms / 1000))
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{stored.design_id:<16} ", BOLD)
    text.append(f"{one_line(stored.title, 60)}\n")
    return text.append(f"    {stored_line(stored, when)}", DIM)
