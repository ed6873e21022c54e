"""The outbox on a real database."""

import asyncio

import pytest

from benchline.errors import ConflictError, NotFoundError
from controlplane.storage.commands import CommandRecord, CommandState, CommandStore
from controlplane.storage.database import Database


@pytest.fixture
def commands(database: Database) -> CommandStore:
    return CommandStore(database)


def command(identity: str, payload: bytes = b"p", agent: str = "bench") -> CommandRecord:
    return CommandRecord(command_id=identity, agent=agent, board="vf-01", payload=payload)


async def test_commands_wait_in_order_until_they_are_done(commands: CommandStore) -> None:
    for identity in ("c", "a", "b"):
        await commands.put(command(identity))
    await commands.put(command("x", agent="other"))
    assert [found.command_id for found in await commands.pending("bench")] == ["c", "a", "b"]
    await commands.mark("a", CommandState.DONE, b"result")
    assert [found.command_id for found in await commands.pending("bench")] == ["c", "b"]
    assert await commands.result("a") == b"result"
    assert await commands.result("b") is None


async def test_the_same_command_twice_is_one(commands: CommandStore) -> None:
    await commands.put(command("a"))
    await commands.mark("a", CommandState.ACCEPTED)
    assert (await commands.put(command("a"))).state is CommandState.ACCEPTED
    with pytest.raises(ConflictError):
        await commands.put(command("a", b"other"))


async def test_a_command_never_moves_back(commands: CommandStore) -> None:
    await commands.put(command("a"))
    await commands.mark("a", CommandState.DONE, b"first")
    for state in (CommandState.SENT, CommandState.ACCEPTED, CommandState.DONE):
        found = await commands.mark("a", state, b"late")
        assert (found.state, found.result) == (CommandState.DONE, b"first")
    with pytest.raises(NotFoundError):
        await commands.mark("z", CommandState.SENT)


async def test_a_waiter_gets_the_result_of_its_command(commands: CommandStore) -> None:
    await commands.put(command("a"))
    waiting = asyncio.ensure_future(commands.wait_result("a"))
    await commands.mark("a", CommandState.SENT)
    await commands.mark("a", CommandState.DONE, b"r")
    async with asyncio.timeout(60):
        assert await waiting == b"r"


async def test_a_link_is_woken_by_a_new_command(commands: CommandStore) -> None:
    waiting = asyncio.ensure_future(commands.wait_queued("bench"))
    await commands.put(command("a"))
    async with asyncio.timeout(60):
        assert [found.command_id for found in await waiting] == ["a"]
