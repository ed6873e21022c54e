"""Stacks as the console folds them: the same whatever comes twice, and never silent."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.cloud_wording import (
    approval_words,
    deletion_words,
    expiry_words,
    history_lines,
    next_step,
    row_step,
    work_head,
    work_lines,
)
from tui.screens.runs import todo_words
from tui.screens.stack_dialogs import StackForm, read_form
from tui.state.cloud import (
    HISTORY,
    Gap,
    StackView,
    begin_stack,
    reason_against_stack,
    reduce_stack_events,
    see_stack,
    waits_for_approval,
)
from tui.state.fact import Event, Fact, SessionSummary, Stage, StageMoved, State
from tui.state.model import (
    Model,
    PlanReviewed,
    StackGone,
    StackRead,
    StackSeen,
    StacksListed,
    reduce_model,
)
from tui.state.stack import (
    DeviceFact,
    OperationMoved,
    OutputsTold,
    PlanMoved,
    ProvisioningSaid,
    ResourceAdvanced,
    ResourceDrifted,
    ResourcePlanned,
    Reviewed,
    StackFact,
    StackMoved,
)
from tui.widgets.stack_text import plan_text, stack_row
from tui.wording import standing

NAME = "stacks/greenhouse"
DIGEST = "3f2a" * 16
EMPTY = StackFact(name=NAME, target="local", state="DRAFT", next_action="benchline stack plan x")
RUNNING = OperationMoved(operation_id="op1", kind="APPLY", state="RUNNING", principal="local:ana")
DONE = replace(RUNNING, state="SUCCEEDED", message="applied", start_ms=1_000, end_ms=8_500)
PROPOSED = PlanMoved(digest=DIGEST, state="PROPOSED", add=2, expire_ms=60_000)
GONE = Reviewed(address="broker", action="DELETE")
WHOLE = replace(PROPOSED, changes=(GONE, Reviewed(address="lamp", action="CREATE")))
DELETING = replace(PROPOSED, remove=1, add=1, confirmation_needed=True)
FACTS: tuple[Fact, ...] = (
    StackMoved(state="APPLYING"),
    replace(RUNNING, first_sequence=2),
    ResourcePlanned(address="broker", action="CREATE"),
    ResourcePlanned(address="lamp", action="CREATE"),
    ResourceAdvanced(address="broker", action="CREATE", phase="STARTED"),
    ResourceAdvanced(address="broker", action="CREATE", phase="RUNNING", elapsed_s=4),
    ResourceAdvanced(address="broker", action="CREATE", phase="DONE", elapsed_s=5),
    ProvisioningSaid(severity="WARNING", summary="slow", detail="it took 5 s"),
    ResourceDrifted(address="broker", action="DELETE"),
    OutputsTold(names=("endpoint",)),
    PlanMoved(digest=DIGEST, state="APPLIED"),
    DONE,
    StackMoved(state="APPLIED", message="applied"),
)
EVENTS = tuple(
    Event(sequence=number, fact=fact, time_ms=1_800_000_000_000 + number)
    for number, fact in enumerate(FACTS, start=1)
)


def test_events_tell_state_progress_and_history() -> None:
    view = reduce_stack_events(begin_stack(EMPTY), EVENTS)
    assert (view.fact.state, view.fact.message) == ("APPLIED", "applied")
    assert view.fact.operation == DONE
    assert view.work is not None
    assert work_head(view.work, 99_000) == "apply for local:ana   1 of 2 done   SUCCEEDED   7 s"
    assert work_lines(view.work) == [
        "applied",
        "  warning: slow",
        "    it took 5 s",
        "  ! broker is gone",
        "✓ created broker in 5 s",
        "· lamp  CREATE",
    ]
    told = [line for line in history_lines(view) if "broker" in line]
    assert [line.partition("  ")[2] for line in told] == [
        "… creating broker",
        "✓ created broker in 5 s",
        "! broker is gone",
    ]


@given(st.lists(st.integers(min_value=1, max_value=len(EVENTS)), max_size=30))
def test_what_comes_twice_changes_nothing(extra: list[int]) -> None:
    whole = reduce_stack_events(begin_stack(EMPTY), EVENTS)
    again = [EVENTS[number - 1] for number in extra]
    assert reduce_stack_events(whole, again) == whole
    stuttered = [one for event in EVENTS for one in (event, event)]
    assert reduce_stack_events(begin_stack(EMPTY), stuttered) == whole


def test_a_gap_is_part_of_the_history() -> None:
    view = reduce_stack_events(begin_stack(EMPTY), (EVENTS[0], EVENTS[4], EVENTS[12]))
    gaps = [one.fact for one in view.history if isinstance(one.fact, Gap)]
    assert gaps == [Gap(first=2, last=4), Gap(first=6, last=12)]
    assert "── events 2 to 4 are missing ──" in history_lines(view)


def test_an_event_from_before_the_reading_does_not_undo_it() -> None:
    read = replace(EMPTY, state="APPLIED", last_sequence=13, endpoint="127.0.0.1:1")
    view = reduce_stack_events(begin_stack(read), EVENTS[:2])
    assert (view.fact.state, view.fact.operation) == ("APPLIED", None)
    assert view.work is not None  # and yet the work is shown
    assert see_stack(view, replace(EMPTY, last_sequence=3)) is view
    made_again = replace(EMPTY, create_ms=5)
    assert see_stack(view, made_again) == begin_stack(made_again)


def test_a_long_history_begins_late_and_says_so_but_holds_the_operation() -> None:
    old = replace(EMPTY, last_sequence=3_000)
    assert begin_stack(old).last_sequence == 3_000 - HISTORY
    busy = replace(old, operation=replace(RUNNING, first_sequence=900))
    assert begin_stack(busy).last_sequence == 899
    late = reduce_stack_events(
        begin_stack(busy), [Event(sequence=900, fact=StackMoved(state="APPLYING"))]
    )
    assert history_lines(late)[0] == "  earlier: benchline stack watch greenhouse"


def test_the_model_holds_stacks_until_they_are_forgotten() -> None:
    model = reduce_model(Model(), StacksListed((EMPTY,)))
    assert model.stacks_listed
    assert reduce_model(model, StackSeen(EMPTY)) is model
    model = reduce_model(model, StackRead(NAME, EVENTS))
    assert model.stacks[NAME].fact.state == "APPLIED"
    assert reduce_model(model, StackRead(NAME, EVENTS)) is model
    assert reduce_model(model, StackRead("stacks/other", EVENTS)) is model
    planned = replace(EMPTY, plan=PROPOSED, last_sequence=20)
    model = reduce_model(model, StackSeen(planned))
    assert model.stacks[NAME].unread_plan
    model = reduce_model(model, PlanReviewed(NAME, WHOLE))
    plan = model.stacks[NAME].plan
    assert plan is not None
    assert plan.changes == WHOLE.changes
    assert reduce_model(model, StacksListed(())).stacks == {}
    assert reduce_model(model, StackGone(NAME)).stacks == {}


def shown(plan: PlanMoved | None = None, **fields: object) -> StackView:
    fact = replace(EMPTY, plan=plan, **fields)
    return replace(begin_stack(fact), reviewed=plan)


LAMP = DeviceFact(device="lamp", client_id="lamp", topic_prefix="", credential_ref="")
BUSY = {"operation": RUNNING}
MADE = {"state": "APPLIED"}


@pytest.mark.parametrize(
    ("view", "action", "reason"),
    [
        (None, "plan", "being read"),
        (None, "back", None),
        (shown(), "plan", None),
        (shown(**BUSY), "plan", "busy with apply"),
        (shown(**BUSY), "change", "busy with apply"),
        (shown(), "approve", "p makes one"),
        (shown(PROPOSED), "approve", None),
        (shown(PROPOSED, **BUSY), "approve", "busy"),
        (shown(replace(PROPOSED, expire_ms=5_000)), "approve", "has expired"),
        (replace(shown(PROPOSED), reviewed=None), "approve", "being read"),
        (shown(replace(PROPOSED, state="APPROVED", decided_by="ana")), "approve", "by ana"),
        (shown(PROPOSED), "reject", None),
        (shown(replace(PROPOSED, state="REJECTED")), "reject", "no plan"),
        (shown(), "apply", "no plan"),
        (shown(PROPOSED), "apply", "a approves it"),
        (shown(replace(PROPOSED, state="APPROVED")), "apply", None),
        (shown(replace(PROPOSED, state="APPROVED", expire_ms=5_000)), "apply", "has expired"),
        (shown(), "destroy", "nothing was made"),
        (shown(unfinished=("broker",)), "destroy", None),
        (shown(**MADE), "destroy", None),
        (shown(**MADE), "drift", None),
        (shown(), "drift", "nothing was made"),
        (shown(), "secrets", "nothing was made"),
        (shown(), "send", "no device"),
        (shown(devices=(LAMP,)), "send", None),
        (shown(), "cancel_operation", "nothing runs"),
        (shown(**BUSY), "cancel_operation", None),
        (shown(operation=replace(RUNNING, cancel_requested=True)), "cancel_operation", "already"),
        (shown(**MADE), "forget", "D destroys it first"),
        (shown(state="DESTROYED"), "forget", None),
    ],
)
def test_what_can_be_done_now(view: StackView | None, action: str, reason: str | None) -> None:
    told = reason_against_stack(view, action, 10_000)
    assert told is None if reason is None else reason in (told or "")


def test_a_plan_says_what_deciding_takes() -> None:
    aws = replace(EMPTY, target="aws-iot")
    assert "auto_approve = true" in approval_words(EMPTY, PROPOSED)
    assert "always approved by a person" in approval_words(aws, PROPOSED)
    assert "the name of the stack" in approval_words(EMPTY, DELETING)
    by_rule = replace(PROPOSED, state="APPROVED", auto_approved=True, decided_by="ana")
    assert "by the rule for plans of target local" in approval_words(EMPTY, by_rule)
    rejected = replace(PROPOSED, state="REJECTED", decided_by="ana")
    assert approval_words(EMPTY, rejected) == "rejected by ana"
    assert expiry_words(PROPOSED, 10_000) == "expires in 50 s"
    assert expiry_words(PROPOSED, 60_000).startswith("has expired")
    assert expiry_words(rejected, 0) == ""
    assert deletion_words(WHOLE) == ["will DELETE broker"]
    many = replace(PROPOSED, changes=(GONE,) * 40)
    assert deletion_words(many)[-1] == "and 28 more; esc, and read the plan"


def test_texts_of_providers_are_no_markup_and_hold_no_control_characters() -> None:
    hostile = Reviewed(address="a\x1b[2J[b]", action="CREATE")
    plan = replace(PROPOSED, changes=(hostile,))
    drawn = plan_text(shown(plan), 0)
    assert "a␛[2J[b]" in drawn.plain
    assert stack_row(replace(EMPTY, name="stacks/[b]"))[0].plain == "[b]"


@pytest.mark.parametrize(
    ("stack", "key"),
    [
        (replace(EMPTY, operation=RUNNING), "c: cancel"),
        (replace(EMPTY, plan=PROPOSED), "a: approve "),
        (replace(EMPTY, plan=DELETING), "asks for the stack's name"),
        (replace(EMPTY, plan=replace(PROPOSED, expire_ms=1)), "p: plan again"),
        (replace(EMPTY, plan=replace(PROPOSED, state="APPROVED")), "A: apply"),
        (replace(EMPTY, state="APPLIED", drifted=("broker",)), "repairs it"),
        (replace(EMPTY, state="INTERRUPTED"), "converges"),
        (EMPTY, "delete: forget it"),
        (replace(EMPTY, state="APPLIED"), "as it should be"),
    ],
)
def test_the_last_line_says_what_to_press(stack: StackFact, key: str) -> None:
    assert key in next_step(stack, 2_000)
    if "as it should be" not in key:
        assert row_step(stack)


def test_a_run_that_waits_for_a_plan_says_so() -> None:
    stages = (StageMoved(stage=Stage.PROVISION, state=State.WAITING),)
    run = SessionSummary(name="sessions/1", title="x", state=State.WAITING, stages=stages)
    assert waits_for_approval(run)
    assert standing(run) == "WAITING for approval"
    other = replace(run, stages=(StageMoved(stage=Stage.DEPLOY, state=State.WAITING),))
    assert not waits_for_approval(other)
    assert not waits_for_approval(replace(run, state=State.CANCELLED))
    planned = shown(PROPOSED, next_action="benchline stack approve greenhouse 3f2a")
    assert todo_words(run, planned, wide=True).startswith("benchline stack approve greenhouse")
    assert todo_words(run, planned, wide=False).startswith("enter, c")
    assert todo_words(other, planned, wide=True) == ""


def test_a_form_is_read_or_says_what_is_wrong() -> None:
    assert read_form(
        {"name": " a ", "target": "", "add": "lamp, fan attic", "settings": "port=1 region="}
    ) == StackForm(
        name="a",
        target="local",
        add=("lamp", "fan", "attic"),
        settings=(("port", "1"), ("region", "")),
    )
    assert read_form({"add": "", "remove": "", "settings": ""}) == StackForm(target="local")
    assert read_form({"name": " ", "target": "", "add": "", "settings": ""}) == (
        "a stack needs a name"
    )
    assert "no target 'mars'" in str(read_form({"name": "a", "target": "mars"}))
    assert "'port' is no setting" in str(read_form({"settings": "port"}))
