"""Instants as the database keeps them: whole microseconds since 1970 in UTC."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def to_us(instant: datetime) -> int:
    """Exact; raises TypeError for an instant without a time zone."""
    return (instant - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """The inverse of :func:`to_us`."""
    return _EPOCH + timedelta(microseconds=microseconds)
