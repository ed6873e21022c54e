"""The argument lists that python-terraform builds, and what it is kept from doing."""

import logging
from pathlib import Path

import pytest
from python_terraform import IsFlagged

from controlplane.provisioning.binary import TerraformCommand
from controlplane.provisioning.command_line import TerraformRunner

COMMAND = TerraformCommand(
    argv=("/usr/bin/python3", "-I", "/shim.py"), product="T", version="1.9.0"
)


@pytest.fixture
def runner(tmp_path: Path) -> TerraformRunner:
    # What python-terraform would read, and stumble over, of a folder.
    (tmp_path / "terraform.tfstate").write_text("no state")

    async def execute(argv: tuple[str, ...]) -> tuple[str, ...]:
        return argv

    return TerraformRunner(COMMAND, tmp_path, execute)


async def test_a_plan_is_spelled_as_terraform_wants_it(runner: TerraformRunner) -> None:
    argv = await runner.plan(
        json=IsFlagged,
        out="/plans/a.tfplan",
        destroy=None,
        refresh_only=IsFlagged,
        replace=['d.x["dev-1"]', "d.y"],
        var_file="/vars.json",
        lock_timeout="10s",
    )

    assert argv[:4] == ("/usr/bin/python3", "-I", "/shim.py", "plan")
    assert {
        "-json",
        "-out=/plans/a.tfplan",
        "-refresh-only",
        '-replace=d.x["dev-1"]',
        "-replace=d.y",
        "-var-file=/vars.json",
        "-lock-timeout=10s",
        "-input=false",
        "-detailed-exitcode",
    } <= set(argv)
    assert not [word for word in argv if "destroy" in word]
    assert len([word for word in argv if word.startswith("-var")]) == 1


async def test_a_saved_plan_is_applied_as_it_is(runner: TerraformRunner) -> None:
    argv = await runner.apply("/plans/a.tfplan", json=IsFlagged, lock_timeout="10s")

    assert argv[3] == "apply"
    assert argv[-1] == "/plans/a.tfplan"
    assert not [word for word in argv if word.startswith(("-var", "-target"))]


async def test_init_asks_nothing(runner: TerraformRunner) -> None:
    argv = await runner.init(no_color=IsFlagged, lockfile="readonly")

    assert {"-input=false", "-reconfigure", "-lockfile=readonly"} <= set(argv)


async def test_a_name_that_is_not_there_is_no_command(
    runner: TerraformRunner, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(AttributeError):
        runner.taint("terraform_data.a")

    assert caplog.records == []
