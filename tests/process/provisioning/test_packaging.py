"""An installation without a checkout has the modules."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
ASK = """
from controlplane.provisioning.modules import declared_variables, module_files, shipped_module
module = shipped_module("local")
print(module.path)
print(sorted(declared_variables(module_files(module.path))))
"""


def test_the_modules_come_with_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)

    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "PATH": os.environ["PATH"]},
    )

    where, variables = asked.stdout.splitlines()
    assert Path(where).is_relative_to(installed)
    assert variables == "['devices', 'port', 'stack']"
