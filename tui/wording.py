"""Words that the console and the verbs share."""

import re
import textwrap
from collections.abc import Iterable

from tui.state.board import BoardFact
from tui.state.cloud import plan_was_rejected, waits_for_approval
from tui.state.fact import (
    UPLOADED,
    Assertion,
    AttemptMoved,
    Finding,
    Outcome,
    SessionSummary,
    Severity,
    StageMoved,
    State,
)
from tui.state.run import FlashView, RunView, ScenarioView

NO_BOARD = "NO_BOARD_MATCHES"
OFFLINE = "BOARDS_OFFLINE"
_BAD = (Outcome.FAILED, Outcome.BROKEN)
STOPS = (Outcome.BROKEN, Outcome.REFUSED)  # with a reason that nothing else tells
_GROUP = re.compile(r"\(\?P<(\w+)>[^()]*\)")
_CONDITION = re.compile(r" where .*?(?= within | from | every |$)")
_PLAIN = (
    ("a line matching ^", "line "),
    ("lines matching ^", "lines "),
    ("a line matching ", "line "),
    ("lines matching ", "lines "),
    ("$ ", " "),
    ("\\.", "."),
    (" at level ", " "),
    (" from 0 ms to the end", ""),
    (" from 0 ms", ""),
)
_MODEL = re.compile(r"[a-z0-9-]+")
_BAR = 10
_GLYPH = {
    Outcome.PASSED: "✓",
    Outcome.FAILED: "✗",
    Outcome.BROKEN: "!",
    Outcome.SKIPPED: "-",
    Outcome.REFUSED: "⊘",
    Outcome.NONE: "·",
}


def glyph(outcome: Outcome, state: State = State.UNKNOWN) -> str:
    """A sign for an outcome, or for a state while there is no outcome."""
    if outcome is Outcome.NONE and state is State.RUNNING:
        return "▶"
    if outcome is Outcome.NONE and state is State.WAITING:
        return "…"
    if state is State.CANCELLED:
        return "x"
    return _GLYPH[outcome]


def clock(ms: int) -> str:
    """A span of time for people: ``0.41 s``, ``2 min 05 s``."""
    if ms < 60_000:
        return f"{ms / 1000:.2f} s" if ms < 10_000 else f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes} min {seconds:02d} s"


def visible(text: str) -> str:
    """Text of a device or an upload with its control characters made visible."""
    if text.isprintable():
        return text
    return "".join(_character(one) for one in text)


def _character(one: str) -> str:
    if one.isprintable():
        return one
    code = ord(one)
    if code < 0x20:
        return "  " if one == "\t" else chr(0x2400 + code)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(text: str, width: int) -> str:
    """Text on one line, cut with an ellipsis."""
    flat = visible(" ".join(text.split()))
    return flat if len(flat) <= width else flat[: max(0, width - 1)] + "…"


def ending(state: State, outcome: Outcome, evidence: str) -> str:
    """``PASSED (virtual)``, ``RUNNING``, ``CANCELLED``."""
    if outcome is Outcome.NONE:
        return state.value
    return f"{outcome.value} ({evidence})" if evidence else outcome.value


def stage_line(stage: StageMoved) -> str:
    """``✓ BUILD     PASSED   3.10 s  cached``."""
    word = stage.state.value if stage.outcome is Outcome.NONE else stage.outcome.value
    spent = clock(stage.duration_ms) if stage.state.ended else ""
    again = f"run {stage.runs}" if stage.runs > 1 else ""
    whole = stage.outcome in STOPS or stage.state is State.WAITING
    message = one_line(stage.message, 600 if whole else 90)
    extras = [spent, "cached" if stage.cached else "", again, message]
    tail = "  ".join(filter(None, extras))
    mark = glyph(stage.outcome, stage.state)
    return f"{mark} {stage.stage.value:<9} {word:<8} {tail}".rstrip()


def told_by_findings(stage: StageMoved, findings: Iterable[Finding]) -> bool:
    """Whether findings say why a stage was refused, so that its message would only repeat them."""
    return stage.outcome is Outcome.REFUSED and any(
        one.severity is Severity.ERROR and one.stage is stage.stage for one in findings
    )


def decided_by(stage: StageMoved, summary: SessionSummary) -> bool:
    """Whether the message of a session is that of this stage, which it did not pass."""
    return summary.message == f"{stage.stage.value.lower()}: {stage.message}"


