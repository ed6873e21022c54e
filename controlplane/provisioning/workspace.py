"""The folder of one stack, in which Terraform runs. Only its owner can enter it.

module/                 a copy of the module, so that a newer release changes no existing stack
module.json             which module that is, the sha256 of the copy, and where the state is
variables.tfvars.json   what the operator chose; Terraform takes its texts literally
cli.tfrc                where providers may come from
state/                  the state, and how it was before the last apply
plans/                  saved plans: they hold secrets in clear, as the state does
run/                    what Terraform keeps for itself
"""

import errno
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchline.errors import (
    BenchlineError,
    CorruptError,
    ExhaustedError,
    InvalidRequestError,
    NotReadyError,
)
from benchline.instance import make_private
from controlplane.domain.stack import STACK_ID
from controlplane.ops.private_file import write_private
from controlplane.ops.room import ROOM_BYTES, free_bytes, make_room
from controlplane.provisioning.modules import (
    LOCK_FILE,
    Module,
    declared_variables,
    digest,
    module_files,
)
from controlplane.provisioning.settings import StateBackend

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BACKEND_FILE = "benchline_backend.tf"
_BACKENDS = {
    StateBackend.LOCAL: """\
terraform {
  backend "local" {
    path = "../state/terraform.tfstate"
  }
}
""",
    # Server and schema come from the environment: nothing of them is written down.
    StateBackend.POSTGRES: """\
terraform {
  backend "pg" {}
}
""",
}
MAX_VARIABLES_BYTES = 1 << 20
# A disk that fills up while a state is written loses the state: below this nothing is begun.
FREE_BYTES_NEEDED = ROOM_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """Where `init` may take providers from: nothing else is loaded.

    `addresses` are whole ones such as registry.terraform.io/hashicorp/aws. With a `mirror` no
    registry is asked; else what was loaded is shared between stacks in `cache`.
    """

    addresses: tuple[str, ...] = ()
    mirror: Path | None = None
    cache: Path | None = None


@dataclass(frozen=True, slots=True)
class Workspace:
    """The paths of a stack's folder. Nothing is created by asking."""

    root: Path

    @property
    def module_dir(self) -> Path:
        """The copy of the module: the working directory of every run."""
        return self.root / "module"

    @property
    def variables_file(self) -> Path:
        """The variables of the module."""
        return self.root / "variables.tfvars.json"

    @property
    def cli_config(self) -> Path:
        """Terraform's own configuration."""
        return self.root / "cli.tfrc"

    @property
    def plans_dir(self) -> Path:
        """Saved plans."""
        return self.root / "plans"

    @property
    def state_file(self) -> Path:
        """The state of the backend `local`."""
        return self.root / "state" / "terraform.tfstate"

    @property
    def kept_state(self) -> Path:
        """The state as it was before the last apply."""
        return self.root / "state" / "before-apply.tfstate"

    @property
    def errored_state(self) -> Path:
        """Where Terraform leaves a state that it could not save where it belongs."""
        return self.module_dir / "errored.tfstate"

    @property
    def data_dir(self) -> Path:
        """TF_DATA_DIR of the runs; it also tells which processes belong to this folder."""
        return self.root / "run" / "data"

    @property
    def home_dir(self) -> Path:
        """HOME of the runs: nothing of the user is read."""
        return self.root / "run" / "home"


def workspace_of(stacks_dir: Path, stack: str) -> Workspace:
    """The folder of a stack.

    Raises:
        InvalidRequestError: STACK_NAME_INVALID.
    """
    if not STACK_ID.fullmatch(stack):
        raise InvalidRequestError(
            "STACK_NAME_INVALID",
            "a stack's name has 1 to 39 small letters, digits and dashes and does not begin with"
            f" a dash, not {stack[:80]!r}",
            stack=stack[:80],
        )
    return Workspace(stacks_dir / stack)


def prepare(
    workspace: Workspace,
    module: Module,
    variables: Mapping[str, object] | None,
    backend: StateBackend,
    providers: Providers,
) -> StateBackend:
    """Make the folder ready for a run, and tell where its state is. It may be called at any time.

    Module and backend are settled at the first time: a backend that is configured later would
    begin with an empty state. `variables` None leaves them as they are.

    Raises:
        InvalidRequestError: VARIABLES_INVALID or PATH_UNUSABLE.
        CorruptError: MODULE_TAMPERED or MODULE_UNSAFE.
        ExhaustedError: DISK_FULL.
        NotReadyError: STACK_FOLDER_UNUSABLE.
    """
    try:
        make_private(workspace.root.parent)
        for folder in (
            workspace.root,
            workspace.state_file.parent,
            workspace.plans_dir,
            workspace.home_dir.parent,
            workspace.home_dir,
            workspace.data_dir,
        ):
            make_private(folder)
        files, backend = _copied(workspace, module, backend)
        write_private(workspace.module_dir / _BACKEND_FILE, _BACKENDS[backend].encode())
        write_private(workspace.cli_config, cli_config(providers).encode())
        if variables is not None:
            write_private(workspace.variables_file, _variables(files, variables))
    except OSError as error:
        raise disk_error(error) from error
    return backend


def has_lock_file(workspace: Workspace, module: Module) -> bool:
    """Whether the module came with the digests of its providers, which init then may not change."""
    return (module.path / LOCK_FILE).is_file() and (workspace.module_dir / LOCK_FILE).is_file()


