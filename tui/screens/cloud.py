"""One device cloud: its plan, what it gives, what Terraform does, and what happened."""

from typing import ClassVar

import grpc
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from tui.client import stacks
from tui.client.connection import failure_of
from tui.client.stack_facts import telemetry_of
from tui.client.watch import Back
from tui.clock import now_ms
from tui.cloud_wording import next_step, work_head
from tui.screens.frame import ELSEWHERE
from tui.screens.stack_acts import StackActs
from tui.session import ConsoleSession
from tui.state.cloud import StackView, reason_against_stack
from tui.state.model import Link, Model
from tui.widgets.paint import DIM
from tui.widgets.stack_text import (
    history_text,
    plan_text,
    stack_text,
    stack_title,
    work_text,
)
from tui.widgets.telemetry_pane import TelemetryPane
from tui.wording import one_line, visible

PANES = {
    "plan": "Plan",
    "stack": "Outputs & devices",
    "telemetry": "Telemetry",
    "history": "History",
    "work": "Terraform",
}
_WIDE_LEFT = ("plan", "stack", "telemetry", "history")
_READS = ("back", "next_pane", "copy")
_MISSING = "Reading the stack…"


class CloudScreen(StackActs):
    """Shows one stack. Wide terminals show two panes, narrow ones one at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="cloud.back"),
        Binding("tab", "next_pane", "Pane", id="cloud.pane", priority=True),
        Binding("p", "plan", "Plan", id="cloud.plan"),
        Binding("a", "approve", "Approve", id="cloud.approve"),
        Binding("x", "reject", "Reject", id="cloud.reject"),
        Binding("A", "apply", "Apply", id="cloud.apply"),
        Binding("d", "drift", "Drift", id="cloud.drift"),
        Binding("D", "destroy", "Destroy", id="cloud.destroy"),
        Binding("c", "cancel_operation", "Cancel", id="cloud.cancel"),
        Binding("e", "change", "Change", id="cloud.change", show=False),
        Binding("s", "send", "Send", id="cloud.send", show=False),
        Binding("o", "secrets", "Secrets", id="cloud.secrets", show=False),
        Binding("delete", "forget", "Forget", id="cloud.forget", show=False),
        Binding("y", "copy", "Copy", id="cloud.copy", show=False),
        *ELSEWHERE,
    ]

    def __init__(self, session: ConsoleSession, name: str, *, plan: bool = False) -> None:
        super().__init__(session, name)
        self._plan_at_once = plan
        self._pane = ""
        self._seen_digest = ""
        self._seen_work = ""
        self._said = ""
        self._shown: StackView | None = None
        self._heard = ""

    def compose_body(self) -> ComposeResult:
        """Title, panes, what moves, what to press."""
        yield Static(_MISSING, id="run-title", markup=False)
        with Horizontal(id="panes"):
            for name, title in PANES.items():
                if name == "telemetry":
                    telemetry = TelemetryPane(id="telemetry-pane", classes="pane")
                    telemetry.border_title = title
                    yield telemetry
                    continue
                with VerticalScroll(id=f"{name}-pane", classes="pane", can_focus=True) as pane:
                    pane.border_title = title
                    yield Static(id=f"{name}-text", markup=False)
        yield Static(id="last", markup=False)
        yield Static(id="next", markup=False)

    def on_mount(self) -> None:
        """Follow the stack from its first event."""
        self.session.feeds.follow_stack(self._stack_name)
        self.set_interval(0.5, self._paint_moving)
        self._show_pane("plan")
        if self._plan_at_once:
            self._act(stacks.plan_stack(self.session.connection, self.stack_id))

    def paint(self, model: Model) -> None:
        """Everything that the events decide."""
        view = self.view
        if view is None:
            gone = "It is forgotten; esc goes back." if self._shown is not None else _MISSING
            self.put("#run-title", gone)
            return
        self._choose_pane(view)
        self.put("#run-title", stack_title(view.fact))
        self.put("#stack-text", stack_text(view.fact))
        if self._shown is None or view.history != self._shown.history:
            self._paint_history(view)
        self._shown = view
        self._paint_moving()
        self._hear(view)

    def _hear(self, view: StackView) -> None:
        """Follow the telemetry of a cloud that was made, and anew after each apply."""
        operation = view.fact.operation
        made = operation.operation_id if operation is not None and operation.ended else ""
        source = f"{view.fact.endpoint} {made}" if view.fact.endpoint else ""
        if source == self._heard:
            return
        self._heard = source
        if source:
            self.run_worker(self._follow_telemetry(), group="telemetry", exclusive=True)

    async def _follow_telemetry(self) -> None:
        pane = self.query_one(TelemetryPane)
        pane.begin()
        try:
            async for told in stacks.follow_telemetry(self.session.connection, self.stack_id):
                if isinstance(told, Back):
                    pane.begin()
                else:
                    pane.hear(telemetry_of(told))
        except grpc.aio.AioRpcError as error:
            pane.say(visible(failure_of(error).message))

    def _paint_history(self, view: StackView) -> None:
        pane = self.query_one("#history-pane", VerticalScroll)
        at_end = pane.scroll_offset.y >= pane.max_scroll_y
        self.put("#history-text", history_text(view))
        if at_end:
            pane.scroll_end(animate=False)

    def _paint_moving(self) -> None:
        """What changes with the clock alone: the time that is left, the time that was spent."""
        view = self.view
        if view is None or not self.is_mounted:
            return
        at_ms = now_ms()
        self.put("#plan-text", plan_text(view, at_ms))
        self.put("#work-text", work_text(view, at_ms))
        busy = view.work is not None and not view.work.operation.ended
        told = work_head(view.work, at_ms) if busy and view.work else view.fact.message
        line = self._said or one_line(told, 300)
        style = "yellow" if self._said else "cyan" if busy else DIM
        self.put("#last", Text(f" {line}", style, no_wrap=True, overflow="ellipsis"))
        step = next_step(view.fact, at_ms)
        self.put("#next", Text(f" {step}", DIM, no_wrap=True, overflow="ellipsis"))

    def _choose_pane(self, view: StackView) -> None:
        """A new plan, a new run of Terraform and its end each show the pane that tells of them."""
        plan, operation = view.fact.plan, view.fact.operation
        digest = plan.digest if plan is not None and plan.open else ""
        work = f"{operation.operation_id} {operation.ended}" if operation is not None else ""
        first = self._shown is None
        new_plan, new_work = digest != self._seen_digest, work != self._seen_work
        self._seen_digest, self._seen_work = digest, work
        if new_work and not view.fact.busy:
            self._said = ""  # what was said of the run is past with it
        if new_plan and digest:
            self._show_pane("plan")
        elif new_work and view.fact.busy:
            self._show_pane("work")
        elif new_work and not first and operation is not None:
            self._show_pane("stack" if operation.state == "SUCCEEDED" else "work")
        elif first:
            self._show_pane("stack")

    def _show_pane(self, pane: str) -> None:
        if pane in _WIDE_LEFT or not self.wide:
            self._pane = pane
            for name in PANES:
                self.set_class(name == pane, f"pane-{name}")
        shown = self.query_one(f"#{pane}-pane", VerticalScroll)
        shown.focus()
        if pane == "history":  # the newest stands at its end
            shown.call_after_refresh(shown.scroll_end, animate=False)

    def on_resize(self) -> None:
        """From two panes to one, and back."""
        if self.wide and self._pane == "work":
            self._show_pane("stack")

    def reason_against(self, action: str) -> str | None:
        """What the stack allows; nothing while the control plane is away."""
        reason = reason_against_stack(self.view, action, now_ms())
        known = action not in _READS and hasattr(self, f"action_{action}")
        if known and self.model.link is not Link.LIVE:
            return "not connected; it comes back by itself"
        return reason or super().reason_against(action)

    def action_next_pane(self) -> None:
        """Around; a wide terminal shows Terraform's beside each of the others."""
        names = list(PANES)
        focused = next((n for n in names if self.query_one(f"#{n}-pane").has_focus), self._pane)
        self._show_pane(names[(names.index(focused) + 1) % len(names)])

    def _say(self, text: str) -> None:
        """Show a sentence until something else happens."""
        self._said = one_line(text, 300)
        self._paint_moving()

    def action_copy(self) -> None:
        """Copy what the focused pane shows."""
        focused = self.focused
        name = (focused.id or "").removesuffix("-pane") if focused is not None else ""
        view = self.view
        if view is None:
            return
        texts = {
            "plan": lambda: plan_text(view, now_ms()),
            "work": lambda: work_text(view, now_ms()),
            "telemetry": lambda: self.query_one(TelemetryPane).text,
            "history": lambda: history_text(view),
        }
        text = texts[name]() if name in texts else stack_text(view.fact)
        self.app.copy_to_clipboard(f"stack {self.stack_id} {view.fact.state}\n{text.plain}")
        self.notify(f"copied: {PANES.get(name, PANES['stack'])}")

    def action_back(self) -> None:
        """To the screen before."""
        self.app.pop_screen()
