"""Firmware that runs in a simulator in real time."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "live_simulations",
        sa.Column("live_id", sa.Text, primary_key=True, nullable=False),
        _text("session"),
        _text("principal"),
        _text("request_id"),
        sa.Column("ended", sa.Integer, nullable=False),
        _text("body"),
        sqlite_strict=True,
    )
    op.create_index(
        "live_simulations_by_request",
        "live_simulations",
        ["principal", "request_id"],
        unique=True,
        sqlite_where=sa.text("request_id <> ''"),
    )
    op.create_index(
        "live_simulations_running",
        "live_simulations",
        ["live_id"],
        sqlite_where=sa.text("ended = 0"),
    )
    op.create_index("live_simulations_of_session", "live_simulations", ["session", "live_id"])
