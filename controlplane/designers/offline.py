"""The offline designer: a grammar, a pin solver and templates. Same prompt, same design."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from controlplane.catalog.loader import Catalogue, load_catalogue
from controlplane.designers.completing import Completion
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import (
    SCHEMA_VERSION,
    Active,
    Assumption,
    BehaviourKind,
    BoardChoice,
    Design,
    DesignComponent,
    DesignerStamp,
    DesignPart,
    DesignSignal,
    FixedBy,
    PinAssignment,
    PinRole,
    Pull,
    SignalKind,
    UnderstoodSpan,
    text_digest,
)
from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel, Part
from controlplane.domain.units import Unit, decimal_text
from controlplane.planning.acceptance import write_scenarios
from controlplane.planning.assembly import Assembly, assemble
from controlplane.planning.boards import choose_model, models_to_choose
from controlplane.planning.cloud import cloud_of
from controlplane.planning.intent import OnBoardModel
from controlplane.planning.nodes import SUMMARY_LENGTH, single_node, with_electrical
from controlplane.planning.pins import PinDemand, PinPlan, plan_pins
from controlplane.planning.reading import PromptReader
from controlplane.planning.resolve import Thing
from controlplane.planning.timeline import ECHO_WAIT_MS
from controlplane.planning.validate import is_sound, validate_design


class OfflineDesigner:
    """A deterministic designer that needs no network."""

    name = "offline"
    version = "1"
    stamp = DesignerStamp(name=name, version=version)

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self._given = catalogue

    @cached_property
    def _catalogue(self) -> Catalogue:
        return self._given or load_catalogue()

    @cached_property
    def _reader(self) -> PromptReader:
        return PromptReader(self._catalogue.components, self._catalogue.names)

    async def design(self, request: DesignRequest) -> Design | Refusal:
        """Design beside the event loop: a long sentence with many blanks takes seconds."""
        return await asyncio.to_thread(self.plan, request)

    def plan(self, request: DesignRequest) -> Design | Refusal:
        """Design: the same request with the same answers gives the same design, byte for byte.

        Answers are put into the sentence; where it still has blanks, they are asked about.
        """
        completion = Completion(request, self._judged(request), self._judged, self._models)
        for answers in request.answers:
            completion.fill(answers)
        if isinstance(completion.outcome, Design):
            return completion.outcome
        return replace(completion.outcome, questions=completion.questions())

    def _models(self, request: DesignRequest) -> tuple[str, ...]:
        """The board models among which the person has to choose."""
        reading = self._reader.read(request.prompt)
        said = [i.naming for i in reading.intents if isinstance(i, OnBoardModel)]
        return models_to_choose(self._catalogue, request.board, said, request.bench)

    def _judged(self, request: DesignRequest) -> Design | Refusal:
        """The design of a sentence as it stands, or every finding."""
        reading = self._reader.read(request.prompt)
        said = [i.naming for i in reading.intents if isinstance(i, OnBoardModel)]
        choice = choose_model(self._catalogue, request.board, said, request.bench)
        if isinstance(choice, Finding):
            return Refusal(findings=(*reading.findings, choice), understood=reading.understood)
        board = self._catalogue.boards[choice.model]
        intents = [i for i in reading.intents if not isinstance(i, OnBoardModel)]
        part = self._catalogue.part_of(board)
        assembly = assemble(intents, board, self._catalogue.components_on(part))
        plan = plan_pins(part, board, pin_demands(assembly.things))
        findings = tuple(dict.fromkeys((*reading.findings, *assembly.findings, *plan.findings)))
        if reading.findings:
            # What was not understood can be why something else seems to be missing.
            findings = tuple(
                f
                for f in findings
                if f in reading.findings or (f.code != "E151" and f.subject != "prompt")
            )
        if findings:
            return Refusal(findings=findings, understood=reading.understood)
        design = compose_design(
            request.prompt, choice, board, part, reading.understood, assembly, plan, self.stamp
        )
        problems = validate_design(design, board, part, self._catalogue.electrical)
        if not is_sound(problems):
            return Refusal(findings=problems, understood=reading.understood)
        return replace(design, findings=problems)


def pin_demands(things: Sequence[Thing]) -> list[PinDemand]:
    """The wishes for the pins of things, one for each signal."""
    demands = []
    for thing in things:
        onboard = thing.onboard
        for signal, pin in zip(thing.wires, thing.pins, strict=True):
            said = FixedBy.USER if pin else FixedBy.DESIGNER
            demands.append(
                PinDemand(
                    owner=signal,
                    role=PinRole.GPIO_OUT if signal == thing.trigger else thing.kind.pin_role,
                    pull=onboard.pull if onboard else thing.kind.pull,
                    pin=pin,
                    fixed_by=FixedBy.BOARD if onboard else said,
                )
            )
    return demands


def compose_design(
    prompt: str,
    choice: BoardChoice,
    board: BoardModel,
    part: Part,
    understood: tuple[UnderstoodSpan, ...],
    assembly: Assembly,
    plan: PinPlan,
    stamp: DesignerStamp,
) -> Design:
    """Write the document of what was assembled and wired, with its scenarios."""
    signals = tuple(_signal(t, name) for t in assembly.things for name in t.wires)
    pins = (*_wired(assembly.things, plan, board), *_console(board))
    title = _title(assembly)
    scenarios = write_scenarios(title, assembly.behaviours, signals, pins)
    return Design(
        schema_version=SCHEMA_VERSION,
        title=title,
        prompt=prompt,
        prompt_digest=text_digest(prompt),
        designer=stamp,
        board=choice,
        parts=(
            DesignPart(
                key=part.key,
                name=part.name,
                flash_bytes=part.flash_bytes,
                ram_bytes=part.ram_bytes,
            ),
        ),
        components=tuple(_component(thing, board) for thing in assembly.things),
        pins=pins,
        signals=signals,
        behaviours=assembly.behaviours,
        assumptions=(
            *assembly.assumptions,
            *_sensor_assumptions(assembly.things),
            Assumption(
                id="console",
                text=f"The console is {board.console.uart.upper()} on "
                f"{board.console.tx} and {board.console.rx} at {board.console.baud} baud.",
            ),
            *(
                Assumption(
                    id=s.id,
                    text=f"{s.title} This takes {s.duration_ms // 1000} s, so it is "
                    "proved in the simulator and not run on boards.",
                )
                for s in scenarios
                if "fast_time" in s.requires
            ),
        ),
        understood=understood,
        findings=(),
        scenarios=scenarios,
        summary=" ".join(behaviour.text for behaviour in assembly.behaviours)[:SUMMARY_LENGTH],
        nodes=(single_node(board, part),),
        cloud=cloud_of(assembly.behaviours),
    )


def _sensor_assumptions(things: Sequence[Thing]) -> list[Assumption]:
    found = []
    for thing in things:
        kind = thing.kind
        if kind.role != "sensor":
            continue
        text = f"The {kind.signal} comes from a {kind.key}"
        if kind.has_trigger:
            text += (
                f"; where no echo comes, nothing is within {decimal_text(kind.maximum)} "
                f"{kind.unit} or the sensor is missing: no value is given and outputs that follow "
                f"it go off. A measurement holds the program up for up to {ECHO_WAIT_MS} ms"
            )
        elif kind.detects_absence:
            text += (
                f"; readings outside {decimal_text(kind.minimum)} to {decimal_text(kind.maximum)} "
                f"{kind.unit} count as a missing sensor: no value is given and outputs that "
                "follow it go off"
            )
        found.append(Assumption(id=f"sensor_{thing.id}", text=f"{text}."))
    if found:
        found.append(Assumption(id="sampling", text="Sensors are read every 100 ms."))
    return found


def _title(assembly: Assembly) -> str:
    words = {
        BehaviourKind.BLINK: "blink",
        BehaviourKind.REPORT: "report",
        BehaviourKind.THRESHOLD: "threshold",
        BehaviourKind.BUTTON: "button",
        BehaviourKind.COMMAND: "command",
        BehaviourKind.ECHO: "echo",
        BehaviourKind.FOLLOW: "follow",
        BehaviourKind.NOTICE: "notice",
        BehaviourKind.TURN: "turn",
        BehaviourKind.PUBLISH: "publish",
        BehaviourKind.MESSAGE: "message",
        BehaviourKind.CYCLE: "cycle",
        BehaviourKind.BANDS: "bands",
    }
    kinds = dict.fromkeys(words[behaviour.kind] for behaviour in assembly.behaviours)
    things = dict.fromkeys(
        signal.replace("_", " ")
        for behaviour in assembly.behaviours
        for signal in behaviour.signals
    )
    title = ", ".join(kinds).capitalize()
    return f"{title}: {', '.join(things)}"[:120] if things else title


def _component(thing: Thing, board: BoardModel) -> DesignComponent:
    onboard = thing.onboard
    component = DesignComponent(
        id=thing.id,
        kind=thing.kind.key,
        part_number=onboard.label if onboard else thing.kind.part_number,
        signals=thing.wires,
        note=f"on the {board.name}" if onboard else thing.kind.note,
    )
    if onboard:
        return component
    component = with_electrical(component, thing.kind.electrical)
    divided = thing.kind.divided_mv
    return replace(component, logic_mv=divided) if divided else component


def _signal(thing: Thing, name: str) -> DesignSignal:
    kind = thing.kind
    if name == thing.trigger:
        return _trigger(thing)
    return DesignSignal(
        id=name,
        component=thing.id,
        kind=kind.signal_kind,
        unit=kind.unit,
        line_name=name,
        mv_at_zero=decimal_text(kind.mv_at_zero),
        mv_per_unit=decimal_text(kind.mv_per_unit),
        minimum=decimal_text(kind.minimum),
        maximum=decimal_text(kind.maximum),
        full_scale_mv=kind.full_scale_mv,
        trigger=thing.trigger,
        us_per_unit=decimal_text(kind.us_per_unit) if thing.trigger else "",
    )


def _trigger(thing: Thing) -> DesignSignal:
    return DesignSignal(
        id=thing.trigger,
        component=thing.id,
        kind=SignalKind.DIGITAL_OUT,
        unit=Unit.NONE,
        line_name=thing.trigger,
        mv_at_zero="0",
        mv_per_unit="0",
        minimum="0",
        maximum="0",
    )


def _wired(things: Sequence[Thing], plan: PinPlan, board: BoardModel) -> tuple[PinAssignment, ...]:
    by_signal = {name: thing for thing in things for name in thing.wires}
    pins = []
    for solved in plan.pins:
        thing = by_signal[solved.demand.owner]
        onboard = thing.onboard
        active = onboard.active if onboard else thing.kind.active
        pins.append(
            PinAssignment(
                pin=solved.pin,
                signal=solved.demand.owner,
                component=thing.id,
                function=solved.demand.role,
                active=Active.HIGH if solved.demand.owner == thing.trigger else active,
                pull=onboard.pull if onboard else thing.kind.pull,
                fixed_by=solved.demand.fixed_by,
                reason=solved.reason,
            )
        )
    return tuple(pins)


def _console(board: BoardModel) -> tuple[PinAssignment, ...]:
    roles = ((board.console.tx, PinRole.UART_TX), (board.console.rx, PinRole.UART_RX))
    return tuple(
        PinAssignment(
            pin=pin,
            signal="console",
            component="console",
            function=role,
            active=Active.NONE,
            pull=Pull.UP if role is PinRole.UART_RX else Pull.NONE,
            fixed_by=FixedBy.BOARD,
            reason=board.console.source,
        )
        for pin, role in roles
    )
