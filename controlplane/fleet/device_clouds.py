"""Which boards of an agent have gateways, what those connect with, and how they are."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice

from benchline.errors import NotPermittedError
from benchline.names import board_name
from benchline.v1 import agent_link_pb2, bench_pb2
from controlplane.domain.bench import BoardCloud, GatewayState
from controlplane.domain.stack import CloudBinding, DeviceCredential
from controlplane.storage.boards import BoardStore
from controlplane.storage.cloud_bindings import CloudBindings

FindCredential = Callable[[CloudBinding, str], Awaitable[DeviceCredential]]
"""The credential of a binding, on behalf of a principal."""

_MAX_TEXT = 500
_MAX_BOARDS = 256
_STATES = {
    bench_pb2.BoardCloud.STATE_CONNECTING: GatewayState.CONNECTING,
    bench_pb2.BoardCloud.STATE_CONNECTED: GatewayState.CONNECTED,
    bench_pb2.BoardCloud.STATE_REFUSED: GatewayState.REFUSED,
}


class DeviceClouds:
    """The cloud's side of the agent link."""

    def __init__(
        self, bindings: CloudBindings, boards: BoardStore, find_credential: FindCredential
    ) -> None:
        self._bindings = bindings
        self._boards = boards
        self._find_credential = find_credential

    async def send_bindings(
        self, agent: str, outgoing: "asyncio.Queue[agent_link_pb2.ConnectResponse]"
    ) -> None:
        """Tell an agent its bindings, now and whenever they change; ends by cancelling."""
        with self._bindings.listen(agent) as changed:
            while True:
                changed.clear()
                message = agent_link_pb2.CloudBindings()
                for bound in await self._bindings.active_of(agent):
                    told = bound.binding
                    message.bindings.add(
                        board=bound.board.rsplit("/", 1)[-1],
                        stack=told.stack,
                        device=told.device,
                        endpoint=told.endpoint,
                        client_id=told.client_id,
                        topic_prefix=told.topic_prefix,
                        credential_ref=told.credential_ref,
                        from_epoch=bound.from_epoch,
                    )
                await outgoing.put(agent_link_pb2.ConnectResponse(cloud_bindings=message))
                await changed.wait()

    async def credential(
        self, request: agent_link_pb2.FetchDeviceCredentialRequest
    ) -> agent_link_pb2.FetchDeviceCredentialResponse:
        """What the device of a bound board connects with.

        Raises:
            NotPermittedError: CREDENTIAL_NOT_YOURS.
            NotFoundError: CREDENTIAL_NOT_FOUND.
            NotReadyError: STACK_BUSY.
        """
        bound = await self._bindings.find(board_name(request.agent, request.board))
        is_theirs = bound is not None and bound.active
        if bound is None or not is_theirs or bound.binding.credential_ref != request.credential_ref:
            raise NotPermittedError(
                "CREDENTIAL_NOT_YOURS",
                f"board {request.board[:80]} of agent {request.agent} is not bound to a device"
                " with that credential",
                board=request.board[:80],
                agent=request.agent,
            )
        found = await self._find_credential(bound.binding, f"agents/{request.agent}")
        return agent_link_pb2.FetchDeviceCredentialResponse(
            certificate_pem=found.certificate_pem, key_pem=found.key_pem, ca_pem=found.ca_pem
        )

    def report(self, agent: str, gateways: Iterable[agent_link_pb2.GatewayOfBoard]) -> None:
        """Gateways told how they are."""
        for told in islice(gateways, _MAX_BOARDS):
            cloud = told.cloud
            state = BoardCloud(
                stack=cloud.stack[:_MAX_TEXT],
                device=cloud.device[:_MAX_TEXT],
                state=_STATES.get(cloud.state, GatewayState.UNKNOWN),
                message=cloud.message[:_MAX_TEXT],
                published=cloud.published,
                received=cloud.received,
                dropped=cloud.dropped,
                refused=cloud.refused,
            )
            self._boards.tell_gateway(board_name(agent, told.board), state)

    def away(self, agent: str) -> None:
        """Nobody knows how the gateways of an agent are."""
        self._boards.forget_gateways(agent)
