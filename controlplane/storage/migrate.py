"""Bringing the database's schema up to date.

`PRAGMA user_version` is the number of the newest migration that ran. The migration tool is
loaded only when that number is not ours, because loading it costs more than everything else that
happens at start. All migrations of an upgrade run in one transaction.
"""

import sqlite3
from pathlib import Path

from benchline.errors import CorruptError, NotReadyError

SCHEMA_VERSION = 9
_MIGRATIONS = Path(__file__).with_name("migrations")


def bring_up_to_date(path: Path) -> None:
    """Create or upgrade the file. Blocks.

    Raises:
        NotReadyError: DATABASE_TOO_NEW.
        CorruptError: DATABASE_CORRUPT.
    """
    version = _version(path)
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise NotReadyError(
            "DATABASE_TOO_NEW",
            f"{path} has schema {version} and this program knows {SCHEMA_VERSION};"
            " install the newer version again",
            path=str(path),
        )
    _upgrade(path)


def _version(path: Path) -> int:
    try:
        connection = sqlite3.connect(path)
        try:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise CorruptError(
            "DATABASE_CORRUPT", f"{path} is not a usable database: {error}", path=str(path)
        ) from error


def _upgrade(path: Path, version: int | None = None) -> None:
    import sqlalchemy
    from alembic import command
    from alembic.config import Config

    engine = sqlalchemy.create_engine(f"sqlite:///{path}", poolclass=sqlalchemy.pool.NullPool)

    # The driver would commit before each CREATE TABLE; an upgrade must be all or nothing.
    @sqlalchemy.event.listens_for(engine, "connect")
    def _no_hidden_transactions(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None

    @sqlalchemy.event.listens_for(engine, "begin")
    def _begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head" if version is None else f"{version:04}")
        reached = SCHEMA_VERSION if version is None else version
        connection.exec_driver_sql(f"PRAGMA user_version = {reached}")
    engine.dispose()
