"""Stacks over a real channel: planned, approved by digest, applied, watched, forgotten."""

import asyncio
import uuid
from typing import Any

import grpc
import pytest

from benchline.errors import error_from
from benchline.v1 import provisioning_pb2, session_pb2, session_pb2_grpc, stack_pb2, stack_pb2_grpc
from controlplane.access.principal import Role, local_principal
from controlplane.edge.interceptors import required_role
from tests.wire.edge.conftest import Edge

NAME = "stacks/home"


def stub_of(edge: Edge) -> Any:
    return stack_pb2_grpc.StackServiceStub(edge.channel)


async def refusal(call: Any) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code().name, error_from(caught.value).reason


async def create(edge: Edge, *devices: str, **fields: Any) -> Any:
    request = stack_pb2.CreateStackRequest(name=NAME, devices=devices, **fields)
    return (await stub_of(edge).CreateStack(request)).stack


async def followed(edge: Edge, operation: Any) -> list[Any]:
    """Every event of the stack until the operation is over; the stream ends by itself."""
    request = stack_pb2.WatchStackRequest(name=NAME, operation=operation.operation_id)
    async with asyncio.timeout(60):
        return [e async for answer in stub_of(edge).WatchStack(request) for e in answer.events]


async def planned(edge: Edge, **fields: Any) -> Any:
    request = stack_pb2.PlanStackRequest(name=NAME, request_id=str(uuid.uuid4()), **fields)
    answer = await stub_of(edge).PlanStack(request)
    assert answer.stack.state == provisioning_pb2.STACK_STATE_PLANNING
    await followed(edge, answer.operation)
    return (await stub_of(edge).GetPlan(stack_pb2.GetPlanRequest(name=NAME))).plan


async def test_who_approved_is_told_and_exactly_that_is_applied(edge: Edge) -> None:
    stub = stub_of(edge)
    await create(edge, "lamp")
    plan = await planned(edge, add_devices=["fan"])
    assert [(c.address, c.action) for c in plan.changes] == [
        ("terraform_data.broker", provisioning_pb2.CHANGE_ACTION_CREATE),
        ('terraform_data.device["fan"]', provisioning_pb2.CHANGE_ACTION_CREATE),
        ('terraform_data.device["lamp"]', provisioning_pb2.CHANGE_ACTION_CREATE),
    ]
    stack = (await stub.GetStack(stack_pb2.GetStackRequest(name="home"))).stack
    assert list(stack.plan.changes) == [], "they are of GetPlan alone"
    assert stack.next_action == f"benchline stack approve home {plan.digest[:12]}"
    assert await refusal(stub.ApplyStack(stack_pb2.ApplyStackRequest(name=NAME))) == (
        "FAILED_PRECONDITION",
        "PLAN_NOT_APPROVED",
    )
    wrong = stack_pb2.ApproveStackRequest(name=NAME, digest="f" * 64)
    assert await refusal(stub.ApproveStack(wrong)) == ("ABORTED", "PLAN_CHANGED")
    right = stack_pb2.ApproveStackRequest(name=NAME, digest=plan.digest)
    approved = (await stub.ApproveStack(right)).stack
    assert approved.state == provisioning_pb2.STACK_STATE_APPROVED
    assert approved.plan.decided_by == local_principal().name

    applying = await stub.ApplyStack(stack_pb2.ApplyStackRequest(name=NAME))
    events = await followed(edge, applying.operation)

    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert {event.stack for event in events} == {NAME}
    decided = [e.stack_plan for e in events if e.WhichOneof("fact") == "stack_plan"]
    assert [(p.state, p.decided_by) for p in decided] == [
        (provisioning_pb2.StackPlan.STATE_PROPOSED, ""),
        (provisioning_pb2.StackPlan.STATE_APPROVED, local_principal().name),
        (provisioning_pb2.StackPlan.STATE_APPLIED, local_principal().name),
    ]
    assert events[-1].stack_changed.state == provisioning_pb2.STACK_STATE_APPLIED
    outputs = (await stub.GetOutputs(stack_pb2.GetOutputsRequest(name=NAME))).outputs
    assert [one.topic_prefix for one in outputs.devices] == ["devices/fan", "devices/lamp"]

    # What takes something away needs the name of the stack; nothing is left then.
    destroying = await stub.DestroyStack(stack_pb2.DestroyStackRequest(name=NAME))
    await followed(edge, destroying.operation)
    plan = (await stub.GetPlan(stack_pb2.GetPlanRequest(name=NAME))).plan
    assert plan.destroy
    unconfirmed = stack_pb2.ApproveStackRequest(name=NAME, digest=plan.digest)
    assert await refusal(stub.ApproveStack(unconfirmed)) == (
        "PERMISSION_DENIED",
        "CONFIRMATION_NEEDED",
    )
    assert await refusal(stub.DeleteStack(stack_pb2.DeleteStackRequest(name=NAME))) == (
        "FAILED_PRECONDITION",
        "STACK_NOT_EMPTY",
    )
    unconfirmed.confirmation = "home"
    await stub.ApproveStack(unconfirmed)
    gone = await stub.ApplyStack(stack_pb2.ApplyStackRequest(name=NAME))
    await followed(edge, gone.operation)
    endless = stub.WatchStack(stack_pb2.WatchStackRequest(name=NAME))
    await stub.DeleteStack(stack_pb2.DeleteStackRequest(name=NAME))
    async with asyncio.timeout(60):
        assert [answer async for answer in endless], "the history, and then the end of the stack"
    assert await refusal(stub.GetStack(stack_pb2.GetStackRequest(name=NAME))) == (
        "NOT_FOUND",
        "STACK_NOT_FOUND",
    )


