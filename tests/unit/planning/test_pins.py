"""Pin assignment: deterministic, reserved pins kept, every problem reported."""

from controlplane.catalog.loader import load_catalogue
from controlplane.domain.design import FixedBy, PinRole
from controlplane.planning.pins import PinDemand, PinPlan, plan_pins

CATALOGUE = load_catalogue()
BOARD = CATALOGUE.boards["olimex-stm32-h405"]
PART = CATALOGUE.part_of(BOARD)


def plan(*demands: PinDemand) -> PinPlan:
    return plan_pins(PART, BOARD, demands)


def wish(owner: str, role: PinRole, pin: str = "") -> PinDemand:
    fixed_by = FixedBy.USER if pin else FixedBy.DESIGNER
    return PinDemand(owner=owner, role=role, pin=pin, fixed_by=fixed_by)


def test_analog_inputs_keep_their_pins_from_outputs() -> None:
    outputs = [wish(f"out{i}", PinRole.GPIO_OUT) for i in range(12)]
    inputs = [wish(f"in{i}", PinRole.ADC) for i in range(8)]
    found = plan(*outputs, *inputs)

    assert found.findings == ()
    assert len({solved.pin for solved in found.pins}) == 20


def test_reserved_and_console_pins_are_never_given() -> None:
    found = plan(*(wish(f"out{i}", PinRole.GPIO_OUT) for i in range(34)))
    given = {solved.pin for solved in found.pins}
    kept = {pin.name for pin in PART.pins if pin.reserved} | {name for name, _ in BOARD.reserved}

    assert not given & (kept | {"PC12", "PA0"})


def test_every_unmet_demand_is_reported() -> None:
    found = plan(*(wish(f"in{i:02}", PinRole.ADC) for i in range(20)))

    assert [finding.code for finding in found.findings] == ["E110"] * len(found.findings)
    assert len(found.findings) + len(found.pins) == 20


def test_all_wrong_wishes_are_reported_at_once() -> None:
    found = plan(
        wish("a", PinRole.GPIO_OUT, "PA13"),
        wish("b", PinRole.GPIO_OUT, "PA2"),
        wish("c", PinRole.ADC, "PB5"),
        wish("d", PinRole.GPIO_OUT, "PZ1"),
        wish("e", PinRole.GPIO_OUT, "PB0"),
        wish("f", PinRole.GPIO_OUT, "PB0"),
        wish("g", PinRole.GPIO_OUT, "PC12"),
    )

    codes = [finding.code for finding in found.findings]
    assert codes == ["E113", "E115", "E117", "E110", "E111", "E111"]


def test_the_order_of_demands_does_not_change_pins() -> None:
    demands = [wish("relay", PinRole.GPIO_OUT), wish("temperature", PinRole.ADC)]
    forward = {solved.demand.owner: solved.pin for solved in plan(*demands).pins}
    backward = {solved.demand.owner: solved.pin for solved in plan(*reversed(demands)).pins}

    assert forward == backward


def test_each_pin_has_a_reason() -> None:
    found = plan(wish("relay", PinRole.GPIO_OUT), wish("fan", PinRole.GPIO_OUT, "PB1"))

    assert [bool(solved.reason) for solved in found.pins] == [True, True]
    assert found.pins[1].reason == "named in the prompt"
