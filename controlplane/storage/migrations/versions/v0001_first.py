"""Sessions, journal, console log, artifacts, benches, leases, commands and the work queue.

All instants are microseconds since 1970 in UTC (`*_us`), all documents JSON text.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_STRICT = {"sqlite_strict": True}
_STRICT_BY_KEY = {"sqlite_strict": True, "sqlite_with_rowid": False}


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=False)


def _integer(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, primary_key=key, nullable=False, autoincrement=False)


def upgrade() -> None:
    """Create every table."""
    _sessions()
    _stages()
    _logs()
    _benches()
    _leases()
    _dispatch()


def _sessions() -> None:
    op.create_table(
        "sessions",
        _text("session_id", key=True),
        _text("principal"),
        _text("request_id"),
        _text("request"),
        _integer("ended"),
        _integer("version"),
        _integer("create_us"),
        _text("body"),
        **_STRICT,
    )
    op.create_index("sessions_by_age", "sessions", ["create_us", "session_id"])
    op.create_index(
        "sessions_unfinished", "sessions", ["create_us"], sqlite_where=sa.text("ended = 0")
    )
    op.create_index(
        "sessions_by_request",
        "sessions",
        ["principal", "request_id"],
        unique=True,
        sqlite_where=sa.text("request_id <> ''"),
    )


def _stages() -> None:
    op.create_table(
        "stage_leases",
        sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.session_id"), primary_key=True),
        _text("stage", key=True),
        _text("owner"),
        _integer("token"),
        **_STRICT_BY_KEY,
    )
    op.create_table(
        "checkpoints",
        sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.session_id"), primary_key=True),
        _text("key", key=True),
        _text("value"),
        **_STRICT,
    )
    op.create_table(
        "cached_stages",
        _text("stage", key=True),
        _text("inputs_hash", key=True),
        _integer("used_us"),
        _text("output"),
        **_STRICT,
    )
    op.create_index("cached_stages_by_use", "cached_stages", ["used_us"])
    op.create_table(
        "answers",
        _text("principal", key=True),
        _text("request_id", key=True),
        _text("request"),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        _integer("create_us"),
        **_STRICT,
    )
    op.create_index("answers_by_age", "answers", ["create_us"])


def _logs() -> None:
    op.create_table(
        "journals",
        _text("session_id", key=True),
        _integer("oldest"),
        _integer("head"),
        **_STRICT_BY_KEY,
    )
    op.create_table(
        "events",
        sa.Column("session_id", sa.Text, sa.ForeignKey("journals.session_id"), primary_key=True),
        _integer("sequence", key=True),
        _integer("time_us"),
        _text("stage"),
        _integer("attempt"),
        _text("kind"),
        _text("body"),
        **_STRICT_BY_KEY,
    )
    op.create_table(
        "consoles",
        sa.Column("console_id", sa.Integer, primary_key=True),
        sa.Column("console", sa.Text, nullable=False, unique=True),
        _integer("oldest"),
        _integer("head"),
        _integer("epoch"),
        _integer("stored_bytes"),
        _text("pending_gap"),
        **_STRICT,
    )
    op.create_table(
        "console_chunks",
        sa.Column("console_id", sa.Integer, sa.ForeignKey("consoles.console_id"), primary_key=True),
        _integer("offset", key=True),
        _integer("size"),
        _integer("epoch"),
        _integer("host_us"),
        _text("gap_before"),
        sa.Column("data", sa.LargeBinary, nullable=False),
        **_STRICT,
    )
    op.create_table(
        "artifacts",
        _text("sha256", key=True),
        _text("kind"),
        _text("filename"),
        _integer("size_bytes"),
        _integer("create_us"),
        **_STRICT_BY_KEY,
    )


def _benches() -> None:
    op.create_table(
        "agents",
        _text("agent", key=True),
        _text("version"),
        _text("host"),
        _text("online_boot_id"),
        _integer("link_epoch"),
        _integer("last_seen_us"),
        **_STRICT_BY_KEY,
    )
    op.create_table(
        "boards",
        _text("name", key=True),
        sa.Column("agent", sa.Text, sa.ForeignKey("agents.agent"), nullable=False),
        _text("board_id"),
        _text("model"),
        _text("part"),
        _text("kind"),
        _integer("present"),
        _integer("usable"),
        _text("lease"),
        _integer("fencing_token"),
        _text("proven_image_sha256"),
        _integer("last_seen_us"),
        _text("body"),
        **_STRICT,
    )
    op.create_index("boards_by_agent", "boards", ["agent"])
    op.create_index("boards_by_id", "boards", ["board_id"])
    op.create_index(
        "boards_free",
        "boards",
        ["name"],
        sqlite_where=sa.text("present = 1 AND usable = 1 AND lease = ''"),
    )


def _leases() -> None:
    op.create_table(
        "leases",
        _text("name", key=True),
        sa.Column("board", sa.Text, sa.ForeignKey("boards.name"), nullable=False),
        _text("holder"),
        _text("request_id"),
        _text("selector"),
        _text("state"),
        _integer("fencing_token"),
        _integer("expire_us"),
        _integer("create_us"),
        **_STRICT,
    )
    held = sa.text("state = 'GRANTED'")
    op.create_index("leases_held", "leases", ["board"], unique=True, sqlite_where=held)
    op.create_index("leases_by_expiry", "leases", ["state", "expire_us"])
    op.create_index(
        "leases_by_request",
        "leases",
        ["holder", "request_id"],
        unique=True,
        sqlite_where=sa.text("request_id <> ''"),
    )


def _dispatch() -> None:
    op.create_table(
        "commands",
        _text("command_id", key=True),
        _text("agent"),
        _text("board"),
        _text("state"),
        _integer("create_us"),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("result", sa.LargeBinary),
        **_STRICT,
    )
    op.create_index(
        "commands_pending", "commands", ["agent"], sqlite_where=sa.text("state <> 'DONE'")
    )
    op.create_index("commands_by_age", "commands", ["create_us"])
    op.create_table(
        "work",
        sa.Column("number", sa.Integer, primary_key=True),
        _text("key"),
        _text("kind"),
        _integer("priority"),
        _integer("not_before_us"),
        _text("state"),
        _integer("attempt"),
        _text("owner_boot_id"),
        **_STRICT,
    )
    op.create_index(
        "work_waiting", "work", ["key"], unique=True, sqlite_where=sa.text("state = 'WAITING'")
    )
    op.create_index("work_order", "work", ["state", "kind", "priority", "number"])
