"""The control plane itself on the wire."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import grpc

from benchline.v1 import server_pb2, server_pb2_grpc
from controlplane.access.principal import current_principal
from controlplane.domain.check import Check
from controlplane.domain.designer_state import DesignerState
from controlplane.edge.translate import to_wire

Context = grpc.aio.ServicerContext[Any, Any]


class Checks(Protocol):
    """What looks at the tools of this machine."""

    async def run(self) -> Sequence[Check]:
        """All checks. Starts child processes."""
        ...


class Designers(Protocol):
    """What knows who can design here."""

    async def states(self) -> Sequence[DesignerState]:
        """One a designer."""
        ...


class ServerService(server_pb2_grpc.ServerServiceServicer):
    """Tells about the control plane."""

    def __init__(
        self,
        checks: Checks,
        designers: Designers,
        *,
        version: str,
        data_dir: Path,
        start_time: datetime,
    ) -> None:
        self._checks = checks
        self._designers = designers
        self._version = version
        self._data_dir = data_dir
        self._start_time = start_time

    async def GetServer(
        self, request: server_pb2.GetServerRequest, context: Context
    ) -> server_pb2.GetServerResponse:
        """Version, caller, designers and, when asked for, the checks."""
        caller = current_principal()
        designers = await self._designers.states()
        checks = await self._checks.run() if request.run_checks else ()
        answer = server_pb2.GetServerResponse(
            version=self._version,
            data_dir=str(self._data_dir),
            principal=caller.name,
            role=caller.role.name.lower(),
            pid=os.getpid(),
            checks=[_check_message(check) for check in checks],
            designers=[to_wire(one, server_pb2.DesignerState) for one in designers],
        )
        answer.start_time.FromDatetime(self._start_time)
        return answer


def _check_message(check: Check) -> server_pb2.Check:
    return server_pb2.Check(check_name=check.name, ok=check.ok, detail=check.detail, fix=check.fix)
