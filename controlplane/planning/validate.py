"""Checks a whole design, whoever made it: all findings at once."""

import re
from collections import Counter

from controlplane.domain.design import (
    BehaviourKind,
    Design,
    FixedBy,
    PinAssignment,
    PinRole,
    Pull,
    SignalKind,
)
from controlplane.domain.finding import Finding, Severity
from controlplane.domain.part import BoardModel, Part, Pin

_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MAX_ITEMS = 64
_ROLE = {
    SignalKind.ANALOG: PinRole.ADC,
    SignalKind.DIGITAL_IN: PinRole.GPIO_IN,
    SignalKind.DIGITAL_OUT: PinRole.GPIO_OUT,
}


def validate_design(
    design: Design, board: BoardModel | None, part: Part | None
) -> tuple[Finding, ...]:
    """Every reason why a design must not be built; empty when it may."""
    findings = [*_ids(design), *_references(design)]
    if board is None or board.key != design.board.model or part is None or part.key != board.part:
        findings.append(
            _finding(
                "E101",
                design.board.model,
                "this board model is not in the catalogue.",
                "Use a board model of the catalogue.",
            )
        )
    else:
        for pin in design.pins:
            findings += _pin(pin, board, part)
    findings += _shared_pins(design)
    findings += _proved(design)
    return tuple(findings)


def _cautions(pin: PinAssignment, pad: Pin, part: Part) -> list[Finding]:
    """What is allowed on a pin but has to be known; what the board itself wires is not doubted."""
    if pin.fixed_by is FixedBy.BOARD:
        return []
    findings = []
    if pad.strapping:
        findings.append(
            _warning(
                "W114",
                pin.signal,
                f"{pin.pin} is a strapping pin: {pad.strapping}.",
                "Use another pin, or make sure that what is wired to it leaves it so at reset.",
            )
        )
    if pin.function is PinRole.ADC and pad.adc_unit != 1:
        findings.append(
            _warning(
                "W116",
                pin.signal,
                f"{pin.pin} is on the second converter: {part.adc2_reason}.",
                "Use a pin of ADC1.",
            )
        )
    return findings


def is_sound(findings: tuple[Finding, ...]) -> bool:
    """Whether findings are warnings at most."""
    return all(finding.severity is not Severity.ERROR for finding in findings)


def _finding(code: str, subject: str, message: str, fix: str) -> Finding:
    return Finding(code=code, subject=subject, message=message, fix=fix)


def _warning(code: str, subject: str, message: str, fix: str) -> Finding:
    return Finding(code=code, subject=subject, message=message, fix=fix, severity=Severity.WARNING)


def _ids(design: Design) -> list[Finding]:
    findings = []
    groups = {
        "component": [item.id for item in design.components],
        "signal": [item.id for item in design.signals],
        "behaviour": [item.id for item in design.behaviours],
        "scenario": [item.id for item in design.scenarios],
    }
    for kind, ids in groups.items():
        findings += [
            _finding(
                "E102",
                name,
                f"{kind} id {name!r} is not a short lower-case word.",
                "Use letters, digits and underscores, 32 at most.",
            )
            for name in ids
            if not _ID.fullmatch(name)
        ]
        findings += [
            _finding(
                "E103", name, f"{kind} id {name!r} is used {count} times.", "Use each id once."
            )
            for name, count in Counter(ids).items()
            if count > 1
        ]
        if len(ids) > _MAX_ITEMS:
            findings.append(
                _finding(
                    "E104", kind, f"{len(ids)} {kind}s are more than {_MAX_ITEMS}.", "Use fewer."
                )
            )
    return findings


def _references(design: Design) -> list[Finding]:
    components = {item.id for item in design.components}
    signals = {item.id for item in design.signals}
    findings = [
        _finding("E151", signal.id, f"component {signal.component!r} does not exist.", "Add it.")
        for signal in design.signals
        if signal.component not in components
    ]
    findings += [
        _finding("E151", behaviour.id, f"signal {name!r} does not exist.", "Add the signal.")
        for behaviour in design.behaviours
        for name in behaviour.signals
        if name not in signals
    ]
    pins = {pin.signal: pin for pin in design.pins}
    for signal in design.signals:
        pin = pins.get(signal.id)
        if pin is None:
            findings.append(
                _finding("E151", signal.id, "the signal has no pin.", "Let the pin solver run.")
            )
        elif pin.function is not _ROLE[signal.kind]:
            findings.append(
                _finding(
                    "E120",
                    signal.id,
                    f"{pin.pin} does {pin.function}, not {signal.kind}.",
                    f"Use {_ROLE[signal.kind]}.",
                )
            )
    return findings


def _pin(pin: PinAssignment, board: BoardModel, part: Part) -> list[Finding]:
    pad = part.pin(pin.pin)
    if pad is None:
        return [_finding("E110", pin.signal, f"{part.name} has no pin {pin.pin}.", "Use another.")]
    console = {board.console.tx: PinRole.UART_TX, board.console.rx: PinRole.UART_RX}
    if pin.pin in console:
        if pin.function is console[pin.pin]:
            return []
        return [_finding("E115", pin.signal, f"{pin.pin} carries the console.", "Use another pin.")]
    reserved = pad.kept_for or dict(board.reserved).get(pin.pin, "")
    if reserved:
        return [
            _finding("E113", pin.signal, f"{pin.pin} is kept for {reserved}.", "Use another pin.")
        ]
    if pad.input_only and (pin.function is PinRole.GPIO_OUT or pin.pull is not Pull.NONE):
        message = f"{pin.pin} is an input only, without resistors inside."
        return [_finding("E112", pin.signal, message, "Use another pin.")]
    if pin.function not in pad.roles:
        code = "E117" if pin.function is PinRole.ADC else "E120"
        return [
            _finding(code, pin.signal, f"{pin.pin} cannot do {pin.function}.", "Use another pin.")
        ]
    return _cautions(pin, pad, part)


def _shared_pins(design: Design) -> list[Finding]:
    owners: dict[str, list[str]] = {}
    for pin in design.pins:
        owners.setdefault(pin.pin, []).append(pin.signal)
    return [
        _finding(
            "E111", name, f"{name} is used by {' and '.join(users)}.", "Give each its own pin."
        )
        for name, users in owners.items()
        if len(users) > 1
    ]


def _proved(design: Design) -> list[Finding]:
    proved = {name for scenario in design.scenarios for name in scenario.proves}
    findings = [
        _finding("E150", behaviour.id, "no scenario proves this behaviour.", "Add an assertion.")
        for behaviour in design.behaviours
        if behaviour.id not in proved
    ]
    known = {behaviour.id for behaviour in design.behaviours}
    findings += [
        _finding("E151", name, "a scenario proves a behaviour that does not exist.", "Name one.")
        for name in sorted(proved - known)
    ]
    if not any(scenario.control for scenario in design.scenarios):
        findings.append(
            _finding("E150", "scenarios", "there is no control run without stimuli.", "Add one.")
        )
    if not any(behaviour.kind in BehaviourKind for behaviour in design.behaviours):
        findings.append(_finding("E200", "design", "the design does nothing.", "Add a behaviour."))
    return findings
