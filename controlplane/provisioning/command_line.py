"""python-terraform, used for the one thing it is good at: the argument lists of Terraform.

Its own way of running them is not used: it waits in the calling thread, leaves stdin and the
process group of this program to the child, knows no environment of its own and logs outputs.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import python_terraform
from python_terraform import IsFlagged

from controlplane.provisioning.binary import TerraformCommand

Execute = Callable[[tuple[str, ...]], Awaitable[Any]]


class TerraformRunner(python_terraform.Terraform):  # type: ignore[misc]  # it has no types
    """Methods such as `plan` and `init` of python-terraform, which run through `execute`.

    Each returns what `execute` does for the argument list. Variables, targets and the parallelism
    are never set here: python-terraform would hand them to commands that do not know them.
    """

    def __init__(self, command: TerraformCommand, folder: Path, execute: Execute) -> None:
        self._command = command
        self._execute = execute
        super().__init__(working_dir=str(folder), terraform_bin_path=command.argv[0])

    def read_state_file(self, file_path: str | None = None) -> None:
        """Nothing: python-terraform would read a state that is none of its business."""

    def __getattr__(self, item: str) -> Any:
        """No attribute is a command: a misspelt one is an error, as everywhere."""
        raise AttributeError(item)

    def cmd(self, cmd: str, *args: str, **kwargs: Any) -> Awaitable[Any]:
        """Run a command; `init`, `plan` and `apply` end here as well."""
        # Its default, no variables, would become a file left behind in the temporary folder.
        kwargs.pop("var", None)
        _, *arguments = self.generate_cmd_string(cmd, *args, **kwargs)
        return self._execute((*self._command.argv, *arguments))

    def show(self, path: Path) -> Awaitable[Any]:
        """`show -json` of a saved plan."""
        return self.cmd("show", str(path), json=IsFlagged, no_color=IsFlagged)

    def outputs(self) -> Awaitable[Any]:
        """`output -json` of all outputs."""
        return self.cmd("output", json=IsFlagged, no_color=IsFlagged)

    def push_state(self, path: Path) -> Awaitable[Any]:
        """`state push`: refused by Terraform when it is not the state's own successor."""
        return self.cmd("state push", str(path), lock_timeout="0s", no_color=IsFlagged)
