"""The state of stacks in a real PostgreSQL."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchline.errors import BenchlineError, ConflictError
from controlplane.domain.secret import Secret
from controlplane.provisioning.settings import StateBackend
from tests.process.provisioning.postgres import PASSWORD, PostgresServer, postgres_server
from tests.process.provisioning.rig import BASIC, SLOW, Listener, Rig, has_started


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


def rig_on(server: PostgresServer, folder: Path, text: str = BASIC) -> Rig:
    return Rig(folder, text, state_backend=StateBackend.POSTGRES, state_server=Secret(server.url))


async def test_each_stack_has_a_state_of_its_own_on_the_server(
    server: PostgresServer, tmp_path: Path
) -> None:
    rig = rig_on(server, tmp_path)
    names = ("green-house", "barn")

    for name in names:
        await rig.apply(await rig.open(name, variables={"greeting": name}))
    outputs = [await (await rig.open(name, variables=None)).outputs() for name in names]

    assert [one["greeting"].value for one in outputs] == list(names)
    schemas = server.query("select schemaname from pg_tables where tablename = 'states'")
    assert {f"benchline_{name}" for name in names} <= set(schemas.split())
    files = [path for path in (tmp_path / "stacks").rglob("*") if path.is_file()]
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    assert not any(
        path.name == "terraform.tfstate" for path in files if path.parent.name == "state"
    )


async def test_one_state_is_locked_for_others(server: PostgresServer, tmp_path: Path) -> None:
    rig, listener = rig_on(server, tmp_path, SLOW), Listener(has_started("terraform_data.slow"))
    here = await rig.open("locked")
    path, digest = await rig.planned(here)
    (tmp_path / "elsewhere").mkdir()
    there = await rig_on(server, tmp_path / "elsewhere", SLOW).open("locked")
    applying = asyncio.create_task(here.apply(path, digest=digest, on_event=listener))
    async with asyncio.timeout(60):
        await listener.seen.wait()

    with pytest.raises(BenchlineError) as caught:
        await there.plan(there.workspace.plans_dir / "other.tfplan")
    await here.cancel()
    with pytest.raises(ConflictError):
        await applying

    assert caught.value.reason == "STATE_LOCKED"


async def test_a_state_that_could_not_be_saved_is_saved_by_the_next_plan(
    server: PostgresServer, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    waits = f"until [ -e {release} ]; do sleep 0.05; done"
    rig = rig_on(server, tmp_path, SLOW.replace("exec sleep 600", waits))
    terraform, listener = await rig.open("saved"), Listener(has_started("terraform_data.slow"))
    path, digest = await rig.planned(terraform)
    applying = asyncio.create_task(terraform.apply(path, digest=digest, on_event=listener))
    async with asyncio.timeout(60):
        await listener.seen.wait()

    await asyncio.to_thread(server.stop)
    try:
        release.touch()
        with pytest.raises(BenchlineError) as unsaved:
            await applying
        with pytest.raises(BenchlineError) as away:
            await terraform.plan(path)
    finally:
        await asyncio.to_thread(server.start)
    planning = Listener()
    plan = await terraform.plan(path, on_event=planning)

    assert unsaved.value.reason == "STATE_NOT_SAVED"
    assert away.value.reason == "STATE_UNREACHABLE", away.value.message
    assert PASSWORD not in unsaved.value.message + away.value.message + listener.text
    assert "the state of the last run was recovered" in planning.text
    assert not plan.has_changes


async def test_a_state_stays_where_the_stack_was_made(
    server: PostgresServer, tmp_path: Path
) -> None:
    rig = rig_on(server, tmp_path)
    on_server = rig.settings
    await rig.apply(await rig.open("stays"))

    rig.settings = replace(on_server, state_backend=StateBackend.LOCAL)
    terraform = await rig.open("stays")
    plan = await terraform.plan(terraform.workspace.plans_dir / "again.tfplan")
    rig.settings = replace(rig.settings, state_server=Secret(""))
    with pytest.raises(BenchlineError, match="state_server_file") as caught:
        await rig.open("stays")

    assert not plan.has_changes
    assert caught.value.reason == "STATE_UNREACHABLE"


async def test_a_wrong_password_is_told_without_it(server: PostgresServer, tmp_path: Path) -> None:
    rig = rig_on(server, tmp_path)
    rig.settings = replace(
        rig.settings, state_server=Secret(server.url.replace(PASSWORD, "wrong-word"))
    )

    with pytest.raises(BenchlineError) as caught:
        await rig.open("denied")

    assert caught.value.reason == "STATE_UNREACHABLE"
    assert "wrong-word" not in repr(caught.value)
