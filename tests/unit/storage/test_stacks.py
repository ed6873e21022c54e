"""Stacks, their operations and their plans on a real database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchline.errors import ConflictError, InvalidRequestError, NotFoundError, NotReadyError
from controlplane.domain.event import Note
from controlplane.domain.stack import (
    Operation,
    OperationKind,
    OperationState,
    Plan,
    PlanState,
    Stack,
    StackChanged,
    StackState,
    Target,
)
from controlplane.journal.journal import Journal
from controlplane.planning.provisioning import begun, ended, planned
from controlplane.storage.database import Database
from controlplane.storage.stacks import OperationRequest, StackStore

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


@pytest.fixture
def store(database: Database, journal: Journal) -> StackStore:
    return StackStore(database, journal)


def new(stack_id: str, *, at: int = 0) -> Stack:
    moment = START + timedelta(seconds=at)
    return Stack(
        stack_id=stack_id,
        target=Target.LOCAL,
        state=StackState.DRAFT,
        principal="local:me",
        create_time=moment,
        update_time=moment,
    )


def operation(identity: str) -> Operation:
    return Operation(
        operation_id=identity,
        stack="home",
        kind=OperationKind.PLAN,
        state=OperationState.RUNNING,
        principal="local:me",
        start_time=START,
    )


def request(request_id: str = "", content: str = "plan") -> OperationRequest:
    return OperationRequest(principal="local:me", request_id=request_id, content=content)


def plan_of(identity: str) -> Plan:
    return Plan(
        digest="ab" * 32,
        operation=identity,
        destroy=False,
        state=PlanState.PROPOSED,
        create_time=START,
        expire_time=START,
        replaced=("a",),
    )


async def test_a_stack_is_told_in_a_journal_of_its_own(store: StackStore, journal: Journal) -> None:
    created = await store.create(new("home"))
    assert await store.get("home") == created
    with pytest.raises(ConflictError) as refused:
        await store.create(new("home"))
    assert refused.value.reason == "STACK_EXISTS"
    (event,) = await journal.read("stacks/home", 1, 10)
    assert (event.stack, event.session, event.deployment) == ("stacks/home", "", "")
    assert event.fact == StackChanged(state=StackState.DRAFT, message="created")
    assert created.last_sequence == 1
    with pytest.raises(NotFoundError):
        await store.get("other")


async def test_an_operation_is_a_row_and_an_event_before_anything_is_done(
    store: StackStore, journal: Journal
) -> None:
    await store.create(new("home"))
    stack, fresh = await store.begin("home", lambda s: begun(s, operation("o1")), request())
    assert fresh
    assert stack.state is StackState.PLANNING
    assert await store.operation("o1") == stack.operation
    facts = [event.fact for event in await journal.read("stacks/home", 2, 10)]
    assert [type(fact) for fact in facts] == [Operation, StackChanged]
    assert stack.operation is not None
    assert stack.operation.first_sequence == stack.last_sequence == 3


async def test_the_same_request_begins_one_operation(store: StackStore) -> None:
    await store.create(new("home"))
    first, fresh = await store.begin("home", lambda s: begun(s, operation("o1")), request("r"))

    def refuse(_: Stack) -> Stack:
        raise NotReadyError("STACK_BUSY", "a repeat must not come here")

    again, fresh_again = await store.begin("home", refuse, request("r"))
    assert (fresh, fresh_again) == (True, False)
    assert again.operation == first.operation
    with pytest.raises(ConflictError) as refused:
        await store.begin("home", refuse, request("r", "apply"))
    assert refused.value.reason == "REQUEST_ID_REUSED"


async def test_a_refusal_leaves_no_trace(store: StackStore, journal: Journal) -> None:
    before = await store.create(new("home"))

    def refuse(stack: Stack) -> Stack:
        raise NotReadyError("STACK_EMPTY", "no")

    with pytest.raises(NotReadyError):
        await store.begin("home", refuse, request("r"))
    with pytest.raises(NotReadyError):
        await store.record("home", [Note(text="x")], change=refuse)
    assert await store.get("home") == before
    assert await journal.head("stacks/home") == 1


async def test_the_end_of_an_operation_keeps_its_plan_and_its_last_event(
    store: StackStore, journal: Journal
) -> None:
    await store.create(new("home"))
    await store.begin("home", lambda s: begun(s, operation("o1")), request())
    plan = plan_of("o1")

    def close(stack: Stack) -> Stack:
        done = replace(stack.operation or operation("o1"), state=OperationState.SUCCEEDED)
        return planned(ended(stack, done, ()), plan)

    stack = await store.record("home", [], change=close, operation_id="o1", plan=plan)

    assert stack.state is StackState.PLANNED
    assert await store.plan("o1") == plan
    assert (await store.operation("o1")).last_sequence == await journal.head("stacks/home")
    with pytest.raises(ConflictError) as refused:
        await store.record("home", [Note(text="late")], operation_id="o1")
    assert refused.value.reason == "OPERATION_OVER"


async def test_stacks_are_listed_newest_first_in_pages(store: StackStore) -> None:
    for number, name in enumerate(("a", "b", "c")):
        await store.create(new(name, at=number))
    first, rest = await store.page(2, None)
    assert [stack.stack_id for stack in first] == ["c", "b"]
    last, end = await store.page(2, rest)
    assert ([stack.stack_id for stack in last], end) == (["a"], None)
    assert [stack.stack_id for stack in await store.every()] == ["a", "b", "c"]
    with pytest.raises(InvalidRequestError):
        await store.page(2, "nobody")


async def test_a_forgotten_stack_leaves_nothing(store: StackStore, journal: Journal) -> None:
    await store.create(new("home"))
    await store.begin("home", lambda s: begun(s, operation("o1")), request())
    await store.record("home", [], plan=plan_of("o1"))

    def busy(stack: Stack) -> None:
        raise NotReadyError("STACK_BUSY", "no")

    with pytest.raises(NotReadyError):
        await store.delete("home", busy)
    assert await store.find("home") is not None
    await store.delete("home", lambda _: None)
    assert await store.find("home") is None
    assert await store.plan("o1") is None
    with pytest.raises(NotFoundError):
        await store.operation("o1")
    assert await journal.head("stacks/home") == 0
    # The name is free again, and begins anew.
    assert (await store.create(new("home"))).last_sequence == 1
