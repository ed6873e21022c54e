"""Checks a whole design, whoever made it: all findings at once, always in the same order."""

import re
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

from controlplane.domain.design import BehaviourKind, Design, PinRole, SignalKind
from controlplane.domain.finding import Finding
from controlplane.domain.part import BoardModel, Electrical, Part
from controlplane.planning.complaints import complaint, is_sound
from controlplane.planning.limits import (
    DEBOUNCE_RANGE_MS,
    LONGEST_HOLD_MS,
    LONGEST_PERIOD_MS,
    SHORTEST_BLINK_MS,
    SHORTEST_PUBLISH_MS,
    SHORTEST_REPORT_MS,
)
from controlplane.planning.validate_buses import bus_findings
from controlplane.planning.validate_pins import pin_findings
from controlplane.planning.validate_power import power_findings
from controlplane.planning.validate_system import system_findings

__all__ = ["is_sound", "validate_design"]

_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MAX_ITEMS = 64
_ROLES = {
    SignalKind.ANALOG: {PinRole.ADC},
    SignalKind.DIGITAL_IN: {PinRole.GPIO_IN},
    SignalKind.ECHO: {PinRole.GPIO_IN},
    SignalKind.DIGITAL_OUT: {PinRole.GPIO_OUT, PinRole.PWM},
}
_CUSTOM = "custom"
_NO_KINDS: Mapping[str, Electrical] = {}


def validate_design(
    design: Design,
    board: BoardModel | None,
    part: Part | None,
    kinds: Mapping[str, Electrical] = _NO_KINDS,
) -> tuple[Finding, ...]:
    """Every reason why a design must not be built; warnings at most when it may.

    ``kinds`` are the kinds of components that there are; without them, kinds are not judged.
    """
    findings = [*_ids(design), *_references(design)]
    if board is None or board.key != design.board.model or part is None or part.key != board.part:
        findings.append(
            complaint(
                "E101",
                design.board.model,
                "this board model is not in the catalogue.",
                "Use a board model of the catalogue.",
            )
        )
    else:
        findings += _kinds(design, kinds, board)
        findings += pin_findings(design, board, part)
        findings += bus_findings(design, board, part, kinds)
        findings += power_findings(design, part, kinds)
        findings += system_findings(design, board, part)
    findings += _proved(design)
    findings += _periods(design)
    return tuple(dict.fromkeys(findings))


