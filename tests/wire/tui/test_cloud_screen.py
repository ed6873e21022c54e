"""The Cloud screens against a real server: plans are read, approved, applied and undone."""

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from benchline.errors import ConflictError, InvalidRequestError, NotReadyError
from benchline.instance import Instance
from benchline.v1 import event_pb2, provisioning_pb2, stack_pb2, verdict_pb2
from tests.wire.tui.fake_server import FakeControlPlane, numbered
from tests.wire.tui.fake_stacks import BROKER, DIGEST, LAMP, change
from tests.wire.tui.test_console_screens import SIZES, console, notes, picture, shows, until
from tui.app import BenchlineApp
from tui.screens.cloud import CloudScreen
from tui.screens.clouds import CloudsScreen
from tui.screens.dialogs import AskScreen, TextScreen
from tui.screens.run import RunScreen
from tui.screens.stack_dialogs import FormScreen, TypeNameScreen

APPLIED = provisioning_pb2.STACK_STATE_APPLIED
OUTPUTS = stack_pb2.StackOutputs(
    broker_endpoint="127.0.0.1:18883",
    ca_ref="local:greenhouse/ca",
    devices=[
        stack_pb2.DeviceOutput(
            device="lamp",
            client_id="lamp",
            topic_prefix="devices/lamp",
            credential_ref="local:greenhouse/lamp",
        )
    ],
)


def on(pilot: Pilot[int], screen: type) -> bool:
    return isinstance(pilot.app.screen, screen)


async def open_stack(pilot: Pilot[int], *words: str) -> None:
    await shows(pilot, "● live")
    await pilot.press("4")
    await shows(pilot, "greenhouse")
    await pilot.press("enter")
    await until(pilot, lambda: on(pilot, CloudScreen))
    await shows(pilot, *words)


async def says_why(pilot: Pilot[int], key: str, reason: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: any(reason in one for one in notes(pilot)))


@pytest.mark.parametrize("size", SIZES)
async def test_a_stack_is_described_planned_approved_and_applied(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int]
) -> None:
    stacks = plane.stacks
    async with console(instance, size) as pilot:
        await shows(pilot, "● live", "4 Cloud")
        await pilot.press("4")
        await shows(pilot, "No device clouds yet", "n   describe one", "--stack local")
        await pilot.press("n")
        await until(pilot, lambda: on(pilot, FormScreen))
        await pilot.press(*"greenhouse", "tab", *"mars", "enter")
        await shows(pilot, "there is no target 'mars'")
        pilot.app.screen.query_one("#form-target", Input).value = ""
        stacks.refuses = ConflictError("STACK_EXISTS", "there is one of that name")
        await pilot.press("tab", *"lamp, fan", "enter")
        await shows(pilot, "there is one of that name")
        assert pilot.app.screen.query_one("#form-name", Input).value == "greenhouse"
        await pilot.press("enter")

        await until(pilot, lambda: on(pilot, CloudScreen))
        await shows(pilot, "greenhouse  PLANNED", f"+ {BROKER}  CREATE", "(sensitive)")
        await shows(pilot, "takes nothing away", "expires in 59 min", DIGEST[:12])
        await says_why(pilot, "A", "the plan is not approved; a approves it")
        await pilot.press("a")
        await until(pilot, lambda: on(pilot, AskScreen))
        await shows(pilot, "2 to add", "exactly this plan")
        await pilot.press("y")
        await shows(pilot, "approved by local:ana", "A: apply exactly this plan")
        await says_why(pilot, "a", "it is approved already, by local:ana")
        await pilot.press("A")
        await shows(pilot, "APPLYING", "0 of 2 done")
        stack = stacks.stacks["stacks/greenhouse"]
        stacks.progress(stack, BROKER, "STARTED")
        await shows(pilot, f"creating {BROKER}")
        stacks.progress(stack, BROKER, "DONE")
        await shows(pilot, "1 of 2 done", f"created {BROKER}")
        stack.outputs.CopyFrom(OUTPUTS)
        stacks.decide(stack, provisioning_pb2.StackPlan.STATE_APPLIED)
        stacks.end(stack, message="applied")
        stacks.move(stack, "APPLIED", "applied")
        await shows(pilot, "127.0.0.1:18883", "local:greenhouse/lamp", "as it should be")

    asked = dict(stacks.asked)
    assert list(asked) == ["create", "plan", "approve", "apply"]
    created, approved = asked["create"], asked["approve"]
    assert isinstance(created, stack_pb2.CreateStackRequest)
    assert (created.target, list(created.devices)) == ("local", ["lamp", "fan"])
    assert isinstance(approved, stack_pb2.ApproveStackRequest)
    assert (approved.digest, approved.confirmation) == (DIGEST, "")


