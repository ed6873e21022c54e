"""Health of boards: score, quarantine, what happened, recoveries, what helped which model."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_STRICT = {"sqlite_strict": True}
_STRICT_BY_KEY = {"sqlite_strict": True, "sqlite_with_rowid": False}


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def upgrade() -> None:
    """Add the columns, create the tables."""
    op.execute("ALTER TABLE boards ADD COLUMN score INTEGER NOT NULL DEFAULT 80")
    op.execute("ALTER TABLE boards ADD COLUMN score_us INTEGER NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE boards ADD COLUMN quarantine TEXT NOT NULL DEFAULT ''")
    op.create_table(
        "board_outcomes",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        _text("board"),
        _text("body"),
        **_STRICT,
    )
    op.create_index("board_outcomes_by_board", "board_outcomes", ["board", "number"])
    op.create_table(
        "recoveries",
        _text("recovery_id", key=True),
        _text("board"),
        _text("principal"),
        _text("request_id"),
        _integer("ended"),
        _integer("create_us"),
        _text("body"),
        **_STRICT,
    )
    op.create_index("recoveries_by_board", "recoveries", ["board", "create_us"])
    op.create_index(
        "recoveries_by_request",
        "recoveries",
        ["principal", "request_id"],
        unique=True,
        sqlite_where=sa.text("request_id <> ''"),
    )
    op.create_index(
        "recoveries_unfinished",
        "recoveries",
        ["board"],
        unique=True,
        sqlite_where=sa.text("ended = 0"),
    )
    op.create_table(
        "cure_rates",
        _text("model", key=True),
        _text("action", key=True),
        _integer("tried"),
        _integer("cured"),
        **_STRICT_BY_KEY,
    )