def _ids(design: Design) -> list[Finding]:
    findings = []
    groups = {
        "component": [item.id for item in design.components],
        "signal": [item.id for item in design.signals],
        "behaviour": [item.id for item in design.behaviours],
        "scenario": [item.id for item in design.scenarios],
        "node": [item.id for item in design.nodes],
        "bus": [item.id for item in design.buses],
        "link": [item.id for item in design.links],
        "cloud resource": [item.id for item in design.cloud.resources],
        "requirement": [item.id for item in design.requirements],
        "question": [item.id for item in design.open_questions],
    }
    for kind, ids in groups.items():
        if kind == "scenario":  # scenario ids are file names, and have room for a behaviour's id
            ids_to_spell = [name for name in ids if not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", name)]
        else:
            ids_to_spell = [name for name in ids if not _ID.fullmatch(name)]
        findings += [
            complaint(
                "E102",
                name[:80],
                f"{kind} id {name[:80]!r} is not a short lower-case word.",
                "Use letters, digits and underscores, 32 at most.",
            )
            for name in ids_to_spell
        ]
        findings += [
            complaint(
                "E103",
                name[:80],
                f"{kind} id {name[:80]!r} is used {count} times.",
                "Use each id once.",
            )
            for name, count in Counter(ids).items()
            if count > 1
        ]
        if len(ids) > _MAX_ITEMS:
            findings.append(
                complaint(
                    "E104", kind, f"{len(ids)} {kind}s are more than {_MAX_ITEMS}.", "Use fewer."
                )
            )
    return findings


def _references(design: Design) -> list[Finding]:
    components = {item.id for item in design.components}
    signals = {item.id for item in design.signals}
    findings = [
        complaint("E151", signal.id, f"component {signal.component!r} does not exist.", "Add it.")
        for signal in design.signals
        if signal.component not in components
    ]
    findings += [
        complaint("E151", behaviour.id, f"signal {name!r} does not exist.", "Add the signal.")
        for behaviour in design.behaviours
        for name in behaviour.signals
        if name not in signals
    ]
    findings += [
        complaint("E151", component.id, f"signal {name!r} does not exist.", "Add the signal.")
        for component in design.components
        for name in component.signals
        if name not in signals
    ]
    on_a_bus = {member.component for bus in design.buses for member in bus.members}
    pins = {pin.signal: pin for pin in design.pins}
    for signal in design.signals:
        pin = pins.get(signal.id)
        if pin is None:
            if signal.component not in on_a_bus:
                findings.append(
                    complaint("E151", signal.id, "the signal has no pin.", "Let the solver run.")
                )
        elif pin.function not in _ROLES[signal.kind]:
            wanted = sorted(_ROLES[signal.kind])[0]
            findings.append(
                complaint(
                    "E120",
                    signal.id,
                    f"{pin.pin} does {pin.function}, not {signal.kind}.",
                    f"Use {wanted}.",
                )
            )
    return findings


def _kinds(design: Design, kinds: Mapping[str, Electrical], board: BoardModel) -> list[Finding]:
    if not kinds:
        return []
    known = {*kinds, _CUSTOM, *(item.kind for item in board.onboard)}
    return [
        complaint(
            "E101",
            item.id,
            f"the catalogue has no kind of component {item.kind[:60]!r}.",
            f"Use one of {', '.join(sorted(known))}.",
        )
        for item in design.components
        if item.kind not in known
    ]


def _proved(design: Design) -> list[Finding]:
    proved = {name for scenario in design.scenarios for name in scenario.proves}
    findings = [
        complaint("E150", behaviour.id, "no scenario proves this behaviour.", "Add an assertion.")
        for behaviour in design.behaviours
        if behaviour.id not in proved
    ]
    known = {behaviour.id for behaviour in design.behaviours}
    findings += [
        complaint("E151", name, "a scenario proves a behaviour that does not exist.", "Name one.")
        for name in sorted(proved - known)
    ]
    if not any(scenario.control for scenario in design.scenarios):
        findings.append(
            complaint("E150", "scenarios", "there is no control run without stimuli.", "Add one.")
        )
    if not design.behaviours:
        findings.append(complaint("E200", "design", "the design does nothing.", "Add a behaviour."))
    return findings


def _periods(design: Design) -> list[Finding]:
    """Times that the 1 ms tick, the console or the longest scenario cannot show."""
    bounds = {
        (BehaviourKind.BLINK, "period"): (SHORTEST_BLINK_MS, LONGEST_PERIOD_MS),
        (BehaviourKind.REPORT, "period"): (SHORTEST_REPORT_MS, LONGEST_PERIOD_MS),
        (BehaviourKind.PUBLISH, "period"): (SHORTEST_PUBLISH_MS, LONGEST_PERIOD_MS),
        (BehaviourKind.BUTTON, "debounce"): DEBOUNCE_RANGE_MS,
        (BehaviourKind.FOLLOW, "hold"): (Fraction(0), Fraction(LONGEST_HOLD_MS)),
    }
    findings = []
    for behaviour in design.behaviours:
        for parameter in behaviour.parameters:
            bound = bounds.get((behaviour.kind, parameter.name))
            if bound is None:
                continue
            low, high = bound
            try:
                fits = low <= parameter.number <= high
            except ValueError:
                fits = False
            if not fits:
                findings.append(
                    complaint(
                        "E152",
                        behaviour.id,
                        f"the {parameter.name} {parameter.value[:40]!r} ms cannot be met.",
                        f"Use {float(low):g} to {float(high):g} ms.",
                    )
                )
    return findings
