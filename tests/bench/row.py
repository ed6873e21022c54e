"""What one benchmark found: samples beside samples, their ratio, and whether a budget holds."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def told(samples: Sequence[float]) -> str:
    """Median and range of seconds, in the unit that fits."""
    scale, unit = (1000.0, "ms") if max(samples) < 1 else (1.0, "s")
    digits = 1 if unit == "ms" and max(samples) < 0.1 else 0 if unit == "ms" else 2
    numbers = (statistics.median(samples), min(samples), max(samples))
    middle, low, high = (f"{one * scale:.{digits}f}" for one in numbers)
    return f"{middle} {unit} ({low}-{high})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table. Samples are seconds; the budget limits seconds or the ratio."""

    what: str
    ours: Sequence[float]
    beside: Sequence[float] = ()
    beside_what: str = ""
    most_s: float | None = None
    most_ratio: float | None = None

    @property
    def ratio(self) -> float | None:
        """Our median over the other one."""
        if not self.beside:
            return None
        return statistics.median(self.ours) / statistics.median(self.beside)

    @property
    def holds(self) -> bool | None:
        """The median meets the budget; None without one."""
        if self.most_s is not None:
            return statistics.median(self.ours) < self.most_s
        if self.most_ratio is not None and self.ratio is not None:
            return self.ratio <= self.most_ratio
        return None

    def markdown(self) -> str:
        """The row of a table: what, ours, beside, ratio, budget, whether it holds."""
        budget = ""
        if self.most_s is not None:
            budget = f"under {self.most_s:g} s"
        elif self.most_ratio is not None:
            budget = f"{self.most_ratio:g}x"
        verdict = {True: "yes", False: "**no**", None: ""}[self.holds]
        beside = f"{self.beside_what}: {told(self.beside)}" if self.beside else ""
        ratio = f"{self.ratio:.2f}x" if self.ratio is not None else ""
        return f"| {self.what} | {told(self.ours)} | {beside} | {ratio} | {budget} | {verdict} |"