async def test_a_repeated_request_gets_the_first_answer(edge: Edge) -> None:
    stub, request_id = stub_of(edge), str(uuid.uuid4())
    first = await create(edge, "lamp", request_id=request_id)
    assert await create(edge, "lamp", request_id=request_id) == first
    again = stack_pb2.CreateStackRequest(name=NAME)
    assert await refusal(stub.CreateStack(again)) == ("ABORTED", "STACK_EXISTS")
    request = stack_pb2.PlanStackRequest(name=NAME, request_id=str(uuid.uuid4()))
    planning = await stub.PlanStack(request)
    repeated = await stub.PlanStack(request)
    assert repeated.operation.operation_id == planning.operation.operation_id
    request.add_devices.append("fan")
    assert await refusal(stub.PlanStack(request)) == ("ABORTED", "REQUEST_ID_REUSED")
    events = await followed(edge, planning.operation)
    assert sum(e.WhichOneof("fact") == "stack_operation" for e in events) == 2
    listed = (await stub.ListStacks(stack_pb2.ListStacksRequest())).stacks
    assert [stack.name for stack in listed] == [NAME]


async def test_a_plan_can_be_rejected_and_an_operation_is_cancelled_while_it_runs(
    edge: Edge,
) -> None:
    stub = stub_of(edge)
    await create(edge, "lamp")
    assert await refusal(stub.CancelOperation(stack_pb2.CancelOperationRequest(name=NAME))) == (
        "FAILED_PRECONDITION",
        "OPERATION_ENDED",
    )
    plan = await planned(edge)
    rejecting = stack_pb2.RejectPlanRequest(name=NAME, digest=plan.digest[:12])
    rejected = (await stub.RejectPlan(rejecting)).stack
    assert rejected.state == provisioning_pb2.STACK_STATE_DRAFT
    assert rejected.plan.state == provisioning_pb2.StackPlan.STATE_REJECTED
    assert await refusal(stub.RejectPlan(rejecting)) == ("FAILED_PRECONDITION", "NO_PLAN")
    planning = await stub.PlanStack(stack_pb2.PlanStackRequest(name=NAME))
    await stub.CancelOperation(stack_pb2.CancelOperationRequest(name=NAME))
    await followed(edge, planning.operation)
    stack = (await stub.GetStack(stack_pb2.GetStackRequest(name=NAME))).stack
    assert stack.operation.state == provisioning_pb2.StackOperation.STATE_CANCELLED
    assert stack.state == provisioning_pb2.STACK_STATE_DRAFT


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "stacks/Über"}, "INVALID_NAME"),
        ({"name": "stacks/../x"}, "INVALID_NAME"),
        ({"name": ""}, "INVALID_NAME"),
        ({"name": NAME, "target": "gcp"}, "TARGET_UNKNOWN"),
        ({"name": NAME, "devices": ["a\nb"]}, "INVALID_DEVICE_ID"),
        ({"name": NAME, "devices": ["a"] * 1001}, "TOO_MANY_DEVICES"),
        ({"name": NAME, "settings": [{"name": "region", "value": "x"}]}, "UNKNOWN_SETTING"),
        ({"name": NAME, "settings": [{"name": "port", "value": "1"}]}, "INVALID_SETTING"),
    ],
)
async def test_what_cannot_be_a_stack_is_refused(
    edge: Edge, fields: dict[str, Any], reason: str
) -> None:
    fields = dict(fields)
    settings = [stack_pb2.StackSetting(**one) for one in fields.pop("settings", [])]
    request = stack_pb2.CreateStackRequest(**fields, settings=settings)
    assert await refusal(stub_of(edge).CreateStack(request)) == ("INVALID_ARGUMENT", reason)


