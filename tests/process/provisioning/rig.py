"""Stacks of a module of the test's own, in a folder of the test's own, with the real Terraform."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from controlplane.domain.provisioning import ResourcePhase, ResourceProgress, RunEvent
from controlplane.provisioning.host import TerraformHost
from controlplane.provisioning.modules import Module
from controlplane.provisioning.runner import Terraform
from controlplane.provisioning.settings import ProvisioningSettings

SECRET = "hunter2-hunter2"

BASIC = """\
variable "greeting" {
  type    = string
  default = "hello"
}

variable "password" {
  type      = string
  sensitive = true
  default   = ""
}

resource "terraform_data" "greeting" {
  input = var.greeting
}

resource "terraform_data" "account" {
  input = { user = "dev", password = var.password }
}

output "greeting" {
  value = terraform_data.greeting.output
}

output "password" {
  value     = var.password
  sensitive = true
}
"""

# The second waits for the first, and does not end by itself while a test runs.
SLOW = """\
resource "terraform_data" "quick" {
  input = "quick"
}

resource "terraform_data" "slow" {
  input = terraform_data.quick.output

  provisioner "local-exec" {
    command = "exec sleep 600"
  }
}
"""

E = TypeVar("E", bound=RunEvent)


class Listener:
    """Keeps every event; `seen` ends when the one that a test waits for has come."""

    def __init__(self, awaited: Callable[[RunEvent], bool] = lambda event: False) -> None:
        self.events: list[RunEvent] = []
        self.seen = asyncio.Event()
        self._awaited = awaited

    async def __call__(self, event: RunEvent) -> None:
        self.events.append(event)
        if self._awaited(event):
            self.seen.set()

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def text(self) -> str:
        return "\n".join(map(repr, self.events))


def has_started(address: str) -> Callable[[RunEvent], bool]:
    """Whether an event tells that work on the resource has begun."""
    return lambda event: (
        isinstance(event, ResourceProgress)
        and event.address == address
        and event.phase is ResourcePhase.STARTED
    )


class Rig:
    """A host with one module."""

    def __init__(self, folder: Path, text: str = BASIC, **settings: Any) -> None:
        self.folder = folder
        self.module = Module(name="test", path=folder / "module")
        self.module.path.mkdir(exist_ok=True)
        self.write(text)
        self.settings = ProvisioningSettings(lock_timeout_s=0, cancel_grace_s=60)
        self.settings = replace(self.settings, **settings)

    def write(self, text: str) -> None:
        (self.module.path / "main.tf").write_text(text)

    def host(self) -> TerraformHost:
        """As a control plane that has just started has it."""
        return TerraformHost(
            stacks_dir=self.folder / "stacks",
            cache_dir=self.folder / "cache",
            settings=self.settings,
            modules=lambda _name: self.module,
        )

    async def open(self, stack: str = "greenhouse", **facts: Any) -> Terraform:
        facts.setdefault("variables", {})
        terraform = await self.host().open(stack, target="test", **facts)
        await terraform.init()
        return terraform

    async def planned(self, terraform: Terraform, **facts: Any) -> tuple[Path, str]:
        """A saved plan and its digest."""
        path = terraform.workspace.plans_dir / "next.tfplan"
        return path, (await terraform.plan(path, **facts)).digest

    async def apply(self, terraform: Terraform, listener: Listener | None = None) -> None:
        """Plan and apply."""
        path, digest = await self.planned(terraform)
        await terraform.apply(path, digest=digest, on_event=listener or Listener())
