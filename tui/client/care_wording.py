"""How messages about recoveries, quarantines and the health of boards are told. Pure."""

from benchline.v1 import recovery_pb2, verdict_pb2
from tui.state.fact import Outcome, State
from tui.wording import glyph, one_line

_PREFIX = "RECOVERY_ACTION_"
_WIDE = 400


def outcome_word(number: int) -> Outcome:
    """The outcome of a message; NONE while there is none."""
    if number == verdict_pb2.OUTCOME_UNSPECIFIED:
        return Outcome.NONE
    name = verdict_pb2.Outcome.Name(number).removeprefix("OUTCOME_")  # type: ignore[arg-type]
    return Outcome(name)


def action_words(number: int) -> str:
    """``power cycle``."""
    name = recovery_pb2.RecoveryAction.Name(number)  # type: ignore[arg-type]
    return name.removeprefix(_PREFIX).lower().replace("_", " ")


def step_line(step: recovery_pb2.RecoveryStep, width: int = _WIDE) -> str:
    """``✓ power cycle     1.0 s  by the virtual board's own switch``."""
    outcome = outcome_word(step.outcome)
    state = State.RUNNING if outcome is Outcome.NONE else State.DONE
    spent = f"{step.duration.ToMilliseconds() / 1000:5.1f} s" if step.HasField("duration") else ""
    why = f"{step.reason}: {step.message}" if step.reason else step.message
    head = f"{glyph(outcome, state)} {action_words(step.action):<14} {spent:>7}"
    return f"{head}  {one_line(why, max(20, width - len(head) - 2))}".rstrip()


def recovery_line(recovery: recovery_pb2.Recovery) -> str:
    """How a recovery ended, in one sentence."""
    board = recovery.board.rpartition("/")[2]
    outcome = outcome_word(recovery.outcome)
    if outcome is Outcome.PASSED:
        return f"PASSED  {board} works again: {recovery.message}"
    if outcome is Outcome.NONE:
        return f"{board} is being recovered"
    return f"{outcome}  {board} is not recovered: {recovery.reason}: {recovery.message}"


def quarantine_words(quarantine: recovery_pb2.Quarantine) -> str:
    """``TOOL_HUNG: it hung; benchline, ends with a passed recovery``."""
    how = "ends with a passed recovery" if quarantine.automatic else "until somebody returns it"
    return f"{quarantine.reason}: {quarantine.message}; by {quarantine.principal}, {how}"


def outcome_words(outcome: recovery_pb2.BoardOutcome) -> str:
    """``flash TARGET_SILENT (52)``: what happened, and the score after it."""
    word = outcome.reason or str(outcome_word(outcome.outcome))
    return f"{outcome.action} {word} ({outcome.score})"


def health_lines(health: recovery_pb2.BoardHealth) -> list[str]:
    """Everything that is known of the health of a board."""
    lines = [f"{health.board}  score {health.score} of 100"]
    if health.HasField("quarantine"):
        lines.append(f"out of service: {quarantine_words(health.quarantine)}")
    lines += ["", "lately, with the score after it"]
    lines += [f"  {_moment(one)}  {outcome_words(one)}" for one in health.outcomes] or ["  nothing"]
    for recovery in health.recoveries:
        why = f" because of {recovery.trouble}" if recovery.trouble else ""
        lines += ["", f"recovery for {recovery.principal}{why}: {recovery_line(recovery)}"]
        lines += [f"  {step_line(step)}" for step in recovery.steps]
    if health.cure_rates:
        lines += ["", "what helped boards of this model"]
    lines += [
        f"  {action_words(rate.action):<14} cured {rate.cured} of {rate.tried}"
        for rate in health.cure_rates
    ]
    return lines


def _moment(outcome: recovery_pb2.BoardOutcome) -> str:
    return outcome.create_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%SZ")
