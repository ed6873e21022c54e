"""Serving the provider on a socket of one operation."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from google.protobuf import empty_pb2

from controlplane.provisioning.localcloud.cloud import LocalCloud
from controlplane.provisioning.provider.broker import BrokerResource
from controlplane.provisioning.provider.device import DeviceResource
from controlplane.provisioning.provider.resource import Resource
from controlplane.provisioning.provider.servicer import Context, ProviderServicer
from controlplane.provisioning.provider.wire import (
    goplugin_pb2,
    goplugin_pb2_grpc,
    tfplugin6_pb2_grpc,
)

PROVIDER = "benchline.local/benchline/benchline"
"""The provider's source address; a host that no registry has."""

_SOCKET = "provider.sock"
# A unix socket's path must fit into sockaddr_un.sun_path: 108 bytes with the final zero on Linux.
_LONGEST_SOCKET_PATH = 100
_MESSAGE_BYTES = 64 << 20
_STOP_GRACE_S = 0.5


@asynccontextmanager
async def serve_provider(cloud: LocalCloud, run_folder: Path) -> AsyncIterator[Path]:
    """Serve one stack's cloud while the block runs; gives the socket.

    It lies in a new folder of mode 0700 below `run_folder`, which exists, or below the system's
    folder for such when that path would be too long for a socket. Both are gone afterwards.
    """
    base = run_folder if _fits(run_folder) else None
    with tempfile.TemporaryDirectory(prefix="tf-", dir=base) as folder:
        path = Path(folder) / _SOCKET
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", _MESSAGE_BYTES),
                ("grpc.max_send_message_length", _MESSAGE_BYTES),
            ]
        )
        resources: dict[str, Resource] = {
            "benchline_broker": BrokerResource(cloud),
            "benchline_device": DeviceResource(cloud),
        }
        tfplugin6_pb2_grpc.add_ProviderServicer_to_server(ProviderServicer(resources), server)
        goplugin_pb2_grpc.add_GRPCControllerServicer_to_server(_Controller(), server)
        goplugin_pb2_grpc.add_GRPCStdioServicer_to_server(_Stdio(), server)
        server.add_insecure_port(f"unix:{path}")
        await server.start()
        try:
            yield path
        finally:
            await server.stop(_STOP_GRACE_S)


def _fits(folder: Path) -> bool:
    sample = folder / "tf-12345678" / _SOCKET
    return len(os.fsencode(sample)) <= _LONGEST_SOCKET_PATH


class _Controller(goplugin_pb2_grpc.GRPCControllerServicer):
    """Terraform would end a plugin process; this one is the control plane."""

    async def Shutdown(self, request: goplugin_pb2.Empty, context: Context) -> goplugin_pb2.Empty:
        """Nothing ends: the socket is closed by who opened it."""
        return goplugin_pb2.Empty()


class _Stdio(goplugin_pb2_grpc.GRPCStdioServicer):
    """What the provider prints: nothing."""

    async def StreamStdio(
        self, request: empty_pb2.Empty, context: Context
    ) -> AsyncIterator[goplugin_pb2.StdioData]:
        """A stream that is open as long as Terraform is there."""
        await asyncio.Event().wait()
        yield goplugin_pb2.StdioData()
