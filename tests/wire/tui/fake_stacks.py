"""Stacks of the fake control plane: each test says what a plan holds and how an apply goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from benchline.errors import BenchlineError, NotFoundError
from benchline.v1 import event_pb2, provisioning_pb2, stack_pb2, stack_pb2_grpc

DIGEST = "3f2a" * 16
_Operation = provisioning_pb2.StackOperation
_Plan = provisioning_pb2.StackPlan
BROKER = "benchline_broker.this"
LAMP = 'benchline_device.this["lamp"]'


def change(
    address: str, action: provisioning_pb2.ChangeAction.ValueType, **values: tuple[str, str]
) -> provisioning_pb2.ReviewedChange:
    """What a plan does to one resource."""
    found = provisioning_pb2.ReviewedChange(address=address, action=action)
    for name, (before, after) in values.items():
        found.attributes.add(name=name, before=before, after=after)
    return found


class FakeStacks(stack_pb2_grpc.StackServiceServicer):
    """A stack does what the test tells it; its events are numbered as the real ones are."""

    def __init__(self) -> None:
        self.stacks: dict[str, stack_pb2.Stack] = {}
        self.events: dict[str, list[event_pb2.Event]] = {}
        self.asked: list[tuple[str, object]] = []
        self.watched_from: list[int] = []
        self.refuses: BenchlineError | None = None
        self.changes = [
            change(BROKER, provisioning_pb2.CHANGE_ACTION_CREATE, port=("", "(known after apply)")),
            change(LAMP, provisioning_pb2.CHANGE_ACTION_CREATE, key=("", "(sensitive)")),
        ]
        self.expire_s = 3600.0
        self.drifts: list[str] = []
        self.messages: list[stack_pb2.TelemetryMessage] = []
        self._plans: dict[str, provisioning_pb2.StackPlan] = {}
        self._changed = asyncio.Event()
        self._made = 0

    def add(self, name: str = "greenhouse", **fields: object) -> stack_pb2.Stack:
        """A stack that is there already."""
        stack = stack_pb2.Stack(
            name=f"stacks/{name}", target="local", state=provisioning_pb2.STACK_STATE_DRAFT
        )
        stack.MergeFrom(stack_pb2.Stack(**fields))
        stack.create_time.FromSeconds(1_800_000_000 + len(self.stacks))
        self.stacks[stack.name], self.events[stack.name] = stack, []
        self.announce()
        return stack

    def tell(self, stack: stack_pb2.Stack, *, skip: int = 0, **facts: object) -> None:
        """Append an event; the fact is named by its field. ``skip`` loses some before it."""
        stack.last_sequence += 1 + skip
        event = event_pb2.Event(sequence=stack.last_sequence, **facts)
        event.time.FromMilliseconds(int(time.time() * 1000))
        self.events[stack.name].append(event)
        self.announce()

    def announce(self) -> None:
        """Wake the watchers."""
        self._changed.set()
        self._changed = asyncio.Event()

    def move(self, stack: stack_pb2.Stack, word: str, message: str = "") -> None:
        """Put a stack into a state, and say so."""
        stack.state = provisioning_pb2.StackState.Value(f"STACK_STATE_{word}")
        stack.message = message
        moved = provisioning_pb2.StackChanged(state=stack.state, message=message)
        self.tell(stack, stack_changed=moved)

    def begin(self, stack: stack_pb2.Stack, kind: int) -> None:
        """An operation runs from now on."""
        self._made += 1
        operation = _Operation(
            operation_id=f"op{self._made}",
            stack=stack.name.rpartition("/")[2],
            kind=kind,
            state=_Operation.STATE_RUNNING,
            principal="local:ana",
            first_sequence=stack.last_sequence + 1,
        )
        operation.start_time.FromMilliseconds(int(time.time() * 1000))
        stack.operation.CopyFrom(operation)
        self.tell(stack, stack_operation=operation)

    def end(self, stack: stack_pb2.Stack, state: int = _Operation.STATE_SUCCEEDED, **f: object):
        """The operation is over."""
        stack.operation.MergeFrom(_Operation(state=state, **f))
        stack.operation.end_time.FromMilliseconds(int(time.time() * 1000))
        self.tell(stack, stack_operation=stack.operation)

    def progress(self, stack: stack_pb2.Stack, address: str, phase: str, action: int = 1) -> None:
        """How far the work on a resource is."""
        told = provisioning_pb2.ResourceProgress(
            address=address,
            action=action,
            phase=provisioning_pb2.ResourceProgress.Phase.Value(f"PHASE_{phase}"),
        )
        self.tell(stack, resource_progress=told)

    def propose(self, stack: stack_pb2.Stack, *, destroy: bool = False) -> None:
        """A plan of the changes that the test set; something goes away when one deletes."""
        actions = [one.action for one in self.changes]
        gone = actions.count(provisioning_pb2.CHANGE_ACTION_DELETE)
        plan = _Plan(
            digest=DIGEST,
            operation=stack.operation.operation_id,
            destroy=destroy,
            state=_Plan.STATE_PROPOSED,
            changes=self.changes,
            counts=provisioning_pb2.PlanCounts(remove=gone, add=len(actions) - gone),
            devices=stack.devices,
            confirmation_needed=gone > 0,
        )
        plan.expire_time.FromMilliseconds(int((time.time() + self.expire_s) * 1000))
        self._plans[stack.name] = plan
        stack.plan.CopyFrom(plan)
        del stack.plan.changes[:]
        confirm = f" --confirm {stack.name[7:]}" if gone else ""
        stack.next_action = f"benchline stack approve {stack.name[7:]} {DIGEST[:12]}{confirm}"
        self.tell(stack, stack_plan=stack.plan)
        self.move(stack, "PLANNED")

    def decide(self, stack: stack_pb2.Stack, state: int) -> None:
        """The plan is approved or rejected."""
        stack.plan.state = state
        stack.plan.decided_by = "local:ana"
        self.tell(stack, stack_plan=stack.plan)

    async def CreateStack(self, request, context):
        await self._ask("create", request, context)
        stack = self.add(request.name, devices=request.devices, settings=request.settings)
        return stack_pb2.CreateStackResponse(stack=stack)

    async def GetStack(self, request, context):
        return stack_pb2.GetStackResponse(stack=await self._find(request, context))

    async def ListStacks(self, request, context):
        return stack_pb2.ListStacksResponse(stacks=list(self.stacks.values())[::-1])

    async def PlanStack(self, request, context):
        await self._ask("plan", request, context)
        stack = await self._find(request, context)
        self.begin(stack, _Operation.KIND_PLAN)
        self.move(stack, "PLANNING")
        self.propose(stack)
        self.end(stack, message="2 to add")
        return stack_pb2.PlanStackResponse(stack=stack, operation=stack.operation)

    async def DestroyStack(self, request, context):
        await self._ask("destroy", request, context)
        stack = await self._find(request, context)
        self.begin(stack, _Operation.KIND_PLAN)
        self.changes = [
            change(LAMP, provisioning_pb2.CHANGE_ACTION_DELETE),
            change(BROKER, provisioning_pb2.CHANGE_ACTION_DELETE),
        ]
        self.propose(stack, destroy=True)
        self.end(stack)
        return stack_pb2.DestroyStackResponse(stack=stack, operation=stack.operation)

    async def GetPlan(self, request, context):
        stack = await self._find(request, context)
        return stack_pb2.GetPlanResponse(plan=self._plans[stack.name])

    async def ApproveStack(self, request, context):
        await self._ask("approve", request, context)
        stack = await self._find(request, context)
        self.decide(stack, _Plan.STATE_APPROVED)
        self.move(stack, "APPROVED")
        return stack_pb2.ApproveStackResponse(stack=stack)

    async def RejectPlan(self, request, context):
        await self._ask("reject", request, context)
        stack = await self._find(request, context)
        self.decide(stack, _Plan.STATE_REJECTED)
        self.move(stack, "DRAFT")
        return stack_pb2.RejectPlanResponse(stack=stack)

    async def ApplyStack(self, request, context):
        """It goes on until the test ends it."""
        await self._ask("apply", request, context)
        stack = await self._find(request, context)
        self.begin(stack, _Operation.KIND_APPLY)
        self.move(stack, "APPLYING")
        for one in self._plans[stack.name].changes:
            planned = provisioning_pb2.PlannedChange(address=one.address, action=one.action)
            self.tell(stack, planned_change=planned)
        return stack_pb2.ApplyStackResponse(stack=stack, operation=stack.operation)

    async def DetectDrift(self, request, context):
        await self._ask("drift", request, context)
        stack = await self._find(request, context)
        self.begin(stack, _Operation.KIND_DRIFT)
        for address in self.drifts:
            gone = provisioning_pb2.CHANGE_ACTION_DELETE
            drift = provisioning_pb2.ResourceDrift(address=address, action=gone)
            self.tell(stack, resource_drift=drift)
        stack.drifted[:] = self.drifts
        self.end(stack, message=f"{len(self.drifts)} changed outside")
        return stack_pb2.DetectDriftResponse(stack=stack, operation=stack.operation)

    async def GetOutputs(self, request, context):
        await self._ask("outputs", request, context)
        stack = await self._find(request, context)
        answer = stack_pb2.GetOutputsResponse(outputs=stack.outputs)
        if request.sensitive:
            answer.sensitive.add(name="admin_password", json='"tr0ub4dor"')
            read = provisioning_pb2.SensitiveRead(principal="local:ana", outputs=["admin_password"])
            self.tell(stack, sensitive_read=read)
        return answer

    async def CancelOperation(self, request, context):
        await self._ask("cancel", request, context)
        stack = await self._find(request, context)
        stack.operation.cancel_requested = True
        self.tell(stack, stack_operation=stack.operation)
        return stack_pb2.CancelOperationResponse(operation=stack.operation)

    async def WatchStacks(self, request, context) -> AsyncIterator[stack_pb2.WatchStacksResponse]:
        names: list[str] = []
        changes = 0
        yield stack_pb2.WatchStacksResponse()
        while True:
            waiter = self._changed
            if names != list(self.stacks):
                names = list(self.stacks)
                changes += 1
                yield stack_pb2.WatchStacksResponse(changes=changes)
            await waiter.wait()

    async def WatchStack(self, request, context) -> AsyncIterator[stack_pb2.WatchStackResponse]:
        stack = await self._find(request, context)
        self.watched_from.append(request.from_sequence)
        last = max(1, request.from_sequence) - 1
        yield stack_pb2.WatchStackResponse(head_sequence=stack.last_sequence)
        while stack.name in self.stacks:
            waiter = self._changed
            events = [one for one in self.events[stack.name] if one.sequence > last]
            if events:
                last = events[-1].sequence
                yield stack_pb2.WatchStackResponse(events=events, head_sequence=last)
            else:
                await waiter.wait()

    def publish(self, device: str, topic: str, payload: bytes) -> None:
        """A device says something."""
        count = 1 + sum(one.device == device for one in self.messages)
        message = stack_pb2.TelemetryMessage(
            number=len(self.messages) + 1, count=count, device=device, topic=topic, payload=payload
        )
        message.receive_time.FromMilliseconds(int(time.time() * 1000))
        self.messages.append(message)
        self.announce()

    async def WatchTelemetry(
        self, request, context
    ) -> AsyncIterator[stack_pb2.WatchTelemetryResponse]:
        last = request.after_number
        while True:
            waiter = self._changed
            yield stack_pb2.WatchTelemetryResponse(
                messages=self.messages[last:], head_number=len(self.messages)
            )
            last = len(self.messages)
            if not request.follow:
                return
            await waiter.wait()

    async def SendToDevice(self, request, context):
        await self._ask("send", request, context)
        return stack_pb2.SendToDeviceResponse()

    async def DeleteStack(self, request, context):
        await self._ask("delete", request, context)
        stack = await self._find(request, context)
        del self.stacks[stack.name]
        self.announce()
        return stack_pb2.DeleteStackResponse()

    async def _ask(self, verb, request, context):
        from tests.wire.tui.fake_server import refuse

        self.asked.append((verb, request))
        refused, self.refuses = self.refuses, None
        if refused is not None:
            await refuse(context, refused)

    async def _find(self, request, context):
        from tests.wire.tui.fake_server import refuse

        name = request.name if request.name.startswith("stacks/") else f"stacks/{request.name}"
        if name not in self.stacks:
            await refuse(context, NotFoundError("STACK_NOT_FOUND", f"there is no {name}"))
        return self.stacks[name]
