"""Judges a finished session against the labels of its sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tui.evaluation.binding import Binding, Bound, bind
from tui.evaluation.console import (
    USUAL_DEBOUNCE_MS,
    sees_echo,
    sees_press,
    sees_reply,
    sees_report,
    sees_say,
)
from tui.evaluation.evidence import DesignFacts, Ending, Evidence, Run
from tui.evaluation.labels import (
    Answer,
    Blink,
    BoardWish,
    Case,
    Does,
    Echo,
    Follow,
    Press,
    PromptSet,
    Pulse,
    Reply,
    Report,
    Say,
    Set,
    Threshold,
)
from tui.evaluation.outputs import (
    sees_blink,
    sees_follow,
    sees_pulse,
    sees_set,
    sees_threshold,
)
from tui.evaluation.promises import about_of, promise_problems, unpromised
from tui.evaluation.watching import Seen


class Verdict(StrEnum):
    """What a designer made of a sentence."""

    ACCEPTED_RIGHT = "accepted-right"
    ACCEPTED_UNJUDGED = "accepted-unjudged"
    ACCEPTED_WRONG = "accepted-wrong"
    REFUSED_RIGHT = "refused-right"
    REFUSED_WRONG = "refused-wrong"
    NOT_OFFERED = "not-offered"
    FAILED = "failed"
    BROKEN = "broken"

    @property
    def is_right(self) -> bool:
        """Whether it is what the labels ask for."""
        return self in {Verdict.ACCEPTED_RIGHT, Verdict.REFUSED_RIGHT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with everything that led to it. ``explained``: a refusal names what it is about."""

    verdict: Verdict
    problems: tuple[str, ...] = ()
    explained: bool = True


def judge(prompts: PromptSet, case: Case, designer: str, evidence: Evidence) -> Judgement:
    """Judge what a designer made of a case."""
    match evidence.ending:
        case Ending.BROKEN | Ending.CANCELLED:
            return Judgement(verdict=Verdict.BROKEN, problems=(evidence.message,))
        case Ending.FAILED | Ending.SKIPPED:
            return Judgement(verdict=Verdict.FAILED, problems=(evidence.message,))
        case Ending.REFUSED:
            return _refusal(prompts, case, designer, evidence)
        case Ending.PASSED:
            return _acceptance(prompts, case, evidence)


def _refusal(prompts: PromptSet, case: Case, designer: str, evidence: Evidence) -> Judgement:
    if case.answer is Answer.REFUSE and evidence.stage not in {"", "DESIGN"}:
        problem = f"it was designed, though it was to be refused ({case.why}): {case.reason}"
        return Judgement(verdict=Verdict.ACCEPTED_WRONG, problems=(problem,))
    if case.answer is not Answer.DESIGN:
        told = " ".join(
            [evidence.message, *(f"{one.subject} {one.message}" for one in evidence.complaints)]
        ).lower()
        explained = not case.about or any(word.lower() in told for word in case.about)
        return Judgement(verdict=Verdict.REFUSED_RIGHT, explained=explained)
    offered = prompts.is_offered(case, designer)
    verdict = Verdict.REFUSED_WRONG if offered else Verdict.NOT_OFFERED
    return Judgement(verdict=verdict, problems=(evidence.message,))


def _acceptance(prompts: PromptSet, case: Case, evidence: Evidence) -> Judgement:
    if case.answer is Answer.REFUSE:
        problem = f"it was to be refused ({case.why}): {case.reason}"
        return Judgement(verdict=Verdict.ACCEPTED_WRONG, problems=(problem,))
    design = evidence.design
    if design is None:
        return Judgement(verdict=Verdict.BROKEN, problems=("it passed, and shows no design",))
    board = prompts.board(design.model)
    binding = bind(case, design, board)
    problems = [*_board_problems(case.on, design, board.family if board else "")]
    problems += binding.problems
    problems += promise_problems(case, design, binding.bound)
    if evidence.judged:
        problems += _run_problems(case, design, binding, evidence.runs)
    if problems:
        unique = tuple(dict.fromkeys(problems))
        return Judgement(verdict=Verdict.ACCEPTED_WRONG, problems=unique)
    unjudged = [*case.unjudged]
    if not evidence.judged:
        unjudged += [f"not seen: {one}" for one in unpromised(case, design, binding.bound)]
    verdict = Verdict.ACCEPTED_UNJUDGED if unjudged else Verdict.ACCEPTED_RIGHT
    return Judgement(verdict=verdict, problems=tuple(unjudged))


