"""The real Terraform on its built-in provider: what a run tells, and what it leaves behind."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from benchline.errors import (
    BenchlineError,
    ConflictError,
    CorruptError,
    InvalidRequestError,
    NotFoundError,
    NotReadyError,
)
from controlplane.domain.provisioning import (
    ChangeAction,
    ChangeCounts,
    OutputsKnown,
    PlannedChange,
    ProvisioningDiagnostic,
    ResourcePhase,
    ResourceProgress,
    RunNote,
    RunStarted,
)
from tests.process.provisioning.rig import BASIC, SECRET, SLOW, Listener, Rig, has_started


async def test_a_plan_and_its_apply_are_told_while_they_happen(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    terraform = await rig.open(variables={"password": SECRET}, secrets=[SECRET])
    planning, applying = Listener(), Listener()
    path = terraform.workspace.plans_dir / "first.tfplan"

    plan = await terraform.plan(path, on_event=planning)
    result = await terraform.apply(path, digest=plan.digest, on_event=applying)

    addresses = {"terraform_data.greeting", "terraform_data.account"}
    assert {change.address for change in plan.changes} == addresses
    assert {change.action for change in planning.of(PlannedChange)} == {ChangeAction.CREATE}
    assert plan.has_changes
    assert plan.counts == ChangeCounts(add=2)
    assert isinstance(applying.events[0], RunStarted)
    assert applying.events[0].pid > 0
    done = [e for e in applying.of(ResourceProgress) if e.phase is ResourcePhase.DONE]
    assert {one.address for one in done} == addresses
    assert applying.of(OutputsKnown)[-1].sensitive == ("password",)
    assert result.counts == ChangeCounts(add=2, operation="apply")
    assert not (await terraform.plan(path)).has_changes


async def test_no_secret_is_told_and_no_file_can_be_read_by_others(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    terraform = await rig.open(variables={"password": SECRET})
    listener = Listener()
    path, digest = await rig.planned(terraform, on_event=listener)

    review = await terraform.show_plan(path)
    await terraform.apply(path, digest=digest, on_event=listener)
    outputs = await terraform.outputs()

    # The secret is not even known to the redaction: Terraform's marks alone keep it back.
    assert SECRET not in listener.text
    assert SECRET not in repr(review)
    assert SECRET not in repr(outputs)
    account = next(c for c in review.changes if c.address == "terraform_data.account")
    shown = {one.name: one.after for one in account.attributes}
    assert "(sensitive)" in shown["input"]
    assert '"dev"' in shown["input"]
    assert shown["output"] == "(known after apply)"
    assert outputs["password"].value == SECRET
    assert outputs["password"].sensitive
    assert outputs["greeting"].value == "hello"
    everything = [tmp_path / "stacks", *(tmp_path / "stacks").rglob("*")]
    assert [one for one in everything if one.stat().st_mode & 0o077] == []


async def test_a_child_gets_none_of_this_programs_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-this-module")
    monkeypatch.setenv("TF_VAR_greeting", "from the environment")
    command = "env; readlink /proc/self/fd/0; echo key $KEY"
    rig = Rig(
        tmp_path,
        BASIC + f'resource "terraform_data" "look" {{\n  provisioner "local-exec" {{\n'
        f'    command     = "{command}"\n    environment = {{ KEY = nonsensitive(var.password) }}\n'
        "  }\n}\n",
    )
    terraform = await rig.open(variables={"password": SECRET}, secrets=[SECRET])
    listener = Listener()

    await rig.apply(terraform, listener)

    said = "\n".join(note.text for note in listener.of(RunNote))
    assert "HOME=" + str(terraform.workspace.home_dir) in said
    assert "not-for-this-module" not in said
    assert "/dev/null" in said
    assert "key (redacted)" in said
    assert SECRET not in listener.text
    assert (await terraform.outputs())["greeting"].value == "hello"


async def test_texts_of_an_operator_are_taken_literally(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    wild = '${file("/etc/passwd")} %{ if true }x%{ endif } "quoted"\nsecond line \u2028 $${'

    terraform = await rig.open(variables={"greeting": wild})
    await rig.apply(terraform)

    assert (await terraform.outputs())["greeting"].value == wild


async def test_variables_are_those_of_the_module(tmp_path: Path) -> None:
    rig = Rig(tmp_path, BASIC + 'variable "region" {\n  type = string\n}\n')

    with pytest.raises(InvalidRequestError, match=r"no variable 'colour'.*region must be given"):
        await rig.open(variables={"colour": "red"})


async def test_a_provider_that_is_not_allowed_is_not_looked_for(tmp_path: Path) -> None:
    evil = 'terraform {\n  required_providers {\n    evil = { source = "evil/evil" }\n  }\n}\n'
    rig = Rig(tmp_path, evil)
    empty = tmp_path / "mirror"
    empty.mkdir()

    with pytest.raises(NotReadyError) as nowhere:
        await rig.open()
    rig.module = replace(rig.module, providers=("hashicorp/aws",))
    rig.settings = replace(rig.settings, provider_mirror=empty)
    with pytest.raises(NotReadyError) as elsewhere:
        await rig.open()

    assert nowhere.value.reason == elsewhere.value.reason == "PROVIDER_UNAVAILABLE"
    assert "evil/evil" in (tmp_path / "module" / "main.tf").read_text()


async def test_only_the_approved_plan_is_applied(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    terraform = await rig.open()
    path, digest = await rig.planned(terraform)
    whole = path.read_bytes()

    path.write_bytes(whole + b"\0")
    with pytest.raises(CorruptError) as tampered:
        await terraform.apply(path, digest=digest)
    path.unlink()
    with pytest.raises(NotFoundError) as missing:
        await terraform.apply(path, digest=digest)
    path.write_bytes(whole)
    await terraform.apply(path, digest=digest)
    with pytest.raises(ConflictError) as stale:
        await terraform.apply(path, digest=digest)

    told = [caught.value.reason for caught in (tampered, missing, stale)]
    assert told == ["PLAN_TAMPERED", "PLAN_NOT_FOUND", "PLAN_STALE"]
    assert not (await terraform.plan(path)).has_changes


async def test_the_copy_of_a_module_is_kept_and_proved(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    terraform = await rig.open()
    await rig.apply(terraform)

    rig.write(BASIC.replace('default = "hello"', 'default = "a newer release"'))
    again = await rig.open()
    path = again.workspace.plans_dir / "again.tfplan"
    assert not (await again.plan(path)).has_changes
    copy = again.workspace.module_dir / "main.tf"
    copy.write_text(copy.read_text() + "# edited\n")
    with pytest.raises(CorruptError) as caught:
        await rig.open()

    assert caught.value.reason == "MODULE_TAMPERED"


async def test_a_module_from_elsewhere_is_not_used(tmp_path: Path) -> None:
    call = 'module "other" {\n  source = "git::https://example.org/module.git"\n}\n'

    with pytest.raises(CorruptError) as caught:
        await Rig(tmp_path, call).open()

    assert caught.value.reason == "MODULE_UNSAFE"
    assert not (tmp_path / "stacks" / "greenhouse" / "module").exists()


async def test_a_locked_state_is_told_with_its_holder(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SLOW)
    first, listener = await rig.open(), Listener(has_started("terraform_data.slow"))
    path, digest = await rig.planned(first)
    applying = asyncio.create_task(first.apply(path, digest=digest, on_event=listener))
    async with asyncio.timeout(60):
        await listener.seen.wait()

    # A host of its own would take the run of the first for one that was left behind.
    second = await rig.open("second")
    second.workspace.state_file.parent.rmdir()
    second.workspace.state_file.parent.symlink_to(first.workspace.state_file.parent)
    with pytest.raises(NotReadyError) as caught:
        await second.plan(second.workspace.plans_dir / "second.tfplan")
    with pytest.raises(NotReadyError) as busy:
        await first.outputs()
    await first.cancel()
    with pytest.raises(ConflictError):
        await applying

    assert caught.value.reason == "STATE_LOCKED"
    assert "@" in caught.value.facts["holder"]
    assert busy.value.reason == "STACK_BUSY"


async def test_a_fault_of_the_module_is_told_where_it_is(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    terraform = await rig.open(variables={"greeting": {"not": "a string"}})
    listener = Listener()

    with pytest.raises(BenchlineError) as caught:
        await rig.planned(terraform, on_event=listener)

    assert caught.value.reason == "TERRAFORM_FAILED"
    assert list(terraform.workspace.plans_dir.iterdir()) == []
    (complaint,) = listener.of(ProvisioningDiagnostic)
    assert complaint.summary in caught.value.message
    assert "greeting" in complaint.summary + complaint.detail


async def test_a_destroy_is_a_plan_like_any_other(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    terraform = await rig.open()
    await rig.apply(terraform)
    path = terraform.workspace.plans_dir / "destroy.tfplan"

    drift = await terraform.plan(path, refresh_only=True)
    plan = await terraform.plan(path, destroy=True)
    review = await terraform.show_plan(path)
    result = await terraform.apply(path, digest=plan.digest)

    assert not drift.has_changes
    assert all(change.action.deletes for change in review.changes)
    assert len(review.changes) == plan.counts.remove == result.counts.remove == 2
    assert await terraform.outputs() == {}
