"""Words that the console and the verbs share."""

import textwrap

from tui.state.fact import Assertion, BoardFact, Outcome, SessionSummary, StageMoved, State
from tui.state.run import FlashView, RunView, ScenarioView

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
    extras = [spent, "cached" if stage.cached else "", again, one_line(stage.message, 90)]
    tail = "  ".join(filter(None, extras))
    mark = glyph(stage.outcome, stage.state)
    return f"{mark} {stage.stage.value:<9} {word:<8} {tail}".rstrip()


def assertion_line(assertion: Assertion) -> str:
    """``✓ relay_on  3.10 s  relay is on``; device time, and more words when it did not pass."""
    at = f"{assertion.at_ms / 1000:8.3f} s" if assertion.at_ms >= 0 else " " * 10
    width = 72 if assertion.outcome is Outcome.PASSED else 600
    text = one_line(bare_message(assertion), width)
    return f"{glyph(assertion.outcome)} {assertion.assertion_id:<22} {at}  {text}".rstrip()


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
    """``flash test image: program 56 %`` or how it ended."""
    where = f"{runner_name(flash.board)}: flash {flash.image} image"
    if flash.outcome is Outcome.NONE:
        return f"{where}: {flash.phase or 'begins'} {round(flash.fraction * 100)} %"
    facts = f"{flash.sectors_erased} sectors erased, {flash.bytes_programmed:,} bytes"
    if flash.sectors_skipped:
        facts += f", {flash.sectors_skipped} sectors already right"
    tail = visible(flash.message) if flash.message else facts
    return f"{where}: {flash.outcome.value}, {tail}"


def passed_count(view: RunView) -> tuple[int, int]:
    """Checks that passed, and checks that were decided."""
    decided = [a for s in view.scenarios for a in s.assertions if a.outcome is not Outcome.NONE]
    return sum(a.outcome is Outcome.PASSED for a in decided), len(decided)


def board_line(board: BoardFact) -> tuple[str, ...]:
    """The cells of one board: name, model, kind, state, firmware, holder or health."""
    firmware = board.proven_image[:8] or "-"
    remark = board.holder or ("" if board.health in ("", "ok") else board.health)
    if board.experimental:
        remark = f"experimental  {remark}".rstrip()
    return (board.name, board.model or board.part or "?", board.kind, board.state, firmware, remark)


def session_cells(session: SessionSummary, when: str) -> tuple[str, ...]:
    """The cells of one session: id, when, how it stands, what it is."""
    stands = ending(session.state, session.outcome, session.evidence)
    return (session.session_id, when, stands, one_line(session.title, 70))