def attempt_line(attempt: AttemptMoved) -> str:
    """``✗ attempt 1  FAILED  +12 -3 in 1 file, 2 failing, 4,210 tokens in, 900 out, $0.0342``."""
    if attempt.state is not State.DONE:
        return f"↻ attempt {attempt.attempt}  {one_line(attempt.message, 200)}".rstrip()
    parts = []
    if attempt.files_changed:
        files = "file" if attempt.files_changed == 1 else "files"
        lines = f"+{attempt.lines_added} -{attempt.lines_removed}"
        parts.append(f"{lines} in {attempt.files_changed} {files}")
    if attempt.failing_checks:
        parts.append(f"{attempt.failing_checks} failing")
    if attempt.warnings:
        parts.append(f"{attempt.warnings} warnings")
    if attempt.calls:
        cost = attempt.cost_micro_usd
        spent = "cost unknown" if cost is None else f"${cost / 1_000_000:.4f}"
        parts.append(f"{attempt.input_tokens:,} tokens in ({attempt.cached_tokens:,} cached)")
        parts += [f"{attempt.output_tokens:,} out", spent]
    told = ", ".join(parts)
    head = f"{glyph(attempt.outcome)} attempt {attempt.attempt}  {attempt.outcome.value:<8}"
    return f"{head} {told}".rstrip()


def assertion_line(assertion: Assertion) -> str:
    """``✓ relay_on  3.10 s  relay is on``; device time, and more words when it did not pass."""
    at = f"{assertion.at_ms / 1000:8.3f} s" if assertion.at_ms >= 0 else " " * 10
    text = one_line(short_demand(assertion), 600 if assertion.outcome in _BAD else 72)
    return f"{glyph(assertion.outcome)} {assertion.assertion_id:<22} {at}  {text}".rstrip()


def short_demand(assertion: Assertion) -> str:
    """What a check is about in few words; what came is told unless it is plain."""
    if not assertion.expected or assertion.assertion_id.startswith("core."):
        return bare_message(assertion)
    bad = assertion.outcome in _BAD
    wanted = _readable(assertion.expected, conditions=bad)
    got = assertion.got
    if bad:
        return f"expected {wanted}; got {got or 'nothing'}"
    told = bool(got) and got != "none" and not got.startswith("it so")
    return f"{wanted} → {got}" if told else wanted


def _readable(demand: str, *, conditions: bool) -> str:
    """A demand without the signs of its pattern: ``line temperature <v> C within 2 s``."""
    text = _GROUP.sub(r"<\1>", demand)
    for sign, plain in _PLAIN:
        text = text.replace(sign, plain)
    return text if conditions else _CONDITION.sub("", text)


def bare_message(assertion: Assertion) -> str:
    """The sentence of a check without the id that it may begin with."""
    return assertion.message.removeprefix(f"{assertion.assertion_id}: ")


def demand_lines(assertion: Assertion, width: int = 100) -> list[str]:
    """What was expected and what came, when they are known."""
    lines = []
    for word, text in (("expected", assertion.expected), ("got", assertion.got)):
        if text:
            lines += textwrap.wrap(f"{word:<8} {visible(text)}", width, subsequent_indent=" " * 9)
    return lines


def runner_name(runner: str) -> str:
    """A board by its last part, a simulator as it is."""
    return runner.rpartition("/")[2]


def scenario_head(scenario: ScenarioView) -> str:
    """``main on vf405-01, 9.00 s of device time``."""
    length = f", {clock(scenario.device_ms)} of device time" if scenario.device_ms else ""
    return f"{scenario.scenario_id} on {runner_name(scenario.runner)}{length}"


def flash_line(flash: FlashView) -> str:
    """``flash test image on vf405-01  █████░░░░░ program 56 %`` or how it ended."""
    image = "image" if flash.image == "image" else f"{flash.image} image"
    where = f"flash {image} on {runner_name(flash.board)}"
    if flash.outcome is Outcome.NONE:
        return f"{where}  {flash_bar(flash)}"
    facts = f"{flash.bytes_programmed:,} bytes, {_count(flash.sectors_erased, 'sector')} erased"
    if flash.sectors_skipped:
        facts += f", {flash.sectors_skipped} already right"
    tail = visible(flash.message) if flash.message else facts
    word = "" if flash.outcome is Outcome.PASSED else f"{flash.outcome.value}, "
    return f"{where}: {word}{tail}"


