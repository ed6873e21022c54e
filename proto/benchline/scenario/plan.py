"""What a resolved scenario does and expects: every number is fixed."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchline.scenario.model import Assertion, Formula, Signal, Time
from benchline.scenario.table import TableRow
from benchline.scenario.where import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When one stimulus step acts, for people and for ``expect_latency``.

    ``read_back`` is the value that the firmware can see at best: an analog value after its
    conversion to 12-bit counts; None for other steps.
    """

    id: str
    at_ms: int
    text: str
    read_back: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One run of a scenario, ready for a simulator or a board.

    ``values`` are the variables for expressions, ``shown`` the same as text. ``rows`` include END
    at ``end_ms``. Times in ``assertions`` are fixed numbers.
    """

    scenario_id: str
    title: str
    seed: int
    values: Mapping[str, Value]
    shown: Mapping[str, str]
    rows: tuple[TableRow, ...]
    end_ms: int
    moments: tuple[Moment, ...]
    assertions: tuple[Assertion, ...]
    signals: Mapping[str, Signal]
    proves: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    control: bool = False

    @property
    def send_ms(self) -> tuple[int, ...]:
        """Device times at which console bytes arrive."""
        return tuple(moment.at_ms for moment in self.moments if moment.text.startswith("send"))


def fixed(time: Time) -> int:
    """The milliseconds of a resolved time. Raises TypeError for a formula."""
    if isinstance(time, Formula):
        raise TypeError(f"{time.text!r} was not resolved")
    return time
