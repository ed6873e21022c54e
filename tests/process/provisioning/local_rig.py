"""The local target driven as a control plane does: Terraform, the provider, Mosquitto, clients."""

import asyncio
import json
import os
import shutil
import signal
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt

from controlplane.provisioning.localcloud.cloud import Credential, LocalCloud
from controlplane.provisioning.provider.server import PROVIDER, serve_provider

MODULE = Path(__file__).resolve().parents[3] / "infra" / "modules" / "local"
PATIENCE_S = 60.0


def terraform_binary() -> str:
    """The command; a machine without one is not set up for these tests."""
    for name in ("terraform", "tofu"):
        if found := shutil.which(name):
            return found
    raise AssertionError("no terraform: install it, or `pip install 'benchline[terraform]'`")


@dataclass(frozen=True)
class Ran:
    """One Terraform command that ended."""

    rc: int
    events: list[dict[str, Any]]
    text: str

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("type") == kind]

    @property
    def actions(self) -> dict[str, str]:
        """Planned changes by address."""
        changes = [event["change"] for event in self.of("planned_change")]
        return {one["resource"]["addr"]: one["action"] for one in changes}

    @property
    def drift(self) -> dict[str, str]:
        changes = [event["change"] for event in self.of("resource_drift")]
        return {one["resource"]["addr"]: one["action"] for one in changes}

    @property
    def errors(self) -> list[str]:
        found = [event["diagnostic"] for event in self.of("diagnostic")]
        return [f"{one['summary']}: {one['detail']}" for one in found]


@dataclass
class Clock:
    """The real time, moved by some days."""

    days: float = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.days)


@dataclass
class Stack:
    """A stack of the local module in a folder of its own."""

    cloud: LocalCloud
    folder: Path
    devices: Iterable[str] = ("dev-1", "dev-2")
    port: int | None = None
    clock: Clock = field(default_factory=Clock)
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    def write(self) -> None:
        self.folder.mkdir(exist_ok=True)
        for path in MODULE.glob("*.tf"):
            shutil.copy(path, self.folder)
        values = {
            "stack": self.cloud.stack,
            "devices": {device: {} for device in self.devices},
            "port": self.port,
        }
        (self.folder / "stack.auto.tfvars.json").write_text(json.dumps(values))
        (self.folder / "cli.tfrc").write_text("")

    async def run(self, *words: str) -> Ran:
        """Run a command with the provider attached, to its end."""
        async with serve_provider(self.cloud, self.folder) as socket:
            process = await self.start(socket, *words)
            out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        return ran(process.returncode or 0, out)

    async def start(self, socket: Path, *words: str) -> asyncio.subprocess.Process:
        reattach = {
            PROVIDER: {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": os.getpid(),
                "Test": True,
                "Addr": {"Network": "unix", "String": str(socket)},
            }
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": str(self.folder / "cli.tfrc"),
            "TF_REATTACH_PROVIDERS": json.dumps(reattach),
        }
        process = await asyncio.create_subprocess_exec(
            terraform_binary(),
            *words,
            cwd=self.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    async def init(self) -> None:
        self.write()
        done = await self.run("init", "-no-color")
        assert done.rc == 0, done.text

    async def plan(self, *words: str) -> Ran:
        self.write()
        return await self.run("plan", "-json", "-out=p.tfplan", *words)

    async def apply(self) -> Ran:
        return await self.run("apply", "-json", "p.tfplan")

    async def plan_and_apply(self, *words: str) -> Ran:
        planned = await self.plan(*words)
        assert planned.rc == 0, planned.text
        return await self.apply()

    async def outputs(self) -> Mapping[str, Any]:
        done = await self.run("output", "-json")
        assert done.rc == 0, done.text
        return {name: one["value"] for name, one in json.loads(done.text).items()}

    def end_processes(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


def ran(rc: int, out: bytes) -> Ran:
    events = []
    for line in out.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return Ran(rc=rc, events=events, text=out.decode("utf-8", "replace"))


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
    return aiomqtt.Client(hostname=host, port=int(port), tls_context=context, timeout=30)


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
