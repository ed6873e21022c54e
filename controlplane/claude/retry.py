"""Whether and when a call is tried again. Pure: time and chance come from the caller."""

from dataclasses import dataclass
from enum import StrEnum

from controlplane.domain.model_call import TokenUsage


class FailureKind(StrEnum):
    """Why a try gave no answer."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    CUT = "cut"
    GARBAGE = "garbage"
    KEY_REFUSED = "key_refused"
    BILLING = "billing"
    NOT_PERMITTED = "not_permitted"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    BAD_REQUEST = "bad_request"
    FORMAT_REFUSED = "format_refused"


RETRIED = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.OVERLOADED,
        FailureKind.SERVER,
        FailureKind.TIMEOUT,
        FailureKind.CONNECTION,
        FailureKind.CUT,
        FailureKind.GARBAGE,
    }
)
"""What may be different next time."""

UNBILLED = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.OVERLOADED,
        FailureKind.SERVER,
        FailureKind.KEY_REFUSED,
        FailureKind.BILLING,
        FailureKind.NOT_PERMITTED,
        FailureKind.NOT_FOUND,
        FailureKind.TOO_LARGE,
        FailureKind.BAD_REQUEST,
        FailureKind.FORMAT_REFUSED,
    }
)
"""The service answered that it did nothing; nothing is billed unless a message had begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Caps of the tries of one call; times are seconds.

    `longest_asked_s` is how long a wait that the service asks for may be: a longer one ends the
    call at once, since a session should say so rather than sleep.
    """

    tries: int = 5
    first_s: float = 1.0
    longest_s: float = 30.0
    longest_asked_s: float = 60.0
    overload_factor: float = 3.0
    deadline_s: float = 900.0


def next_wait(
    policy: RetryPolicy,
    kind: FailureKind,
    *,
    failures: int,
    asked_s: float | None,
    elapsed_s: float,
    jitter: float,
) -> float | None:
    """Seconds until the next try after `failures` failed ones; None: give up.

    `asked_s` is what the service asked for, `jitter` a number of [0, 1).
    """
    if kind not in RETRIED or failures >= policy.tries:
        return None
    if asked_s is not None and asked_s > policy.longest_asked_s:
        return None
    wait = min(policy.longest_s, policy.first_s * 2.0 ** (failures - 1))
    if kind is FailureKind.OVERLOADED:
        wait = min(policy.longest_s, wait * policy.overload_factor)
    wait *= 0.5 + jitter / 2
    wait = max(wait, asked_s or 0.0)
    return wait if elapsed_s + wait < policy.deadline_s else None


class TryFailedError(Exception):
    """A try without an answer. `usage` is what had been used when it broke off, None: nothing."""

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        retry_after_s: float | None = None,
        request_id: str = "",
        usage: TokenUsage | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after_s = retry_after_s
        self.request_id = request_id
        self.usage = usage
