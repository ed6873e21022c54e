"""Stacks, the runs of Terraform on them, and what their plans would do.

A stack's journal has the subject `stacks/…`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"

_STRICT = {"sqlite_strict": True}


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _stack() -> sa.Column[str]:
    return sa.Column(
        "stack_id",
        sa.Text,
        sa.ForeignKey("stacks.stack_id", ondelete="CASCADE"),
        nullable=False,
    )


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "stacks", _text("stack_id", key=True), _integer("create_us"), _text("body"), **_STRICT
    )
    op.create_index("stacks_by_age", "stacks", ["create_us", "stack_id"])
    op.create_table(
        "stack_operations",
        _text("operation_id", key=True),
        _stack(),
        _text("principal"),
        _text("request_id"),
        _text("request"),
        _integer("running"),
        _text("body"),
        **_STRICT,
    )
    op.create_index(
        "stack_operations_running",
        "stack_operations",
        ["stack_id"],
        unique=True,
        sqlite_where=sa.text("running = 1"),
    )
    op.create_index(
        "stack_operations_by_request",
        "stack_operations",
        ["principal", "request_id"],
        unique=True,
        sqlite_where=sa.text("request_id <> ''"),
    )
    op.create_table(
        "stack_plans",
        sa.Column(
            "operation_id",
            sa.Text,
            sa.ForeignKey("stack_operations.operation_id", ondelete="CASCADE"),
            primary_key=True,
            nullable=False,
        ),
        _stack(),
        _text("body"),
        **_STRICT,
    )
