"""The `[provisioning]` table of the configuration, and `BENCHLINE_PROVISIONING_*` over it."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from controlplane.claude.secret import Secret


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


_NUMBERS: dict[str, tuple[float, float, float]] = {  # name: (default, least, most)
    "plan_expiry_s": (3600, 60, 7 * 86_400),
    "plan_timeout_s": (600, 1, 86_400),
    "apply_timeout_s": (3600, 1, 86_400),
    "lock_timeout_s": (10, 0, 3600),
    "cancel_grace_s": (30, 1, 3600),
}
_PATHS = ("terraform", "provider_mirror", "state_server_file")
_KNOWN = {*_NUMBERS, *_PATHS, "auto_approve", "state_backend"}
_LONGEST_SERVER = 4096


class _Values:
    """Reads one value after the other and collects what is wrong."""

    def __init__(
        self, table: Mapping[str, object], variables: Mapping[str, str], problems: list[str]
    ) -> None:
        self._table = table
        self._variables = variables
        self._problems = problems

    def given(self, name: str) -> object:
        """What is given for a name; "" when nothing is."""
        variable = f"BENCHLINE_PROVISIONING_{name.upper()}"
        return self._variables.get(variable) or self._table.get(name, "")

    def number(self, name: str) -> float:
        """A number in its range, or its default."""
        default, least, most = _NUMBERS[name]
        given = self.given(name)
        try:
            value = float(str(given)) if given != "" else default
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            self._wrong(name, f"a number from {least:g} to {most:g}", given)
            return default
        return value

    def path(self, name: str, *, folder: bool) -> Path | None:
        """A folder or a file that exists, or None."""
        given = self.given(name)
        if given == "":
            return None
        path = Path(str(given)).expanduser().absolute()
        if not (path.is_dir() if folder else path.is_file()):
            self._wrong(name, f"a {'folder' if folder else 'file'} that exists", given)
            return None
        return path

    def switch(self, name: str) -> bool:
        """A yes or no; no by default."""
        given = self.given(name)
        if str(given).lower() not in ("", "true", "false", "1", "0"):
            self._wrong(name, "true or false", given)
        return str(given).lower() in ("true", "1")

    def backend(self) -> StateBackend:
        """Where the state lies."""
        given = str(self.given("state_backend") or StateBackend.LOCAL)
        if given not in set(StateBackend):
            self._wrong("state_backend", f"one of {', '.join(StateBackend)}", given)
            return StateBackend.LOCAL
        return StateBackend(given)

    def _wrong(self, name: str, wanted: str, given: object) -> None:
        self._problems.append(f"provisioning.{name} must be {wanted}, not {given!r}")


def read_provisioning(
    table: object, variables: Mapping[str, str], folder: Path, problems: list[str]
) -> ProvisioningSettings:
    """Settings from a table and the environment; problems are added to the list.

    `state_server_file` names a file of mode 0600 with the connection string; its path is relative
    to `folder`.
    """
    if not isinstance(table, Mapping):
        problems.append("provisioning must be a table: [provisioning]")
        table = {}
    problems += [
        f"unknown key provisioning.{str(key)[:40]!r}" for key in table if key not in _KNOWN
    ]
    values = _Values(table, variables, problems)
    backend = values.backend()
    server = _server(values.given("state_server_file"), variables, folder, problems)
    if backend is StateBackend.POSTGRES and not server:
        problems.append(
            "provisioning.state_backend pg needs provisioning.state_server_file, a file with the"
            " connection string, or BENCHLINE_PROVISIONING_STATE_SERVER"
        )
    return ProvisioningSettings(
        terraform=_terraform(values, variables, problems),
        auto_approve=values.switch("auto_approve"),
        state_backend=backend,
        state_server=server,
        provider_mirror=values.path("provider_mirror", folder=True),
        plan_expiry_s=values.number("plan_expiry_s"),
        plan_timeout_s=values.number("plan_timeout_s"),
        apply_timeout_s=values.number("apply_timeout_s"),
        lock_timeout_s=values.number("lock_timeout_s"),
        cancel_grace_s=values.number("cancel_grace_s"),
    )


def _terraform(values: _Values, variables: Mapping[str, str], problems: list[str]) -> Path | None:
    chosen = variables.get("BENCHLINE_TERRAFORM_BIN", "")
    if not chosen:
        return values.path("terraform", folder=False)
    path = Path(chosen).expanduser().absolute()
    if not path.is_file():
        problems.append(f"BENCHLINE_TERRAFORM_BIN must be a file that exists, not {chosen!r}")
        return None
    return path


def _server(
    name: object, variables: Mapping[str, str], folder: Path, problems: list[str]
) -> Secret:
    """The connection string, which holds a password: it is in no message."""
    given = variables.get("BENCHLINE_PROVISIONING_STATE_SERVER", "").strip()
    if given or name == "":
        return Secret(given)
    path = folder / Path(str(name)).expanduser()
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"provisioning.state_server_file: {path}: {type(error).__name__}")
        return Secret("")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        problems.append(f"provisioning.state_server_file: others can read {path}; chmod 600 it")
    if not text or len(text) > _LONGEST_SERVER or not text.isprintable():
        problems.append(f"provisioning.state_server_file: {path} holds no connection string")
        return Secret("")
    return Secret(text)
