"""Designs under names, and their revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_STRICT = {"sqlite_strict": True}
_STRICT_BY_KEY = {"sqlite_strict": True, "sqlite_with_rowid": False}


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _integer(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=key, nullable=False)


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "designs",
        sa.Column("design_id", sa.Text, primary_key=True, nullable=False),
        _integer("head_revision"),
        _integer("create_us"),
        _integer("update_us"),
        **_STRICT,
    )
    op.create_index("designs_by_age", "designs", ["create_us", "design_id"])
    op.create_table(
        "design_revisions",
        sa.Column(
            "design_id",
            sa.Text,
            sa.ForeignKey("designs.design_id"),
            primary_key=True,
            nullable=False,
        ),
        _integer("revision", key=True),
        _integer("parent_revision"),
        _text("design_hash"),
        _text("document"),
        _text("note"),
        _text("principal"),
        _integer("update_us"),
        **_STRICT_BY_KEY,
    )
