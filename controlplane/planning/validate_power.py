"""The rules of levels and currents."""

from collections.abc import Mapping
from dataclasses import replace

from controlplane.domain.design import Design, DesignComponent, FixedBy, PinAssignment, PinRole
from controlplane.domain.finding import Finding
from controlplane.domain.part import SUPPLY_MV, Electrical, Part
from controlplane.planning.complaints import complaint
from controlplane.planning.nodes import with_electrical

_OUTPUTS = frozenset({PinRole.GPIO_OUT, PinRole.PWM})
_TOLERANCE_MV = 300
"""How far above the supply a pad may be driven: VDD + 0.3 V for pads that are not tolerant."""


def power_findings(design: Design, part: Part, kinds: Mapping[str, Electrical]) -> list[Finding]:
    """Levels that pins do not tolerate, loads that need a driver, more current than there is."""
    soldered = {pin.component for pin in design.pins if pin.fixed_by is FixedBy.BOARD}
    findings = []
    loose = []
    for component in design.components:
        if component.id in soldered:
            continue
        facts = _with_facts(component, design, kinds)
        loose.append(facts)
        pins = [pin for pin in design.pins if pin.component == component.id]
        findings += _levels(facts, [*pins, *_bus_pins(component, design)], part)
        findings += _drivers(facts, pins, part, kinds)
    return findings + _budget(design, loose, part)


def _with_facts(
    component: DesignComponent, design: Design, kinds: Mapping[str, Electrical]
) -> DesignComponent:
    """The component as it has to be judged.

    Documents of version 1 state no electrical facts: there the catalogue's hold. In later ones a
    current that is below what the catalogue knows does not hold.
    """
    known = kinds.get(component.kind)
    if known is None:
        return component
    if design.schema_version == 1:
        return with_electrical(component, known)
    return replace(
        component,
        supply_ma=max(component.supply_ma, known.supply_ma),
        pin_ma=max(component.pin_ma, known.pin_ma),
        logic_mv=component.logic_mv or known.logic_mv,
    )


def _bus_pins(component: DesignComponent, design: Design) -> list[PinAssignment]:
    buses = {bus.id for bus in design.buses for m in bus.members if m.component == component.id}
    return [pin for pin in design.pins if pin.signal in buses]


def _levels(component: DesignComponent, pins: list[PinAssignment], part: Part) -> list[Finding]:
    findings = []
    for pin in pins:
        pad = part.pin(pin.pin)
        if pad is None or pin.function in _OUTPUTS:
            continue
        # A pad that measures is tolerant no more.
        tolerant = pad.five_volt_tolerant and pin.function is not PinRole.ADC
        highest = 5500 if tolerant else SUPPLY_MV + _TOLERANCE_MV
        if component.logic_mv > highest:
            findings.append(
                complaint(
                    "E140",
                    component.id,
                    f"it drives {pin.pin} to {component.logic_mv} mV; the pin takes {highest} mV.",
                    "Use a level shifter or a divider, or a pin that tolerates it.",
                )
            )
    return findings


def _drivers(
    component: DesignComponent,
    pins: list[PinAssignment],
    part: Part,
    kinds: Mapping[str, Electrical],
) -> list[Finding]:
    if not any(pin.function in _OUTPUTS for pin in pins):
        return []
    known = kinds.get(component.kind)
    findings = []
    if known is not None and known.driver and not component.driver:
        message = f"a {component.kind} is more than a pin can feed."
        findings.append(complaint("E141", component.id, message, f"Use a {known.driver}."))
    elif component.pin_ma > part.pin_max_ma > 0 and not component.driver:
        message = f"it takes {component.pin_ma} mA; a pin gives {part.pin_max_ma} mA at most."
        findings.append(complaint("E141", component.id, message, "Put a driver between."))
    lacks = known is not None and known.series_ohm > component.series_ohm <= 0
    if known is not None and lacks and not component.driver:
        message = f"the {component.kind} has no resistor in series."
        findings.append(complaint("W142", component.id, message, f"Use {known.series_ohm} Ohm."))
    return findings


def _budget(design: Design, components: list[DesignComponent], part: Part) -> list[Finding]:
    taken = part.supply_ma
    driven = {pin.component for pin in design.pins if pin.function in _OUTPUTS}
    for component in components:
        taken += component.supply_ma
        if component.id in driven and not component.driver:
            taken += component.pin_ma
    return [
        complaint(
            "E143",
            node.id,
            f"the parts take up to {taken} mA; the supply gives {node.power.budget_ma} mA.",
            "Feed loads from a supply of their own.",
        )
        for node in design.nodes
        if 0 < node.power.budget_ma < taken
    ]
