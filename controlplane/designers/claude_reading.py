"""From an answer to a design: normalised, with solved pins and our scenarios, or every finding.

Everything of a known kind takes the way of the offline designer: clauses, assembly, pin solver,
generated scenarios. So a model can neither invent a pin nor weaken a proof; what it adds are
behaviours of no known kind, whose scenarios are doubted by `planning/proposals.py`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from controlplane.catalog.loader import Catalogue
from controlplane.designers.claude_clauses import Clauses
from controlplane.designers.claude_limits import ID, LONGEST_TEXT, MOST, plain
from controlplane.designers.claude_questions import Declined, declined, open_questions
from controlplane.designers.claude_wire import (
    WireComponent,
    WireCustom,
    WireDesign,
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
from controlplane.domain.part import BoardModel, ComponentKind, OnBoard
from controlplane.domain.units import Unit
from controlplane.planning.assembly import Assembly, assemble_with
from controlplane.planning.complaints import complaint
from controlplane.planning.declared import DeclaredThings
from controlplane.planning.nodes import SUMMARY_LENGTH
from controlplane.planning.pins import plan_pins
from controlplane.planning.proposals import Custom, Proposal, judge_proposals
from controlplane.planning.resolve import Thing
from controlplane.planning.validate import is_sound, validate_design

AUTO, ONBOARD = "auto", "onboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an answer is held against; ``fixed`` is the board that the person chose, if any."""

    prompt: str
    fixed: BoardChoice | None
    stamp: DesignerStamp


def read_answer(
    text: str, wish: Wish, catalogue: Catalogue
) -> Design | Declined | tuple[Finding, ...]:
    """The design that an answer means, why there is none, or all that has to be mended in it."""
    try:
        wire = decode(WireDesign, text)
    except DocumentError as error:
        return tuple(
            complaint("E300", path, message[:LONGEST_TEXT], "Keep to the schema.")
            for path, message in error.problems[:MOST]
        )
    return declined(wire) or _Reading(wire, wish, catalogue).design()


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
        clauses = Clauses(self._wire, kinds)
        intents = clauses.intents()
        self._add(*clauses.findings)
        assembly = assemble_with(things, intents)
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
            reason=plain(self._wire.board_reason) or "chosen by Claude",
            fixed_by=FixedBy.DESIGNER,
        )

    def _declared(self, board: BoardModel, kinds: Mapping[str, ComponentKind]) -> dict[str, Thing]:
        declared: dict[str, Thing] = {}
        for wire in self._wire.components[:MOST]:
            kind = kinds.get(wire.kind)
            if not ID.fullmatch(wire.id) or wire.id == "console":
                self._add(complaint("E102", wire.id[:40], "it cannot be an id.", "Change it."))
            elif kind is None:
                self._add(complaint("E101", wire.id, "its kind is unknown.", "Change it."))
            elif wire.id in declared:
                self._add(complaint("E103", wire.id, "it is declared twice.", "Use an id once."))
            else:
                declared[wire.id] = self._thing(wire, kind, board)
        if len(self._wire.components) > MOST:
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
        if kind.has_trigger:
            message = f"a {kind.name} has a pin for its trigger, and one for its echo."
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

    def _custom(self, wire: WireCustom, things: DeclaredThings) -> Custom:
        if not ID.fullmatch(wire.id):
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
            text=plain(wire.text, 600),
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
        kinds = {c.id: self._catalogue.components[c.kind] for c in design.components}
        contacts = {s.id for s in design.signals if kinds[s.component].bounces}
        proved = judge_proposals(
            proposals, customs, [b.id for b in behaviours], design.signals, design.pins, contacts
        )
        self._add(*proved.findings)
        ours = [replace(s, generated=True) for s in design.scenarios if known or s.control]
        return replace(
            design,
            title=plain(self._wire.title, 120) or design.title,
            summary=plain(self._wire.summary, SUMMARY_LENGTH),
            behaviours=behaviours,
            scenarios=(*ours, *proved.scenarios),
            assumptions=self._all_assumptions(design),
            open_questions=open_questions(self._wire),
        )

    def _all_assumptions(self, design: Design) -> tuple[Assumption, ...]:
        texts = {assumption.id: assumption.text for assumption in design.assumptions}
        texts |= self._assumptions
        for wire in self._wire.assumptions[:MOST]:
            if ID.fullmatch(wire.id) and wire.id not in texts and wire.text.strip():
                texts[wire.id] = plain(wire.text, 400)
        return tuple(Assumption(id=key, text=text) for key, text in texts.items())


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