@pytest.mark.parametrize("size", SIZES)
async def test_what_goes_away_stands_first_and_takes_the_name(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int]
) -> None:
    plane.stacks.add(state=APPLIED, outputs=OUTPUTS)
    async with console(instance, size) as pilot:
        await open_stack(pilot, "greenhouse  APPLIED")
        await says_why(pilot, "delete", "something may be left of it; D destroys it first")
        await pilot.press("D")
        await until(pilot, lambda: on(pilot, AskScreen))
        await shows(pilot, "nothing goes away yet")
        await pilot.press("y")
        await shows(pilot, f"- {LAMP}  DELETE", "destroys everything", "asks for the name")
        await pilot.press("a")
        await until(pilot, lambda: on(pilot, TypeNameScreen))
        await shows(pilot, f"will DELETE {LAMP}", f"will DELETE {BROKER}")
        await pilot.press("y", "enter")
        await shows(pilot, "that is not greenhouse; nothing was approved")
        await pilot.press("escape")
        await until(pilot, lambda: on(pilot, CloudScreen))
        assert "approve" not in dict(plane.stacks.asked)
        await pilot.press("a")
        await until(pilot, lambda: on(pilot, TypeNameScreen))
        await pilot.press(*"greenhouse", "enter")
        await shows(pilot, "APPROVED", "approved by local:ana")
    approved = dict(plane.stacks.asked)["approve"]
    assert isinstance(approved, stack_pb2.ApproveStackRequest)
    assert approved.confirmation == "greenhouse"


