"""Calls of language models: each try with its cost, and the answers that were paid for."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_STRICT = {"sqlite_strict": True}


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _integer(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=nullable)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "model_calls",
        _text("call_id", key=True),
        _text("session_id"),
        _text("request_hash"),
        _text("month"),
        _integer("start_us"),
        _integer("cost_micro_usd", nullable=True),
        _integer("worst_micro_usd", nullable=True),
        _text("body"),
        _text("answer"),
        **_STRICT,
    )
    op.create_index("model_calls_by_session", "model_calls", ["session_id", "request_hash"])
    op.create_index("model_calls_by_month", "model_calls", ["month"])
