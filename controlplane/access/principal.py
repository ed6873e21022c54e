"""The caller of the call that is being served."""

import os
import pwd
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum

from benchline.errors import UnauthenticatedError


class Role(IntEnum):
    """What a principal may do; each role may do everything that a lower one may."""

    VIEWER = 1
    OPERATOR = 2
    APPROVER = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person, service or agent, e.g. `local:root`."""

    name: str
    role: Role


_current: ContextVar[Principal | None] = ContextVar("principal", default=None)


def current_principal() -> Principal:
    """Who called.

    Raises:
        UnauthenticatedError: NO_PRINCIPAL, outside of a call.
    """
    principal = _current.get()
    if principal is None:
        raise UnauthenticatedError("NO_PRINCIPAL", "the caller is not known")
    return principal


def establish(principal: Principal) -> None:
    """Set the caller of the running task."""
    _current.set(principal)


def local_principal() -> Principal:
    """Who can open a socket in a folder that only our own user can enter: that user."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Principal(name=f"local:{user}", role=Role.ADMIN)
