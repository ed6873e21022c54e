"""A design whole: summary, wiring, pins, findings, parts list and revisions."""

import json
import time
from typing import ClassVar

import grpc
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from benchline.errors import BenchlineError
from tui.client import designs
from tui.client.connection import failure_of
from tui.client.designs import Checked, Given
from tui.editor import edit
from tui.screens.dialogs import AskScreen, TextScreen
from tui.screens.doors import doors
from tui.screens.frame import ELSEWHERE, FramedScreen
from tui.screens.keep import NOTHING_TYPED, KeepScreen, KeepWish
from tui.session import ConsoleSession
from tui.state.design import DesignFact, StoredFact
from tui.state.fact import Severity
from tui.state.model import Model, SessionSeen
from tui.widgets.design_text import (
    bom_text,
    changes_text,
    drawing_text,
    judged_text,
    pins_text,
    stored_line,
    summary_text,
)
from tui.widgets.paint import BOLD, DIM
from tui.wording import visible

TABS = ("summary", "wiring", "pins", "findings", "parts list", "revisions")
_MOST_PROBLEMS = 12
_NO_DESIGN = "There is no design: the findings of the run say why."
_NOT_KEPT = "This design belongs to a run. s keeps it under a name; then it can be edited and run."


class RevisionList(OptionList):
    """Revisions of a design."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", id="design.open"),
    ]


class DesignScreen(FramedScreen):
    """One design, of a run or kept under a name; ``name`` is a resource name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="design.back"),
        Binding("tab,right", "tab(1)", "Tab", id="design.tab", priority=True),
        Binding("shift+tab,left", "tab(-1)", "Tab back", id="design.untab", show=False),
        Binding("v", "validate", "Validate", id="design.validate"),
        Binding("e", "edit", "Edit", id="design.edit"),
        Binding("s", "keep", "Keep", id="design.keep"),
        Binding("r", "run", "Run", id="design.run"),
        Binding("c", "compare", "Compare", id="design.compare"),
        Binding("y", "copy", "Copy", id="design.copy"),
        *ELSEWHERE,
    ]

    def __init__(self, session: ConsoleSession, name: str) -> None:
        super().__init__(session)
        self._design_name = name
        self._tab = TABS[0]
        self._design: DesignFact | None = None
        self._stored: StoredFact | None = None
        self._revisions: tuple[StoredFact, ...] = ()
        self._texts: dict[str, Text] = {}
        self._sound: bool | None = None

    def compose_body(self) -> ComposeResult:
        """What it is, the tabs, and one of them."""
        yield Static(id="view-title")
        yield Static(id="view-tabs")
        with VerticalScroll(id="view", can_focus=True):
            yield Static("Reading the design…", id="view-text", markup=False)
        yield RevisionList(id="revisions", markup=False)

    def on_mount(self) -> None:
        """Read it once; a revision never changes."""
        self.query_one("#revisions").display = False
        self.query_one("#view").focus()
        self.run_worker(self._read(self._design_name), group="read", exclusive=True)

    async def _read(self, name: str) -> None:
        connection = self.session.connection
        try:
            found = await designs.read_design(connection, name)
            stored = found[1] if found is not None else None
            revisions = await designs.revisions(connection, stored.name) if stored else ()
        except grpc.aio.AioRpcError as error:
            self._tell(failure_of(error))
            return
        if found is None:
            self.put("#view-text", _NO_DESIGN)
            return
        self._design_name = name
        self._design, self._stored = found
        self._revisions = revisions
        self._texts, self._sound = {}, None
        self._fill_revisions()
        self._show(self._tab)

    def paint(self, model: Model) -> None:
        """The lines above the text."""
        design, stored = self._design, self._stored
        text = Text(no_wrap=True, overflow="ellipsis")
        if design is not None:
            where = f"{stored.design_id} @{stored.revision} of {stored.head}" if stored else ""
            text.append(f" {where or 'of a run, not kept'}", BOLD)
            text.append(f"  {design.board_model}  ")
            text.append(visible(design.title), DIM)
        self.query_one("#view-title", Static).update(text)
        tabs = Text(no_wrap=True, overflow="ellipsis")
        for tab in TABS:
            shown = f"[{tab}]" if tab == self._tab else f" {tab} "
            tabs.append(shown, "bold reverse" if tab == self._tab else DIM)
        self.query_one("#view-tabs", Static).update(tabs)

    def _show(self, tab: str) -> None:
        """Show a tab; what the server has to be asked for comes when it is there."""
        self._tab = tab
        listed = tab == "revisions" and bool(self._revisions)
        revisions, view = self.query_one("#revisions"), self.query_one("#view", VerticalScroll)
        revisions.display, view.display = listed, not listed
        (revisions if listed else view).focus()
        self.repaint()
        design = self._design
        if design is None:
            return
        text = self._texts.get(tab) or self._made_here(tab, design)
        view.scroll_home(animate=False)
        self.put("#view-text", text or Text("reading…", DIM))
        if text is None:
            self._ask_for(tab, design)

    def _made_here(self, tab: str, design: DesignFact) -> Text | None:
        match tab:
            case "summary":
                return summary_text(design, self._room)
            case "pins":
                return pins_text(design, self._room)
            case "revisions":
                return Text(_NOT_KEPT, DIM)
            case _:
                return None

    @property
    def _room(self) -> int:
        return max(40, self.app.size.width - 6)

    @work(group="tab", exclusive=True)
    async def _ask_for(self, tab: str, design: DesignFact) -> None:
        connection, given = self.session.connection, Given(document=design.document)
        try:
            match tab:
                case "wiring":
                    text = drawing_text(await designs.draw(connection, given, "text"))
                case "parts list":
                    text = bom_text(await designs.draw(connection, given, "bom"), self._room)
                case _:
                    self._sound, findings = await designs.validate(connection, given)
                    text = judged_text(findings, sound=self._sound)
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            text = Text(f"{failure.reason}: {failure.message}", "yellow")
        else:
            self._texts[tab] = text
        if self._tab == tab:
            self.put("#view-text", text)

    def _fill_revisions(self) -> None:
        options = self.query_one("#revisions", OptionList)
        options.clear_options()
        for one in self._revisions:
            when = time.strftime("%d %b %H:%M", time.localtime(one.update_ms / 1000))
            options.add_option(Option(Text(stored_line(one, when), no_wrap=True)))
        if self._revisions:
            options.highlighted = 0

    def _tell(self, error: BenchlineError) -> None:
        self.notify(error.message, title=error.reason, severity="error", markup=False)

    def on_resize(self) -> None:
        """Columns are wrapped to the width."""
        if self._design is not None:
            self._texts.pop("parts list", None)
            self._show(self._tab)

    def reason_against(self, action: str) -> str | None:
        """What a design of a run, or an older revision, does not allow."""
        stored = self._stored
        if self._design is None and action in ("validate", "edit", "keep", "run", "copy"):
            return "the design is not there"
        if action == "keep" and stored is not None:
            return "it is kept already; e makes the next revision"
        if action == "run" and stored is None:
            return "keep it first (s): a run starts from a kept design"
        if action == "run" and self._sound is False:
            return "the rules forbid it; the tab of findings says why"
        if action == "edit" and stored is not None and stored.revision != stored.head:
            return "an older revision never changes; enter on the newest one, then edit it"
        if action == "compare" and (self._tab != "revisions" or len(self._revisions) < 2):
            return "comparing goes with the tab of revisions, where there are two"
        changing = "start" if action in ("edit", "keep", "run") else action
        return super().reason_against(changing)

    def action_back(self) -> None:
        """To the screen before."""
        self.app.pop_screen()

    def action_tab(self, by: int) -> None:
        """The next tab, and around."""
        self._show(TABS[(TABS.index(self._tab) + by) % len(TABS)])

    def action_validate(self) -> None:
        """Ask the rules again."""
        self._texts.pop("findings", None)
        self._show("findings")

    def action_copy(self) -> None:
        """Copy the document."""
        if self._design is not None:
            self.app.copy_to_clipboard(self._design.document)
            self.notify("copied the document")

    @on(OptionList.OptionSelected)
    def _open_revision(self, event: OptionList.OptionSelected) -> None:
        self._tab = TABS[0]
        chosen = self._revisions[event.option_index]
        self.run_worker(self._read(chosen.revision_name), group="read", exclusive=True)

    def action_compare(self) -> None:
        """Everything that differs between the revision under the cursor and the one shown."""
        at = self.query_one("#revisions", OptionList).highlighted
        if at is not None and self._stored is not None:
            if self._revisions[at].revision == self._stored.revision:
                self.notify("this one is shown: move to another one, then compare")
                return
            self.run_worker(
                self._compare(self._revisions[at], self._stored), group="compare", exclusive=True
            )

    async def _compare(self, one: StoredFact, other: StoredFact) -> None:
        left, right = sorted((one, other), key=lambda stored: stored.revision)
        try:
            changed = await designs.changes(
                self.session.connection,
                Given(name=left.revision_name),
                Given(name=right.revision_name),
            )
        except grpc.aio.AioRpcError as error:
            self._tell(failure_of(error))
            return
        text = changes_text(changed, f"@{left.revision}", f"@{right.revision}")
        self.app.push_screen(TextScreen("Differences", text.plain.splitlines()))

    def action_run(self) -> None:
        """Build and prove it."""
        if self._stored is not None:
            self.run_worker(self._run(self._stored), group="run", exclusive=True)

    async def _run(self, stored: StoredFact) -> None:
        try:
            name = f"{stored.name}/revisions/{stored.revision}"
            started = await designs.run_design(self.session.connection, name)
        except grpc.aio.AioRpcError as error:
            self._tell(failure_of(error))
            return
        self.session.store.dispatch(SessionSeen(started))
        doors(self).open_run(started.name)

    def action_keep(self) -> None:
        """Keep the design of a run under a name."""
        self.run_worker(self._keep(), group="keep", exclusive=True)

    async def _keep(self) -> None:
        if self._design is None:
            return
        about = Text(f"{visible(self._design.title)} on {self._design.board_model}")
        await self._keep_document(self._design.document, about)

    async def _keep_document(self, document: str, about: Text) -> None:
        """Ask for name and note until it is kept or left: a new design, or the next revision."""
        stored = self._stored
        title = (
            f"Keep as @{stored.head + 1} of {stored.design_id}?" if stored else "Keep the design"
        )
        typed, told = NOTHING_TYPED, about
        while True:
            asked = KeepScreen(title, told, named=stored is not None, typed=typed)
            wish: KeepWish | None = await self.app.push_screen_wait(asked)
            if wish is None:
                return
            try:
                kept = await self._kept(document, wish, stored)
            except grpc.aio.AioRpcError as error:
                failure = failure_of(error)
                typed = wish
                told = Text(f"⊘ {failure.reason}: {failure.message}\n\n", "yellow")
                told.append_text(about)
            else:
                self.notify(f"kept as {kept.design_id} @{kept.revision}")
                await self._read(kept.name)
                return

    async def _kept(self, document: str, wish: KeepWish, stored: StoredFact | None) -> StoredFact:
        connection = self.session.connection
        if stored is not None:
            return await designs.revise_design(connection, stored, document, wish.note)
        given = Given(document=document)
        return await designs.keep_design(
            connection, given, design_id=wish.design_id, note=wish.note
        )

    def action_edit(self) -> None:
        """The document in the operator's editor, then its check, then a new revision."""
        self.run_worker(self._edit(), group="edit", exclusive=True)

    async def _edit(self) -> None:
        if self._design is None:
            return
        before = self._design.document
        text = json.dumps(json.loads(before), indent=2, ensure_ascii=False) + "\n"
        try:
            checked = await self._edited_until_read(text)
            if checked is None or checked.design is None:
                return
            after = checked.design.document
            changed = await designs.changes(
                self.session.connection, Given(document=before), Given(document=after)
            )
        except grpc.aio.AioRpcError as error:
            self._tell(failure_of(error))
            return
        if not changed:
            self.notify("nothing differs, so nothing is kept")
            return
        about = changes_text(changed, "the revision shown", "what was edited").append("\n")
        sound = not any(one.severity is Severity.ERROR for one in checked.findings)
        about.append_text(judged_text(checked.findings, sound=sound))
        await self._keep_document(after, about)

    async def _edited_until_read(self, text: str) -> Checked | None:
        """An edited document that is a design; None when the operator leaves it."""
        while True:
            edited = self._edited(text)
            if edited is None:
                return None
            if edited == text:
                self.notify("nothing was changed")
                return None
            checked = await designs.check_document(self.session.connection, edited)
            if checked.design is not None:
                return checked
            problems = "\n".join(visible(one) for one in checked.problems[:_MOST_PROBLEMS])
            again = AskScreen("This is no design. Edit it again?", problems)
            if not await self.app.push_screen_wait(again):
                return None
            text = edited

    def _edited(self, text: str) -> str | None:
        """What the editor left; the console waits, since the terminal is the editor's."""
        try:
            with self.app.suspend():
                return edit(text, suffix=".json")
        except SuspendNotSupported:
            self.notify(
                "this terminal cannot be given to an editor: `benchline design edit NAME FILE`",
                severity="warning",
                markup=False,
            )
        except BenchlineError as error:
            self._tell(error)
        return None
