"""The writer thread, group commit and schema upgrades, on real files."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchline.errors import CorruptError, ExhaustedError, NotReadyError, UnreachableError
from controlplane.storage.database import Database, Transaction, connect
from controlplane.storage.migrate import SCHEMA_VERSION, _upgrade, bring_up_to_date


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "state.db")
    yield opened
    await opened.close()


def put(number: int) -> object:
    def work(tx: Transaction) -> int:
        tx.connection.execute("INSERT INTO journals VALUES (?, 1, 0)", (f"s{number}",))
        if number % 3 == 0:
            raise ZeroDivisionError(number)
        return number

    return work


async def count(database: Database) -> int:
    return await database.read(
        lambda connection: int(connection.execute("SELECT COUNT(*) FROM journals").fetchone()[0])
    )


async def test_a_failing_piece_of_work_undoes_itself_and_nothing_else(database: Database) -> None:
    results = await asyncio.gather(
        *(database.transact(put(n)) for n in range(300)),
        return_exceptions=True,
    )
    assert await count(database) == 200
    for number, result in enumerate(results):
        assert isinstance(result, ZeroDivisionError) if number % 3 == 0 else result == number


async def test_a_full_disk_is_told_with_the_way_forward_and_nothing_is_lost(
    database: Database,
) -> None:
    await database.transact(put(1))  # type: ignore[arg-type]

    def too_much(tx: Transaction) -> None:
        for number in range(200):
            tx.connection.execute("INSERT INTO journals VALUES (?, 1, 0)", (f"{number:0>9000}",))

    limit = "PRAGMA max_page_count = "
    pages = await database.transact(lambda tx: tx.connection.execute(f"{limit}1").fetchone()[0])
    with pytest.raises(ExhaustedError, match="the database cannot be written; ") as caught:
        await database.transact(too_much)
    assert caught.value.reason == "DISK_FULL"
    assert str(database.path.parent) in caught.value.message
    assert await count(database) == 1

    await database.transact(lambda tx: tx.connection.execute(f"{limit}{pages + 10_000}"))
    await database.transact(too_much)
    assert await count(database) == 201


async def test_callbacks_run_after_the_commit_and_before_the_caller_goes_on(
    database: Database,
) -> None:
    order: list[str] = []

    def work(tx: Transaction) -> None:
        tx.connection.execute("INSERT INTO journals VALUES ('a', 1, 0)")
        tx.after_commit(lambda: order.append("callback"))
        order.append("work")

    await database.transact(work)
    order.append("caller")
    assert order == ["work", "callback", "caller"]


async def test_callbacks_of_failed_work_never_run(database: Database) -> None:
    rung: list[str] = []

    def work(tx: Transaction) -> None:
        tx.after_commit(lambda: rung.append("x"))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.transact(work)
    await database.transact(lambda tx: None)
    assert rung == []


async def test_a_failing_callback_does_not_hurt_the_caller(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def work(tx: Transaction) -> int:
        tx.after_commit(lambda: 1 // 0)
        return 7

    assert await database.transact(work) == 7
    assert "callback" in caplog.text


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await database.read(
            lambda connection: connection.execute("INSERT INTO journals VALUES ('a', 1, 0)")
        )


async def test_a_reader_sees_one_moment_only(database: Database) -> None:
    await database.transact(put(1))
    loop = asyncio.get_running_loop()

    def work(connection: sqlite3.Connection) -> tuple[int, int]:
        query = "SELECT COUNT(*) FROM journals"
        first = connection.execute(query).fetchone()[0]
        asyncio.run_coroutine_threadsafe(database.transact(put(2)), loop).result(60)
        return first, connection.execute(query).fetchone()[0]

    assert await database.read(work) == (1, 1)
    assert await count(database) == 2


async def test_every_commit_is_flushed_and_references_are_checked(database: Database) -> None:
    def pragmas(tx: Transaction) -> list[int]:
        names = ("synchronous", "foreign_keys")
        return [tx.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await database.transact(pragmas) == [2, 1]
    mode = await database.read(lambda c: c.execute("PRAGMA journal_mode").fetchone()[0])
    assert mode == "wal"


async def test_every_table_is_strict(database: Database) -> None:
    rows = await database.read(
        lambda connection: connection.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
            " AND strict = 0 AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
    )
    assert rows == [("alembic_version",)]


async def test_a_closed_database_says_so(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "state.db")
    pending = [asyncio.ensure_future(database.transact(put(n))) for n in (1, 2, 4)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*pending) == [1, 2, 4]
    with pytest.raises(UnreachableError):
        await database.transact(lambda tx: None)
    with pytest.raises(UnreachableError):
        await database.read(lambda connection: None)


async def test_work_of_a_caller_that_left_before_it_began_is_not_done(database: Database) -> None:
    held = asyncio.Event()
    loop = asyncio.get_running_loop()

    def block(tx: Transaction) -> None:
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result(60)

    blocker = asyncio.ensure_future(database.transact(block))
    waiting = asyncio.ensure_future(database.transact(put(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    held.set()
    await blocker
    assert await count(database) == 0


def test_opening_an_up_to_date_file_does_not_load_the_migration_tool(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    bring_up_to_date(path)
    code = (
        "import sys; from pathlib import Path\n"
        "from controlplane.storage.migrate import bring_up_to_date\n"
        "bring_up_to_date(Path(sys.argv[1]))\n"
        "sys.exit('sqlalchemy' in sys.modules or 'alembic' in sys.modules)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, env={"PYTHONPATH": ".:proto"}
    )


def test_the_newest_migration_is_the_version_of_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    bring_up_to_date(path)
    connection = connect(path)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    newest = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    connection.close()
    assert int(newest) == SCHEMA_VERSION


def test_a_failed_upgrade_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.db"
    monkeypatch.setattr("controlplane.storage.migrate.SCHEMA_VERSION", "= nonsense")
    with pytest.raises(Exception, match="near"):
        _upgrade(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] == 0
    connection.close()


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(NotReadyError, match="newer version"):
        bring_up_to_date(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database at all, but long enough to have a header" * 50)
    with pytest.raises(CorruptError, match="not a usable database"):
        bring_up_to_date(path)
