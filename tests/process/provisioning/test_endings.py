"""How runs of Terraform end that do not end by themselves, and that the next plan repairs all."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchline.errors import BenchlineError, ExhaustedError
from benchline.process_id import ProcessId
from controlplane.domain.provisioning import ChangeAction, PlannedChange, RunEvent, RunStarted
from controlplane.provisioning import child, workspace
from controlplane.provisioning.binary import find_terraform
from controlplane.provisioning.leftovers import end_leftovers, leftovers
from controlplane.provisioning.runner import Terraform
from controlplane.provisioning.settings import ProvisioningSettings
from tests.process.provisioning.rig import SLOW, Listener, Rig, has_started

ROOT = Path(__file__).parents[3]
WAIT_SECONDS = 60
# Whether it is in the state already depends on the moment of the end.
MADE_ANEW = (
    {"terraform_data.slow": ChangeAction.REPLACE},
    {"terraform_data.slow": ChangeAction.CREATE},
)

# Answers as Terraform does when it is asked for its version, and hangs in everything else.
HANGING = """\
#!/bin/sh
[ "$1" = version ] && echo "Terraform v1.11.4" && exit 0
[ "$1" = init ] && exit 0
trap '' INT TERM
sleep 600 &
echo '{"type":"log","@message":"busy with '$!'"}'
while :; do wait; done
"""


class Applying:
    """An apply of the slow module that is in the middle of its second resource."""

    def __init__(self, rig: Rig, terraform: Terraform) -> None:
        self.rig = rig
        self.terraform = terraform
        self.listener = Listener(has_started("terraform_data.slow"))

    async def start(self) -> asyncio.Task[object]:
        path, digest = await self.rig.planned(self.terraform)
        task: asyncio.Task[object] = asyncio.create_task(
            self.terraform.apply(path, digest=digest, on_event=self.listener)
        )
        waiting = asyncio.create_task(self.listener.seen.wait())
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert self.listener.seen.is_set(), task.exception()
        return task

    @property
    def process(self) -> ProcessId:
        (started,) = self.listener.of(RunStarted)
        return ProcessId(pid=started.pid, started=started.started_ticks)

    async def repair(self, replace: tuple[str, ...] = ()) -> dict[str, ChangeAction]:
        """What the next plan of a new control plane changes, which is then applied."""
        self.rig.write(SLOW)
        terraform = await self.rig.open()
        path = terraform.workspace.plans_dir / "repair.tfplan"
        plan = await terraform.plan(path, replace=replace)
        return {change.address: change.action for change in plan.changes}


@pytest.fixture
async def applying(tmp_path: Path) -> Applying:
    rig = Rig(tmp_path, SLOW)
    return Applying(rig, await rig.open())


async def test_a_cancelled_apply_saves_its_state_first(applying: Applying) -> None:
    task = await applying.start()

    await applying.terraform.cancel()
    with pytest.raises(BenchlineError) as caught:
        await task

    assert caught.value.reason == "OPERATION_CANCELLED"
    assert not applying.process.alive
    # Terraform itself marked what it did not finish.
    assert await applying.repair() in MADE_ANEW


async def test_cancelling_who_waits_ends_the_run_in_good_order(applying: Applying) -> None:
    task = await applying.start()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not applying.process.alive
    assert await applying.repair() in MADE_ANEW


async def test_a_killed_terraform_is_repaired_by_making_anew_what_it_was_at(
    applying: Applying,
) -> None:
    task = await applying.start()

    os.kill(applying.process.pid, signal.SIGKILL)
    with pytest.raises(BenchlineError) as caught:
        await task

    assert caught.value.reason == "TERRAFORM_KILLED"
    assert leftovers(applying.terraform.workspace) == []
    # Terraform may believe that it had finished: only who listened knows better.
    changes = await applying.repair(replace=("terraform_data.slow", "terraform_data.gone"))
    assert changes in MADE_ANEW


async def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SLOW, apply_timeout_s=3.0)
    terraform = await rig.open()
    path, digest = await rig.planned(terraform)

    with pytest.raises(BenchlineError) as caught:
        await terraform.apply(path, digest=digest)

    assert caught.value.reason == "OPERATION_TIMED_OUT"
    # How far a busy machine came in that time is left open.
    nothing_made = dict.fromkeys(
        ("terraform_data.quick", "terraform_data.slow"), ChangeAction.CREATE
    )
    assert await Applying(rig, terraform).repair() in (*MADE_ANEW, nothing_made)


async def test_a_terraform_that_hangs_is_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "hanging"
    program.write_text(HANGING)
    program.chmod(0o755)
    monkeypatch.setattr(child, "LAST_PATIENCE_S", 0.2)
    rig = Rig(tmp_path, SLOW, terraform=program, cancel_grace_s=0.2)
    terraform = await rig.open()
    busy = Listener(lambda event: "busy with" in repr(event))
    task = asyncio.create_task(
        terraform.plan(terraform.workspace.plans_dir / "never.tfplan", on_event=busy)
    )
    async with asyncio.timeout(WAIT_SECONDS):
        await busy.seen.wait()

    await terraform.cancel()
    with pytest.raises(BenchlineError) as caught:
        await task

    assert caught.value.reason == "OPERATION_CANCELLED"
    assert leftovers(terraform.workspace) == []


async def test_a_listener_that_fails_ends_the_run_and_is_told(applying: Applying) -> None:
    class DiskOfTheJournalFullError(Exception):
        pass

    async def fail(event: RunEvent) -> None:
        await listener(event)
        if listener.seen.is_set():
            raise DiskOfTheJournalFullError

    listener = Listener(has_started("terraform_data.slow"))
    path, digest = await applying.rig.planned(applying.terraform)

    with pytest.raises(DiskOfTheJournalFullError):
        await applying.terraform.apply(path, digest=digest, on_event=fail)

    assert leftovers(applying.terraform.workspace) == []
    assert await applying.repair() in MADE_ANEW


async def test_a_killed_control_plane_takes_terraform_along(tmp_path: Path) -> None:
    Rig(tmp_path, SLOW)
    program = [sys.executable, str(Path(__file__).with_name("applier.py")), str(tmp_path)]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}", "PATH": os.environ["PATH"]}
    control_plane = await asyncio.create_subprocess_exec(
        *program, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=environment
    )
    assert control_plane.stdout is not None
    async with asyncio.timeout(WAIT_SECONDS):
        pid, ticks = map(int, (await control_plane.stdout.readline()).split())
        terraform = ProcessId(pid=pid, started=ticks)
        assert await control_plane.stdout.readline() == b"started\n"
    assert terraform.alive
    control_plane.kill()
    await control_plane.wait()

    applying = Applying(Rig(tmp_path, SLOW), await Rig(tmp_path, SLOW).open())
    async with asyncio.timeout(WAIT_SECONDS):
        while terraform.alive:  # noqa: ASYNC110 - another process tells nothing
            await asyncio.sleep(0.01)
    assert await applying.repair(replace=("terraform_data.slow",)) in MADE_ANEW


def test_what_an_earlier_control_plane_left_is_ended_and_nothing_else(tmp_path: Path) -> None:
    mine, other = (Rig(tmp_path).host().workspace(name) for name in ("greenhouse", "other"))
    with (
        subprocess.Popen(["sleep", "600"], env={"TF_DATA_DIR": str(mine.data_dir)}) as left,
        subprocess.Popen(["sleep", "600"], env={"TF_DATA_DIR": str(other.data_dir)}) as stays,
    ):
        assert [process.pid for process in end_leftovers(mine)] == [left.pid]
        assert left.wait(WAIT_SECONDS) == -signal.SIGKILL
        assert stays.poll() is None
        stays.kill()


async def test_half_a_plan_is_no_plan(tmp_path: Path) -> None:
    """Terraform reports success for a plan of which the disk took only the beginning."""
    rig = Rig(tmp_path, SLOW)
    terraform = await rig.open()
    rig.settings = await limited(rig, file_bytes=1000)

    with pytest.raises(ExhaustedError) as caught:
        await rig.planned(await rig.open())

    assert caught.value.reason == "DISK_FULL"
    assert list(terraform.workspace.plans_dir.iterdir()) == []
    await rig.planned(terraform)


async def test_a_state_that_could_not_be_written_is_told_and_repaired(tmp_path: Path) -> None:
    text = SLOW.replace("exec sleep 600", "true")
    rig = Rig(tmp_path, text)
    terraform = await rig.open()
    path, digest = await rig.planned(terraform)
    whole = rig.settings
    rig.settings = await limited(rig, file_bytes=600)

    with pytest.raises(ExhaustedError) as caught:
        await (await rig.open()).apply(path, digest=digest)

    assert caught.value.reason == "DISK_FULL"
    rig.settings = whole
    again, listener = await rig.open(), Listener()
    path, digest = await rig.planned(again, on_event=listener)
    assert {change.action for change in listener.of(PlannedChange)} == {ChangeAction.CREATE}
    assert "the state was damaged" in listener.text
    await again.apply(path, digest=digest)
    assert not (await terraform.plan(path)).has_changes


async def test_nothing_is_begun_on_a_full_disk(
    applying: Applying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "FREE_BYTES_NEEDED", 1 << 60)

    with pytest.raises(ExhaustedError, match=r"free \d+ MiB on the disk of ") as caught:
        await applying.rig.planned(applying.terraform)

    assert caught.value.reason == "DISK_FULL"


async def limited(rig: Rig, *, file_bytes: int) -> ProvisioningSettings:
    """Settings with a Terraform that can write no larger file: for it the disk is full."""
    real = shlex.join((await find_terraform()).argv)
    program = rig.folder / "limited"
    program.write_text(f'#!/bin/sh\nexec prlimit --fsize={file_bytes} -- {real} "$@"\n')
    program.chmod(0o755)
    return replace(rig.settings, terraform=program)
