"""Deployments and their boards; the journal is of sessions and of deployments.

A subject of the journal is the id of a session or the name of a deployment.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_STRICT = {"sqlite_strict": True}
_STRICT_BY_KEY = {"sqlite_strict": True, "sqlite_with_rowid": False}


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def upgrade() -> None:
    """Rename the journal's key, create the tables."""
    for table in ("journals", "events"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN session_id TO subject")
    op.create_table(
        "deployments",
        _text("deployment_id", key=True),
        _text("principal"),
        _text("request_id"),
        _text("request"),
        _integer("ended"),
        _text("owner"),
        _integer("token"),
        _integer("create_us"),
        _text("body"),
        **_STRICT,
    )
    op.create_index("deployments_by_age", "deployments", ["create_us", "deployment_id"])
    op.create_index(
        "deployments_unfinished", "deployments", ["create_us"], sqlite_where=sa.text("ended = 0")
    )
    op.create_index(
        "deployments_by_request",
        "deployments",
        ["principal", "request_id"],
        unique=True,
        sqlite_where=sa.text("request_id <> ''"),
    )
    op.create_table(
        "deployment_boards",
        sa.Column(
            "deployment_id",
            sa.Text,
            sa.ForeignKey("deployments.deployment_id"),
            primary_key=True,
            nullable=False,
        ),
        _text("board", key=True),
        _integer("wave"),
        _text("body"),
        **_STRICT_BY_KEY,
    )