def _board_problems(wish: BoardWish, design: DesignFacts, family: str) -> list[str]:
    found = {"model": design.model, "part": design.part, "family": family}
    wanted = {"model": wish.model, "part": wish.part, "family": wish.family}
    return [
        f"the design is for {key} {found[key]}, not {value} as was said"
        for key, value in wanted.items()
        if value and found[key] != value
    ]


def _run_problems(
    case: Case, design: DesignFacts, binding: Binding, runs: tuple[Run, ...]
) -> list[str]:
    problems = []
    for run in runs:
        problems += [f"{run}: fault {one}" for one in run.seen.faults]
        if not design.sha256.startswith(run.seen.design) or not run.seen.design:
            problems.append(f"{run}: the firmware is of another design ({run.seen.design})")
        if not run.seen.ended:
            problems.append(f"{run}: the run has no end")
        problems += _wiring_problems(design, run)
    for does in case.does:
        check = _check_of(does, case, design, binding.bound)
        if check is None:
            continue  # what it is about is missing, which has been told
        seen = [(run, check(run)) for run in runs]
        problems += [f"{run}: {text}" for run, one in seen for text in one.problems]
        if not any(one.shown for _, one in seen):
            problems.append(f"no run shows that it does {_name(does)}")
    return problems


def _name(does: Does) -> str:
    about = [getattr(does, key, "") for key in ("of", "by", "to", "thing", "toggles", "text")]
    return " ".join([type(does).__name__.lower(), *filter(None, about)])


def _wiring_problems(design: DesignFacts, run: Run) -> list[str]:
    """What is stimulated and watched is what the design has wired."""
    problems = []
    for signal, (pin, active) in run.stimuli.pins.items():
        wired = design.pin_of(signal)
        if wired is None or wired.pin != pin or (active and wired.active != active):
            there = f"{wired.pin} active {wired.active}" if wired else "no pin"
            problems.append(f"{run}: {signal} is tried on {pin} {active}; the design has {there}")
    return problems


_Check = Callable[[Run], Seen]


def _check_of(
    does: Does, case: Case, design: DesignFacts, bound: dict[str, Bound]
) -> _Check | None:
    """The check of one behaviour; None when a thing that it needs was not found."""
    if any(name in _names(case) and name not in bound for name in about_of(does)):
        return None
    return _output_check(does, design, bound) or _console_check(does, case, design, bound)


def _names(case: Case) -> set[str]:
    return {thing.name for thing in case.things}


def _unit(name: str, design: DesignFacts, bound: dict[str, Bound]) -> str:
    return design.units.get(bound[name].signal, "") if name in bound else ""


def _output_check(does: Does, design: DesignFacts, bound: dict[str, Bound]) -> _Check | None:
    match does:
        case Blink(thing=thing):
            return lambda run: sees_blink(does, bound[thing], run)
        case Threshold(of=of, thing=thing):
            unit = _unit(of, design, bound)
            return lambda run: sees_threshold(does, bound[of], unit, bound[thing], run)
        case Follow(of=of, thing=thing):
            return lambda run: sees_follow(does, bound[of], bound[thing], run)
        case Pulse(by=by, thing=thing):
            return lambda run: sees_pulse(does, bound[by], bound[thing], run)
        case Set(thing=thing):
            return lambda run: sees_set(does, bound[thing], run)
    return None


def _console_check(
    does: Does, case: Case, design: DesignFacts, bound: dict[str, Bound]
) -> _Check | None:
    match does:
        case Report(of=of):
            unit, commands = _unit(of, design, bound), case.commands
            return lambda run: sees_report(does, bound.get(of), unit, run, commands)
        case Say():
            return lambda run: sees_say(does, run)
        case Press(by=by, toggles=toggles):
            debounce = does.debounce_ms or _debounce_of(design, bound[by])
            return lambda run: sees_press(does, bound[by], bound.get(toggles), debounce, run)
        case Reply():
            name = does.of or does.state or does.count
            about, unit = bound.get(name), _unit(name, design, bound)
            return lambda run: sees_reply(does, about, unit, run, case.commands)
        case Echo():
            return lambda run: sees_echo(case.commands, run)
    return None


def _debounce_of(design: DesignFacts, button: Bound) -> float:
    """What the design took where the sentence said nothing."""
    for behaviour in design.behaviours:
        text = behaviour.parameters.get("debounce", "")
        if button.signal in behaviour.signals and text.replace(".", "", 1).isdigit():
            return min(max(float(text), 1.0), 1000.0)
    return USUAL_DEBOUNCE_MS