async def test_replaces_stand_before_what_is_new_and_a_plan_is_rejected(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.stacks.changes = [
        change(LAMP, provisioning_pb2.CHANGE_ACTION_DELETE),
        change(BROKER, provisioning_pb2.CHANGE_ACTION_REPLACE, port=("1 [b]\x1b", "2")),
        change("benchline_device.new", provisioning_pb2.CHANGE_ACTION_CREATE),
    ]
    plane.stacks.propose(plane.stacks.add())
    async with console(instance, (80, 24)) as pilot:
        await open_stack(pilot, "DELETE", "REPLACE", "port: 1 [b]␛ → 2", "CREATE")
        drawn = picture(app_of(pilot))
        assert drawn.index("DELETE") < drawn.index("REPLACE") < drawn.index("CREATE")
        await pilot.press("x")
        await until(pilot, lambda: on(pilot, AskScreen))
        await pilot.press("y")
        await shows(pilot, "rejected by local:ana", "DRAFT")
        await says_why(pilot, "a", "there is no plan to decide; p makes one")


def app_of(pilot: Pilot[int]) -> BenchlineApp:
    assert isinstance(pilot.app, BenchlineApp)
    return pilot.app


async def test_an_expired_plan_says_so_and_is_not_approved(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.stacks.expire_s = -1.0
    plane.stacks.propose(plane.stacks.add())
    async with console(instance, (80, 24)) as pilot:
        await open_stack(pilot, "has expired: p plans again", "the plan has expired")
        await says_why(pilot, "a", "this plan has expired; p makes a new one")
        assert plane.stacks.asked == []


async def test_drift_is_listed_and_secrets_are_a_question_of_their_own(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.stacks.add(state=APPLIED, outputs=OUTPUTS)
    plane.stacks.drifts = [BROKER]
    async with console(instance, (120, 40)) as pilot:
        await open_stack(pilot, "local:greenhouse/ca")
        await pilot.press("d")
        await shows(pilot, "1 drifted", f"drifted  {BROKER}", f"{BROKER} is gone", "repairs it")
        await pilot.press("o")
        await until(pilot, lambda: on(pilot, AskScreen))
        await shows(pilot, "history will tell that you read them")
        await pilot.press("n")
        assert "outputs" not in dict(plane.stacks.asked)
        await pilot.press("o")
        await until(pilot, lambda: on(pilot, AskScreen))
        await pilot.press("y")
        await until(pilot, lambda: on(pilot, TextScreen))
        await shows(pilot, 'admin_password = "tr0ub4dor"')
        await pilot.press("escape")
        await until(pilot, lambda: on(pilot, CloudScreen))
        await pilot.press("tab", "tab")
        await shows(pilot, "local:ana read the sensitive outputs")
        assert "tr0ub4dor" not in picture(app_of(pilot))


async def test_a_failed_apply_tells_its_reason_and_a_running_one_is_cancelled(
    instance: Instance, plane: FakeControlPlane
) -> None:
    stacks = plane.stacks
    stack = stacks.add(state=APPLIED, outputs=OUTPUTS)
    stacks.propose(stack)
    async with console(instance, (80, 24)) as pilot:
        await open_stack(pilot, "PLANNED")
        await says_why(pilot, "c", "nothing runs here")
        await pilot.press("a")
        await until(pilot, lambda: on(pilot, AskScreen))
        await pilot.press("y")
        await shows(pilot, "approved by")
        await pilot.press("A")
        await shows(pilot, "0 of 2 done")
        await says_why(pilot, "p", "it is busy with apply; c cancels that")
        await pilot.press("c")
        await shows(pilot, "was asked to end")
        stacks.progress(stack, BROKER, "STARTED")
        stacks.progress(stack, BROKER, "FAILED")
        said = provisioning_pb2.ProvisioningDiagnostic(
            severity=verdict_pb2.Finding.SEVERITY_ERROR,
            summary="port in use [b]",
            detail="18883 belongs to another program",
            address=BROKER,
        )
        stacks.tell(stack, provisioning_diagnostic=said)
        stacks.decide(stack, provisioning_pb2.StackPlan.STATE_GONE)
        failure = provisioning_pb2.StackFailure(
            reason="BROKER_PORT_IN_USE", message="the port is taken", next_action="free the port"
        )
        stacks.end(stack, provisioning_pb2.StackOperation.STATE_FAILED, failure=failure)
        stacks.move(stack, "FAILED", "the port is taken")
        await shows(pilot, "greenhouse  FAILED", "BROKER_PORT_IN_USE", "next: free the port")
        await shows(pilot, "port in use [b]", "18883 belongs to another", "1 failed")
        await shows(pilot, "p: a plan that converges")
        stacks.refuses = NotReadyError("TERRAFORM_NOT_FOUND", "there is no Terraform here")
        await pilot.press("p")
        await shows(pilot, "TERRAFORM_NOT_FOUND: there is no Terraform here")


async def test_devices_and_settings_change_and_an_empty_stack_is_forgotten(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.stacks.add(state=provisioning_pb2.STACK_STATE_DESTROYED)
    async with console(instance, (80, 24)) as pilot:
        await open_stack(pilot, "delete: forget it")
        await pilot.press("e")
        await until(pilot, lambda: on(pilot, FormScreen))
        await pilot.press(*"attic", "tab", *"lamp", "tab", *"port", "enter")
        await shows(pilot, "'port' is no setting")
        await pilot.press(*"=18890", "enter")
        await shows(pilot, "PLANNED")
        planned = dict(plane.stacks.asked)["plan"]
        assert isinstance(planned, stack_pb2.PlanStackRequest)
        assert list(planned.add_devices) == ["attic"]
        assert list(planned.remove_devices) == ["lamp"]
        assert [(one.name, one.value) for one in planned.settings] == [("port", "18890")]

        stack = plane.stacks.stacks["stacks/greenhouse"]
        plane.stacks.decide(stack, provisioning_pb2.StackPlan.STATE_REJECTED)
        plane.stacks.move(stack, "DESTROYED")
        await shows(pilot, "DESTROYED", "delete: forget it")
        await pilot.press("delete")
        await until(pilot, lambda: on(pilot, AskScreen))
        await pilot.press("y")
        await until(pilot, lambda: on(pilot, CloudsScreen))
        await shows(pilot, "No device clouds yet")


async def test_the_list_shows_what_others_make_and_forget(
    instance: Instance, plane: FakeControlPlane
) -> None:
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "● live")
        await pilot.press("4")
        await shows(pilot, "No device clouds yet")
        plane.stacks.add("attic")
        await shows(pilot, "attic", "DRAFT")
        await plane.stop()
        await shows(pilot, "○ reconnecting")
        plane.stacks.add("cellar")
        await plane.serve(instance.target)
        await shows(pilot, "● live", "attic", "cellar")
        del plane.stacks.stacks["stacks/attic"]
        plane.stacks.announce()
        await until(pilot, lambda: "attic" not in picture(app_of(pilot)))
        await shows(pilot, "cellar")


async def test_the_history_resumes_where_it_was_and_shows_a_gap(
    instance: Instance, plane: FakeControlPlane
) -> None:
    stacks = plane.stacks
    stack = stacks.add(state=APPLIED, outputs=OUTPUTS)
    stacks.move(stack, "APPLIED", "one")
    async with console(instance, (120, 40)) as pilot:
        await open_stack(pilot, "APPLIED")
        await pilot.press("tab", "tab")
        await shows(pilot, "stack APPLIED")
        await plane.stop()
        await shows(pilot, "○ reconnecting")
        await says_why(pilot, "p", "not connected; it comes back by itself")
        stacks.tell(stack, note=event_pb2.Note(text="first word after"))
        stacks.tell(stack, note=event_pb2.Note(text="second word"), skip=3)
        await plane.serve(instance.target)
        await shows(pilot, "● live", "first word after", "second word")
        await shows(pilot, "── events 3 to 5 are missing ──")
    assert stacks.watched_from[0] == 1
    assert stacks.watched_from[-1] == 2


async def test_telemetry_is_text_of_devices_counted_and_told_once(
    instance: Instance, plane: FakeControlPlane
) -> None:
    stacks = plane.stacks
    stacks.add(state=APPLIED, outputs=OUTPUTS)
    stacks.publish("lamp", "temperature", b"23.4")
    async with console(instance, (80, 24)) as pilot:
        await open_stack(pilot, "local:greenhouse/lamp")
        await pilot.press("tab")
        await shows(pilot, "lamp  1 message", "temperature  23.4")
        stacks.publish("lamp", "note", b"[b]\x1b[2J\xff")
        await shows(pilot, "lamp  2 messages", "note  [b]␛[2J\\xff")
        await plane.stop()
        await shows(pilot, "○ reconnecting")
        await plane.serve(instance.target)
        await shows(pilot, "● live", "lamp  2 messages")
        stacks.publish("attic", "temperature", b"19")
        await shows(pilot, "attic  1 message", "temperature  19", "temperature  23.4")
        assert picture(app_of(pilot)).count("temperature  23.4") == 1
        await pilot.press("s")
        await until(pilot, lambda: on(pilot, FormScreen))
        stacks.refuses = InvalidRequestError("TOPIC_INVALID", "that is no topic")
        await pilot.press(*"lamp/set", "tab", *"on", "enter")
        await shows(pilot, "that is no topic")
        await pilot.press("enter")
        await shows(pilot, "the broker has it; lamp gets it when it listens to lamp/set")
    sent = dict(stacks.asked)["send"]
    assert isinstance(sent, stack_pb2.SendToDeviceRequest)
    assert (sent.device, sent.topic, sent.payload) == ("lamp", "lamp/set", b"on")


def add_waiting(plane: FakeControlPlane) -> None:
    """A run whose plan waits for somebody."""
    session = plane.add_session("Publish the temperature every 10 seconds.")
    waiting = verdict_pb2.STATE_WAITING
    message = f"plan {DIGEST[:12]} of stacks/greenhouse waits for approval"
    moved = event_pb2.StageChanged(
        stage=verdict_pb2.STAGE_PROVISION, state=waiting, message=message, runs=1
    )
    plane.events[session.name] = numbered(
        [
            *plane.events[session.name][:6],
            event_pb2.Event(stage=verdict_pb2.STAGE_PROVISION, stage_changed=moved),
            event_pb2.Event(session_changed=event_pb2.SessionChanged(state=waiting)),
        ]
    )
    session.state, session.outcome = waiting, verdict_pb2.OUTCOME_UNSPECIFIED
    session.stack, session.device = "stacks/greenhouse", "attic"
    session.last_sequence = len(plane.events[session.name])
    session.stages[3].stage = verdict_pb2.STAGE_PROVISION
    session.stages[3].state = waiting
    session.stages[3].outcome = verdict_pb2.OUTCOME_UNSPECIFIED
    stack = plane.stacks.add(state=APPLIED, outputs=OUTPUTS)
    plane.stacks.begin(stack, provisioning_pb2.StackOperation.KIND_PLAN)
    plane.stacks.propose(stack)
    plane.stacks.end(stack)


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_that_waits_for_approval_leads_to_its_plan(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int]
) -> None:
    add_waiting(plane)
    async with console(instance, size) as pilot:
        wide = size[0] >= 100
        todo = f"benchline stack approve greenhouse {DIGEST[:12]}" if wide else "enter, c: the plan"
        await shows(pilot, "WAITING for approval", todo)
        await pilot.press("enter")
        await until(pilot, lambda: on(pilot, RunScreen))
        await shows(pilot, "rovision", f"+ {BROKER}", "c: the plan, to approve or reject it")
        await pilot.press("c")
        await until(pilot, lambda: on(pilot, CloudScreen))
        await shows(pilot, "greenhouse  PLANNED", f"+ {LAMP}  CREATE")
        await pilot.press("a")
        await until(pilot, lambda: on(pilot, AskScreen))
        await pilot.press("y")
        await shows(pilot, "approved by local:ana")
        assert [verb for verb, _ in plane.stacks.asked] == ["approve"]


async def test_a_run_without_a_cloud_says_how_to_get_one(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.add_session()
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "01kdemo")
        await pilot.press("enter")
        await shows(pilot, "every check passed")
        await says_why(pilot, "c", "benchline run --stack NAME")
