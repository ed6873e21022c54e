"""What an outcome says about a board, and what recovery is worth trying on its model. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from controlplane.domain.health import CureRate, RecoveryAction, RecoveryStep
from controlplane.domain.verdict import Outcome

LOWEST, NEUTRAL, HIGHEST = 0, 80, 100
SETTLES_BY_ONE_IN = timedelta(minutes=30)
"""A score moves by one towards neutral in this time: from 0 in 40 hours."""
_A_SUCCESS = 4
_A_CURE = 10
"""A passed recovery is a whole proof, with firmware that ran."""

FAULT_WEIGHTS = {
    # The chip or its probe does not answer as it should.
    "TARGET_SILENT": 20,
    "NO_SYNC": 20,
    "TOOL_HUNG": 20,
    "CANARY_SILENT": 25,
    "BOARD_SILENT": 20,
    "CONSOLE_STUCK": 10,
    "NO_RESET": 10,
    # It answers, and what it holds is wrong: the worst that a board can do.
    "VERIFY_FAILED": 30,
    "WRITE_FAILED": 30,
    "READ_BACK_MISMATCH": 30,
    # The wire, the hub or the socket.
    "PROBE_LOST": 15,
    "PROBE_NOT_FOUND": 15,
    "NO_CONSOLE": 10,
    "TOOL_CRASHED": 10,
    # Another chip is there than should be: whoever relied on it would flash the wrong board.
    "TARGET_MISMATCH": 40,
}
"""By how much a lab fault lowers the score. Reasons that are not here say nothing about a board:
the request, the agent or the control plane is at fault."""

_RECOVERABLE = frozenset(FAULT_WEIGHTS) - {"CANARY_SILENT"}

ENOUGH_TRIES = 5
"""So often a step must have been tried on a model before its rate says something."""


def settled(score: int, since: datetime, now: datetime) -> int:
    """A score as it is now, if nothing happened since: it moves towards neutral."""
    steps = max(0, (now - since) // SETTLES_BY_ONE_IN)
    if score < NEUTRAL:
        return min(NEUTRAL, score + steps)
    return max(NEUTRAL, score - steps)


def counts(action: str, outcome: Outcome, reason: str) -> bool:
    """Whether an outcome says something about the board."""
    del action
    return outcome is Outcome.PASSED or reason in FAULT_WEIGHTS


def score_after(score: int, action: str, outcome: Outcome, reason: str) -> int:
    """The score after an outcome."""
    if outcome is Outcome.PASSED:
        score += _A_CURE if action == "recovery" else _A_SUCCESS
    else:
        score -= FAULT_WEIGHTS.get(reason, 0)
    return min(HIGHEST, max(LOWEST, score))


def is_boards_fault(outcome: Outcome, reason: str) -> bool:
    """Whether a board has to be brought back after an outcome."""
    return outcome is Outcome.BROKEN and reason in _RECOVERABLE


CURES = (
    RecoveryAction.SOFT_RESET,
    RecoveryAction.HARD_RESET,
    RecoveryAction.BOOTLOADER,
    RecoveryAction.SLOWER,
    RecoveryAction.OTHER_FLASHER,
    RecoveryAction.POWER_CYCLE,
)
"""Steps that can cure, from the mildest to the harshest."""


def order_of(rates: Sequence[CureRate]) -> tuple[RecoveryAction, ...]:
    """In which order steps are worth trying: mild before harsh, but what never helped this model
    in enough tries comes after what may."""
    hopeless = {rate.action for rate in rates if rate.tried >= ENOUGH_TRIES and rate.cured == 0}
    return tuple(sorted(CURES, key=lambda action: (action in hopeless, CURES.index(action))))


def cures_in(steps: Sequence[RecoveryStep], outcome: Outcome | None) -> dict[RecoveryAction, bool]:
    """The rungs that a recovery tried, each with whether the board was proved right after it."""
    tried = [s.action for s in steps if s.action in CURES and s.outcome is not Outcome.SKIPPED]
    cured = tried[-1] if tried and outcome is Outcome.PASSED else None
    return {action: action is cured for action in tried}
