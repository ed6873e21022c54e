"""Terraform on this machine, opened for one stack at a time."""

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from benchline.errors import UnreachableError
from benchline.instance import make_private
from controlplane.provisioning.binary import TerraformCommand, find_terraform
from controlplane.provisioning.leftovers import end_leftovers
from controlplane.provisioning.modules import Module, shipped_module
from controlplane.provisioning.runner import Terraform
from controlplane.provisioning.settings import ProvisioningSettings, StateBackend
from controlplane.provisioning.ui_events import Redactor
from controlplane.provisioning.workspace import (
    Providers,
    Workspace,
    has_lock_file,
    prepare,
    workspace_of,
)

# Each stack has a schema of its own on the state server, with one row in it.
_PG_SCHEMA = "benchline_{stack}"
_SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformHost:
    """Terraform on this machine: made once, opened for each operation on a stack."""

    stacks_dir: Path
    # What was loaded from a registry, shared by the stacks.
    cache_dir: Path
    settings: ProvisioningSettings
    modules: Callable[[str], Module] = shipped_module
    # Two runs of init may not write to the shared cache at once.
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _preparing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _cleared: set[str] = field(default_factory=set, init=False)

    async def command(self) -> TerraformCommand:
        """The Terraform command that is used.

        Raises:
            NotReadyError: TERRAFORM_NOT_FOUND, TERRAFORM_UNUSABLE or TERRAFORM_TOO_OLD.
        """
        return await find_terraform(self.settings.terraform)

    def workspace(self, stack: str) -> Workspace:
        """The folder of a stack, whether it exists or not.

        Raises:
            InvalidRequestError: STACK_NAME_INVALID.
        """
        return workspace_of(self.stacks_dir, stack)

    async def open(
        self,
        stack: str,
        *,
        target: str,
        variables: Mapping[str, object] | None = None,
        reattach: Mapping[str, Path] | None = None,
        credentials: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
    ) -> Terraform:
        """A stack ready to be worked on; its folder is made when there is none.

        `variables` None keeps those of the last time. `reattach` names the unix socket of each
        provider that is served here, by its source address. `credentials` defaults to the
        environment of this process; of either only what the module needs is handed on. `secrets`
        are taken out of everything that is told. What an earlier control plane left running in the
        folder is ended first.

        Raises:
            NotReadyError: TERRAFORM_NOT_FOUND, TERRAFORM_UNUSABLE or TERRAFORM_TOO_OLD.
            InvalidRequestError: STACK_NAME_INVALID, TARGET_UNKNOWN, VARIABLES_INVALID or
                PATH_UNUSABLE.
            CorruptError: MODULE_TAMPERED or MODULE_UNSAFE.
            ExhaustedError: DISK_FULL.
            UnreachableError: STATE_UNREACHABLE; its server is not configured any more.
        """
        workspace, module = self.workspace(stack), self.modules(target)
        command = await self.command()
        async with self._preparing:
            if stack not in self._cleared:
                await asyncio.to_thread(end_leftovers, workspace)
                self._cleared.add(stack)
            await asyncio.to_thread(make_private, self.cache_dir)
            backend = await asyncio.to_thread(
                prepare,
                workspace,
                module,
                variables,
                self.settings.state_backend,
                self._providers(module, command),
            )
        given = os.environ if credentials is None else credentials
        environment = {name: given[name] for name in module.environment if name in given}
        return Terraform(
            workspace=workspace,
            command=command,
            settings=self.settings,
            environment={
                **environment,
                **_environment(workspace, reattach or {}),
                **self._state_server(stack, backend),
            },
            redact=Redactor((*secrets, *_secrets_of(environment, self.settings))),
            lockfile="readonly" if has_lock_file(workspace, module) else None,
            loading=self._loading if self._loads(module) else None,
        )

    def _loads(self, module: Module) -> bool:
        """Whether init writes to the cache: a mirror is only read."""
        return bool(module.providers) and self.settings.provider_mirror is None

    def _state_server(self, stack: str, backend: StateBackend) -> Mapping[str, str]:
        if backend is StateBackend.LOCAL:
            return {}
        if not self.settings.state_server:
            raise UnreachableError(
                "STATE_UNREACHABLE",
                f"the state of {stack} is on a PostgreSQL server and [provisioning] names none:"
                " set state_server_file",
                stack=stack,
            )
        return {
            "PG_CONN_STR": self.settings.state_server.reveal(),
            "PG_SCHEMA_NAME": _PG_SCHEMA.format(stack=stack),
        }

    def _providers(self, module: Module, command: TerraformCommand) -> Providers:
        return Providers(
            addresses=tuple(f"{command.registry}/{name}" for name in module.providers),
            mirror=self.settings.provider_mirror,
            cache=self.cache_dir,
        )


def _environment(workspace: Workspace, reattach: Mapping[str, Path]) -> Mapping[str, str]:
    """What every run is told."""
    environment = {
        "HOME": str(workspace.home_dir),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_CONFIG_FILE": str(workspace.cli_config),
        "TF_DATA_DIR": str(workspace.data_dir),
    }
    if reattach:
        environment["TF_REATTACH_PROVIDERS"] = json.dumps(
            {
                address: {
                    "Protocol": "grpc",
                    "ProtocolVersion": 6,
                    "Pid": os.getpid(),
                    "Test": True,
                    "Addr": {"Network": "unix", "String": str(socket)},
                }
                for address, socket in reattach.items()
            }
        )
    return environment


def _secrets_of(credentials: Mapping[str, str], settings: ProvisioningSettings) -> Iterable[str]:
    """What the environment of a run holds and nobody may be told."""
    server = settings.state_server.reveal()
    try:
        password = unquote(urlsplit(server).password or "")
    except ValueError:
        password = ""
    return (*(credentials.get(name, "") for name in _SECRET_VARIABLES), server, password)
