"""The calls of Terraform's provider protocol, version 6, answered from the resources."""

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, TypeVar

import grpc

from benchline.errors import BenchlineError
from controlplane.provisioning.provider.resource import Attribute, Problem, Resource
from controlplane.provisioning.provider.values import BadValueError, Values, decode, encode
from controlplane.provisioning.provider.wire import tfplugin6_pb2 as wire
from controlplane.provisioning.provider.wire import tfplugin6_pb2_grpc

log = logging.getLogger(__name__)

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]

SCHEMA_VERSION = 1
CALL_SECONDS = 60.0
"""A call that takes longer is given up: Terraform itself would wait for ever."""

_ERROR = wire.Diagnostic.ERROR


class _StoppedError(Exception):
    """Terraform asked to stop; what was under way is undone or will be found by the next plan."""


class ProviderServicer(tfplugin6_pb2_grpc.ProviderServicer):
    """Serves the resources of one stack to one operation."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._resources = resources
        self._stopping = asyncio.Event()

    async def GetProviderSchema(
        self, request: wire.GetProviderSchema.Request, context: Context
    ) -> wire.GetProviderSchema.Response:
        """What the resources are made of."""
        return wire.GetProviderSchema.Response(
            provider=wire.Schema(block=wire.Schema.Block()),
            resource_schemas={
                name: _schema(resource.attributes) for name, resource in self._resources.items()
            },
        )

    async def ValidateProviderConfig(
        self, request: wire.ValidateProviderConfig.Request, context: Context
    ) -> wire.ValidateProviderConfig.Response:
        """The provider has no settings."""
        return wire.ValidateProviderConfig.Response()

    async def ConfigureProvider(
        self, request: wire.ConfigureProvider.Request, context: Context
    ) -> wire.ConfigureProvider.Response:
        """Nothing to do: the stack is that of the socket."""
        return wire.ConfigureProvider.Response()

    async def ValidateResourceConfig(
        self, request: wire.ValidateResourceConfig.Request, context: Context
    ) -> wire.ValidateResourceConfig.Response:
        """What is wrong with a configuration, attribute by attribute."""
        answer = wire.ValidateResourceConfig.Response()
        try:
            problems = self._resource(request.type_name).validate(decode(request.config) or {})
        except BadValueError as error:
            answer.diagnostics.append(_diagnostic(error))
            return answer
        answer.diagnostics.extend(_complaint(problem) for problem in problems)
        return answer

    async def UpgradeResourceState(
        self, request: wire.UpgradeResourceState.Request, context: Context
    ) -> wire.UpgradeResourceState.Response:
        """State as it lies in the file, made one that the resource knows."""
        answer = wire.UpgradeResourceState.Response()
        try:
            answer.upgraded_state.CopyFrom(encode(self._upgraded(request)))
        except ValueError as error:
            answer.diagnostics.append(_diagnostic(error))
        return answer

    async def ReadResource(
        self, request: wire.ReadResource.Request, context: Context
    ) -> wire.ReadResource.Response:
        """How a resource really is."""
        answer = wire.ReadResource.Response()
        try:
            resource = self._resource(request.type_name)
            state = decode(request.current_state)
            found = None if state is None else await self._guarded(resource.read(state))
            answer.new_state.CopyFrom(encode(found))
        except Exception as error:
            answer.new_state.CopyFrom(request.current_state)
            answer.diagnostics.append(_diagnostic(error))
        return answer

    async def PlanResourceChange(
        self, request: wire.PlanResourceChange.Request, context: Context
    ) -> wire.PlanResourceChange.Response:
        """What an apply would lead to, and whether it must be a new resource."""
        answer = wire.PlanResourceChange.Response()
        try:
            resource = self._resource(request.type_name)
            prior, proposed = decode(request.prior_state), decode(request.proposed_new_state)
            planned = None if proposed is None else resource.plan(prior, proposed)
            answer.planned_state.CopyFrom(encode(planned))
            answer.requires_replace.extend(
                _path(attribute.name)
                for attribute in resource.attributes
                if attribute.replaces and prior and planned
                if prior[attribute.name] != planned[attribute.name]
            )
        except Exception as error:
            answer.diagnostics.append(_diagnostic(error))
        return answer

    async def ApplyResourceChange(
        self, request: wire.ApplyResourceChange.Request, context: Context
    ) -> wire.ApplyResourceChange.Response:
        """Create, update or delete.

        What fails or is stopped is told as it was before: whatever was done of it is found by the
        next plan, since every call begins with what is there.
        """
        answer = wire.ApplyResourceChange.Response()
        try:
            resource = self._resource(request.type_name)
            prior, planned = decode(request.prior_state), decode(request.planned_state)
            made: Values | None = None
            if planned is not None:
                made = await self._guarded(resource.apply(planned))
            elif prior is not None:
                await self._guarded(resource.delete(prior))
            answer.new_state.CopyFrom(encode(made))
        except Exception as error:
            answer.new_state.CopyFrom(request.prior_state)
            answer.diagnostics.append(_diagnostic(error))
        return answer

    async def StopProvider(
        self, request: wire.StopProvider.Request, context: Context
    ) -> wire.StopProvider.Response:
        """End what is under way, soon."""
        self._stopping.set()
        return wire.StopProvider.Response()

    def _upgraded(self, request: wire.UpgradeResourceState.Request) -> Values:
        resource = self._resource(request.type_name)
        if request.version > SCHEMA_VERSION:
            raise BadValueError("a newer Benchline wrote the state; upgrade this one")
        stored = json.loads(request.raw_state.json)
        if not isinstance(stored, dict):
            raise BadValueError("the state is not an object")
        return {one.name: stored.get(one.name) for one in resource.attributes}

    def _resource(self, name: str) -> Resource:
        found = self._resources.get(name)
        if found is None:
            raise BadValueError(f"there is no resource {name}")
        return found

    async def _guarded(self, work: Awaitable[T]) -> T:
        """Wait for work, but not for ever, and not when Terraform asks to stop.

        Raises:
            TimeoutError: it takes too long.
            _StoppedError: Terraform asked to stop.
        """
        doing = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait(
                (doing, stopping), timeout=CALL_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if doing.done():
                return doing.result()
            raise _StoppedError if stopping.done() else TimeoutError
        finally:
            stopping.cancel()
            if not doing.done():
                doing.cancel()
                await asyncio.wait((doing,))


def _schema(attributes: Iterable[Attribute]) -> wire.Schema:
    described = [
        wire.Schema.Attribute(
            name=attribute.name,
            type=json.dumps(attribute.kind).encode(),
            description=attribute.description,
            required=attribute.required,
            optional=attribute.optional,
            computed=attribute.computed,
        )
        for attribute in attributes
    ]
    block = wire.Schema.Block(version=SCHEMA_VERSION, attributes=described)
    return wire.Schema(version=SCHEMA_VERSION, block=block)


def _path(name: str) -> wire.AttributePath:
    return wire.AttributePath(steps=[wire.AttributePath.Step(attribute_name=name)])


def _complaint(problem: Problem) -> wire.Diagnostic:
    return wire.Diagnostic(
        severity=_ERROR,
        summary=problem.summary,
        detail=problem.detail,
        attribute=_path(problem.attribute),
    )


def _diagnostic(error: Exception) -> wire.Diagnostic:
    """An error for the operator; one that nobody foresaw is told by the number of its log entry."""
    match error:
        case BenchlineError():
            summary, detail = error.reason, error.message
        case _StoppedError():
            summary, detail = "Stopped", "The operation was stopped; plan again to go on."
        case TimeoutError():
            summary, detail = "Too slow", f"It was given up after {CALL_SECONDS:g} s; plan again."
        case ValueError():
            summary, detail = "Bad value", str(error)
        case _:
            incident = uuid.uuid4().hex[:12]
            log.error("provider failed", exc_info=error, extra={"incident": incident})
            summary = "The local cloud failed"
            detail = f"See incident {incident} in the log of the control plane."
    return wire.Diagnostic(severity=_ERROR, summary=summary, detail=detail)
