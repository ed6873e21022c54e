"""Stacks with a real Terraform, and modules of the provider that is built into it."""

from datetime import timedelta
from pathlib import Path

from controlplane.domain.stack import Stack, StackOutputs
from controlplane.journal.journal import Journal
from controlplane.ops.identity import new_session_id
from controlplane.pipeline.stack_parts import StackParts
from controlplane.pipeline.stacks import Stacks
from controlplane.provisioning.host import TerraformHost
from controlplane.provisioning.modules import Module
from controlplane.provisioning.runs import HostedRuns
from controlplane.provisioning.settings import ProvisioningSettings
from controlplane.storage.stacks import StackStore

HEAD = """
variable "stack" {
  type = string
}
variable "devices" {
  type = map(object({}))
}
variable "port" {
  type    = number
  default = 8883
}
output "broker_endpoint" {
  value = "127.0.0.1:${var.port}"
}
output "ca_ref" {
  value = "local:${var.stack}/ca"
}
output "telemetry_sink" {
  value = ""
}
output "devices" {
  value = {
    for id in keys(terraform_data.device) : id => {
      client_id      = id
      topic_prefix   = "devices/${id}"
      credential_ref = "local:${var.stack}/${id}"
    }
  }
}
resource "terraform_data" "broker" {
  input = var.port
}
"""
PLAIN = (
    HEAD
    + """
resource "terraform_data" "device" {
  for_each         = var.devices
  input            = each.key
  triggers_replace = [var.port]
}
"""
)


def stacks_of(
    folder: Path,
    journal: Journal,
    store: StackStore,
    module: str = PLAIN,
    *,
    slots: int = 2,
    plan_life: timedelta = timedelta(hours=1),
    terraform: Path | None = None,
) -> tuple[Stacks, HostedRuns]:
    """Stacks in a folder; every target is made by the same module."""
    module_folder = folder / "module"
    module_folder.mkdir(exist_ok=True)
    (module_folder / "main.tf").write_text(module)
    host = TerraformHost(
        stacks_dir=folder / "stacks",
        cache_dir=folder / "cache",
        settings=ProvisioningSettings(cancel_grace_s=10, terraform=terraform),
        modules=lambda name: Module(name=name, path=module_folder),
    )
    runs = HostedRuns(host, {})
    parts = StackParts(
        journal=journal,
        store=store,
        runs=runs,
        new_id=new_session_id,
        plan_life=plan_life,
        slots=slots,
        on_given=_nobody_listens,
    )
    return Stacks(parts), runs


async def _nobody_listens(stack: Stack, outputs: StackOutputs | None) -> None:
    """Boards and telemetry are no part of these tests."""
