"""Deployments on the wire, and what the DEPLOY stage of a session did."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

import grpc

from benchline.errors import InvalidRequestError, NotFoundError
from benchline.names import deployment_id
from benchline.v1 import deployment_pb2, deployment_pb2_grpc, event_pb2
from controlplane.access.principal import current_principal
from controlplane.domain.deployment import (
    BoardDeployment,
    Deployment,
    DeploymentRequest,
    SessionDeployment,
    StopRule,
)
from controlplane.edge.following import follow_journal
from controlplane.edge.once import once
from controlplane.edge.requests import (
    check_request_id,
    page_size,
    position,
    read_page_token,
    write_page_token,
)
from controlplane.edge.result_services import checkpoint
from controlplane.edge.translate import to_wire
from controlplane.edge.upload_rules import read_images, read_scenarios
from controlplane.journal.journal import Journal
from controlplane.storage.answers import AnswerStore
from controlplane.storage.deployments import DeploymentStore
from controlplane.storage.sessions import SessionStore

HEARTBEAT_S = 5.0
_LONGEST_SELECTOR = 400
_MOST_NAMED_BOARDS = 1_000
_FROM_REQUEST = ("selector", "waves", "stop_rule", "no_reset", "scenario_ids", "boards", "retry_of")

Context = grpc.aio.ServicerContext[Any, Any]


class Rollouts(Protocol):
    """What leads deployments."""

    async def start(
        self, request: DeploymentRequest, principal: str, request_id: str
    ) -> Deployment:
        """Plan, accept and begin; the same request twice is one deployment."""
        ...

    async def cancel(self, deployment_id: str) -> Deployment:
        """Ask a deployment to end."""
        ...


class DeploymentService(deployment_pb2_grpc.DeploymentServiceServicer):
    """Validates, delegates, and tells what is stored."""

    def __init__(
        self,
        rollouts: Rollouts,
        store: DeploymentStore,
        sessions: SessionStore,
        journal: Journal,
        answers: AnswerStore,
        *,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self._rollouts = rollouts
        self._store = store
        self._sessions = sessions
        self._journal = journal
        self._answers = answers
        self._heartbeat_s = heartbeat_s

    async def CreateDeployment(
        self, request: deployment_pb2.CreateDeploymentRequest, context: Context
    ) -> deployment_pb2.CreateDeploymentResponse:
        """Plan and begin."""
        request_id = check_request_id(request.request_id)
        principal = current_principal().name
        deployment = await self._rollouts.start(_read_request(request), principal, request_id)
        return deployment_pb2.CreateDeploymentResponse(deployment=await self._whole(deployment))

    async def GetDeployment(
        self, request: deployment_pb2.GetDeploymentRequest, context: Context
    ) -> deployment_pb2.GetDeploymentResponse:
        """One deployment with its boards."""
        deployment = await self._store.find(deployment_id(request.name))
        return deployment_pb2.GetDeploymentResponse(deployment=await self._whole(deployment))

    async def ListDeployments(
        self, request: deployment_pb2.ListDeploymentsRequest, context: Context
    ) -> deployment_pb2.ListDeploymentsResponse:
        """Deployments, newest first."""
        after = read_page_token("deployments", request.page_token)
        found, rest = await self._store.page(page_size(request.page_size), after)
        return deployment_pb2.ListDeploymentsResponse(
            deployments=[deployment_message(deployment) for deployment in found],
            next_page_token=write_page_token("deployments", rest),
        )

    async def WatchDeployment(
        self, request: deployment_pb2.WatchDeploymentRequest, context: Context
    ) -> AsyncIterator[deployment_pb2.WatchDeploymentResponse]:
        """Stored events, then live ones, until the last of an ended deployment."""
        deployment = await self._store.find(deployment_id(request.name))

        async def ended() -> int | None:
            current = await self._store.get(deployment.deployment_id)
            return current.last_sequence if current.state.ended else None

        async for events, head in follow_journal(
            self._journal,
            deployment.name,
            position(request.from_sequence),
            ended=ended,
            heartbeat_s=self._heartbeat_s,
        ):
            yield deployment_pb2.WatchDeploymentResponse(events=events, head_sequence=head)

    async def CancelDeployment(
        self, request: deployment_pb2.CancelDeploymentRequest, context: Context
    ) -> deployment_pb2.CancelDeploymentResponse:
        """Ask a deployment to end."""

        async def cancel() -> deployment_pb2.CancelDeploymentResponse:
            found = await self._store.find(deployment_id(request.name))
            deployment = await self._rollouts.cancel(found.deployment_id)
            return deployment_pb2.CancelDeploymentResponse(deployment=await self._whole(deployment))

        return await once(self._answers, request, deployment_pb2.CancelDeploymentResponse, cancel)

    async def GetSessionDeployment(
        self, request: deployment_pb2.GetSessionDeploymentRequest, context: Context
    ) -> deployment_pb2.GetSessionDeploymentResponse:
        """What the newest DEPLOY stage of a session did."""
        found = await checkpoint(self._sessions, request.session, "deployment", SessionDeployment)
        if found is None:
            raise NotFoundError("DEPLOYMENT_NOT_FOUND", f"{request.session} has no deployment yet")
        return deployment_pb2.GetSessionDeploymentResponse(
            deployment=to_wire(found, deployment_pb2.SessionDeployment)
        )

    async def _whole(self, deployment: Deployment) -> deployment_pb2.Deployment:
        boards = await self._store.boards(deployment.deployment_id)
        return deployment_message(deployment, boards)


def deployment_message(
    deployment: Deployment, boards: "list[BoardDeployment] | tuple[()]" = ()
) -> deployment_pb2.Deployment:
    """A deployment with its request beside its state."""
    message = to_wire(deployment, deployment_pb2.Deployment, without=_FROM_REQUEST)
    request = deployment.request
    message.selector = request.selector
    message.waves = request.waves
    message.stop_rule.CopyFrom(to_wire(request.stop_rule, deployment_pb2.StopRule))
    message.no_reset = request.no_reset
    message.scenario_ids.extend(scenario.scenario_id for scenario in request.scenarios)
    message.retry_of = request.retry_of
    message.boards.extend(to_wire(board, event_pb2.BoardDeployment) for board in boards)
    return message


def _read_request(request: deployment_pb2.CreateDeploymentRequest) -> DeploymentRequest:
    if len(request.selector) > _LONGEST_SELECTOR:
        raise InvalidRequestError(
            "INVALID_SELECTOR", f"a selector has at most {_LONGEST_SELECTOR} characters"
        )
    if len(request.boards) > _MOST_NAMED_BOARDS:
        raise InvalidRequestError(
            "TOO_MANY_BOARDS", f"at most {_MOST_NAMED_BOARDS} boards are named"
        )
    if not request.images and not request.retry_of:
        raise InvalidRequestError("IMAGE_NEEDED", "a deployment has at least one image")
    rule = StopRule()
    if request.HasField("stop_rule"):
        rule = StopRule(
            stop_after=request.stop_rule.stop_after,
            max_failed_percent=request.stop_rule.max_failed_percent,
        )
    return DeploymentRequest(
        images=read_images(request.images),
        selector=request.selector.strip(),
        boards=tuple(request.boards),
        waves=request.waves[:1_000],
        stop_rule=rule,
        no_reset=request.no_reset,
        scenarios=read_scenarios(request.scenarios),
        board_wait=request.board_wait.ToTimedelta() if request.HasField("board_wait") else None,
        retry_of=request.retry_of,
        seed=request.seed if request.HasField("seed") else None,
    )
