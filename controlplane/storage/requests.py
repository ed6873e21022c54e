"""Requests that a caller may repeat: the row that an id made, and what another use of it is."""

import sqlite3

from benchline.errors import ConflictError


def made_by(
    connection: sqlite3.Connection, table: str, key: str, principal: str, request_id: str
) -> tuple[str, str] | None:
    """The key of the row that a request of somebody made, and that request; None without an id."""
    if not request_id:
        return None
    row: tuple[str, str] | None = connection.execute(
        f"SELECT {key}, request FROM {table}"  # noqa: S608 - words of our own
        " WHERE principal = ? AND request_id = ?",
        (principal, request_id),
    ).fetchone()
    return row


def id_reused(request_id: str) -> ConflictError:
    """What a request is told whose id another one had."""
    return ConflictError(
        "REQUEST_ID_REUSED",
        f"request id {request_id} was used for another request; take a new one",
        request_id=request_id,
    )
