"""Stacks on the wire."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import grpc

from benchline.errors import (
    InvalidRequestError,
    NotFoundError,
    NotPermittedError,
    NotReadyError,
)
from benchline.names import stack_id
from benchline.v1 import provisioning_pb2, stack_pb2, stack_pb2_grpc
from controlplane.access.principal import Role, current_principal
from controlplane.domain.stack import Operation, Setting, Stack, Target
from controlplane.domain.telemetry import TelemetryMessage
from controlplane.edge.following import follow_journal, follow_list
from controlplane.edge.once import once
from controlplane.edge.requests import (
    check_request_id,
    page_size,
    position,
    read_page_token,
    write_page_token,
)
from controlplane.edge.translate import to_wire
from controlplane.journal.journal import Journal
from controlplane.pipeline.stack_checks import MOST_DEVICES
from controlplane.pipeline.stacks import Asker, StackChange, Stacks, running_operation
from controlplane.planning.provisioning import next_action
from controlplane.provisioning.localcloud.sender import Sender
from controlplane.provisioning.localcloud.telemetry import Telemetry
from controlplane.storage.answers import AnswerStore
from controlplane.storage.stacks import StackStore

HEARTBEAT_S = 5.0
_LONGEST_OPERATION = 32
_MESSAGES_AT_ONCE = 500

Context = grpc.aio.ServicerContext[Any, Any]


class StackService(stack_pb2_grpc.StackServiceServicer):
    """Validates, delegates, and tells what is stored."""

    def __init__(
        self,
        stacks: Stacks,
        store: StackStore,
        journal: Journal,
        answers: AnswerStore,
        telemetry: Telemetry,
        sender: Sender,
        *,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._stacks = stacks
        self._store = store
        self._journal = journal
        self._answers = answers
        self._telemetry = telemetry
        self._sender = sender
        self._heartbeat_s = heartbeat_s

    async def CreateStack(
        self, request: stack_pb2.CreateStackRequest, context: Context
    ) -> stack_pb2.CreateStackResponse:
        """Describe a stack."""
        principal = current_principal().name

        async def create() -> stack_pb2.CreateStackResponse:
            stack = await self._stacks.create(
                stack_id(request.name),
                _target(request.target),
                _devices(request.devices),
                _settings(request.settings),
                principal,
            )
            return stack_pb2.CreateStackResponse(stack=stack_message(stack))

        return await once(self._answers, request, stack_pb2.CreateStackResponse, create)

    async def GetStack(
        self, request: stack_pb2.GetStackRequest, context: Context
    ) -> stack_pb2.GetStackResponse:
        """One stack."""
        stack = await self._store.get(stack_id(request.name))
        return stack_pb2.GetStackResponse(stack=stack_message(stack))

    async def ListStacks(
        self, request: stack_pb2.ListStacksRequest, context: Context
    ) -> stack_pb2.ListStacksResponse:
        """Stacks, newest first."""
        after = read_page_token("stacks", request.page_token)
        found, rest = await self._store.page(page_size(request.page_size), after)
        return stack_pb2.ListStacksResponse(
            stacks=[stack_message(stack) for stack in found],
            next_page_token=write_page_token("stacks", rest),
        )

    async def PlanStack(
        self, request: stack_pb2.PlanStackRequest, context: Context
    ) -> stack_pb2.PlanStackResponse:
        """Begin to make a plan."""
        change = StackChange(
            add=_devices(request.add_devices),
            remove=_devices(request.remove_devices),
            settings=_settings(request.settings),
        )
        stack = await self._stacks.plan(stack_id(request.name), change, _asker(request.request_id))
        return stack_pb2.PlanStackResponse(
            stack=stack_message(stack), operation=operation_message(running_operation(stack))
        )

    async def GetPlan(
        self, request: stack_pb2.GetPlanRequest, context: Context
    ) -> stack_pb2.GetPlanResponse:
        """The newest plan, whole."""
        plan = await self._stacks.newest_plan(stack_id(request.name))
        return stack_pb2.GetPlanResponse(plan=to_wire(plan, provisioning_pb2.StackPlan))

    async def ApproveStack(
        self, request: stack_pb2.ApproveStackRequest, context: Context
    ) -> stack_pb2.ApproveStackResponse:
        """Approve the open plan."""
        name, principal = stack_id(request.name), current_principal().name
        if request.by_rule:
            stack = await self._stacks.approve_by_rule(name, request.digest, principal)
        else:
            stack = await self._stacks.approve(
                name, request.digest, principal, confirmation=request.confirmation
            )
        return stack_pb2.ApproveStackResponse(stack=stack_message(stack))

    async def RejectPlan(
        self, request: stack_pb2.RejectPlanRequest, context: Context
    ) -> stack_pb2.RejectPlanResponse:
        """Give the open plan up."""
        stack = await self._stacks.reject(
            stack_id(request.name), request.digest, current_principal().name
        )
        return stack_pb2.RejectPlanResponse(stack=stack_message(stack))

    async def ApplyStack(
        self, request: stack_pb2.ApplyStackRequest, context: Context
    ) -> stack_pb2.ApplyStackResponse:
        """Begin to apply the approved plan."""
        stack = await self._stacks.apply(stack_id(request.name), _asker(request.request_id))
        return stack_pb2.ApplyStackResponse(
            stack=stack_message(stack), operation=operation_message(running_operation(stack))
        )

    async def DestroyStack(
        self, request: stack_pb2.DestroyStackRequest, context: Context
    ) -> stack_pb2.DestroyStackResponse:
        """Begin to plan the destruction."""
        stack = await self._stacks.plan(
            stack_id(request.name), StackChange(destroy=True), _asker(request.request_id)
        )
        return stack_pb2.DestroyStackResponse(
            stack=stack_message(stack), operation=operation_message(running_operation(stack))
        )

    async def DetectDrift(
        self, request: stack_pb2.DetectDriftRequest, context: Context
    ) -> stack_pb2.DetectDriftResponse:
        """Begin to look for what was changed outside."""
        stack = await self._stacks.drift(stack_id(request.name), _asker(request.request_id))
        return stack_pb2.DetectDriftResponse(
            stack=stack_message(stack), operation=operation_message(running_operation(stack))
        )

    async def GetOutputs(
        self, request: stack_pb2.GetOutputsRequest, context: Context
    ) -> stack_pb2.GetOutputsResponse:
        """What the stack gives to devices."""
        stack = await self._store.get(stack_id(request.name))
        answer = stack_pb2.GetOutputsResponse()
        if stack.outputs is not None:
            answer.outputs.CopyFrom(to_wire(stack.outputs, stack_pb2.StackOutputs))
        if request.sensitive:
            principal = current_principal()
            if principal.role < Role.APPROVER:
                raise NotPermittedError(
                    "ROLE_TOO_LOW", "sensitive outputs need the role approver", needed="approver"
                )
            found = await self._stacks.sensitive_outputs(stack.stack_id, principal.name)
            for name, value in sorted(found.items()):
                answer.sensitive.add(name=name, json=value)
        return answer

    async def CancelOperation(
        self, request: stack_pb2.CancelOperationRequest, context: Context
    ) -> stack_pb2.CancelOperationResponse:
        """Ask the running operation to end."""
        operation = await self._stacks.cancel(stack_id(request.name))
        return stack_pb2.CancelOperationResponse(operation=operation_message(operation))

    async def WatchStack(
        self, request: stack_pb2.WatchStackRequest, context: Context
    ) -> AsyncIterator[stack_pb2.WatchStackResponse]:
        """Stored events, then live ones."""
        stack = await self._store.get(stack_id(request.name))
        wanted = request.operation[:_LONGEST_OPERATION]
        if wanted and (await self._store.operation(wanted)).stack != stack.stack_id:
            raise NotFoundError(
                "OPERATION_NOT_FOUND", f"{stack.name} has no operation {wanted}", operation=wanted
            )

        async def ended() -> int | None:
            if not wanted:
                return None if await self._store.find(stack.stack_id) is not None else 0
            try:
                return (await self._store.operation(wanted)).last_sequence or None
            except NotFoundError:
                return 0

        async for events, head in follow_journal(
            self._journal,
            stack.name,
            position(request.from_sequence),
            ended=ended,
            heartbeat_s=self._heartbeat_s,
        ):
            yield stack_pb2.WatchStackResponse(events=events, head_sequence=head)

    async def WatchStacks(
        self, request: stack_pb2.WatchStacksRequest, context: Context
    ) -> AsyncIterator[stack_pb2.WatchStacksResponse]:
        """Whenever a stack was made or forgotten."""
        async for count in follow_list(self._store.changes, heartbeat_s=self._heartbeat_s):
            yield stack_pb2.WatchStacksResponse(changes=count)

    async def WatchTelemetry(
        self, request: stack_pb2.WatchTelemetryRequest, context: Context
    ) -> AsyncIterator[stack_pb2.WatchTelemetryResponse]:
        """Kept messages, then live ones, until the stack gives none any more."""
        stack = await self._kept_here(request.name)
        number = request.after_number
        while self._telemetry.reads(stack.stack_id):
            found = self._telemetry.after(stack.stack_id, number, request.device)
            number = max(number, self._telemetry.head(stack.stack_id))
            for batch in batched_messages(found):
                yield stack_pb2.WatchTelemetryResponse(messages=batch, head_number=number)
            if not request.follow:
                return
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    await self._telemetry.wait(stack.stack_id, number)
            except TimeoutError:
                yield stack_pb2.WatchTelemetryResponse(head_number=number)

    async def SendToDevice(
        self, request: stack_pb2.SendToDeviceRequest, context: Context
    ) -> stack_pb2.SendToDeviceResponse:
        """Publish a message to a device."""
        stack = await self._kept_here(request.name)
        if stack.outputs is None or stack.outputs.device(request.device) is None:
            raise NotFoundError(
                "DEVICE_NOT_FOUND",
                f"{stack.name} has no device {request.device[:80]!r};"
                f" `benchline stack outputs {stack.stack_id}` lists them",
                stack=stack.name,
                device=request.device[:80],
            )
        await self._sender.send(stack.stack_id, request.device, request.topic, request.payload)
        return stack_pb2.SendToDeviceResponse()

    async def _kept_here(self, name: str) -> Stack:
        """A stack whose broker is kept by this control plane."""
        stack = await self._store.get(stack_id(name))
        if not self._telemetry.reads(stack.stack_id):
            raise NotReadyError(
                "TELEMETRY_NOT_READ",
                f"no telemetry of {stack.name} is read here: {_elsewhere(stack)}",
                stack=stack.name,
            )
        return stack

    async def DeleteStack(
        self, request: stack_pb2.DeleteStackRequest, context: Context
    ) -> stack_pb2.DeleteStackResponse:
        """Forget an empty stack."""
        await self._stacks.delete(stack_id(request.name))
        return stack_pb2.DeleteStackResponse()


def stack_message(stack: Stack) -> stack_pb2.Stack:
    """A stack with the command that leads on."""
    message = to_wire(stack, stack_pb2.Stack, without=("name", "next_action"))
    message.name = stack.name
    message.next_action = next_action(stack, datetime.now(UTC))
    return message


def batched_messages(
    found: Sequence[TelemetryMessage],
) -> Iterator[list[stack_pb2.TelemetryMessage]]:
    """Messages of devices for the wire, some hundred at a time."""
    for at in range(0, len(found), _MESSAGES_AT_ONCE):
        some = found[at : at + _MESSAGES_AT_ONCE]
        yield [to_wire(one, stack_pb2.TelemetryMessage) for one in some]


def _elsewhere(stack: Stack) -> str:
    if stack.outputs is None:
        return "nothing was applied"
    return f"it goes to {stack.outputs.telemetry_sink or 'nowhere'}"


def operation_message(operation: Operation) -> provisioning_pb2.StackOperation:
    """An operation."""
    return to_wire(operation, provisioning_pb2.StackOperation)


def _asker(request_id: str) -> Asker:
    return Asker(principal=current_principal().name, request_id=check_request_id(request_id))


def _target(name: str) -> Target:
    if not name:
        return Target.LOCAL
    try:
        return Target(name)
    except ValueError as error:
        raise InvalidRequestError(
            "TARGET_UNKNOWN",
            f"there is no target {name[:60]!r}; there is: {', '.join(Target)}",
            target=name[:60],
        ) from error


def _devices(devices: Sequence[str]) -> tuple[str, ...]:
    if len(devices) > MOST_DEVICES:
        raise InvalidRequestError(
            "TOO_MANY_DEVICES", f"a stack has at most {MOST_DEVICES} devices, not {len(devices)}"
        )
    return tuple(devices)


def _settings(settings: Sequence[stack_pb2.StackSetting]) -> tuple[Setting, ...]:
    return tuple(Setting(name=one.name, value=one.value) for one in settings[:100])
