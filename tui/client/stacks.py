"""What an operator does with stacks, as single calls; and following one of their operations."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import grpc

from benchline.v1 import event_pb2, provisioning_pb2, stack_pb2, verdict_pb2
from tui.client.connection import CALL_TIMEOUT_S, Connection, is_absent, new_request_id
from tui.client.stack_facts import telemetry_of
from tui.client.watch import Away, Back, follow_to_end, ignore, watch_list, without_end
from tui.state.telemetry import Heard, Missed

_PAGE = 200


async def stack(connection: Connection, name: str) -> stack_pb2.Stack:
    """One stack."""
    request = stack_pb2.GetStackRequest(name=name)
    answer = await connection.stacks.GetStack(request, timeout=CALL_TIMEOUT_S)
    return answer.stack


async def stack_if_any(connection: Connection, name: str) -> stack_pb2.Stack | None:
    """One stack; None when there is none of that name."""
    try:
        return await stack(connection, name)
    except grpc.aio.AioRpcError as error:
        if not is_absent(error):
            raise
        return None


async def all_stacks(connection: Connection) -> list[stack_pb2.Stack]:
    """Every stack, newest first."""
    found: list[stack_pb2.Stack] = []
    token = ""
    while True:
        request = stack_pb2.ListStacksRequest(page_size=_PAGE, page_token=token)
        answer = await connection.stacks.ListStacks(request, timeout=CALL_TIMEOUT_S)
        found.extend(answer.stacks)
        token = answer.next_page_token
        if not token:
            return found


async def watch_stacks(connection: Connection, *, on_away: Away = ignore) -> AsyncIterator[None]:
    """Whenever the list of stacks has to be read."""

    def opened() -> AsyncIterable[stack_pb2.WatchStacksResponse]:
        return connection.stacks.WatchStacks(stack_pb2.WatchStacksRequest())

    async for _ in watch_list(opened, on_away):
        yield


async def create_stack(
    connection: Connection,
    name: str,
    target: str,
    devices: Sequence[str],
    settings: Mapping[str, str],
) -> stack_pb2.Stack:
    """Describe a stack."""
    request = stack_pb2.CreateStackRequest(
        request_id=new_request_id(),
        name=name,
        target=target,
        devices=devices,
        settings=_settings(settings),
    )
    answer = await connection.stacks.CreateStack(request, timeout=CALL_TIMEOUT_S)
    return answer.stack


async def plan_stack(
    connection: Connection,
    name: str,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> provisioning_pb2.StackOperation:
    """Begin to make a plan."""
    request = stack_pb2.PlanStackRequest(
        name=name,
        request_id=new_request_id(),
        add_devices=add,
        remove_devices=remove,
        settings=_settings(settings or {}),
    )
    answer = await connection.stacks.PlanStack(request, timeout=CALL_TIMEOUT_S)
    return answer.operation


async def destroy_stack(connection: Connection, name: str) -> provisioning_pb2.StackOperation:
    """Begin to plan the destruction."""
    request = stack_pb2.DestroyStackRequest(name=name, request_id=new_request_id())
    answer = await connection.stacks.DestroyStack(request, timeout=CALL_TIMEOUT_S)
    return answer.operation


async def apply_stack(connection: Connection, name: str) -> provisioning_pb2.StackOperation:
    """Begin to apply the approved plan."""
    request = stack_pb2.ApplyStackRequest(name=name, request_id=new_request_id())
    answer = await connection.stacks.ApplyStack(request, timeout=CALL_TIMEOUT_S)
    return answer.operation


async def detect_drift(connection: Connection, name: str) -> provisioning_pb2.StackOperation:
    """Begin to look for what was changed outside."""
    request = stack_pb2.DetectDriftRequest(name=name, request_id=new_request_id())
    answer = await connection.stacks.DetectDrift(request, timeout=CALL_TIMEOUT_S)
    return answer.operation


async def newest_plan(connection: Connection, name: str) -> provisioning_pb2.StackPlan:
    """The newest plan, whole."""
    request = stack_pb2.GetPlanRequest(name=name)
    answer = await connection.stacks.GetPlan(request, timeout=CALL_TIMEOUT_S)
    return answer.plan


async def approve_plan(
    connection: Connection, name: str, digest: str, *, confirmation: str = "", by_rule: bool = False
) -> stack_pb2.Stack:
    """Approve the open plan."""
    request = stack_pb2.ApproveStackRequest(
        name=name, digest=digest, confirmation=confirmation, by_rule=by_rule
    )
    answer = await connection.stacks.ApproveStack(request, timeout=CALL_TIMEOUT_S)
    return answer.stack


async def reject_plan(connection: Connection, name: str, digest: str) -> stack_pb2.Stack:
    """Give the open plan up."""
    request = stack_pb2.RejectPlanRequest(name=name, digest=digest)
    answer = await connection.stacks.RejectPlan(request, timeout=CALL_TIMEOUT_S)
    return answer.stack


async def cancel_operation(connection: Connection, name: str) -> provisioning_pb2.StackOperation:
    """Ask the running operation to end."""
    request = stack_pb2.CancelOperationRequest(name=name)
    answer = await connection.stacks.CancelOperation(request, timeout=CALL_TIMEOUT_S)
    return answer.operation


async def stack_outputs(
    connection: Connection, name: str, *, sensitive: bool
) -> stack_pb2.GetOutputsResponse:
    """What a stack gives to devices."""
    request = stack_pb2.GetOutputsRequest(name=name, sensitive=sensitive)
    return await connection.stacks.GetOutputs(request, timeout=CALL_TIMEOUT_S)


async def delete_stack(connection: Connection, name: str) -> None:
    """Forget an empty stack."""
    request = stack_pb2.DeleteStackRequest(name=name)
    await connection.stacks.DeleteStack(request, timeout=CALL_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class FollowedStack:
    """A stack, and an operation of it that was followed to its end."""

    stack: stack_pb2.Stack
    operation: provisioning_pb2.StackOperation

    @property
    def state(self) -> int:
        """DONE once the operation is over."""
        running = self.operation.state == provisioning_pb2.StackOperation.STATE_RUNNING
        return verdict_pb2.STATE_RUNNING if running else verdict_pb2.STATE_DONE

    @property
    def last_sequence(self) -> int:
        """Nothing is waited for: the end of the operation was among the events."""
        return 0


async def watch_operation(
    connection: Connection,
    name: str,
    operation: provisioning_pb2.StackOperation,
    *,
    on_away: Away = ignore,
) -> AsyncIterator[event_pb2.Event | FollowedStack | Back]:
    """Every event of an operation, each once; at last the stack, and how the operation ended.

    Raises:
        grpc.aio.AioRpcError: any failure but an unreachable server.
    """
    newest = operation

    def opened(first: int) -> AsyncIterable[stack_pb2.WatchStackResponse]:
        request = stack_pb2.WatchStackRequest(
            name=name, from_sequence=first, operation=operation.operation_id
        )
        return connection.stacks.WatchStack(request)

    async def current() -> FollowedStack:
        return FollowedStack(await stack(connection, name), newest)

    first = max(1, operation.first_sequence)
    async for item in follow_to_end(opened, current, first, on_away):
        if isinstance(item, event_pb2.Event) and item.HasField("stack_operation"):
            told = item.stack_operation
            newest = told if told.operation_id == operation.operation_id else newest
        yield item


@dataclass(frozen=True, slots=True)
class _Life:
    """Whether a stack is there: a watcher has no other end to wait for."""

    state: int
    last_sequence: int = 0


async def watch_stack(
    connection: Connection, name: str, *, from_sequence: int = 1, on_away: Away = ignore
) -> AsyncIterator[event_pb2.Event | Back]:
    """Every event of a stack from a sequence number on, each once, until the stack is deleted.

    Raises:
        grpc.aio.AioRpcError: any failure but an unreachable server.
    """

    def opened(first: int) -> AsyncIterable[stack_pb2.WatchStackResponse]:
        request = stack_pb2.WatchStackRequest(name=name, from_sequence=first)
        return connection.stacks.WatchStack(request)

    async def current() -> _Life:
        there = await stack_if_any(connection, name) is not None
        return _Life(verdict_pb2.STATE_RUNNING if there else verdict_pb2.STATE_DONE)

    async for item in follow_to_end(opened, current, from_sequence, on_away):
        if not isinstance(item, _Life):
            yield item


async def kept_telemetry(
    connection: Connection, name: str, *, device: str
) -> AsyncIterator[stack_pb2.TelemetryMessage]:
    """What devices published lately.

    Raises:
        grpc.aio.AioRpcError: any failure.
    """
    request = stack_pb2.WatchTelemetryRequest(name=name, device=device)
    async for answer in connection.stacks.WatchTelemetry(request):
        for message in answer.messages:
            yield message


async def send_to_device(
    connection: Connection, name: str, *, device: str, topic: str, payload: bytes
) -> None:
    """Publish a message to a device.

    Raises:
        grpc.aio.AioRpcError: any failure.
    """
    await connection.stacks.SendToDevice(
        stack_pb2.SendToDeviceRequest(name=name, device=device, topic=topic, payload=payload),
        timeout=CALL_TIMEOUT_S,
    )


async def follow_telemetry(
    connection: Connection, name: str, *, device: str = "", on_away: Away = ignore
) -> AsyncIterator[stack_pb2.TelemetryMessage | Back]:
    """What devices published lately and publish, without end; after each `Back` from the beginning.

    Raises:
        grpc.aio.AioRpcError: any failure but an unreachable server.
    """

    def opened() -> AsyncIterable[stack_pb2.WatchTelemetryResponse]:
        request = stack_pb2.WatchTelemetryRequest(name=name, device=device, follow=True)
        return connection.stacks.WatchTelemetry(request)

    async for answer in without_end(opened, on_away):
        if isinstance(answer, Back):
            yield answer
            continue
        for message in answer.messages:
            yield message


async def resume_telemetry(
    connection: Connection, name: str, *, device: str, on_away: Away = ignore
) -> AsyncIterator[stack_pb2.TelemetryMessage | Missed | Back]:
    """What devices published lately and publish, each message once, without end.

    Before a message stands what is missing between it and the last one of its device.

    Raises:
        grpc.aio.AioRpcError: any failure but an unreachable server.
    """
    heard = Heard()
    async for item in follow_telemetry(connection, name, device=device, on_away=on_away):
        if isinstance(item, Back):
            yield item
            continue
        told = telemetry_of(item)
        if heard.knows(told):
            continue
        missed = heard.missed_before(told)
        if missed is not None:
            yield missed
        heard = heard.after(told)
        yield item


def _settings(settings: Mapping[str, str]) -> list[stack_pb2.StackSetting]:
    return [stack_pb2.StackSetting(name=name, value=value) for name, value in settings.items()]
