"""The `[provisioning]` table of the configuration, and `BENCHLINE_PROVISIONING_*` over it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from controlplane.domain.secret import Secret
from controlplane.ops.settings_table import SettingsTable


class StateBackend(StrEnum):
    """Where Terraform keeps the state of a stack."""

    LOCAL = "local"
    """A file in the stack's own folder."""
    POSTGRES = "pg"
    """A PostgreSQL server, shared by several machines; its locks end with a crashed client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningSettings:
    """Settings of provisioning; times are seconds."""

    # A terraform or tofu to use instead of what is found; None looks on the PATH.
    terraform: Path | None = None
    # Plans of the target `local` without deletions need no approval.
    auto_approve: bool = False
    state_backend: StateBackend = StateBackend.LOCAL
    # Connection string of the backend `pg`.
    state_server: Secret = field(default_factory=lambda: Secret(""))
    # A folder with providers (registry.terraform.io/hashicorp/aws/…) to use instead of a registry.
    provider_mirror: Path | None = None
    plan_expiry_s: float = 3600
    plan_timeout_s: float = 600
    apply_timeout_s: float = 3600
    # How long a run waits for somebody else's lock of the state.
    lock_timeout_s: float = 10
    # How long Terraform may take to finish what it is in when it is asked to stop.
    cancel_grace_s: float = 30


_NUMBERS: dict[str, tuple[str, str, str]] = {  # name: (default, least, most)
    "plan_expiry_s": ("3600", "60", "604800"),
    "plan_timeout_s": ("600", "1", "86400"),
    "apply_timeout_s": ("3600", "1", "86400"),
    "lock_timeout_s": ("10", "0", "3600"),
    "cancel_grace_s": ("30", "1", "3600"),
}
_OTHERS = ("terraform", "provider_mirror", "state_server_file", "auto_approve", "state_backend")


def read_provisioning(
    table: object, variables: Mapping[str, str], folder: Path, problems: list[str]
) -> ProvisioningSettings:
    """Settings from a table and the environment; problems are added to the list.

    `state_server_file` names a file of mode 0600 with the connection string; its path is relative
    to `folder`.
    """
    values = SettingsTable("provisioning", table, variables, problems)
    values.only({*_NUMBERS, *_OTHERS})
    backend = StateBackend(
        values.one_of("state_backend", [one.value for one in StateBackend], StateBackend.LOCAL)
    )
    server = _server(values, variables, folder)
    if backend is StateBackend.POSTGRES and not server:
        problems.append(
            "provisioning.state_backend pg needs provisioning.state_server_file, a file with the"
            " connection string, or BENCHLINE_PROVISIONING_STATE_SERVER"
        )
    numbers = {name: float(values.number(name, *limits)) for name, limits in _NUMBERS.items()}
    return ProvisioningSettings(
        terraform=_terraform(values, variables, problems),
        auto_approve=values.switch("auto_approve"),
        state_backend=backend,
        state_server=server,
        provider_mirror=values.folder("provider_mirror"),
        plan_expiry_s=numbers["plan_expiry_s"],
        plan_timeout_s=numbers["plan_timeout_s"],
        apply_timeout_s=numbers["apply_timeout_s"],
        lock_timeout_s=numbers["lock_timeout_s"],
        cancel_grace_s=numbers["cancel_grace_s"],
    )


def _terraform(
    values: SettingsTable, variables: Mapping[str, str], problems: list[str]
) -> Path | None:
    chosen = variables.get("BENCHLINE_TERRAFORM_BIN", "")
    if not chosen:
        return values.file("terraform")
    path = Path(chosen).expanduser().absolute()
    if not path.is_file():
        problems.append(f"BENCHLINE_TERRAFORM_BIN must be a file that exists, not {chosen!r}")
        return None
    return path


def _server(values: SettingsTable, variables: Mapping[str, str], folder: Path) -> Secret:
    """The connection string, which holds a password: it is in no message."""
    given = variables.get("BENCHLINE_PROVISIONING_STATE_SERVER", "").strip()
    if given:
        return Secret(given)
    return values.secret("state_server_file", folder, of="a connection string", spaces=True)
