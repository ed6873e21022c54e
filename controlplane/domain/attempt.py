"""A turn of the repair loop: one candidate, what it changed, how it ended and what it cost."""

from dataclasses import dataclass

from controlplane.domain.coverage import Coverage
from controlplane.domain.verdict import Outcome, Stage, State


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptChanged:
    """A turn of the repair loop began or ended; numbers are there when it ended.

    `stage` is the one that ended it. `files_changed` and the lines count against the attempt
    before; of the first one, whole files. `cost_micro_usd` is None when a cost is not known.
    `diff_sha256` names the difference as an artifact, "" when there is none. `coverage` is of the
    first scenario that failed in the simulator, where a repair could follow.
    """

    attempt: int
    state: State
    outcome: Outcome | None = None
    message: str = ""
    stage: Stage | None = None
    files_changed: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    failing_checks: int = 0
    warnings: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int | None = None
    model: str = ""
    diff_sha256: str = ""
    coverage: Coverage | None = None
