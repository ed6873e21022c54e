"""The shipped modules are spelled as `terraform fmt` spells them."""

import asyncio
import subprocess
from pathlib import Path

from controlplane.provisioning.binary import find_terraform

MODULES = Path(__file__).parents[3] / "infra" / "modules"


def test_every_module_is_formatted() -> None:
    command = asyncio.run(find_terraform())
    checked = subprocess.run(
        [*command.argv, "fmt", "-check", "-recursive", "-diff", str(MODULES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, "")
