"""What the lists of stored things have in common: their pages, and ids by how they begin."""

import sqlite3

from benchline.errors import InvalidRequestError

_NEWER_THAN_ALL = 1 << 62
_AFTER_ALL = "\x7f"


def page_edge(
    connection: sqlite3.Connection, table: str, key: str, after: str | None
) -> tuple[int, str]:
    """What all rows of a page lie below, as `(create_us, key)`: they go from new to old.

    `after` is the key of the last row of the page before.

    Raises:
        InvalidRequestError: INVALID_PAGE_TOKEN.
    """
    if after is None:
        return _NEWER_THAN_ALL, ""
    row = connection.execute(
        f"SELECT create_us FROM {table} WHERE {key} = ?",  # noqa: S608 - words of our own
        (after,),
    ).fetchone()
    if row is None:
        raise InvalidRequestError("INVALID_PAGE_TOKEN", "the page token is not ours")
    return row[0], after


def whole_id(connection: sqlite3.Connection, table: str, key: str, prefix: str, things: str) -> str:
    """The id `prefix`, or else the only one that begins with it; `prefix` when there is none.

    `things` says in a message what they are.

    Raises:
        InvalidRequestError: AMBIGUOUS_NAME.
    """
    ids = [
        row[0]
        for row in connection.execute(
            f"SELECT {key} FROM {table} WHERE {key} >= ? AND {key} < ?"  # noqa: S608 - words of our own
            f" ORDER BY {key} LIMIT 2",
            (prefix, prefix + _AFTER_ALL),
        )
    ]
    if len(ids) == 2 and ids[0] != prefix:
        raise InvalidRequestError(
            "AMBIGUOUS_NAME",
            f"several {things} begin with {prefix!r}; give more of the id",
            prefix=prefix,
        )
    return ids[0] if ids else prefix
