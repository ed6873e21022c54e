"""Pin assignment: deterministic, reserved pins kept, every problem reported."""

import pytest

from controlplane.catalog.loader import load_catalogue
from controlplane.domain.design import FixedBy, PinRole, Pull
from controlplane.planning.pins import PinDemand, PinPlan, plan_pins

CATALOGUE = load_catalogue()
BOARD = CATALOGUE.boards["olimex-stm32-h405"]
PART = CATALOGUE.part_of(BOARD)


def plan(*demands: PinDemand, board: str = BOARD.key) -> PinPlan:
    model = CATALOGUE.boards[board]
    return plan_pins(CATALOGUE.part_of(model), model, demands)


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


EVERY = [board.key for board in CATALOGUE.boards.values()]


@pytest.mark.parametrize("board", EVERY)
@pytest.mark.parametrize("role", [PinRole.GPIO_OUT, PinRole.GPIO_IN, PinRole.ADC])
def test_pins_run_out_without_a_wrong_one_being_given(board: str, role: PinRole) -> None:
    model = CATALOGUE.boards[board]
    part = CATALOGUE.part_of(model)
    found = plan(*(wish(f"x{i:02}", role) for i in range(60)), board=board)
    given = [solved.pin for solved in found.pins]
    kept = {pin.name for pin in part.pins if pin.kept_for} | dict(model.reserved).keys()
    kept |= {model.console.tx, model.console.rx} | {item.pin for item in model.onboard}

    assert len(given) == len(set(given))
    assert not set(given) & kept
    assert all(role in pad.roles for pad in map(part.pin, given) if pad)
    assert [finding.code for finding in found.findings] == ["E110"] * (60 - len(given))


def test_strapping_pins_and_the_second_converter_come_last_and_say_why() -> None:
    outputs = plan(
        *(wish(f"x{i}", PinRole.GPIO_OUT) for i in range(9)), board="esp32-c3-devkitm-1"
    ).pins
    inputs = plan(*(wish(f"x{i}", PinRole.ADC) for i in range(6)), board="esp32-c3-devkitm-1").pins

    assert [solved.pin for solved in outputs][-1] == "GPIO2"
    assert "strapping" in outputs[-1].reason
    assert not any("strapping" in solved.reason for solved in outputs[:-1])
    assert [solved.pin for solved in inputs][-2:] == ["GPIO5", "GPIO2"]
    assert "Wi-Fi takes it" in inputs[-2].reason


def test_inputs_only_are_never_outputs_and_have_no_pull_up() -> None:
    button = PinDemand(owner="button", role=PinRole.GPIO_IN, pull=Pull.UP)
    taken = [wish(f"x{i:02}", PinRole.GPIO_OUT) for i in range(17)]
    found = plan(*taken, button, board="esp32-devkitc-v4")
    fixed = plan(
        wish("fan", PinRole.GPIO_OUT, "GPIO34"),
        PinDemand(
            owner="button",
            role=PinRole.GPIO_IN,
            pull=Pull.UP,
            pin="GPIO35",
            fixed_by=FixedBy.USER,
        ),
        wish("light", PinRole.ADC, "GPIO39"),
        board="esp32-devkitc-v4",
    )

    assert not {solved.pin for solved in found.pins} & {"GPIO34", "GPIO35", "GPIO36", "GPIO39"}
    assert [finding.code for finding in fixed.findings] == ["E112", "E112"]
    assert [solved.pin for solved in fixed.pins] == ["GPIO39"]


@pytest.mark.parametrize(
    ("board", "pin", "code"),
    [
        ("esp32-c3-devkitm-1", "GPIO18", "E113"),
        ("esp32-c3-devkitm-1", "GPIO12", "E113"),
        ("esp32-c3-devkitm-1", "GPIO20", "E115"),
        ("esp32-c3-devkitm-1", "GPIO8", "E111"),
        ("esp32-c3-devkitm-1", "GPIO22", "E110"),
        ("esp32-c3-devkitm-1", "PA5", "E110"),
        ("esp32-devkitc-v4", "GPIO6", "E113"),
        ("esp32-s3-devkitc-1", "GPIO38", "E113"),
        ("nucleo-f446re", "GPIO4", "E110"),
        ("blackpill-f411ce", "PA11", "E113"),
    ],
)
def test_a_wrong_wish_names_pins_of_that_board(board: str, pin: str, code: str) -> None:
    found = plan(wish("fan", PinRole.GPIO_OUT, pin), board=board)

    assert [finding.code for finding in found.findings] == [code]
    if code == "E110":
        model = CATALOGUE.boards[board]
        assert any(name in found.findings[0].fix for name in model.preferred)
        assert pin.rstrip("0123456789") not in found.findings[0].fix or pin.startswith("GPIO2")