def flash_bar(flash: FlashView) -> str:
    """``█████░░░░░ program 56 %``."""
    percent = round(flash.fraction * 100)
    return f"{bar(flash.fraction)} {flash.phase or 'begins'} {percent} %"


def bar(fraction: float) -> str:
    """A bar of ten signs."""
    done = round(min(max(fraction, 0.0), 1.0) * _BAR)
    return "█" * done + "░" * (_BAR - done)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def next_steps(summary: SessionSummary) -> str:
    """What a person does after a verdict, as commands."""
    short = summary.session_id[:12]
    if NO_BOARD in summary.message:
        return next_board(summary.board_model)
    if OFFLINE in summary.message:
        return "next: start what is named above (`benchline boards` shows it), then run it again"
    change = f"`benchline project export {short} DIR`, edit, `benchline run --from DIR`"
    match summary.outcome:
        case Outcome.PASSED:
            return f"next: `benchline show {short}` (sketch, evidence); to change it: {change}"
        case Outcome.FAILED:
            return f"next: `benchline show {short}` (what came instead); then {change}"
        case Outcome.BROKEN:
            return "next: the lab or a tool is at fault; `benchline doctor`, then run it again"
        case Outcome.REFUSED if summary.title == UPLOADED:
            return "next: mend what is named above, then run it again"
        case Outcome.REFUSED if plan_was_rejected(summary):
            return "next: the plan of its stack was rejected; run it again to have another one made"
        case Outcome.REFUSED:
            return 'next: say it differently; `benchline design "…"` tries, `run --examples` lists'
        case Outcome.SKIPPED:
            return "next: nothing was judged; `benchline boards` lists what can run it"
        case _:
            cancelled = summary.state is State.CANCELLED
            return "next: run it again when you like" if cancelled else ""


def next_board(wish: str = "") -> str:
    """How to get a board that none of those there are is; `wish` is a model, or a selector."""
    model = wish.removeprefix("model=")
    model = model if _MODEL.fullmatch(model) else "MODEL"
    return (
        "next: `benchline boards` lists what there is; plug one in where an agent runs "
        "(docs/agent.md), or for a virtual one `benchline down`, then "
        f'`BENCHLINE_VIRTUAL_BOARDS="mine:{model}" benchline up`'
    )


def passed_count(view: RunView) -> tuple[int, int]:
    """Checks that passed, and checks that were decided."""
    decided = [a for s in view.scenarios for a in s.assertions if a.outcome is not Outcome.NONE]
    return sum(a.outcome is Outcome.PASSED for a in decided), len(decided)


def board_line(board: BoardFact) -> tuple[str, ...]:
    """The cells of one board: name, model, family, tool, kind, state, score, firmware, remark."""
    firmware = board.proven_image[:8] or "-"
    health = "" if board.health in ("", "ok") else board.health
    doing = f"recovering: {board.recovering}" if board.recovering else ""
    remark = doing or board.quarantine or board.holder or health or visible(board.cloud)
    if board.experimental:
        remark = f"experimental  {remark}".rstrip()
    what = (board.model or board.part or "?", board.family or "?", board.flash_tool or "?")
    return (board.name, *what, board.kind, board.state, str(board.score), firmware, remark)


def why_unread(error: OSError | ValueError) -> str:
    """Why a file cannot be read: without the error's number, and the path only once."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def busy_sentence(board: BoardFact) -> str:
    """Why nothing can be typed at a board, and what to do."""
    if board.state in ("OFFLINE", "FAULTY", "QUARANTINED"):
        return f"{board.board_id} is {board.state.lower()}; nothing can be sent to it"
    holder = runner_name(board.holder)
    by = f"held by {holder}" if holder else "in use"
    return f"{board.board_id} is {by}; send again when it is free, or under your own lease of it"


def standing(session: SessionSummary) -> str:
    """How a session stands; one that waits for a person says what for."""
    stands = ending(session.state, session.outcome, session.evidence)
    if waits_for_approval(session):
        return f"{stands} for approval"
    return f"{stands} for you" if session.asks else stands


def session_cells(session: SessionSummary, when: str) -> tuple[str, ...]:
    """The cells of one session: id, when, how it stands, what it is."""
    return (session.session_id, when, standing(session), one_line(session.title, 70))
