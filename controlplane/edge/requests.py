"""Checks that many requests share."""

import base64
import binascii
import json
import re

from benchline.errors import InvalidRequestError

DEFAULT_PAGE = 50
LARGEST_PAGE = 1000
# The wire counts to 2**64, the database to 2**63; nothing of ours comes near either.
_LARGEST_POSITION = 2**62
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def check_request_id(request_id: str) -> str:
    """A request id in lower case, or "" when none was given.

    Raises:
        InvalidRequestError: INVALID_REQUEST_ID.
    """
    lowered = request_id.lower()
    if lowered and not _UUID4.fullmatch(lowered):
        raise InvalidRequestError("INVALID_REQUEST_ID", "a request id is a random UUID (version 4)")
    return lowered


def page_size(asked: int) -> int:
    """How many to answer with.

    Raises:
        InvalidRequestError: INVALID_PAGE_SIZE.
    """
    if asked < 0:
        raise InvalidRequestError("INVALID_PAGE_SIZE", "a page has at least one entry")
    return min(asked or DEFAULT_PAGE, LARGEST_PAGE)


def write_page_token(collection: str, after: str | None) -> str:
    """The token of the page after the entry `after`; "" when there is none."""
    if after is None:
        return ""
    return base64.urlsafe_b64encode(json.dumps([collection, after]).encode()).decode()


def read_page_token(collection: str, token: str) -> str | None:
    """The entry to go on after.

    Raises:
        InvalidRequestError: INVALID_PAGE_TOKEN.
    """
    if not token:
        return None
    try:
        read = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        read = None
    match read:
        case [str(name), str(after)] if name == collection:
            return after
    raise InvalidRequestError(
        "INVALID_PAGE_TOKEN", f"the page token is not one of a list of {collection}"
    )


def position(asked: int) -> int:
    """A sequence number or byte offset of a caller, as the database can hold it."""
    return min(asked, _LARGEST_POSITION)