async def test_a_session_names_a_stack_that_there_is(edge: Edge) -> None:
    sessions: Any = session_pb2_grpc.SessionServiceStub(edge.channel)

    def request(**fields: Any) -> session_pb2.CreateSessionRequest:
        return session_pb2.CreateSessionRequest(prompt="Blink", **fields)

    assert await refusal(sessions.CreateSession(request(stack=NAME))) == (
        "NOT_FOUND",
        "STACK_NOT_FOUND",
    )
    assert await refusal(sessions.CreateSession(request(device="lamp"))) == (
        "INVALID_ARGUMENT",
        "STACK_NEEDED",
    )
    assert await refusal(sessions.CreateSession(request(stack="local", device="A"))) == (
        "INVALID_ARGUMENT",
        "INVALID_DEVICE_ID",
    )
    made = (await sessions.CreateSession(request(stack="stacks/local", device="lamp"))).session
    assert (made.stack, made.device) == ("stacks/local", "lamp")


async def test_a_sentence_is_the_same_device_again_but_not_of_two_sessions_at_once(
    edge: Edge,
) -> None:
    sessions: Any = session_pb2_grpc.SessionServiceStub(edge.channel)

    async def made(request_id: str) -> session_pb2.Session:
        request = session_pb2.CreateSessionRequest(
            prompt="Blink", stack="local", request_id=request_id
        )
        return (await sessions.CreateSession(request)).session

    asked = str(uuid.uuid4())
    first = await made(asked)
    assert (await made(asked)).name == first.name
    beside = await made(str(uuid.uuid4()))
    assert beside.device == f"device-{beside.name.removeprefix('sessions/')}"
    await sessions.CancelSession(session_pb2.CancelSessionRequest(name=first.name))
    async with asyncio.timeout(60):
        async for _ in sessions.WatchSession(session_pb2.WatchSessionRequest(name=first.name)):
            pass
    assert (await made(str(uuid.uuid4()))).device == first.device != beside.device


def test_only_approvers_decide() -> None:
    for method in ("ApproveStack", "RejectPlan"):
        assert required_role(f"/benchline.v1.StackService/{method}") is Role.APPROVER
    assert required_role("/benchline.v1.StackService/PlanStack") is Role.OPERATOR
    assert required_role("/benchline.v1.StackService/GetOutputs") is Role.VIEWER


async def test_telemetry_is_read_of_local_clouds_that_give_some(edge: Edge) -> None:
    await create(edge, "lamp")
    request = stack_pb2.WatchTelemetryRequest(name=NAME)
    call = stub_of(edge).WatchTelemetry(request)

    assert await refusal(anext(aiter(call))) == ("FAILED_PRECONDITION", "TELEMETRY_NOT_READ")


async def test_messages_go_only_where_a_cloud_is_kept(edge: Edge) -> None:
    await create(edge)
    request = stack_pb2.SendToDeviceRequest(name=NAME, device="d", topic="lamp", payload=b"on")
    told = await refusal(stub_of(edge).SendToDevice(request))
    assert told == ("FAILED_PRECONDITION", "TELEMETRY_NOT_READ")


async def test_who_watches_the_list_is_told_of_what_is_made_and_forgotten(edge: Edge) -> None:
    watch = aiter(stub_of(edge).WatchStacks(stack_pb2.WatchStacksRequest(), timeout=60))

    async def changed(known: int) -> int:
        while (told := (await anext(watch)).changes) == known:  # heartbeats
            pass
        return int(told)

    first = (await anext(watch)).changes
    await create(edge)
    made = await changed(first)
    await stub_of(edge).DeleteStack(stack_pb2.DeleteStackRequest(name=NAME))
    assert await changed(made) == first + 2
