"""Whether scenarios are worth something: they notice wrong variants of passing firmware. Pure."""

from dataclasses import dataclass
from enum import StrEnum

ASKED_PERCENT = 90
_NAMED = 5


class Fate(StrEnum):
    """What became of a wrong variant."""

    NOTICED = "noticed"
    SURVIVED = "survived"
    UNCOUNTED = "uncounted"
    """It does not build, was not run in time, or the lab failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One wrong variant, by what is wrong with it."""

    name: str
    fate: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Adequacy:
    """All wrong variants of one firmware under the scenarios of its design."""

    trials: tuple[Trial, ...]

    @property
    def counted(self) -> int:
        """How many were judged."""
        return sum(t.fate is not Fate.UNCOUNTED for t in self.trials)

    @property
    def noticed(self) -> int:
        """How many failed a scenario."""
        return sum(t.fate is Fate.NOTICED for t in self.trials)

    @property
    def adequate(self) -> bool:
        """Whether as many were noticed as are asked for; nothing judged proves nothing."""
        return self.counted > 0 and self.noticed * 100 >= self.counted * ASKED_PERCENT

    @property
    def told(self) -> str:
        """The measure in words."""
        if not self.counted:
            return "no wrong variant of the firmware could be judged"
        percent = self.noticed * 100 // self.counted
        left = len(self.trials) - self.counted
        more = f", {left} could not be judged" if left else ""
        return (
            f"the scenarios notice {self.noticed} of {self.counted} wrong variants of the "
            f"firmware ({percent} %, {ASKED_PERCENT} % are asked for{more})"
        )

    @property
    def survivors(self) -> str:
        """What was not noticed."""
        names = [t.name for t in self.trials if t.fate is Fate.SURVIVED]
        more = f"; and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return "; ".join(names[:_NAMED]) + more
