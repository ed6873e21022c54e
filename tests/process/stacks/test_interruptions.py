"""Operations that are cut short: cancelled, killed, or left behind by a control plane that ends."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchline.process_id import ProcessId
from controlplane.domain.event import Event
from controlplane.domain.provisioning import ChangeAction, ResourcePhase, ResourceProgress
from controlplane.domain.stack import OperationState, StackState
from controlplane.pipeline.stacks import Asker, StackChange
from tests.process.stacks.rig import ME, failure_of, gated, open_rig, plan_of
from tests.stacks import PLAIN

LAMP = 'terraform_data.device["lamp"]'
ROOT = Path(__file__).parents[3]


def gate_in(folder: Path) -> Path:
    gate = folder / "gate"
    os.mkfifo(gate)
    return gate


@contextmanager
def opened(gate: Path) -> Iterator[None]:
    """Lets everything through while the block runs."""
    descriptor = os.open(gate, os.O_RDWR)
    try:
        os.write(descriptor, b"go\n" * 8)
        yield
    finally:
        os.close(descriptor)


def made_before_the_lamp(folder: Path) -> bool:
    state = json.loads((folder / "stacks/home/state/terraform.tfstate").read_text())
    return any(one["name"] == "broker" for one in state["resources"])


def lamp_is_begun(event: Event) -> bool:
    fact = event.fact
    return isinstance(fact, ResourceProgress) and (fact.address, fact.phase) == (
        LAMP,
        ResourcePhase.STARTED,
    )


async def killed_while_applying(folder: Path, module: str) -> None:
    """Another process applies the approved plan, and is killed when it begins with the lamp."""
    text = folder / "module.tf"
    text.write_text(module)
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.process.stacks.control_plane",
        str(folder),
        str(text),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"},
    )
    assert child.stdout is not None
    while (line := (await child.stdout.readline()).decode().strip()) != f"started {LAMP}":
        assert line, "the control plane ended by itself"
    child.kill()
    await child.wait()


async def test_a_killed_apply_is_interrupted_and_the_next_plan_makes_it_whole(
    tmp_path: Path,
) -> None:
    async with asyncio.timeout(180):
        gate = gate_in(tmp_path)
        module = gated(gate)
        async with open_rig(tmp_path, module) as rig:
            await rig.create("lamp")
            await rig.approved(await rig.planned())
        await killed_while_applying(tmp_path, module)

        # The next control plane finds the row of what ran, and nothing of it running.
        async with open_rig(tmp_path, module) as rig:
            cut = await rig.store.get("home")
            assert cut.state is StackState.INTERRUPTED
            assert failure_of(cut) == (OperationState.INTERRUPTED, "INTERRUPTED")
            assert LAMP in cut.unfinished  # and whatever else was not told to be done
            assert cut.operation is not None
            assert cut.operation.pid > 0
            process = ProcessId(pid=cut.operation.pid, started=cut.operation.process_start)
            assert not process.alive, "Terraform went with the control plane that led it"
            assert list((tmp_path / "stacks/home/plans").glob("*.tfplan")) == []
            # Terraform itself takes the lamp for whole: it was killed while that was being made.
            repair = await rig.planned()
            assert plan_of(repair).replaced == cut.unfinished
            plan = await rig.stacks.newest_plan("home")
            assert [(one.address, one.action) for one in plan.changes if one.address == LAMP] in (
                [(LAMP, ChangeAction.REPLACE)],
                [(LAMP, ChangeAction.CREATE)],  # it was not even written down
            )
            await rig.approved(repair)
            with opened(gate):
                whole = await rig.applied()
            assert whole.state is StackState.APPLIED, whole.message
            assert whole.unfinished == ()
            assert whole.outputs is not None
            assert [one.device for one in whole.outputs.devices] == ["lamp"]
            clean = await rig.planned()
            assert clean.plan is None, "nothing is left to do"


async def test_a_killed_destroy_is_finished_by_the_next_plan(tmp_path: Path) -> None:
    async with asyncio.timeout(180):
        gate = gate_in(tmp_path)
        module = gated(gate, when="destroy")
        async with open_rig(tmp_path, module) as rig:
            await rig.create("lamp")
            await rig.made()
            await rig.approved(await rig.planned(destroy=True))
        await killed_while_applying(tmp_path, module)

        async with open_rig(tmp_path, module) as rig:
            cut = await rig.store.get("home")
            assert (cut.state, LAMP in cut.unfinished) == (StackState.INTERRUPTED, True)
            again = await rig.planned(destroy=True)
            assert plan_of(again).replaced == (), "Terraform takes no replacement with a destroy"
            await rig.approved(again)
            with opened(gate):
                gone = await rig.applied()
            assert (gone.state, gone.unfinished) == (StackState.DESTROYED, ()), gone.message
            state = json.loads((tmp_path / "stacks/home/state/terraform.tfstate").read_text())
            assert state["resources"] == []
            await rig.stacks.delete("home")


async def test_a_cancelled_apply_keeps_its_state_and_is_repaired(tmp_path: Path) -> None:
    async with asyncio.timeout(180):
        module = gated(gate_in(tmp_path))
        async with open_rig(tmp_path, module) as rig:
            await rig.create("lamp")
            await rig.approved(await rig.planned())
            applying = await rig.stacks.apply("home", Asker(principal=ME))
            await rig.until(lamp_is_begun)
            asked = await rig.stacks.cancel("home")
            assert asked.cancel_requested
            cut = await rig.ended(applying)
            assert cut.state is StackState.CANCELLED, cut.message
            assert failure_of(cut)[0] is OperationState.CANCELLED
            assert made_before_the_lamp(tmp_path)
        async with open_rig(tmp_path, PLAIN) as rig:
            # The module is a copy of its first day: its gate is still there.
            repair = await rig.approved(await rig.planned())
            assert plan_of(repair).counts.replace + plan_of(repair).counts.add == 1
            with opened(tmp_path / "gate"):
                assert (await rig.applied()).state is StackState.APPLIED


async def test_a_control_plane_that_is_stopped_ends_what_runs_in_good_order(
    tmp_path: Path,
) -> None:
    async with asyncio.timeout(180):
        module = gated(gate_in(tmp_path))
        async with open_rig(tmp_path, module) as rig:
            await rig.create("lamp")
            await rig.approved(await rig.planned())
            await rig.stacks.apply("home", Asker(principal=ME))
            await rig.until(lamp_is_begun)
        async with open_rig(tmp_path, module) as rig:
            cut = await rig.store.get("home")
            assert cut.state is StackState.INTERRUPTED
            assert made_before_the_lamp(tmp_path)


async def test_a_killed_terraform_is_a_failure_that_the_next_plan_repairs(tmp_path: Path) -> None:
    async with asyncio.timeout(180):
        gate = gate_in(tmp_path)
        async with open_rig(tmp_path, gated(gate)) as rig:
            await rig.create("lamp")
            await rig.approved(await rig.planned())
            applying = await rig.stacks.apply("home", Asker(principal=ME))
            await rig.until(lamp_is_begun)
            running = (await rig.store.get("home")).operation
            assert running is not None
            os.kill(running.pid, signal.SIGKILL)
            cut = await rig.ended(applying)
            assert failure_of(cut) == (OperationState.FAILED, "TERRAFORM_KILLED")
            assert (cut.state, LAMP in cut.unfinished) == (StackState.FAILED, True)
            await rig.approved(await rig.planned())
            with opened(gate):
                assert (await rig.applied()).state is StackState.APPLIED


async def test_operations_of_different_stacks_run_side_by_side_within_the_slots(
    tmp_path: Path,
) -> None:
    async with asyncio.timeout(180):
        gate = gate_in(tmp_path)
        async with open_rig(tmp_path, gated(gate), slots=1) as rig:
            await rig.create("lamp")
            await rig.create("fan", name="other")
            await rig.approved(await rig.planned())
            await rig.stacks.apply("home", Asker(principal=ME))
            await rig.until(lamp_is_begun)
            # The only slot is taken: the other one waits for its turn, and can be called off.
            queued = await rig.stacks.plan("other", StackChange(), Asker(principal=ME))
            assert queued.state is StackState.PLANNING
            await rig.stacks.cancel("other")
            with opened(gate):
                called_off = await rig.ended(queued)
            assert failure_of(called_off)[0] is OperationState.CANCELLED
            assert called_off.state is StackState.DRAFT
