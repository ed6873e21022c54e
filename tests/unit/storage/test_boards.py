"""Agents and boards on a real database."""

import asyncio
from pathlib import Path

import pytest

from benchline.errors import InvalidRequestError, NotFoundError
from controlplane.domain.bench import Board, BoardKind, BoardState
from controlplane.storage.boards import BoardStore
from controlplane.storage.console_log import ConsoleLog, chunk_of
from controlplane.storage.database import Database


@pytest.fixture
def boards(database: Database) -> BoardStore:
    return BoardStore(database)


def board(name: str, agent: str = "bench", **fields: object) -> Board:
    values: dict[str, object] = {
        "name": f"agents/{agent}/boards/{name}",
        "model": "h405",
        "part": "stm32f405rg",
        "kind": BoardKind.VIRTUAL,
        "state": BoardState.ACTIVE,
        "probe_id": "p",
        "identity": name,
        "port": "/dev/x",
    }
    return Board(**(values | fields))


async def states(boards: BoardStore) -> dict[str, BoardState]:
    return {found.board_id: found.state for found in await boards.boards()}


async def test_boards_follow_their_inventory_and_their_agent(boards: BoardStore) -> None:
    epoch = await boards.link_agent("bench", version="1", host="lab")
    await boards.put_inventory(
        "bench", [board("a"), board("b"), board("c", state=BoardState.FAULTY, health="no power")]
    )
    assert await states(boards) == {
        "a": BoardState.ACTIVE,
        "b": BoardState.ACTIVE,
        "c": BoardState.FAULTY,
    }
    await boards.put_inventory("bench", [board("a", port="/dev/y"), board("c")])
    assert await states(boards) == {
        "a": BoardState.ACTIVE,
        "b": BoardState.OFFLINE,
        "c": BoardState.ACTIVE,
    }
    assert (await boards.get("a")).port == "/dev/y"
    newer = await boards.link_agent("bench", version="1", host="lab")
    assert newer == epoch + 1
    await boards.unlink_agent("bench", epoch)
    assert (await boards.agents())[0].online
    await boards.unlink_agent("bench", newer)
    assert set((await states(boards)).values()) == {BoardState.OFFLINE}
    assert not (await boards.agents())[0].online


async def test_a_virtual_board_that_left_is_listed_no_more_until_it_comes_back(
    boards: BoardStore, database: Database
) -> None:
    await boards.link_agent("bench", version="1", host="lab")
    everything = [
        board("a"),
        board("gone"),
        board("lent"),
        board("real", kind=BoardKind.PHYSICAL),
    ]
    await boards.put_inventory("bench", everything)
    await boards.set_proven_image("agents/bench/boards/gone", "f" * 64)
    await database.transact(
        lambda tx: tx.connection.execute("UPDATE boards SET lease = 'l' WHERE board_id = 'lent'")
    )
    left = ["a", "gone", "lent", "real", "nobody"]
    await boards.put_inventory("bench", [board("a")], left)
    assert await states(boards) == {
        "a": BoardState.ACTIVE,
        "lent": BoardState.OFFLINE,
        "real": BoardState.OFFLINE,
    }
    assert await boards.boards("gone") == []
    known = await boards.get("gone")
    assert (known.state, known.proven_image_sha256) == (BoardState.OFFLINE, "f" * 64)

    # What an agent says later without naming it does not bring it back; its return does.
    await boards.put_inventory("bench", [board("a")])
    assert "gone" not in await states(boards)
    await boards.put_inventory("bench", everything)
    assert (await states(boards))["gone"] is BoardState.ACTIVE


async def test_agents_are_offline_after_a_restart_of_the_control_plane(tmp_path: Path) -> None:
    first = await Database.open(tmp_path / "restart.db")
    before = BoardStore(first)
    await before.link_agent("bench", version="1", host="lab")
    await before.put_inventory("bench", [board("a")])
    await before.set_proven_image("agents/bench/boards/a", "f" * 64)
    await first.close()
    second = await Database.open(tmp_path / "restart.db")
    after = BoardStore(second)
    found = await after.get("a")
    assert (found.state, found.proven_image_sha256) == (BoardState.OFFLINE, "f" * 64)
    assert after.version >= before.version - 10
    assert await after.link_agent("bench", version="1", host="lab") == 2
    assert (await after.get("a")).state is BoardState.ACTIVE
    await second.close()


async def test_boards_are_chosen_by_selector(boards: BoardStore) -> None:
    for agent in ("one", "two"):
        await boards.link_agent(agent, version="1", host="lab")
        await boards.put_inventory(
            agent,
            [board("x", agent), board("y", agent, model="nucleo", kind=BoardKind.PHYSICAL)],
        )
    for selector, expected in {
        "": 4,
        "model=h405": 2,
        "kind=physical": 2,
        "kind=PHYSICAL , model=nucleo": 2,
        "name=x": 2,
        "name=agents/one/boards/x": 1,
        "nucleo": 2,
        "x": 2,
        "part=stm32f405rg,kind=virtual": 2,
        "part=esp32": 0,
    }.items():
        assert len(await boards.boards(selector)) == expected, selector
    assert (await boards.get("agents/two/boards/x")).agent_id == "two"
    with pytest.raises(InvalidRequestError, match="several"):
        await boards.get("x")
    with pytest.raises(NotFoundError):
        await boards.get("z")


@pytest.mark.parametrize("selector", ["a=b", "model=", "model=a,model=b", "=x", "x" * 401, "x,y"])
async def test_a_selector_that_cannot_be_read_is_refused(boards: BoardStore, selector: str) -> None:
    with pytest.raises(InvalidRequestError):
        await boards.boards(selector)


async def test_boards_of_an_agent_that_never_called_are_refused(boards: BoardStore) -> None:
    with pytest.raises(NotFoundError):
        await boards.put_inventory("nobody", [board("a", "nobody")])


async def test_a_board_tells_where_its_console_stands(
    boards: BoardStore, database: Database
) -> None:
    await boards.link_agent("bench", version="1", host="lab")
    await boards.put_inventory("bench", [board("a")])
    log = ConsoleLog(database)
    await log.append("consoles/agents/bench/boards/a", [chunk_of(b"hello", offset=0, epoch=3)])
    found = await boards.get("a")
    assert (found.console_bytes, found.console_epoch) == (5, 3)


async def test_every_change_raises_the_version_and_wakes_watchers(boards: BoardStore) -> None:
    version = boards.version
    waiting = asyncio.ensure_future(boards.wait(version))
    await boards.link_agent("bench", version="1", host="lab")
    async with asyncio.timeout(60):
        assert await waiting > version


async def test_selectors_know_families_and_flash_tools(boards: BoardStore) -> None:
    await boards.link_agent("bench", version="1", host="lab")
    await boards.put_inventory(
        "bench",
        [
            board("a", family="stm32", flash_tool="pyocd"),
            board("b", family="esp32", flash_tool="esptool", part="esp32c3"),
        ],
    )
    for selector, names in (
        ("family=esp32", ["b"]),
        ("flash_tool=pyocd", ["a"]),
        ("family=esp32,flash_tool=pyocd", []),
        ("kind=virtual", ["a", "b"]),
    ):
        assert [found.board_id for found in await boards.boards(selector)] == names
