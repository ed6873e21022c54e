"""Messages whose shape is not that of the domain class they tell of."""

import hashlib
from collections.abc import Iterable

from benchline.names import STACKS
from benchline.v1 import design_pb2, event_pb2, session_pb2, verdict_pb2
from controlplane.domain.design import Active, Design
from controlplane.domain.event import FACT_NAMES, Event
from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel
from controlplane.domain.session import Session
from controlplane.domain.verdict import Stage
from controlplane.edge.translate import enum_numbers, to_wire

_STAGES = enum_numbers(verdict_pb2.Stage.DESCRIPTOR)
_SEVERITIES = enum_numbers(verdict_pb2.Finding.Severity.DESCRIPTOR)
_REQUEST_FIELDS = (
    "prompt",
    "board_wish",
    "until",
    "designer",
    "etag",
    "design",
    "cost_ceiling_micro_usd",
    "stack",
    "device",
)
_FACT_FIELDS = tuple(FACT_NAMES.values())


def session_message(session: Session) -> session_pb2.Session:
    """A session, with its request beside its state."""
    message = to_wire(session, session_pb2.Session, without=_REQUEST_FIELDS)
    message.prompt = session.request.prompt
    message.board_wish = session.request.board_wish
    message.until = verdict_pb2.Stage.ValueType(_STAGES[session.request.until])
    message.designer = session.request.designer
    message.cost_ceiling_micro_usd = session.request.cost_ceiling_micro_usd
    if session.request.source is not None:
        message.design = session.request.source.design
    if session.request.stack:
        message.stack = f"{STACKS}{session.request.stack}"
        message.device = session.device
    mark = f"{session.last_sequence}/{session.update_time.isoformat()}"
    message.etag = hashlib.sha256(mark.encode()).hexdigest()[:16]
    return message


def event_message(event: Event) -> event_pb2.Event:
    """An event, with its fact in the field of its kind."""
    message = to_wire(event, event_pb2.Event, without=_FACT_FIELDS)
    field = getattr(message, FACT_NAMES[type(event.fact)])
    field.CopyFrom(to_wire(event.fact, type(field)))
    return message


def finding_message(finding: Finding, stage: Stage) -> verdict_pb2.Finding:
    """A complaint of a designer, as one of a stage."""
    return verdict_pb2.Finding(
        code=finding.code,
        subject=finding.subject,
        message=finding.message,
        fix=finding.fix,
        severity=verdict_pb2.Finding.Severity.ValueType(_SEVERITIES[finding.severity.upper()]),
        stage=verdict_pb2.Stage.ValueType(_STAGES[stage]),
    )


def design_message(design: Design) -> design_pb2.Design:
    """A design, flattened for readers; `json` is the whole of it."""
    pins = {pin.signal: pin.pin for pin in design.pins}
    return design_pb2.Design(
        design_hash=design.design_hash,
        title=design.title,
        prompt=design.prompt,
        designer=f"{design.designer.name} {design.designer.version}",
        board_model=design.board.model,
        board_reason=design.board.reason,
        part=design.board.part,
        components=[
            design_pb2.Component(
                component_id=item.id,
                kind=item.kind,
                part_number=item.part_number,
                purpose=item.note,
            )
            for item in design.components
        ],
        pins=_pins(design),
        behaviours=_behaviours(design),
        signals=[
            design_pb2.Signal(
                signal_id=item.id, kind=item.kind, pin=pins.get(item.id, ""), unit=item.unit
            )
            for item in design.signals
        ],
        assumptions=[item.text for item in design.assumptions],
        understood=[to_wire(item, design_pb2.UnderstoodSpan) for item in design.understood],
        findings=[finding_message(item, Stage.DESIGN) for item in design.findings],
        scenarios=[
            design_pb2.Scenario(
                scenario_id=item.id,
                title=item.title,
                yaml=item.yaml,
                sha256=item.sha256,
                proves=item.proves,
                generated=item.generated,
            )
            for item in design.scenarios
        ],
        json=design.to_json(),
        open_questions=[
            f"{item.text} (taken: {item.default})" if item.default else item.text
            for item in design.open_questions
        ],
        summary=design.summary,
    )


def _pins(design: Design) -> Iterable[design_pb2.PinAssignment]:
    return [
        design_pb2.PinAssignment(
            pin=item.pin,
            signal=item.signal,
            function=item.function,
            active="" if item.active is Active.NONE else item.active,
            pull=item.pull,
            fixed_by=item.fixed_by,
            reason=item.reason,
        )
        for item in design.pins
    ]


def _behaviours(design: Design) -> Iterable[design_pb2.Behaviour]:
    return [
        design_pb2.Behaviour(
            behaviour_id=item.id,
            kind=item.kind,
            text=item.text,
            parameters=[
                design_pb2.Parameter(key=p.name, value=p.value, unit=p.unit)
                for p in item.parameters
            ],
        )
        for item in design.behaviours
    ]


def board_model_message(model: BoardModel) -> design_pb2.BoardModel:
    """A catalogue entry."""
    return design_pb2.BoardModel(
        key=model.key,
        title=model.name,
        part=model.part,
        simulators=[f"{s.backend}-{s.machine}" for s in model.simulators],
    )
