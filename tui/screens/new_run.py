"""A new run: the sentence, and at once what would be understood."""

from typing import ClassVar

import grpc
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from tui.client import designs
from tui.client.connection import failure_of
from tui.client.operations import RunWish, start_session
from tui.prompts import EXAMPLES
from tui.screens.choose import Choice, ChooseScreen
from tui.screens.doors import doors
from tui.screens.run_cloud import CloudWishScreen
from tui.session import ConsoleSession
from tui.spending_words import micro_of, usd
from tui.state.design import DesignerFact, Preview
from tui.state.fact import Outcome, Stage
from tui.state.model import SessionSeen
from tui.widgets.paint import BOLD, DIM
from tui.widgets.preview_text import asked_later, preview_text

_PAUSE_S = 0.3
_OFFLINE = DesignerFact(designer="offline", ready=True, detail="known wordings; costs nothing")
_STAGES = {
    Stage.DESIGN: "no firmware is written",
    Stage.BUILD: "nothing is run",
    Stage.SIMULATE: "no board is touched",
    Stage.PROVISION: "its cloud is made; no board is touched",
    Stage.DEPLOY: "proved on a board",
}
_TEACH = "Type what the device should do; what is understood appears here.\nexamples: ctrl+e"


class ExampleList(OptionList):
    """Sentences that work; their numbers take them at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(number), f"take({number - 1})", show=False)
        for number in range(1, len(EXAMPLES) + 1)
    ]

    def action_take(self, index: int) -> None:
        """As if the cursor were there, and enter pressed."""
        self.highlighted = index
        self.action_select()


class NewRunScreen(CloudWishScreen):
    """Takes a sentence; esc keeps what was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="new.back", priority=True),
        Binding("f5,ctrl+enter,ctrl+j", "start", "Start", id="new.start", priority=True),
        Binding("ctrl+e", "examples", "Examples", id="new.examples", priority=True),
        Binding("ctrl+b", "board", "Board", id="new.board", priority=True),
        Binding("ctrl+g", "designer", "Designer", id="new.designer", priority=True),
        Binding("ctrl+t", "until", "Stop after", id="new.until", priority=True),
        Binding("ctrl+o", "ceiling", "Cost", id="new.ceiling", priority=True),
    ]

    def __init__(self, session: ConsoleSession) -> None:
        super().__init__(session)
        self._timer: Timer | None = None
        self._preview: Preview | None = None
        self._previewed = ("", "")
        self._starting = False
        self._board = ""
        self._until = Stage.DEPLOY
        self._designers: tuple[DesignerFact, ...] = (_OFFLINE,)
        self._designer = _OFFLINE

    def compose_body(self) -> ComposeResult:
        """Sentence, what else is wished, examples, preview."""
        prompt = TextArea(
            self.session.draft, id="prompt", soft_wrap=True, show_line_numbers=False, compact=True
        )
        prompt.border_title = "What should the device do?"
        yield prompt
        with Vertical(id="wishes"):
            with Horizontal(classes="wish-row"):
                yield Static(id="wish-board")
                yield Static(id="wish-designer")
            with Horizontal(classes="wish-row"):
                yield Static(id="wish-until")
                yield Static(id="wish-cost")
            with Horizontal(classes="wish-row"):
                yield Static(id="wish-stack")
                yield Static(id="wish-device")
            yield Static(id="wish-approval")
        with Horizontal(id="ceiling-row"):
            yield Static("cost ceiling in dollars:", id="ceiling-label")
            yield Input(
                placeholder="e.g. 0.50; nothing: the server's; enter goes back",
                id="ceiling",
                compact=True,
            )
        examples = [Option(Text(f"{n} {one}")) for n, one in enumerate(EXAMPLES, start=1)]
        yield ExampleList(*examples, id="examples", markup=False)
        with VerticalScroll(id="preview", can_focus=True):
            yield Static(_TEACH, id="preview-text", markup=False)

    def on_mount(self) -> None:
        """Type at once; the designers are read meanwhile."""
        self.query_one("#preview").border_title = "What I understood"
        self.query_one("#examples").border_title = "Examples: a number or enter takes one"
        self.query_one("#examples").display = False
        prompt = self.query_one("#prompt", TextArea)
        prompt.focus()
        prompt.move_cursor(prompt.document.end)
        self._paint_wishes()
        self.run_worker(self._read_designers(), group="designers", exclusive=True)
        self._look_soon()

    async def _read_designers(self) -> None:
        try:
            found = await designs.designers(self.session.connection)
        except grpc.aio.AioRpcError:
            return  # the preview tells that the server is away
        self._designers = found or self._designers
        self._paint_wishes()

    def _paint_wishes(self) -> None:
        rows = {
            "#wish-board": ("^b board", self._board or "the design picks"),
            "#wish-designer": ("^g designer", self._designer.designer),
            "#wish-until": ("^t stop after", f"{self._until.value}, {_STAGES[self._until]}"),
            "#wish-cost": ("^o cost", self._cost_words()),
            "#wish-stack": ("^l cloud", self.cloud.stack or "none"),
            "#wish-device": ("^n device", self.cloud.device_words),
            "#wish-approval": ("^r approval", self.cloud.approval_words),
        }
        for selector, (name, value) in rows.items():
            self.put(selector, Text.assemble((f"{name}  ", DIM), (value, BOLD)))

    def _cost_words(self) -> str:
        if not self._designer.costs:
            return "nothing: offline"
        own, server = self._ceiling, self._designer.session_ceiling
        if own:
            return f"at most {usd(own)}"
        return f"at most {usd(server)}, the server's" if server else "without a ceiling"

    @property
    def _prompt(self) -> str:
        return self.query_one("#prompt", TextArea).text.strip()

    @property
    def _ceiling(self) -> int | None:
        """Millionths of a dollar; 0 when nothing was typed, None when it is no amount."""
        typed = self.query_one("#ceiling", Input).value.strip()
        return micro_of(typed) if typed else 0

    @on(TextArea.Changed)
    def _typed(self) -> None:
        self.session.draft = self.query_one("#prompt", TextArea).text
        self._look_soon()

    @on(Input.Changed)
    def _typed_ceiling(self) -> None:
        self._paint_wishes()
        self.refresh_bindings()

    @on(Input.Submitted)
    def _took_ceiling(self) -> None:
        self.query_one("#ceiling-row").remove_class("shown")
        self.query_one("#prompt").focus()

    def _look_soon(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_PAUSE_S, self._look)

    def _look(self) -> None:
        self.refresh_bindings()
        self._read_preview()

    @work(group="preview", exclusive=True)
    async def _read_preview(self) -> None:
        asked = (self._prompt, self._board)
        if not asked[0]:
            self.put("#preview-text", Text(_TEACH, DIM))
            return
        if self._designer.costs:
            self.put("#preview-text", asked_later(self._designer))
            return
        try:
            preview = await designs.preview_design(self.session.connection, *asked)
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            self.put("#preview-text", Text(f"{failure.reason}: {failure.message}", "yellow"))
            return
        self._preview, self._previewed = preview, asked
        self.put("#preview-text", preview_text(asked[0], preview, self.app.size.width - 6))
        self.refresh_bindings()

    def reason_against(self, action: str) -> str | None:
        """A run needs a sentence that can be met, and an amount that is one."""
        if action == "start" and self.is_mounted:
            return self._reason_against_start() or super().reason_against(action)
        if action == "ceiling" and not self._designer.costs:
            return "the offline designer costs nothing; ctrl+g chooses another one"
        return super().reason_against(action)

    def _reason_against_start(self) -> str | None:
        if not self._prompt:
            return "type what the device should do first"
        if self._refused():
            return "this would be refused; the reasons are below the sentence"
        if not self._designer.costs:
            return None
        own, server = self._ceiling, self._designer.session_ceiling
        if own is None:
            return "the cost ceiling is no amount of dollars; ctrl+o goes there"
        if server and own > server:
            return f"the server allows at most {usd(server)} a session; ctrl+o goes there"
        return None

    def _refused(self) -> bool:
        """The preview of this very sentence says that it cannot be met."""
        if self._designer.costs:
            return False
        current = self._previewed == (self._prompt, self._board)
        return current and self._preview is not None and self._preview.outcome is Outcome.REFUSED

    @on(OptionList.OptionSelected, "#examples")
    def _took_example(self, event: OptionList.OptionSelected) -> None:
        prompt = self.query_one("#prompt", TextArea)
        prompt.load_text(EXAMPLES[event.option_index])
        self.query_one("#examples").display = False
        prompt.focus()
        prompt.move_cursor(prompt.document.end)

    def action_examples(self) -> None:
        """Show or hide the examples."""
        examples = self.query_one("#examples", OptionList)
        examples.display = not examples.display
        (examples if examples.display else self.query_one("#prompt")).focus()

    def action_board(self) -> None:
        """Choose the board, or let the design pick it."""
        self.run_worker(self._choose_board(), group="choose", exclusive=True)

    async def _choose_board(self) -> None:
        try:
            choices = await self._board_choices()
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            self.notify(failure.message, title=failure.reason, severity="error", markup=False)
            return
        chosen = await self.app.push_screen_wait(ChooseScreen("Board", choices, self._board))
        if chosen is not None:
            self._board = chosen
            self.wish_changed()

    async def _board_choices(self) -> list[Choice]:
        """With a design in sight the boards that can carry it, best first; else all of them."""
        connection = self.session.connection
        models = await designs.board_models(connection)
        about = {key: f"{name} ({part})" for key, name, part in models}
        pick = Choice(value="", title="let the design pick", detail="it says why")
        current = self._preview if self._previewed[0] == self._prompt else None
        if self._designer.costs or current is None or current.design is None:
            return [pick, *(Choice(value=key, title=key, detail=about[key]) for key in about)]
        given = designs.Given(document=current.design.document)
        found = await designs.suggest_boards(connection, given)
        return [
            pick,
            *(
                Choice(
                    value=one.board_model,
                    title=one.board_model,
                    detail="; ".join(one.reasons) or about.get(one.board_model, ""),
                    why_not=""
                    if one.fits
                    else " ".join(f"{f.message} {f.fix}".strip() for f in one.findings[:2])
                    or "it cannot carry this design",
                    words=about.get(one.board_model, ""),
                )
                for one in found
            ),
        ]

    def action_designer(self) -> None:
        """Choose who designs; one that cannot be used says how to make it ready."""
        self.run_worker(self._choose_designer(), group="choose", exclusive=True)

    async def _choose_designer(self) -> None:
        choices = [
            Choice(
                value=one.designer,
                title=one.designer,
                detail=f"{one.detail}{'; costs money' if one.costs else ''}",
                why_not="" if one.ready else f"{one.detail}. {one.fix}",
            )
            for one in self._designers
        ]
        screen = ChooseScreen("Who designs and writes", choices, self._designer.designer)
        chosen = await self.app.push_screen_wait(screen)
        if chosen is not None:
            self._designer = next(one for one in self._designers if one.designer == chosen)
            self.wish_changed()

    def action_until(self) -> None:
        """Choose the stage to stop after."""
        self.run_worker(self._choose_until(), group="choose", exclusive=True)

    async def _choose_until(self) -> None:
        choices = [
            Choice(value=stage.value, title=stage.value, detail=words)
            for stage, words in _STAGES.items()
            if stage is not Stage.PROVISION or self.cloud.stack
        ]
        screen = ChooseScreen("Stop after", choices, self._until.value)
        chosen = await self.app.push_screen_wait(screen)
        if chosen is not None:
            self._until = Stage(chosen)
            self.wish_changed()

    def wish_changed(self) -> None:
        """Show what is wished, and what that makes of the sentence."""
        self._paint_wishes()
        self._look_soon()

    def action_ceiling(self) -> None:
        """Type a cost ceiling."""
        self.query_one("#ceiling-row").add_class("shown")
        self.query_one("#ceiling").focus()

    def action_back(self) -> None:
        """Close what is open, else leave; the draft is kept."""
        if self.query_one("#examples").display:
            self.action_examples()
        elif self.query_one("#ceiling").has_focus:
            self._took_ceiling()
        else:
            self.app.pop_screen()

    def action_start(self) -> None:
        """Start the run and open it."""
        if not self._starting:
            self._starting = True
            self.run_worker(self._start(), group="start", exclusive=True)

    async def _start(self) -> None:
        wish = RunWish(
            prompt=self._prompt,
            board=self._board,
            designer=self._designer.designer,
            until=self._until,
            ceiling_micro_usd=(self._ceiling or 0) if self._designer.costs else 0,
            stack=self.cloud.stack,
            device=self.cloud.device if self.cloud.stack else "",
            auto_approve=self.cloud.by_rule,
        )
        try:
            started = await start_session(self.session.connection, wish)
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            self.notify(failure.message, title=failure.reason, severity="error", markup=False)
            return
        finally:
            self._starting = False
        self.session.draft = ""
        self.session.store.dispatch(SessionSeen(started))
        self.app.pop_screen()
        doors(self).open_run(started.name)
