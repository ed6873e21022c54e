"""The Terraform modules that come with this product: where they lie and what they may use."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchline.errors import CorruptError, InvalidRequestError

_INSTALLED = Path(__file__).parent / "packaged_modules"
_CHECKOUT = Path(__file__).parents[2] / "infra" / "modules"

LOCK_FILE = ".terraform.lock.hcl"
_VARIABLE = re.compile(r'^variable "([a-z][a-z0-9_]*)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_DEFAULT = re.compile(r"^  default\s*=", re.MULTILINE)
_CALLED = re.compile(r'^module "[^"]*" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_LOCAL_SOURCE = re.compile(r'^  source\s*=\s*"\./[A-Za-z0-9_./-]+"$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A root module and what its runs get from outside.

    `providers` are those of a registry that may be loaded, `environment` the variables of the
    control plane's own environment that are handed on.
    """

    name: str
    path: Path
    providers: tuple[str, ...] = ()
    environment: frozenset[str] = frozenset()


_AWS_ENVIRONMENT = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CA_BUNDLE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "HTTPS_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
    }
)


def module_dir(name: str) -> Path:
    """The folder of a module, in an installation or in a checkout.

    Raises:
        InvalidRequestError: TARGET_UNKNOWN.
    """
    for root in (_INSTALLED, _CHECKOUT):
        path = root / name
        if re.fullmatch(r"[a-z][a-z0-9-]*", name) and (path / "main.tf").is_file():
            return path
    raise InvalidRequestError(
        "TARGET_UNKNOWN", f"there is no target {name!r}: no module of that name", target=name
    )


def shipped_module(name: str) -> Module:
    """The module of a target.

    Raises:
        InvalidRequestError: TARGET_UNKNOWN.
    """
    path = module_dir(name)
    if name == "aws-iot":
        return Module(
            name=name, path=path, providers=("hashicorp/aws",), environment=_AWS_ENVIRONMENT
        )
    return Module(name=name, path=path)


def module_files(folder: Path) -> dict[str, bytes]:
    """What a run needs of a module, by relative path: its HCL and its lock file, not its tests.

    Raises:
        CorruptError: MODULE_UNSAFE; it calls a module from elsewhere, or links out of its folder.
    """
    found: dict[str, bytes] = {}
    for path in sorted([*folder.rglob("*.tf"), *folder.glob(LOCK_FILE)]):
        name = path.relative_to(folder).as_posix()
        if name.startswith((".terraform/", "tests/")):
            continue
        if path.is_symlink() or not path.is_file():
            raise _unsafe(folder, f"{name} is not a plain file")
        found[name] = path.read_bytes()
        calls = _CALLED.findall(found[name].decode("utf-8", "replace"))
        if any(not _LOCAL_SOURCE.search(call) for call in calls):
            raise _unsafe(folder, f"{name} calls a module that is not part of it")
    return found


def digest(files: Mapping[str, bytes]) -> str:
    """One sha256 over names and contents; the lock file is Terraform's own to keep."""
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        if name != LOCK_FILE:
            whole.update(f"{len(name)} {name} {len(content)} ".encode())
            whole.update(content)
    return whole.hexdigest()


def declared_variables(files: Mapping[str, bytes]) -> dict[str, bool]:
    """The variables of a root module as `terraform fmt` spells them: whether each must be given."""
    return {
        name: _DEFAULT.search(body) is None
        for path, content in files.items()
        if "/" not in path and path.endswith(".tf")
        for name, body in _VARIABLE.findall(content.decode("utf-8", "replace"))
    }


def _unsafe(folder: Path, what: str) -> CorruptError:
    return CorruptError(
        "MODULE_UNSAFE", f"the module {folder} is not used: {what}", folder=str(folder), what=what
    )
