"""Which board is which device of which cloud."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the table. A row stays until the board was told that it has no cloud."""
    op.create_table(
        "cloud_bindings",
        sa.Column("board", sa.Text, primary_key=True, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("stack", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("active", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_index(
        "cloud_bindings_active",
        "cloud_bindings",
        ["stack", "device"],
        unique=True,
        sqlite_where=sa.text("active = 1"),
    )
