"""Operations of stacks with a real Terraform: plan, approve, apply, drift, destroy."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from benchline.errors import ConflictError, NotPermittedError, NotReadyError
from controlplane.domain.provisioning import (
    ChangeAction,
    PlannedChange,
    ResourcePhase,
    ResourceProgress,
)
from controlplane.domain.stack import OperationKind, OperationState, PlanState, StackState
from controlplane.pipeline.stacks import Asker, StackChange
from controlplane.provisioning import workspace
from tests.process.stacks.rig import ME, failure_of, open_rig, plan_of
from tests.stacks import PLAIN

SENSITIVE = (
    PLAIN
    + """
output "password" {
  value     = "hunter2hunter2"
  sensitive = true
}
resource "terraform_data" "secret" {
  input = sensitive("swordfish-in-state")
}
"""
)


HOLD = """
import fcntl, sys
with open(sys.argv[1], "r+") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


@asynccontextmanager
async def held_elsewhere(path: Path) -> AsyncIterator[None]:
    """Another process holds the lock: one of this process would go with any file that is closed."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLD,
        str(path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        assert await child.stdout.readline() == b"held\n"
        yield
    finally:
        await child.communicate(b"")


async def test_a_stack_is_planned_approved_applied_changed_and_destroyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(120), open_rig(tmp_path) as rig:
        await rig.create("lamp")
        proposed = await rig.planned(add=("fan",))
        plan = plan_of(proposed)
        assert proposed.state is StackState.PLANNED
        assert (plan.counts.add, plan.confirmation_needed) == (3, False)
        assert plan.devices == ("fan", "lamp")
        path = rig.runs.plan_file("home", plan.operation)
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(NotReadyError) as refused:
            await rig.stacks.apply("home", Asker(principal=ME))
        assert refused.value.reason == "PLAN_NOT_APPROVED"
        with pytest.raises(ConflictError) as wrong:
            await rig.stacks.approve("home", "0" * 64, ME)
        assert wrong.value.reason == "PLAN_CHANGED"
        assert plan_of(await rig.stacks.approve("home", plan.digest, "local:ann")).decided_by == (
            "local:ann"
        )

        applied = await rig.applied()

        assert applied.state is StackState.APPLIED, applied.message
        assert applied.outputs is not None
        assert applied.outputs.broker_endpoint == "127.0.0.1:8883"
        assert [one.device for one in applied.outputs.devices] == ["fan", "lamp"]
        assert not path.exists(), "a plan holds secrets and is used once"
        done = [
            fact.address
            for fact in await rig.facts(ResourceProgress)
            if isinstance(fact, ResourceProgress) and fact.phase is ResourcePhase.DONE
        ]
        assert sorted(done) == [
            "terraform_data.broker",
            'terraform_data.device["fan"]',
            'terraform_data.device["lamp"]',
        ]
        clean = await rig.planned()
        assert (clean.state, clean.plan) == (StackState.APPLIED, None)
        drift = await rig.ended(await rig.stacks.drift("home", Asker(principal=ME)))
        assert (drift.drifted, drift.state) == ((), StackState.APPLIED)
        assert drift.drift_time is not None

        # What takes something away is shown first, and confirmed by name.
        changed = await rig.planned(remove=("fan",), port="9000")
        review = await rig.stacks.newest_plan("home")
        assert [(one.address, one.action) for one in review.changes] == [
            ('terraform_data.device["fan"]', ChangeAction.DELETE),
            ('terraform_data.device["lamp"]', ChangeAction.REPLACE),
            ("terraform_data.broker", ChangeAction.UPDATE),
        ]
        with pytest.raises(NotPermittedError) as unconfirmed:
            await rig.stacks.approve("home", plan_of(changed).digest, ME)
        assert unconfirmed.value.reason == "CONFIRMATION_NEEDED"
        with pytest.raises(NotReadyError, match="takes something away"):
            await rig.stacks.approve_by_rule("home", plan_of(changed).digest, ME)
        await rig.approved(changed)
        changed = await rig.applied()
        assert changed.state is StackState.APPLIED

        # A full disk stops nothing but the plan: with room it is made.
        with monkeypatch.context() as full:
            full.setattr(workspace, "FREE_BYTES_NEEDED", 1 << 60)
            stopped = await rig.planned(destroy=True)
        assert (stopped.state, stopped.plan) == (StackState.APPLIED, changed.plan)
        assert stopped.operation is not None
        assert stopped.operation.failure is not None
        assert stopped.operation.failure.reason == "DISK_FULL"
        assert (
            f"MiB on the disk of {tmp_path / 'stacks' / 'home'}"
            in stopped.operation.failure.message
        )
        destroying = await rig.planned(destroy=True)
        assert plan_of(destroying).destroy
        with pytest.raises(NotReadyError) as held:
            await rig.stacks.delete("home")
        assert held.value.reason == "STACK_NOT_EMPTY"
        await rig.approved(destroying)
        gone = await rig.applied()
        assert (gone.state, gone.outputs) == (StackState.DESTROYED, None)
        assert gone.operation is not None
        assert gone.operation.kind is OperationKind.DESTROY
        await rig.stacks.delete("home")
        assert await rig.store.find("home") is None
        assert not (tmp_path / "stacks" / "home").exists()


async def test_a_plan_that_is_old_stale_or_tampered_with_is_never_applied(tmp_path: Path) -> None:
    async with asyncio.timeout(120), open_rig(tmp_path) as rig:
        await rig.create("lamp")
        tampered = await rig.approved(await rig.planned())
        path = rig.runs.plan_file("home", plan_of(tampered).operation)
        with path.open("ab") as file:
            file.write(b"x")
        refused = await rig.applied()
        assert failure_of(refused) == (OperationState.FAILED, "PLAN_TAMPERED")
        assert refused.state is StackState.DRAFT, "nothing was touched"
        assert plan_of(refused).state is PlanState.GONE
        assert not path.exists()

        # The state moves behind the back of an approved plan.
        stale = await rig.approved(await rig.planned())
        kept = rig.runs.plan_file("home", plan_of(stale).operation)
        copy = kept.read_bytes()
        assert (await rig.applied()).state is StackState.APPLIED
        again = await rig.approved(await rig.planned(add=("fan",)))
        rig.runs.plan_file("home", plan_of(again).operation).write_bytes(copy)
        assert failure_of(await rig.applied())[1] == "PLAN_TAMPERED"
        moved = await rig.approved(await rig.planned())
        state = tmp_path / "stacks/home/state/terraform.tfstate"
        state.write_text(state.read_text().replace('"serial": ', '"serial": 9'))
        stale = await rig.applied()
        assert failure_of(stale) == (OperationState.FAILED, "PLAN_STALE")
        assert stale.state is StackState.APPLIED
        assert plan_of(moved).digest == plan_of(stale).digest
        # The next plan converges.
        assert (await rig.made()).state is StackState.APPLIED

    async with (
        asyncio.timeout(120),
        open_rig(tmp_path, plan_life=timedelta(0)) as rig,
    ):
        old = await rig.planned(port="9001")
        with pytest.raises(NotReadyError) as expired:
            await rig.stacks.approve("home", plan_of(old).digest, ME, confirmation="home")
        assert expired.value.reason == "PLAN_EXPIRED"


async def test_a_stack_does_one_thing_at_a_time_and_repeats_are_one(tmp_path: Path) -> None:
    async with asyncio.timeout(60), open_rig(tmp_path) as rig:
        await rig.create("lamp")
        asked = Asker(principal=ME, request_id="r1")
        first = await rig.stacks.plan("home", StackChange(), asked)
        again = await rig.stacks.plan("home", StackChange(), asked)
        assert again.operation == first.operation
        with pytest.raises(NotReadyError) as busy:
            await rig.stacks.plan("home", StackChange(), Asker(principal=ME))
        assert busy.value.reason == "STACK_BUSY"
        proposed = await rig.ended(first)
        # A newer plan takes the place of an open one, whose file goes.
        path = rig.runs.plan_file("home", plan_of(proposed).operation)
        assert path.exists()
        newer = await rig.planned(port="9000")
        assert not path.exists()
        with pytest.raises(ConflictError):
            await rig.stacks.approve("home", plan_of(proposed).digest, ME)
        rejected = await rig.stacks.reject("home", plan_of(newer).digest, "local:ann")
        assert (rejected.state, plan_of(rejected).state) == (StackState.DRAFT, PlanState.REJECTED)
        assert plan_of(rejected).decided_by == "local:ann"
        assert not rig.runs.plan_file("home", plan_of(newer).operation).exists()


async def test_a_locked_state_names_who_holds_it(tmp_path: Path) -> None:
    async with asyncio.timeout(60), open_rig(tmp_path) as rig:
        await rig.create("lamp")
        await rig.made()
        state = tmp_path / "stacks/home/state/terraform.tfstate"
        held = {
            "ID": "5",
            "Operation": "OperationTypeApply",
            "Who": "eve@elsewhere",
            "Version": "1.11.4",
            "Created": "2026-01-01T00:00:00Z",
            "Path": str(state),
        }
        state.with_name(".terraform.tfstate.lock.info").write_text(json.dumps(held))
        async with held_elsewhere(state):
            locked = await rig.planned(add=("fan",))
        assert failure_of(locked) == (OperationState.FAILED, "STATE_LOCKED")
        assert "eve@elsewhere" in locked.message
        assert locked.state is StackState.APPLIED
        assert (await rig.made()).state is StackState.APPLIED


async def test_secrets_are_in_no_event_and_reading_them_is_told(tmp_path: Path) -> None:
    async with asyncio.timeout(60), open_rig(tmp_path, SENSITIVE) as rig:
        await rig.create("lamp")
        await rig.planned()
        shown = str(await rig.stacks.newest_plan("home"))
        assert "swordfish" not in shown
        assert "(sensitive)" in shown
        await rig.approved(await rig.store.get("home"))
        stack = await rig.applied()
        values = await rig.stacks.sensitive_outputs("home", "local:ann")
        assert values == {"password": '"hunter2hunter2"'}
        told = str(await rig.journal.read("stacks/home", 1, 1000))
        assert "hunter2" not in told + str(stack)
        assert "swordfish" not in told + str(stack)
        assert "SensitiveRead(principal='local:ann', outputs=('password',))" in told


async def test_without_a_terraform_the_fix_is_named(tmp_path: Path) -> None:
    async with asyncio.timeout(60), open_rig(tmp_path, terraform=tmp_path / "none") as rig:
        await rig.create("lamp")
        with pytest.raises(NotReadyError) as missing:
            await rig.stacks.plan("home", StackChange(), Asker(principal=ME))
        assert missing.value.reason in ("TERRAFORM_NOT_FOUND", "TERRAFORM_UNUSABLE")
        assert "install terraform" in missing.value.message
        assert (await rig.store.get("home")).state is StackState.DRAFT


async def test_a_broken_module_fails_the_plan_and_the_stack_stays(tmp_path: Path) -> None:
    broken = PLAIN + '\nresource "terraform_data" "bad" {\n  nonsense = 1\n}\n'
    async with asyncio.timeout(60), open_rig(tmp_path, broken) as rig:
        await rig.create("lamp")
        failed = await rig.planned()
        assert failure_of(failed) == (OperationState.FAILED, "TERRAFORM_FAILED")
        assert "Unsupported argument" in failed.message
        assert (failed.state, failed.plan) == (StackState.DRAFT, None)
        assert [type(f) for f in await rig.facts(PlannedChange)] == []
