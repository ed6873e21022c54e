"""The local target driven as a control plane does: Terraform, the provider, Mosquitto, clients."""

import asyncio
import os
import signal
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt

from benchline.errors import BenchlineError
from controlplane.domain.provisioning import (
    PlannedChange,
    PlanResult,
    ProvisioningDiagnostic,
    ResourceDrift,
    ResourcePhase,
    ResourceProgress,
    RunEvent,
    RunStarted,
)
from controlplane.provisioning.host import TerraformHost
from controlplane.provisioning.localcloud.cloud import Credential, LocalCloud
from controlplane.provisioning.provider.server import PROVIDER, serve_provider
from controlplane.provisioning.runner import Terraform


@dataclass
class Clock:
    """The real time, moved by some days."""

    days: float = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.days)


@dataclass
class Ran:
    """What one operation told, and how it ended."""

    events: list[RunEvent] = field(default_factory=list)
    failure: BenchlineError | None = None
    result: PlanResult | None = None
    killed: bool = False

    @property
    def actions(self) -> dict[str, str]:
        """Planned changes by address."""
        return {e.address: e.action.value for e in self.events if isinstance(e, PlannedChange)}

    @property
    def drift(self) -> dict[str, str]:
        return {e.address: e.action.value for e in self.events if isinstance(e, ResourceDrift)}

    @property
    def done(self) -> list[str]:
        """Resources that were worked on to their end, in order."""
        found = (e for e in self.events if isinstance(e, ResourceProgress))
        return [e.address for e in found if e.phase is ResourcePhase.DONE]

    @property
    def complaints(self) -> list[ProvisioningDiagnostic]:
        return [e for e in self.events if isinstance(e, ProvisioningDiagnostic)]

    @property
    def text(self) -> str:
        return "\n".join(f"{one.summary}: {one.detail}" for one in self.complaints)


@dataclass
class Stack:
    """A stack of the local module."""

    host: TerraformHost
    cloud: LocalCloud
    devices: Iterable[str]
    port: int | None
    clock: Clock
    terraform: Terraform | None = None
    """Of the operation in progress, or of the last."""
    initialised: bool = False

    @property
    def root(self) -> Path:
        return self.host.workspace(self.cloud.stack).root

    @property
    def cloud_folder(self) -> Path:
        return self.root / "cloud"

    async def plan(self, *, destroy: bool = False, replace: Sequence[str] = ()) -> Ran:
        return await self._run(None, destroy=destroy, replace=replace)

    async def apply(self, planned: Ran, *, kill_after_s: float | None = None) -> Ran:
        """Apply a plan; with a time, Terraform is killed that long after its start."""
        assert planned.result is not None, planned.text
        return await self._run(planned.result.digest, kill_after_s=kill_after_s)

    async def plan_and_apply(self, *, destroy: bool = False) -> Ran:
        """Both, which must succeed."""
        planned = await self.plan(destroy=destroy)
        assert planned.failure is None, planned.text or planned.failure
        applied = await self.apply(planned)
        assert applied.failure is None, applied.text or applied.failure
        return applied

    async def outputs(self) -> Mapping[str, Any]:
        async with serve_provider(self.cloud, self.root) as socket:
            found = await (await self._open(socket)).outputs()
        return {name: output.value for name, output in found.items()}

    async def _open(self, socket: Path) -> Terraform:
        variables = {
            "stack": self.cloud.stack,
            "devices": {device: {} for device in self.devices},
            "port": self.port,
        }
        return await self.host.open(
            self.cloud.stack, target="local", variables=variables, reattach={PROVIDER: socket}
        )

    async def _run(
        self,
        digest: str | None,
        *,
        destroy: bool = False,
        replace: Sequence[str] = (),
        kill_after_s: float | None = None,
    ) -> Ran:
        ran = Ran()

        async def on_event(event: RunEvent) -> None:
            ran.events.append(event)
            if isinstance(event, RunStarted) and kill_after_s is not None:
                asyncio.get_running_loop().call_later(kill_after_s, kill, event.pid)

        def kill(pid: int) -> None:
            try:
                os.kill(pid, signal.SIGKILL)
                ran.killed = True
            except ProcessLookupError:
                pass  # it was over before

        async with serve_provider(self.cloud, self.root) as socket:
            terraform = self.terraform = await self._open(socket)
            plan = terraform.workspace.plans_dir / "p.tfplan"
            try:
                if digest is None:
                    if not self.initialised:
                        await terraform.init()
                        self.initialised = True
                    ran.result = await terraform.plan(
                        plan, destroy=destroy, replace=replace, on_event=on_event
                    )
                else:
                    await terraform.apply(plan, digest=digest, on_event=on_event)
            except BenchlineError as error:
                ran.failure = error
        return ran


def written(credential: Credential, folder: Path) -> Path:
    """Key material as files, since TLS libraries want those."""
    folder.mkdir(exist_ok=True, parents=True)
    for name, data in (
        ("ca.crt", credential.ca_pem),
        ("client.crt", credential.certificate_pem),
        ("client.key", credential.key_pem),
    ):
        (folder / name).write_bytes(data)
    return folder


def client(credential: Credential, folder: Path) -> aiomqtt.Client:
    """A client of the broker with this identity."""
    folder = written(credential, folder)
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "client.crt", folder / "client.key")
    host, port = credential.endpoint.split(":")
    return aiomqtt.Client(hostname=host, port=int(port), tls_context=context, timeout=60)


def mosquitto_pids(folder: Path) -> list[int]:
    """Running brokers that were started for this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in command and b"mosquitto.conf" in command:
            found.append(int(entry.name))
    return found
