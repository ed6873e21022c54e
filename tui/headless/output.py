"""Data to stdout, talk to stderr, and what the exit codes mean."""

import os
import sys
import textwrap
from collections.abc import Sequence

from google.protobuf.message import Message

EXIT_USAGE = 2
EXIT_LEFT = 130

MISSING = (
    "TERRAFORM_NOT_FOUND",
    "TERRAFORM_UNUSABLE",
    "TERRAFORM_TOO_OLD",
    "MOSQUITTO_NOT_FOUND",
    "PROVIDER_UNAVAILABLE",
)
"""Reasons that tell of a capability that is missing on the server's machine."""

_LEAST_BESIDE = 34
_BELOW = 4
_UNBOUNDED = 1 << 30
_EXIT = {"PASSED": 0, "FAILED": 1, "BROKEN": 3, "REFUSED": 4, "SKIPPED": 5}


def exit_code(outcome: str) -> int:
    """PASSED 0, FAILED 1, BROKEN 3, REFUSED 4, SKIPPED 5; no outcome counts as FAILED."""
    return _EXIT.get(outcome, 1)


def data(line: str) -> None:
    """One line of data."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def talk(line: str) -> None:
    """One line for the person who watches."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def is_one_stream() -> bool:
    """Whether data and talk arrive at one place: a terminal, or a file that takes both."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):
        return False


def json_line(message: Message, *, whole: bool = False) -> str:
    """Proto3 JSON on one line; ``whole`` prints fields without presence even when empty."""
    from google.protobuf.json_format import MessageToJson  # slow to load, and not always needed

    return MessageToJson(message, indent=None, always_print_fields_with_no_presence=whole)


def table(rows: Sequence[tuple[str, ...]], width: int = 0) -> list[str]:
    """Columns aligned to their widest cell; the last one is ragged, and wrapped to ``width``.

    Where too little room is left for it, it stands below its row.
    """
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    indent = sum(widths) + 2 * len(widths)
    beside = not width or width - indent >= _LEAST_BESIDE
    room = (width - indent if beside else width - _BELOW) if width else _UNBOUNDED
    lines: list[str] = []
    for *cells, last in rows:
        head = "".join(f"{c.ljust(w)}  " for c, w in zip(cells, widths, strict=True))
        told = [last] if room == _UNBOUNDED else textwrap.wrap(last, max(room, 20))
        if beside:
            head += told.pop(0) if told else ""
        lines.append(head.rstrip())
        lines += [" " * (indent if beside else _BELOW) + one for one in told]
    return lines
