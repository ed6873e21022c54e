"""What `benchline doctor` looks at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at: `fix` says what to type when it is not `ok`."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
