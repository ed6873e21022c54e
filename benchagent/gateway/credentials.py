"""Asks the control plane for what devices connect with."""

from typing import TYPE_CHECKING

import grpc

from benchagent.gateway.binding import Binding, Credential, RefusedError
from benchline.errors import NotFoundError, NotPermittedError, error_from
from benchline.v1 import agent_link_pb2 as pb

if TYPE_CHECKING:
    from benchline.v1.agent_link_pb2_grpc import AgentLinkServiceAsyncStub

CREDENTIAL_S = 30.0


class CredentialReader:
    """Asks for credentials of devices over one connection."""

    def __init__(self, stub: "AgentLinkServiceAsyncStub", agent: str, link_epoch: int) -> None:
        self._stub = stub
        self._agent = agent
        self._link_epoch = link_epoch

    async def fetch(self, binding: Binding) -> Credential:
        """Raises RefusedError or ConnectionError, as `Link.fetch_credential`."""
        request = pb.FetchDeviceCredentialRequest(
            agent=self._agent,
            link_epoch=self._link_epoch,
            board=binding.board,
            credential_ref=binding.credential_ref,
        )
        try:
            found = await self._stub.FetchDeviceCredential(request, timeout=CREDENTIAL_S)
        except grpc.RpcError as error:
            why = error_from(error)
            if isinstance(why, NotPermittedError | NotFoundError):
                raise RefusedError(f"{why.reason}: {why.message}") from error
            raise ConnectionError(f"{why.reason}: {why.message}") from error
        return Credential(
            certificate_pem=found.certificate_pem, key_pem=found.key_pem, ca_pem=found.ca_pem
        )
