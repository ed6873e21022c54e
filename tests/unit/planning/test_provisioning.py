"""What becomes of a stack, and when: the state machine and the rules of approval."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchline.errors import (
    BenchlineError,
    ConflictError,
    InvalidRequestError,
    NotPermittedError,
    NotReadyError,
)
from benchline.names import STACK_ID as STACK_ID_OF_THE_CONTRACT
from controlplane.domain.provisioning import (
    ChangeAction,
    ResourcePhase,
    ResourceProgress,
    ReviewedChange,
)
from controlplane.domain.stack import (
    STACK_ID,
    DeviceOutput,
    Failure,
    Operation,
    OperationKind,
    OperationState,
    Plan,
    PlanState,
    Setting,
    Stack,
    StackOutputs,
    StackState,
    Target,
)
from controlplane.pipeline.stack_checks import (
    check_confirmed,
    check_devices,
    check_fresh,
    check_may_begin,
    check_may_delete,
    check_settings,
    plan_to_decide,
)
from controlplane.planning.provision_step import Step, Wish, binding_of, next_step
from controlplane.planning.provisioning import (
    approved,
    begun,
    count_changes,
    ended,
    found_as_it_should_be,
    given_up,
    is_empty,
    needs_confirmation,
    next_action,
    planned,
    replacements,
    review_order,
    unfinished_after,
    why_not_auto_approved,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = "ab" * 32
OUTPUTS = StackOutputs(
    broker_endpoint="127.0.0.1:8883",
    ca_ref="local:home/ca",
    devices=(
        DeviceOutput(
            device="lamp",
            client_id="lamp",
            topic_prefix="devices/lamp",
            credential_ref="local:home/lamp",
        ),
    ),
)


def stack(state: StackState = StackState.DRAFT, **fields: object) -> Stack:
    plain = Stack(
        stack_id="home",
        target=Target.LOCAL,
        state=state,
        settled=state,
        principal="local:me",
        create_time=NOW,
        update_time=NOW,
        devices=("lamp",),
    )
    return replace(plain, **fields)


def operation(kind: OperationKind, state: OperationState = OperationState.RUNNING) -> Operation:
    return Operation(
        operation_id="op1", stack="home", kind=kind, state=state, principal="me", start_time=NOW
    )


def plan(**fields: object) -> Plan:
    plain = Plan(
        digest=DIGEST,
        operation="op0",
        destroy=False,
        state=PlanState.PROPOSED,
        create_time=NOW,
        expire_time=NOW + timedelta(hours=1),
        devices=("lamp",),
    )
    return replace(plain, **fields)


def change(address: str, action: ChangeAction) -> ReviewedChange:
    return ReviewedChange(address=address, action=action, resource_type="t")


def progress(address: str, phase: ResourcePhase) -> ResourceProgress:
    return ResourceProgress(address=address, action=ChangeAction.CREATE, phase=phase)


def reason_of(refused: pytest.ExceptionInfo[BenchlineError]) -> str:
    return refused.value.reason


def test_a_stack_goes_from_a_draft_to_nothing_left() -> None:
    one = begun(stack(), operation(OperationKind.PLAN))
    assert one.state is StackState.PLANNING
    done = operation(OperationKind.PLAN, OperationState.SUCCEEDED)
    one = planned(ended(one, done, ()), plan())
    assert (one.state, one.settled) == (StackState.PLANNED, StackState.DRAFT)
    one = approved(one, plan(), by="ann", auto=False, now=NOW)
    assert one.state is StackState.APPROVED
    assert one.plan is not None
    assert (one.plan.decided_by, one.plan.state) == ("ann", PlanState.APPROVED)
    one = begun(one, operation(OperationKind.APPLY))
    assert one.state is StackState.APPLYING
    one = ended(one, operation(OperationKind.APPLY, OperationState.SUCCEEDED), ())
    assert one.state is StackState.APPLIED
    assert one.plan is not None
    assert one.plan.state is PlanState.APPLIED
    one = begun(replace(one, outputs=OUTPUTS), operation(OperationKind.DESTROY))
    assert one.state is StackState.DESTROYING
    one = ended(one, operation(OperationKind.DESTROY, OperationState.SUCCEEDED), ())
    assert (one.state, one.outputs) == (StackState.DESTROYED, None)
    assert is_empty(one)


def test_what_a_killed_run_never_finished_is_made_anew_by_the_next_plan() -> None:
    told = [
        progress("a", ResourcePhase.STARTED),
        progress("b", ResourcePhase.STARTED),
        progress("a", ResourcePhase.DONE),
        progress("b", ResourcePhase.RUNNING),
        progress("c", ResourcePhase.STARTED),
        progress("c", ResourcePhase.FAILED),
    ]
    assert unfinished_after(told) == ("b",)
    applying = begun(stack(plan=plan(state=PlanState.APPROVED)), operation(OperationKind.APPLY))

    cut = ended(applying, operation(OperationKind.APPLY, OperationState.INTERRUPTED), told)

    assert (cut.state, cut.unfinished) == (StackState.INTERRUPTED, ("b",))
    assert cut.plan is not None
    assert cut.plan.state is PlanState.GONE, "it is never applied again"
    assert replacements(cut, destroy=False) == ("b",)
    assert replacements(cut, destroy=True) == (), "Terraform takes none with a destroy"
    assert not is_empty(cut)
    with pytest.raises(NotReadyError) as refused:
        check_may_begin(cut, OperationKind.APPLY, NOW)
    assert reason_of(refused) == "PLAN_NOT_APPROVED"
    # Another run that is cut short adds to what is not finished; one that succeeds clears it.
    again = begun(cut, operation(OperationKind.APPLY))
    twice = ended(
        again,
        operation(OperationKind.APPLY, OperationState.FAILED),
        [progress("d", ResourcePhase.STARTED)],
    )
    assert (twice.state, twice.unfinished) == (StackState.FAILED, ("b", "d"))
    caught_up = ended(
        begun(twice, operation(OperationKind.APPLY)),
        operation(OperationKind.APPLY, OperationState.INTERRUPTED),
        [progress("b", ResourcePhase.STARTED), progress("b", ResourcePhase.DONE)],
    )
    assert caught_up.unfinished == ("d",), "what was made anew since is finished"
    mended = ended(again, operation(OperationKind.APPLY, OperationState.SUCCEEDED), ())
    assert mended.unfinished == ()


@pytest.mark.parametrize("kind", [OperationKind.PLAN, OperationKind.DRIFT])
@pytest.mark.parametrize("how", [OperationState.FAILED, OperationState.INTERRUPTED])
def test_what_only_looks_leaves_the_stack_where_it_was(
    kind: OperationKind, how: OperationState
) -> None:
    failed = replace(operation(kind, how), failure=Failure(reason="X", message="no provider"))
    after = ended(begun(stack(StackState.APPLIED), operation(kind)), failed, ())

    assert (after.state, after.message) == (StackState.APPLIED, "no provider")


def test_an_apply_that_ended_before_its_first_resource_changed_nothing() -> None:
    applying = begun(
        stack(StackState.APPLIED, plan=plan(state=PlanState.APPROVED)),
        operation(OperationKind.APPLY),
    )
    stale = ended(applying, operation(OperationKind.APPLY, OperationState.FAILED), ())
    assert stale.state is StackState.APPLIED
    assert stale.plan is not None
    assert stale.plan.state is PlanState.GONE
    # Of a run that was cut short nobody knows that it had not begun.
    cut = ended(applying, operation(OperationKind.APPLY, OperationState.INTERRUPTED), ())
    assert cut.state is StackState.INTERRUPTED


def test_a_new_plan_supersedes_an_open_one_and_a_rejected_one_leads_back() -> None:
    proposed = planned(stack(StackState.APPLIED), plan())
    superseding = begun(proposed, operation(OperationKind.PLAN))
    assert superseding.plan is not None
    assert superseding.plan.state is PlanState.GONE
    rejected = given_up(proposed, PlanState.REJECTED, now=NOW, by="ann")
    assert rejected.state is StackState.APPLIED
    assert rejected.plan is not None
    assert (rejected.plan.state, rejected.plan.decided_by) == (PlanState.REJECTED, "ann")
    assert given_up(rejected, PlanState.GONE, now=NOW) == rejected, "it is decided once"


def test_a_plan_without_changes_is_the_end() -> None:
    clean = found_as_it_should_be(
        stack(StackState.INTERRUPTED, unfinished=("a",), drifted=("b",), plan=plan()), destroy=False
    )
    assert (clean.state, clean.unfinished, clean.drifted) == (StackState.APPLIED, (), ())
    assert clean.plan is None
    assert found_as_it_should_be(stack(), destroy=True).state is StackState.DESTROYED


def test_only_one_thing_happens_to_a_stack_at_a_time() -> None:
    busy = begun(stack(), operation(OperationKind.PLAN))
    for kind in OperationKind:
        with pytest.raises(NotReadyError) as refused:
            check_may_begin(busy, kind, NOW)
        assert reason_of(refused) == "STACK_BUSY"
        assert refused.value.facts["operation"] == "op1"
    with pytest.raises(NotReadyError, match="busy"):
        plan_to_decide(busy, DIGEST)
    with pytest.raises(NotReadyError, match="busy"):
        check_may_delete(busy)


def test_what_is_empty_cannot_drift_and_what_is_not_cannot_be_forgotten() -> None:
    with pytest.raises(NotReadyError) as refused:
        check_may_begin(stack(), OperationKind.DRIFT, NOW)
    assert reason_of(refused) == "STACK_EMPTY"
    check_may_begin(stack(StackState.APPLIED), OperationKind.DRIFT, NOW)
    check_may_delete(stack(StackState.DESTROYED))
    with pytest.raises(NotReadyError) as refused:
        check_may_delete(planned(stack(StackState.APPLIED), plan(destroy=True)))
    assert reason_of(refused) == "STACK_NOT_EMPTY"


def test_a_plan_is_decided_by_its_digest_and_while_it_is_fresh() -> None:
    proposed = planned(stack(), plan())
    assert plan_to_decide(proposed, DIGEST[:12].upper()) == plan()
    for wrong in ("", DIGEST[:11], "f" * 64):
        with pytest.raises(ConflictError) as moved:
            plan_to_decide(proposed, wrong)
        assert moved.value.reason == "PLAN_CHANGED"
    check_fresh(plan(), NOW + timedelta(minutes=59))
    with pytest.raises(NotReadyError) as refused:
        check_fresh(plan(), NOW + timedelta(hours=1))
    assert reason_of(refused) == "PLAN_EXPIRED"
    with pytest.raises(NotReadyError) as refused:
        check_may_begin(
            planned(stack(), plan(state=PlanState.APPROVED)),
            OperationKind.APPLY,
            NOW + timedelta(hours=2),
        )
    assert reason_of(refused) == "PLAN_EXPIRED"


def test_what_takes_something_away_is_confirmed_by_the_stacks_name() -> None:
    assert needs_confirmation([change("a", ChangeAction.REPLACE)])
    assert needs_confirmation([change("a", ChangeAction.DELETE)])
    assert not needs_confirmation([change("a", ChangeAction.UPDATE)])
    destructive = plan(confirmation_needed=True)
    check_confirmed(stack(), destructive, "home")
    check_confirmed(stack(), plan(), "")
    for wrong in ("", "hom", "Home", "home "):
        with pytest.raises(NotPermittedError) as refused:
            check_confirmed(stack(), destructive, wrong)
        assert refused.value.reason == "CONFIRMATION_NEEDED"


def test_only_an_allowed_local_plan_that_takes_nothing_away_approves_itself() -> None:
    assert why_not_auto_approved(stack(), plan(), allowed=True) == ""
    assert why_not_auto_approved(stack(), plan(), allowed=False)
    assert why_not_auto_approved(stack(target=Target.AWS_IOT), plan(), allowed=True)
    assert why_not_auto_approved(stack(), plan(destroy=True), allowed=True)
    assert why_not_auto_approved(stack(), plan(confirmation_needed=True), allowed=True)


def test_a_review_begins_with_what_goes_away_and_leaves_out_what_stays() -> None:
    changes = [
        change("new", ChangeAction.CREATE),
        change("same", ChangeAction.NONE),
        change("changed", ChangeAction.UPDATE),
        change("gone", ChangeAction.DELETE),
        change("again", ChangeAction.REPLACE),
    ]
    ordered = review_order(changes)
    assert [one.address for one in ordered] == ["gone", "again", "changed", "new"]
    counts = count_changes(ordered)
    assert (counts.add, counts.change, counts.replace, counts.remove) == (1, 1, 1, 1)


def test_what_to_do_next_is_a_command() -> None:
    assert next_action(stack(), NOW) == "benchline stack plan home"
    destructive = planned(stack(), plan(confirmation_needed=True))
    assert (
        next_action(destructive, NOW)
        == f"benchline stack approve home {DIGEST[:12]} --confirm home"
    )
    ready = approved(destructive, plan(), by="ann", auto=False, now=NOW)
    assert next_action(ready, NOW) == "benchline stack apply home"
    applied = stack(StackState.APPLIED, outputs=OUTPUTS)
    assert next_action(applied, NOW) == ""
    for unsettled in ({"drifted": ("a",)}, {"devices": ("lamp", "fan")}, {"devices": ()}):
        assert next_action(replace(applied, **unsettled), NOW) == "benchline stack plan home"
    assert next_action(stack(StackState.INTERRUPTED), NOW) == "benchline stack plan home"
    assert "watch" in next_action(begun(stack(), operation(OperationKind.PLAN)), NOW)
    later = NOW + timedelta(hours=1)
    assert next_action(ready, later) == "benchline stack plan home", "it has expired"
    undoing = planned(stack(), plan(destroy=True))
    assert next_action(undoing, later) == "benchline stack destroy home"


@pytest.mark.parametrize("device", ["", "-a", "A", "a\nb", "ä", "a" * 64, "a/b", "${x}", "a b"])
def test_a_device_id_is_a_short_plain_word(device: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        check_devices(["ok", device])
    assert reason_of(refused) == "INVALID_DEVICE_ID"


def test_devices_and_settings_are_kept_in_order_and_once() -> None:
    assert check_devices(["b", "a", "b"]) == ("a", "b")
    with pytest.raises(InvalidRequestError, match="at most"):
        check_devices([f"d{n}" for n in range(1001)])
    port = [Setting(name="port", value="8883"), Setting(name="port", value="8884")]
    assert check_settings(Target.LOCAL, port) == (Setting(name="port", value="8884"),)
    assert check_settings(Target.LOCAL, [*port, Setting(name="port", value="")]) == ()
    with pytest.raises(InvalidRequestError, match="no setting"):
        check_settings(Target.LOCAL, [Setting(name="region", value="x")])
    for value in ("80", "65536", "x", "1e4", "٨٨٨٣", "9" * 400):
        with pytest.raises(InvalidRequestError, match="1024 to 65535"):
            check_settings(Target.LOCAL, [Setting(name="port", value=value)])


@pytest.mark.parametrize(
    ("name", "value"),
    [("telemetry_days", "0"), ("fleet_provisioning", "yes"), ("region", "x" * 2000)],
)
def test_settings_of_aws_have_their_kinds(name: str, value: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        check_settings(Target.AWS_IOT, [Setting(name=name, value=value)])
    assert reason_of(refused) == "INVALID_SETTING"
    right = [Setting(name="region", value="eu-central-1"), Setting(name="telemetry", value="none")]
    assert check_settings(Target.AWS_IOT, right) == tuple(right)


def test_the_contract_and_the_domain_mean_the_same_names() -> None:
    assert STACK_ID.pattern == STACK_ID_OF_THE_CONTRACT.pattern


# --- what a session does about the cloud of its device ---

WISH = Wish(device="lamp", auto_approve=False)
AUTO = replace(WISH, auto_approve=True)
HOLDING = {"outputs": OUTPUTS}


def after(kind: OperationKind, how: OperationState, **fields: object) -> Stack:
    return stack(StackState.APPLIED, operation=operation(kind, how), **fields)


def test_a_session_adds_its_device_plans_and_waits_for_a_person() -> None:
    assert next_step(stack(devices=()), WISH, NOW) is Step.ADD_DEVICE
    assert next_step(stack(), WISH, NOW) is Step.PLAN
    assert next_step(begun(stack(), operation(OperationKind.PLAN)), WISH, NOW) is Step.FOLLOW
    mine = replace(WISH, operation="op1", digest=DIGEST)
    waiting = planned(after(OperationKind.PLAN, OperationState.SUCCEEDED), plan())
    assert next_step(waiting, mine, NOW) is Step.WAIT
    assert next_step(waiting, replace(mine, auto_approve=True), NOW) is Step.APPROVE
    agreed = approved(waiting, plan(), by="ann", auto=False, now=NOW)
    assert next_step(agreed, mine, NOW) is Step.APPLY
    rejected = given_up(waiting, PlanState.REJECTED, now=NOW, by="ann")
    assert next_step(rejected, mine, NOW) is Step.REFUSED


def test_a_session_is_done_when_the_stack_gives_its_device() -> None:
    mine = replace(AUTO, operation="op1")
    applied = after(OperationKind.APPLY, OperationState.SUCCEEDED, **HOLDING)
    assert next_step(applied, mine, NOW) is Step.DONE
    assert next_step(after(OperationKind.PLAN, OperationState.SUCCEEDED, **HOLDING), mine, NOW) is (
        Step.DONE
    ), "a plan that changes nothing"
    assert next_step(after(OperationKind.APPLY, OperationState.SUCCEEDED), mine, NOW) is (
        Step.FAILED
    ), "the module does not give the device"
    # What another one applied counts when it was the plan that this session waited for.
    others = replace(applied, plan=plan(state=PlanState.APPLIED))
    assert next_step(others, replace(AUTO, digest=DIGEST), NOW) is Step.DONE
    # A stack that is there is looked at before it is believed.
    assert next_step(stack(StackState.APPLIED, **HOLDING), AUTO, NOW) is Step.PLAN


def test_a_session_gives_up_on_a_failure_and_plans_again_after_an_interruption() -> None:
    mine = replace(AUTO, operation="op1")
    for kind in (OperationKind.PLAN, OperationKind.APPLY):
        for how in (OperationState.FAILED, OperationState.CANCELLED):
            assert next_step(after(kind, how, **HOLDING), mine, NOW) is Step.FAILED
        cut = after(kind, OperationState.INTERRUPTED, **HOLDING)
        assert next_step(cut, mine, NOW) is Step.PLAN


def test_a_session_takes_a_plan_of_another_that_holds_its_device() -> None:
    other = planned(stack(), plan())
    assert next_step(other, AUTO, NOW) is Step.APPROVE
    without = planned(stack(), plan(devices=("fan",)))
    assert next_step(without, AUTO, NOW) is Step.PLAN
    assert next_step(other, AUTO, NOW + timedelta(hours=1)) is Step.PLAN, "it expired"
    destroying = planned(stack(), plan(destroy=True, devices=()))
    assert next_step(destroying, AUTO, NOW) is Step.WAIT, "that is decided first"
    kept = given_up(destroying, PlanState.REJECTED, now=NOW, by="ann")
    assert next_step(kept, replace(AUTO, digest=DIGEST), NOW) is Step.PLAN, "nobody refused ours"


def test_the_binding_of_a_device_holds_no_key() -> None:
    bound = binding_of(stack(**HOLDING), "lamp")
    assert bound is not None
    assert (bound.endpoint, bound.credential_ref) == ("127.0.0.1:8883", "local:home/lamp")
    assert binding_of(stack(**HOLDING), "fan") is None
    assert binding_of(stack(), "lamp") is None
