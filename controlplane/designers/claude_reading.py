"""From an answer to a design: normalised, with solved pins and our scenarios, or every finding.

Everything of a known kind takes the way of the offline designer: clauses, assembly, pin solver,
generated scenarios. So a model can neither invent a pin nor weaken a proof; what it adds are
behaviours of no known kind, whose scenarios are doubted by `planning/proposals.py`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from controlplane.catalog.loader import Catalogue
from controlplane.designers.claude_wire import (
    Answered,
    Counting,
    Crossing,
    WireButton,
    WireCommand,
    WireComponent,
    WireCustom,
    WireDesign,
    WireMessage,
    WirePublish,
    WireQuestion,
    WireReport,
    WireThreshold,
)
from controlplane.designers.offline import compose_design, pin_demands
from controlplane.domain.codec import DocumentError, decode
from controlplane.domain.design import (
    Assumption,
    Behaviour,
    BehaviourKind,
    BoardChoice,
    Design,
    DesignerStamp,
    FixedBy,
    Parameter,
    SignalKind,
)
from controlplane.domain.finding import Finding
from controlplane.domain.hardware import OpenQuestion
from controlplane.domain.part import BoardModel, ComponentKind, OnBoard
from controlplane.domain.question import MOST_QUESTIONS, Question
from controlplane.domain.units import Unit
from controlplane.planning.assembly import Assembly, assemble_with
from controlplane.planning.complaints import complaint
from controlplane.planning.declared import BUTTON, DeclaredThings
from controlplane.planning.intent import (
    Action,
    ActionKind,
    Amount,
    Blink,
    Command,
    Condition,
    Dimension,
    Echo,
    Intent,
    MessageEffect,
    OutputRef,
    Press,
    Publish,
    Report,
    SensorRef,
    Subscribe,
    Switch,
    ValueKind,
    ValueRef,
)
from controlplane.planning.nodes import SUMMARY_LENGTH
from controlplane.planning.pins import plan_pins
from controlplane.planning.proposals import Custom, Proposal, judge_proposals
from controlplane.planning.resolve import Thing
from controlplane.planning.validate import is_sound, validate_design

_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MAX = 64
_TEXT = 200
_MOST_CHOICES = 6
AUTO, ONBOARD = "auto", "onboard"
_DIMENSIONS = {
    Unit.CELSIUS: Dimension.CELSIUS,
    Unit.PERCENT: Dimension.PERCENT,
    Unit.MILLIVOLTS: Dimension.MILLIVOLTS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an answer is held against; ``fixed`` is the board that the person chose, if any."""

    prompt: str
    fixed: BoardChoice | None
    stamp: DesignerStamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The model says that the wish cannot be met, or asks what only a person knows."""

    findings: tuple[Finding, ...]
    questions: tuple[Question, ...] = ()
    """What would settle all of it; none where something cannot be met."""


def read_answer(
    text: str, wish: Wish, catalogue: Catalogue
) -> Design | Declined | tuple[Finding, ...]:
    """The design that an answer means, why there is none, or all that has to be mended in it."""
    try:
        wire = decode(WireDesign, text)
    except DocumentError as error:
        return tuple(
            complaint("E300", path, message[:_TEXT], "Keep to the schema.")
            for path, message in error.problems[:_MAX]
        )
    return _declined(wire) or _Reading(wire, wish, catalogue).design()


def _declined(wire: WireDesign) -> Declined | None:
    infeasible = [
        complaint("E107", item.requirement[:80], _plain(item.reason, 400), "Leave it out.")
        for item in wire.infeasible[:_MAX]
    ]
    asked = _asked(wire)
    blocking = [
        complaint("E106", question.question_id, question.text, "Say it in the sentence.")
        for question, source in zip(asked, _most_pressing(wire), strict=True)
        if source.blocking
    ]
    if not infeasible and not blocking:
        return None
    return Declined(findings=(*infeasible, *blocking), questions=() if infeasible else tuple(asked))


def _most_pressing(wire: WireDesign) -> list[WireQuestion]:
    """As many questions as a round may have, those first that block."""
    return sorted(wire.open_questions, key=lambda one: not one.blocking)[:MOST_QUESTIONS]


def _asked(wire: WireDesign) -> list[Question]:
    """The questions as a person gets them, each with an id of its own."""
    asked: list[Question] = []
    used: set[str] = set()
    for number, question in enumerate(_most_pressing(wire), start=1):
        name = question.id if _ID.fullmatch(question.id) else f"q{number}"
        name = f"{name[:28]}_{number}" if name in used else name
        used.add(name)
        choices = (_plain(choice) for choice in question.choices[:_MOST_CHOICES])
        asked.append(
            Question(
                question_id=name,
                text=_plain(question.text, 400) or name,
                why=_plain(question.why, 400),
                choices=tuple(dict.fromkeys(filter(None, choices))),
                default=_plain(question.default),
            )
        )
    return asked


def _questions(wire: WireDesign) -> tuple[OpenQuestion, ...]:
    return tuple(
        OpenQuestion(
            id=question.id[:40],
            text=_plain(question.text, 400),
            blocking=question.blocking,
            default=_plain(question.default),
        )
        for question in wire.open_questions[:_MAX]
    )


class _Reading:
    """One answer while it is read."""

    def __init__(self, wire: WireDesign, wish: Wish, catalogue: Catalogue) -> None:
        self._wire = wire
        self._wish = wish
        self._catalogue = catalogue
        self._findings: list[Finding] = []
        self._assumptions: dict[str, str] = {}

    def design(self) -> Design | tuple[Finding, ...]:
        """Put everything together."""
        choice = self._choice()
        if choice is None:
            return tuple(self._findings)
        board = self._catalogue.boards[choice.model]
        part = self._catalogue.part_of(board)
        kinds = self._catalogue.components_on(part)
        things = DeclaredThings(
            board=board, components=kinds, declared=self._declared(board, kinds)
        )
        assembly = assemble_with(things, self._intents(kinds))
        customs = [self._custom(wire, things) for wire in self._wire.custom]
        assembly = self._completed(assembly, things, customs)
        plan = plan_pins(part, board, pin_demands(assembly.things))
        self._add(*assembly.findings, *plan.findings)
        if self._findings:
            return tuple(dict.fromkeys(self._findings))
        design = compose_design(
            self._wish.prompt, choice, board, part, (), assembly, plan, self._wish.stamp
        )
        design = self._with_customs(design, customs, known=bool(assembly.behaviours))
        if self._findings:
            return tuple(dict.fromkeys(self._findings))
        problems = validate_design(design, board, part, self._catalogue.electrical)
        return replace(design, findings=problems) if is_sound(problems) else problems

    def _add(self, *findings: Finding) -> None:
        self._findings += findings

    def _choice(self) -> BoardChoice | None:
        model, fixed = self._wire.board, self._wish.fixed
        if fixed is not None and model != fixed.model:
            self._add(
                complaint("E101", model[:40], "the board is fixed.", f"Design for {fixed.model}.")
            )
        board = self._catalogue.boards.get(model)
        if board is None:
            self._add(
                complaint(
                    "E101",
                    model[:40],
                    "this board model is not in the catalogue.",
                    "Use one of the catalogue.",
                )
            )
            return None
        return fixed or BoardChoice(
            model=board.key,
            part=board.part,
            reason=_plain(self._wire.board_reason) or "chosen by Claude",
            fixed_by=FixedBy.DESIGNER,
        )

    def _declared(self, board: BoardModel, kinds: Mapping[str, ComponentKind]) -> dict[str, Thing]:
        declared: dict[str, Thing] = {}
        for wire in self._wire.components[:_MAX]:
            kind = kinds.get(wire.kind)
            if not _ID.fullmatch(wire.id) or wire.id == "console":
                self._add(complaint("E102", wire.id[:40], "it cannot be an id.", "Change it."))
            elif kind is None:
                self._add(complaint("E101", wire.id, "its kind is unknown.", "Change it."))
            elif wire.id in declared:
                self._add(complaint("E103", wire.id, "it is declared twice.", "Use an id once."))
            else:
                declared[wire.id] = self._thing(wire, kind, board)
        if len(self._wire.components) > _MAX:
            self._add(complaint("E104", "components", "there are too many.", "Use fewer."))
        return declared

    def _thing(self, wire: WireComponent, kind: ComponentKind, board: BoardModel) -> Thing:
        thing = Thing(id=wire.id, kind=kind)
        if wire.pin == ONBOARD:
            found = _own(board, kind, wire.id)
            if found is None:
                self._assumptions[f"external_{wire.id}"[:32]] = (
                    f"The {board.name} has no {kind.name} that firmware can use: the "
                    f"{wire.id.replace('_', ' ')} is an external one."
                )
                return thing
            return replace(thing, onboard=found, pin=found.pin)
        if wire.pin == AUTO:
            return thing
        own = next((i for i in board.onboard if i.pin == wire.pin and i.kind == kind.key), None)
        if own is not None:
            return replace(thing, onboard=own, pin=own.pin)
        if kind.lines:
            message = f"a {kind.name} has a pin for each of {', '.join(kind.lines)}."
            self._add(complaint("E119", wire.id, message, f'Say "{AUTO}": pins are solved.'))
            return thing
        if not is_named(wire.pin, self._wish.prompt):
            self._add(
                complaint(
                    "E119",
                    wire.id,
                    f"the request does not name the pin {wire.pin[:20]!r}.",
                    f'Say "{AUTO}": pins are solved.',
                )
            )
        return replace(thing, pin=wire.pin)

    def _intents(self, kinds: Mapping[str, ComponentKind]) -> list[Intent]:
        units = {w.id: kinds[w.kind].unit for w in self._wire.components if w.kind in kinds}
        intents: list[Intent] = []
        for blink in self._wire.blinks:
            on, off = self._exact(blink.on_ms) / 1000, self._exact(blink.off_ms) / 1000
            intents.append(Blink(output=OutputRef(blink.output), on=on, off=off))
        intents += [self._report(report) for report in self._wire.reports]
        for threshold in self._wire.thresholds:
            intents += self._switches(threshold, units.get(threshold.sensor, Unit.NONE))
        if len(self._wire.buttons) > 1:
            self._add(
                complaint("E104", "buttons", "only one button is of a known kind.", "Use custom.")
            )
        intents += [self._press(button) for button in self._wire.buttons[:1]]
        intents += [self._command(command) for command in self._wire.commands]
        if self._wire.echo:
            intents.append(Echo())
        intents += [self._publish(each, units) for each in self._wire.publishes]
        intents += [_subscribe(each) for each in self._wire.messages]
        return intents

    def _exact(self, number: float) -> Fraction:
        """The decimal number that was written."""
        if not math.isfinite(number):
            self._add(complaint("E300", "number", f"{number} is no number.", "Give a number."))
            return Fraction(1)
        return Fraction(repr(number))

    def _report(self, report: WireReport) -> Report:
        value = _value(ValueKind(report.value.value), report.source)
        return Report(values=(value,), period=self._exact(report.period_ms) / 1000)

    def _publish(self, wire: WirePublish, units: Mapping[str, Unit]) -> Publish:
        condition = None
        if wire.when is not Crossing.NONE:
            dimension = _DIMENSIONS.get(units.get(wire.source, Unit.NONE), Dimension.BARE)
            amount = Amount(self._exact(wire.limit), dimension)
            condition = Condition(wire.when.value, SensorRef(wire.source), amount)
        return Publish(
            values=(_value(ValueKind(wire.value.value), wire.source),),
            period=self._exact(wire.period_ms) / 1000 or None,
            condition=condition,
            topic=wire.topic,
        )

    def _switches(self, threshold: WireThreshold, unit: Unit) -> list[Switch]:
        dimension = _DIMENSIONS.get(unit, Dimension.BARE)
        sensor = SensorRef(threshold.sensor)
        sides = (
            (True, threshold.on_when, threshold.on_value),
            (False, threshold.off_when, threshold.off_value),
        )
        return [
            Switch(
                outputs=(OutputRef(threshold.output),),
                state=state,
                condition=Condition(op.value, sensor, Amount(self._exact(number), dimension)),
            )
            for state, op, number in sides
        ]

    def _press(self, button: WireButton) -> Press:
        actions = [Action(ActionKind.TOGGLE, output=OutputRef(o)) for o in button.toggles]
        if button.prints:
            actions.append(Action(ActionKind.PRINT, text=button.prints))
        if button.count is not Counting.NONE:
            shown = "print" if button.count is Counting.PRINT else ""
            actions.append(Action(ActionKind.COUNT, text=shown))
        debounce = self._exact(button.debounce_ms) / 1000 or None
        return Press(button=OutputRef(BUTTON), actions=tuple(actions), debounce=debounce)

    def _command(self, command: WireCommand) -> Command:
        if command.value is Answered.TEXT:
            return Command(word=command.word, text=command.answer)
        value = _value(ValueKind(command.value.value), command.source)
        return Command(word=command.word, value=value)

    def _custom(self, wire: WireCustom, things: DeclaredThings) -> Custom:
        if not _ID.fullmatch(wire.id):
            self._add(complaint("E102", wire.id[:40], "it cannot be an id.", "Change it."))
        if not wire.text.strip():
            self._add(complaint("E200", wire.id, "it does not say what happens.", "Say it."))
        for name in (*wire.reads, *wire.drives):
            things.use(name)
        for name in wire.drives:
            thing = things.declared.get(name)
            if thing is not None and thing.kind.signal_kind is not SignalKind.DIGITAL_OUT:
                self._add(
                    complaint("E151", wire.id, f"{name} cannot be driven.", "Name an output.")
                )
        reads, drives = things.signals_of(wire.reads), things.signals_of(wire.drives)
        signals = tuple(dict.fromkeys((*reads, *drives)))
        behaviour = Behaviour(
            id=wire.id,
            kind=BehaviourKind.CUSTOM,
            signals=signals,
            parameters=(Parameter(name="idle", value=wire.idle.value, unit=Unit.TEXT),),
            text=_plain(wire.text, 600),
        )
        return Custom(behaviour=behaviour, reads=reads, drives=drives, idle=wire.idle.value)

    def _completed(
        self, assembly: Assembly, things: DeclaredThings, customs: list[Custom]
    ) -> Assembly:
        """The assembly with what only custom behaviours use, and without complaints of that."""
        driven = {output for custom in customs for output in custom.drives}
        names = {name for custom in customs for name in (*custom.reads, *custom.drives)}
        used = {thing.id for thing in things.things.values() if names & set(thing.signals)}
        findings = [
            f
            for f in things.findings
            if not (f.code == "E151" and f.subject in used and "is not said" in f.message)
            and not (f.code == "E200" and f.subject == "prompt" and customs)
        ]
        for behaviour in assembly.behaviours:
            masters = driven & set(_driven(behaviour))
            findings += [
                complaint(
                    "E158",
                    output,
                    f"{behaviour.id} and a custom behaviour both drive it.",
                    "Leave it to one of them.",
                )
                for output in sorted(masters)
            ]
        idle = [name for name in things.declared if name not in things.things]
        findings += [
            complaint("E151", name, "nothing uses this component.", "Use it, or leave it out.")
            for name in idle
        ]
        order = list(things.declared)
        kept = sorted(things.things.values(), key=lambda thing: order.index(thing.id))
        return replace(assembly, things=tuple(kept), findings=tuple(findings))

    def _with_customs(self, design: Design, customs: list[Custom], *, known: bool) -> Design:
        behaviours = (*design.behaviours, *(custom.behaviour for custom in customs))
        proposals = [
            Proposal(
                id=wire.id,
                title=wire.title,
                proves=wire.proves,
                control=wire.control,
                duration_ms=wire.duration_ms,
                variables=wire.vars,
                steps=wire.steps,
            )
            for wire in self._wire.scenarios
        ]
        proved = judge_proposals(
            proposals, customs, [b.id for b in behaviours], design.signals, design.pins
        )
        self._add(*proved.findings)
        ours = [replace(s, generated=True) for s in design.scenarios if known or s.control]
        return replace(
            design,
            title=_plain(self._wire.title, 120) or design.title,
            summary=_plain(self._wire.summary, SUMMARY_LENGTH),
            behaviours=behaviours,
            scenarios=(*ours, *proved.scenarios),
            assumptions=self._all_assumptions(design),
            open_questions=_questions(self._wire),
        )

    def _all_assumptions(self, design: Design) -> tuple[Assumption, ...]:
        texts = {assumption.id: assumption.text for assumption in design.assumptions}
        texts |= self._assumptions
        for wire in self._wire.assumptions[:_MAX]:
            if _ID.fullmatch(wire.id) and wire.id not in texts and wire.text.strip():
                texts[wire.id] = _plain(wire.text, 400)
        return tuple(Assumption(id=key, text=text) for key, text in texts.items())


def _value(kind: ValueKind, source: str) -> ValueRef:
    if kind is ValueKind.SENSOR:
        return ValueRef(kind, sensor=SensorRef(source))
    if kind is ValueKind.OUTPUT:
        return ValueRef(kind, output=OutputRef(source))
    return ValueRef(kind)


def _subscribe(wire: WireMessage) -> Subscribe:
    return Subscribe(
        effect=MessageEffect(wire.effect.value),
        topic=wire.topic,
        outputs=(OutputRef(wire.output),) if wire.output else (),
        payload=wire.payload,
    )


def _driven(behaviour: Behaviour) -> tuple[str, ...]:
    """The outputs that a behaviour of a known kind drives."""
    if behaviour.kind in (BehaviourKind.BLINK, BehaviourKind.MESSAGE):
        return behaviour.signals
    if behaviour.kind in (BehaviourKind.THRESHOLD, BehaviourKind.BUTTON):
        return behaviour.signals[1:]
    return ()


def _own(board: BoardModel, kind: ComponentKind, name: str) -> OnBoard | None:
    """The board's own component of a kind; of several the one of the colour that the id says."""
    colour = name.partition("_")[0]
    items = [item for item in board.onboard if item.kind == kind.key]
    return next((i for i in items if i.label.lower().startswith(colour)), board.fixed(kind.key))


def is_named(pin: str, prompt: str) -> bool:
    """Whether a prompt names a pin: "PB5", or a number such as that of GPIO4."""
    number = pin.removeprefix("GPIO") if pin.startswith("GPIO") else ""
    if number.isdigit():
        return re.search(rf"(?<![0-9.]){number}(?![0-9])", prompt) is not None
    return re.search(rf"\b{re.escape(pin)}\b", prompt, re.IGNORECASE) is not None


def _plain(text: str, longest: int = _TEXT) -> str:
    """A text of a model as one printable line."""
    printable = "".join(ch if ch.isprintable() else " " for ch in text)
    return " ".join(printable.split())[:longest]
