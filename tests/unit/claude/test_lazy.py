"""Without Claude nothing of its SDK is loaded."""

import subprocess
import sys


def test_the_control_plane_loads_without_the_sdk() -> None:
    program = (
        "import sys, controlplane.app, controlplane.claude.service; "
        "print(sorted({'anthropic', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )

    assert done.stdout.strip() == "[]"