def check_room(workspace: Workspace) -> None:
    """Refuse to begin on a disk that is almost full.

    Raises:
        ExhaustedError: DISK_FULL.
    """
    free = free_bytes(workspace.root)
    if free < FREE_BYTES_NEEDED:
        raise ExhaustedError(
            "DISK_FULL",
            "the disk is too full for a state to be saved; "
            f"{make_room(workspace.root, FREE_BYTES_NEEDED)}",
            free=str(free),
        )


def keep_state(workspace: Workspace) -> None:
    """Keep how the state was before an apply: Terraform overwrites it in place.

    Raises:
        ExhaustedError: DISK_FULL.
        NotReadyError: STACK_FOLDER_UNUSABLE.
    """
    kept = workspace.kept_state
    try:
        if workspace.state_file.is_file():
            write_private(kept, workspace.state_file.read_bytes())
        else:
            kept.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error) from error


def mend_state(workspace: Workspace) -> bool:
    """Go back to the state before the last apply when a full disk took only a part of the new one.

    What remains of that one is kept beside it. Gives back whether it had to be done.

    Raises:
        ExhaustedError: DISK_FULL.
        NotReadyError: STACK_FOLDER_UNUSABLE.
    """
    state = workspace.state_file
    try:
        if not state.is_file() or is_document(state):
            return False
        unusable = state.with_name("unusable.tfstate")
        if workspace.kept_state.is_file():
            write_private(unusable, state.read_bytes())
            write_private(state, workspace.kept_state.read_bytes())
        else:
            state.replace(unusable)
    except OSError as error:
        raise disk_error(error) from error
    return True


def is_document(path: Path) -> bool:
    """Whether a file holds one whole JSON object, as a state does."""
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def cli_config(providers: Providers) -> str:
    """Terraform's own configuration: an installation method for each allowed provider, no other.

    Raises:
        InvalidRequestError: PATH_UNUSABLE; a path that its language cannot carry.
    """
    included = ", ".join(map(_quoted, providers.addresses))
    lines = ["disable_checkpoint = true"]
    if providers.addresses and providers.mirror is None and providers.cache is not None:
        lines.append(f"plugin_cache_dir = {_quoted(str(providers.cache))}")
    lines.append("provider_installation {")
    if providers.addresses and providers.mirror is not None:
        path = _quoted(str(providers.mirror))
        lines += [
            "  filesystem_mirror {",
            f"    path    = {path}",
            f"    include = [{included}]",
            "  }",
        ]
    elif providers.addresses:
        lines += ["  direct {", f"    include = [{included}]", "  }"]
    return "\n".join((*lines, "}", ""))


def disk_error(error: OSError) -> BenchlineError:
    """A fault of the file system as an error of our own."""
    place = str(error.filename or "the folder of the stack")
    if error.errno in _FULL:
        todo = make_room(Path(place).parent) if error.filename else "make room, then try again"
        return ExhaustedError("DISK_FULL", f"cannot write {place}: {error.strerror}; {todo}")
    return NotReadyError(
        "STACK_FOLDER_UNUSABLE",
        f"cannot use {place}: {error.strerror or error}; mend its owner and permissions",
        path=place,
    )


def _copied(
    workspace: Workspace, module: Module, backend: StateBackend
) -> tuple[Mapping[str, bytes], StateBackend]:
    """The module's files in the folder, copied at the first time and proved at each later one.

    With them comes the backend that the first time settled.
    """
    record_file = workspace.root / "module.json"
    if not record_file.is_file():
        files = module_files(module.path)
        shutil.rmtree(workspace.module_dir, ignore_errors=True)
        for name, content in files.items():
            path = workspace.module_dir / name
            make_private(path.parent)
            write_private(path, content)
        record = {"module": module.name, "sha256": digest(files), "backend": backend}
        write_private(record_file, json.dumps(record).encode())
        return files, backend
    try:
        record = json.loads(record_file.read_bytes())
        known = (record["module"], record["sha256"])
        backend = StateBackend(record["backend"])
    except (ValueError, KeyError, TypeError):
        known = ("", "")
    files = module_files(workspace.module_dir)
    files.pop(_BACKEND_FILE, None)
    if known != (module.name, digest(files)):
        raise CorruptError(
            "MODULE_TAMPERED",
            f"{workspace.module_dir} is not the module {module.name} that the stack was made with;"
            " put its files back, or destroy the stack with Terraform itself",
            folder=str(workspace.module_dir),
            module=module.name,
        )
    return files, backend


def _variables(files: Mapping[str, bytes], variables: Mapping[str, object]) -> bytes:
    """The variables as JSON: Terraform would only warn of one that the module does not have."""
    declared = declared_variables(files)
    problems = [
        f"the module has no variable {name!r}" for name in variables if name not in declared
    ]
    problems += [
        f"{name} must be given"
        for name, needed in declared.items()
        if needed and name not in variables
    ]
    try:
        data = json.dumps(dict(variables), allow_nan=False, ensure_ascii=True, indent=1).encode()
    except (TypeError, ValueError) as error:
        problems.append(f"the values cannot be written as JSON: {error}")
        data = b""
    if len(data) > MAX_VARIABLES_BYTES:
        problems.append(f"the values have more than {MAX_VARIABLES_BYTES} bytes")
    if problems:
        told = "; ".join(problems)
        raise InvalidRequestError("VARIABLES_INVALID", told, problems=told)
    return data


def _quoted(text: str) -> str:
    """A text in the language of the CLI configuration, of whose escapes none is used."""
    if not text.isprintable() or any(sign in text for sign in '"\\$%'):
        raise InvalidRequestError(
            "PATH_UNUSABLE",
            f"{text!r} cannot be named in Terraform's configuration: move it to a path without"
            " quotes, backslashes, $ and %",
            path=text,
        )
    return f'"{text}"'
