"""Ids that sort by time, and the secret of the installation."""

import secrets
import time
from pathlib import Path

from controlplane.ops.private_file import write_private

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u
_TIME_DIGITS = 10  # 50 bits of milliseconds since 1970
_RANDOM_DIGITS = 10
_SECRET_BYTES = 32


def new_session_id() -> str:
    """20 characters that sort by the time of their making."""
    stamp = _digits(int(time.time() * 1000), _TIME_DIGITS)
    return stamp + _digits(secrets.randbits(5 * _RANDOM_DIGITS), _RANDOM_DIGITS)


def installation_secret(path: Path) -> bytes:
    """The 32 bytes that only this installation knows; made on first use, readable by its owner."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    secret = secrets.token_bytes(_SECRET_BYTES)
    write_private(path, secret)
    return secret


def _digits(number: int, count: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(count)))
