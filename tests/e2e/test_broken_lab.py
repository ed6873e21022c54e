"""A tool or a stored byte at fault is BROKEN, named, and never blamed on the firmware."""

import os
import shutil
import signal
import stat
from pathlib import Path

import pytest

from tests.e2e.conftest import DEMO, Operator
from tests.e2e.test_main_job import artifact, stored

HANGS = "#!/bin/sh\nexec sleep 1000\n"
GARBAGE = "#!/bin/sh\nhead -c 3000 /dev/urandom\nexit 0\n"


def path_with(folder: Path, tool: str, script: str | None) -> str:
    """A PATH on which `tool` is missing (None) or a script; everything else is as it was."""
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        if not Path(place).is_dir():
            continue
        for program in Path(place).iterdir():
            link = folder / program.name
            if program.name != tool and not link.is_symlink() and program.is_file():
                link.symlink_to(program)
    if script is not None:
        fake = folder / tool
        fake.write_text(script)
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    return str(folder)


@pytest.mark.parametrize("script", [None, HANGS, GARBAGE], ids=["renamed", "hung", "garbage"])
@pytest.mark.parametrize(
    ("tool", "package", "stage"),
    [
        ("arm-none-eabi-g++", "gcc-arm-none-eabi", "STAGE_BUILD"),
        ("qemu-system-arm", "qemu-system-arm", "STAGE_SIMULATE"),
    ],
)
def test_a_tool_at_fault_is_broken_and_names_its_package(
    tmp_path: Path, tool: str, package: str, stage: str, script: str | None
) -> None:
    lone = Operator(tmp_path / "data", path_with(tmp_path / "bin", tool, script))
    try:
        run = lone("run", "Blink the on-board LED at 2 Hz", "--until", "simulate", "--json")
    finally:
        lone("down")

    assert run.code == 3, run
    broken = next(s for s in run.session["stages"] if s["outcome"] == "OUTCOME_BROKEN")
    assert broken["stage"] == stage
    assert package in run.session["message"]


def test_a_flipped_byte_in_a_stored_image_is_broken_before_any_erase(
    lone_operator: Operator,
) -> None:
    built = lone_operator("run", DEMO, "--until", "simulate", "--json")
    assert built.code == 0, built
    image = stored(lone_operator, artifact(built.session, "firmware.release.elf"))
    data = bytearray(image.read_bytes())
    data[len(data) // 2] ^= 1
    image.chmod(0o600)
    image.write_bytes(data)
    before = erase_counts(lone_operator)

    run = lone_operator("run", DEMO, "--json")

    assert run.code == 3, run
    assert "ARTIFACT_CORRUPT" in run.session["message"]
    assert not any("flash" in line for line in run.lines[:-1])
    assert erase_counts(lone_operator) == before


def erase_counts(operator: Operator) -> list[str]:
    return [path.read_text() for path in sorted(operator.data_dir.glob("virtual/*/stats.json"))]


def test_without_a_free_board_the_session_waits_and_says_so(lone_operator: Operator) -> None:
    up = lone_operator("up")
    assert up.code == 0, up
    for board in lone_operator("boards", "--json").lines:
        short = board["name"].rsplit("/", 1)[-1]
        taken = lone_operator("lease", "acquire", f"name={short}", "--ttl", "600")
        assert taken.code == 0, taken

    run = lone_operator.start("run", "Blink the on-board LED at 2 Hz", "--json")
    assert run.stdout is not None
    for line in run.stdout:
        if "STATE_WAITING" in line:
            break
    else:
        pytest.fail("the session never said that it waits")
    for lease in lone_operator("lease", "list", "--json").lines:
        lone_operator("lease", "release", lease["name"])
    out, talk = run.communicate(timeout=180)

    assert run.returncode == 0, out[-2000:] + talk[-2000:]


def test_make_test_counts_no_tool_as_optional() -> None:
    # These tests use the tools of the machine; a missing one must fail them, so it must be there.
    for tool in ("arm-none-eabi-g++", "qemu-system-arm"):
        assert shutil.which(tool), f"{tool} is missing; see infra/bootstrap/packages.sh"


def test_a_board_that_hangs_is_left_for_another(lone_operator: Operator) -> None:
    frozen = lone_operator.instance()["pids"]["vf405-01"]
    os.kill(frozen, signal.SIGSTOP)
    try:
        run = lone_operator("run", "Blink the on-board LED at 2 Hz", "--json", timeout=300)
    finally:
        os.kill(frozen, signal.SIGCONT)

    assert run.code == 0, run
    notes = [line["note"]["text"] for line in run.lines if "note" in line]
    assert any("TOOL_HUNG" in note and "again on vf405-02" in note for note in notes), notes
    judged = {r["runner"]: r["outcome"] for r in run.session["scenarioResults"]}
    assert judged["vf405-02"] == "OUTCOME_PASSED"
