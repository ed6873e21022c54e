"""What is done to a stack, asked for with a key: each act is a call, its effects come as events."""

from abc import abstractmethod
from collections.abc import Awaitable

import grpc

from benchline.v1 import stack_pb2
from tui.client import stacks
from tui.client.connection import failure_of
from tui.client.stack_facts import stack_of
from tui.cloud_wording import approval_lines
from tui.screens.dialogs import AskScreen, TextScreen
from tui.screens.frame import FramedScreen
from tui.screens.stack_dialogs import (
    CHANGED_STACK,
    MESSAGE,
    FormScreen,
    Typed,
    TypeNameScreen,
    ask_destroy,
    ask_forget,
    ask_reject,
    ask_secrets,
    read_form,
)
from tui.session import ConsoleSession
from tui.state.cloud import StackView
from tui.state.model import StackGone, StackSeen
from tui.wording import one_line, visible

ABOUT_MESSAGE = "Its sketch gets it from Cloud.subscribe.\n"
ABOUT_CHANGE = "What is typed here changes what the stack is to be; a plan of it is made at once.\n"


class StackActs(FramedScreen):
    """The keys of one stack; a screen shows it."""

    def __init__(self, session: ConsoleSession, name: str) -> None:
        super().__init__(session)
        self._stack_name = name

    @property
    def view(self) -> StackView | None:
        """The stack as far as it is known."""
        return self.model.stacks.get(self._stack_name)

    @property
    def stack_id(self) -> str:
        """The name without its collection."""
        return self._stack_name.rpartition("/")[2]

    @abstractmethod
    def _say(self, text: str) -> None:
        """Show a sentence until something else happens; "" takes it away."""

    def action_plan(self) -> None:
        """What would be made or changed."""
        self._act(stacks.plan_stack(self.session.connection, self.stack_id))

    def action_drift(self) -> None:
        """What was changed outside."""
        self._act(stacks.detect_drift(self.session.connection, self.stack_id))

    def action_apply(self) -> None:
        """Apply what was approved."""
        self._act(stacks.apply_stack(self.session.connection, self.stack_id))

    def action_cancel_operation(self) -> None:
        """Ask what runs to end."""
        self._act(stacks.cancel_operation(self.session.connection, self.stack_id))
        self._say("asked it to end: what is being made is finished or undone first")

    def action_approve(self) -> None:
        """Ask, then approve the plan that is shown; what goes away takes the stack's name."""
        view = self.view
        plan = view.plan if view is not None else None
        if view is None or plan is None:
            return
        digest, lines = plan.digest, approval_lines(view.fact, plan)

        def typed(name: str | None) -> None:
            if name:
                self._approve(digest, confirmation=name)

        def answered(yes: bool | None) -> None:
            if yes:
                self._approve(digest)

        if plan.confirmation_needed:
            title = f"Approve what takes something away from {self.stack_id}?"
            self.app.push_screen(TypeNameScreen(title, lines, self.stack_id), typed)
        else:
            self.app.push_screen(AskScreen("Approve this plan?", "\n".join(lines)), answered)

    def _approve(self, digest: str, *, confirmation: str = "") -> None:
        connection = self.session.connection
        self._act(stacks.approve_plan(connection, self.stack_id, digest, confirmation=confirmation))

    def action_reject(self) -> None:
        """Ask, then give the plan up."""
        view = self.view
        plan = view.plan if view is not None else None
        if plan is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._act(stacks.reject_plan(self.session.connection, self.stack_id, plan.digest))

        self.app.push_screen(ask_reject(), answered)

    def action_destroy(self) -> None:
        """Ask, then plan the destruction; approving that plan takes the stack's name."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._act(stacks.destroy_stack(self.session.connection, self.stack_id))

        self.app.push_screen(ask_destroy(self.stack_id), answered)

    def action_forget(self) -> None:
        """Ask, then forget an empty stack."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._forget(), group="act")

        self.app.push_screen(ask_forget(self.stack_id), answered)

    async def _forget(self) -> None:
        try:
            await stacks.delete_stack(self.session.connection, self.stack_id)
        except grpc.aio.AioRpcError as error:
            self._say(failure_of(error).message)
            return
        self.session.store.dispatch(StackGone(self._stack_name))
        self.app.pop_screen()

    def action_change(self) -> None:
        """Devices and settings; a plan of them is made at once."""
        title = f"Devices and settings of {self.stack_id}"
        self.app.push_screen(FormScreen(title, ABOUT_CHANGE, CHANGED_STACK, take=self._change))

    async def _change(self, typed: Typed) -> str:
        form = read_form(typed)
        if isinstance(form, str):
            return form
        try:
            await stacks.plan_stack(
                self.session.connection,
                self.stack_id,
                add=form.add,
                remove=form.remove,
                settings=dict(form.settings),
            )
        except grpc.aio.AioRpcError as error:
            return one_line(failure_of(error).message, 300)
        return ""

    def action_send(self) -> None:
        """A message to a device."""
        devices = self.view.fact.devices if self.view is not None else ()
        filled = {"device": devices[0].device} if len(devices) == 1 else {}
        title = f"A message to a device of {self.stack_id}"
        self.app.push_screen(
            FormScreen(title, ABOUT_MESSAGE, MESSAGE, take=self._send, filled=filled)
        )

    async def _send(self, typed: Typed) -> str:
        device, topic = typed["device"].strip(), typed["topic"].strip()
        try:
            await stacks.send_to_device(
                self.session.connection,
                self.stack_id,
                device=device,
                topic=topic,
                payload=typed["text"].encode(),
            )
        except grpc.aio.AioRpcError as error:
            return one_line(failure_of(error).message, 300)
        self._say(f"the broker has it; {device} gets it when it listens to {topic}")
        return ""

    def action_secrets(self) -> None:
        """Ask, then show the sensitive outputs."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._say("reading the sensitive outputs…")
                self.run_worker(self._read_secrets(), group="act")

        self.app.push_screen(ask_secrets(), answered)

    async def _read_secrets(self) -> None:
        try:
            answer = await stacks.stack_outputs(
                self.session.connection, self.stack_id, sensitive=True
            )
        except grpc.aio.AioRpcError as error:
            self._say(failure_of(error).message)
            return
        self._say("")
        lines = [visible(f"{one.name} = {one.json}") for one in answer.sensitive]
        none = ["This stack has no sensitive outputs: keys and certificates stay where they are."]
        self.app.push_screen(TextScreen("Sensitive outputs", lines or none))

    def _act(self, call: Awaitable[object]) -> None:
        self._say("")
        self.run_worker(self._done(call), group="act")

    async def _done(self, call: Awaitable[object]) -> None:
        """Make a call; what it does is told by the events of the stack."""
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            self._say(f"{failure.reason}: {failure.message}")
            return
        if isinstance(answer, stack_pb2.Stack):
            self.session.store.dispatch(StackSeen(stack_of(answer)))
