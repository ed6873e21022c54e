"""The part of a new run that concerns the cloud of its device."""

from dataclasses import replace
from typing import ClassVar

import grpc
from textual.binding import Binding, BindingType

from benchline.names import DEVICE_ID
from tui.client.connection import failure_of
from tui.client.stack_facts import stack_of
from tui.client.stacks import all_stacks
from tui.screens.choose import Choice, ChooseScreen
from tui.screens.frame import FramedScreen
from tui.screens.stack_dialogs import FormScreen, Typed
from tui.session import ConsoleSession
from tui.state.new_run import CloudWish
from tui.state.stack import StackFact

_LOCAL = "local"
_ABOUT_DEVICE = (
    "The board is flashed as this device of the cloud. Nothing: the same sentence\n"
    "for the same board is the same device each time.\n"
)


class CloudWishScreen(FramedScreen):
    """Chooses the cloud, the device in it, and who approves the plan."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+l", "stack", "Cloud", id="new.stack", priority=True, show=False),
        Binding("ctrl+n", "device", "Device", id="new.device", priority=True, show=False),
        Binding("ctrl+r", "by_rule", "Approve", id="new.by_rule", priority=True, show=False),
    ]

    def __init__(self, session: ConsoleSession) -> None:
        super().__init__(session)
        self.cloud = CloudWish()

    def wish_changed(self) -> None:
        """After each choice; there is nothing to paint here."""

    def reason_against(self, action: str) -> str | None:
        """A device and an approval need a cloud."""
        match action:
            case "device":
                return self.cloud.why_no_device or None
            case "by_rule":
                return self.cloud.why_no_rule or None
            case _:
                return super().reason_against(action)

    def action_stack(self) -> None:
        """Choose the cloud that the device belongs to."""
        self.run_worker(self._choose_stack(), group="choose", exclusive=True)

    async def _choose_stack(self) -> None:
        try:
            found = [stack_of(one) for one in await all_stacks(self.session.connection)]
        except grpc.aio.AioRpcError as error:
            failure = failure_of(error)
            self.notify(failure.message, title=failure.reason, severity="error", markup=False)
            return
        screen = ChooseScreen("Cloud of the device", stack_choices(found), self.cloud.stack)
        chosen = await self.app.push_screen_wait(screen)
        if chosen is not None:
            targets = {one.stack_id: one.target for one in found}
            target = targets.get(chosen, _LOCAL)
            self._wish(replace(self.cloud, stack=chosen, target=target))

    def action_device(self) -> None:
        """Name the device."""
        filled = {"device": self.cloud.device}
        form = FormScreen(
            "Device", _ABOUT_DEVICE, ("device",), take=self._take_device, filled=filled
        )
        self.app.push_screen(form)

    async def _take_device(self, typed: Typed) -> str:
        device = typed["device"].strip()
        if device and not DEVICE_ID.fullmatch(device):
            return "a device id has up to 63 small letters, digits and hyphens"
        self._wish(replace(self.cloud, device=device))
        return ""

    def action_by_rule(self) -> None:
        """Let plans that take nothing away need no person, or let them need one."""
        self._wish(replace(self.cloud, auto_approve=not self.cloud.auto_approve))

    def _wish(self, cloud: CloudWish) -> None:
        self.cloud = cloud
        self.wish_changed()
        self.refresh_bindings()


def stack_choices(stacks: list[StackFact]) -> list[Choice]:
    """No cloud, the local one, which a run makes when there is none, and every other. Pure."""
    made = {one.stack_id: f"{one.state}, target {one.target}" for one in stacks}
    local = made.pop(_LOCAL, "a broker on this machine; made when there is none")
    return [
        Choice(value="", title="none", detail="nobody carries what it publishes"),
        Choice(value=_LOCAL, title=_LOCAL, detail=local),
        *(Choice(value=name, title=name, detail=detail) for name, detail in made.items()),
    ]
