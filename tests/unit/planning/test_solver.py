"""The pin solver against an independent checker and against brute force."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design, FixedBy, PinRole, Pull
from controlplane.planning.pins import PinDemand, PinPlan, SolvedPin, plan_pins
from controlplane.planning.validate import is_sound, validate_design
from tests.unit.planning import pin_checker
from tests.unit.planning.pin_checker import Given, Wish

CATALOGUE = load_catalogue()
BOARDS = sorted(CATALOGUE.boards)
PLAIN = (PinRole.GPIO_IN, PinRole.GPIO_OUT, PinRole.ADC)
GROUPS = {
    "i2c": (PinRole.I2C_SDA, PinRole.I2C_SCL),
    "spi": (PinRole.SPI_SCK, PinRole.SPI_MOSI),
    "uart": (PinRole.UART_TX, PinRole.UART_RX),
    "can": (PinRole.CAN_TX, PinRole.CAN_RX),
}
MOST_TRIED = 6000


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, tuple[str, ...], list[Wish]]:
    """A board with few pins on its header, and a few wishes."""
    board = draw(st.sampled_from(BOARDS))
    pins = CATALOGUE.boards[board].preferred
    preferred = tuple(draw(st.lists(st.sampled_from(pins), min_size=2, max_size=6, unique=True)))
    wishes = []
    for number in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["plain", "plain", "pwm", "bus"]))
        if kind == "plain":
            role = draw(st.sampled_from(PLAIN))
            pull = role is PinRole.GPIO_IN and draw(st.booleans())
            wishes.append(Wish(f"x{number}", role.value, pull=pull))
        elif kind == "pwm":
            rate = draw(st.sampled_from([50, 1000]))
            wishes.append(Wish(f"x{number}", "pwm", hz=rate))
        else:
            bus = draw(st.sampled_from(sorted(GROUPS)))
            wishes += [
                Wish(f"x{number}{role.value}", role.value, group=f"bus{number}")
                for role in GROUPS[bus]
            ]
    assume(pin_checker.size(board, preferred, wishes) <= MOST_TRIED)
    return board, preferred, wishes


def planned(
    board: str,
    preferred: tuple[str, ...],
    wishes: list[Wish],
    previous: dict[str, str] | None = None,
) -> PinPlan:
    model = replace(CATALOGUE.boards[board], preferred=preferred)
    demands = [
        PinDemand(
            owner=wish.owner,
            role=PinRole(wish.role),
            pull=Pull.UP if wish.pull else Pull.NONE,
            pin=wish.fixed,
            fixed_by=FixedBy.USER if wish.fixed else FixedBy.DESIGNER,
            group=wish.group,
            frequency_hz=wish.hz,
        )
        for wish in wishes
    ]
    return plan_pins(CATALOGUE.part_of(model), model, demands, previous)


def told(pin: SolvedPin) -> Given:
    if pin.peripheral.startswith("ledc"):
        return Given(pin.pin, "ledc")
    number = f" {pin.alternate}" if pin.alternate >= 0 else ""
    return Given(pin.pin, f"{pin.peripheral}{number}")


def met(plan: PinPlan, wishes: list[Wish]) -> list[Wish]:
    owners = {pin.demand.owner for pin in plan.pins}
    return [wish for wish in wishes if wish.owner in owners]


@settings(max_examples=150)
@given(cases())
def test_what_is_given_is_possible_and_what_is_refused_is_not(
    case: tuple[str, tuple[str, ...], list[Wish]],
) -> None:
    board, preferred, wishes = case
    plan = planned(board, preferred, wishes)
    kept = met(plan, wishes)
    found = [told(pin) for pin in plan.pins]

    assert pin_checker.clashes(board, kept, found) == []
    for wish, each in zip(kept, found, strict=True):
        assert each in list(pin_checker.possible(board, preferred, wish)), (wish, each)
    # Whoever got nothing could not have got anything beside those who did.
    for wish in (wish for wish in wishes if wish not in kept):
        assert next(pin_checker.answers(board, preferred, [*kept, wish]), None) is None, wish
    assert len(kept) + len(plan.findings) == len(wishes)


@settings(max_examples=100)
@given(cases(), st.data())
def test_as_few_pins_change_as_can(
    case: tuple[str, tuple[str, ...], list[Wish]], data: st.DataObject
) -> None:
    board, preferred, wishes = case
    previous = {
        wish.owner: data.draw(st.sampled_from(CATALOGUE.boards[board].preferred))
        for wish in wishes
        if data.draw(st.booleans())
    }
    plan = planned(board, preferred, wishes, previous)
    every = list(pin_checker.answers(board, preferred, wishes))

    assert bool(plan.findings) is not bool(every)
    if every:
        fewest = min(pin_checker.changes(wishes, answer, previous) for answer in every)
        found = [told(pin) for pin in plan.pins]
        assert pin_checker.changes(wishes, found, previous) == fewest


@settings(max_examples=50)
@given(cases())
def test_a_plan_that_is_solved_again_stays_as_it_is(
    case: tuple[str, tuple[str, ...], list[Wish]],
) -> None:
    board, preferred, wishes = case
    first = planned(board, preferred, wishes)
    again = planned(board, preferred, wishes, {pin.demand.owner: pin.pin for pin in first.pins})

    assert [pin.pin for pin in again.pins] == [pin.pin for pin in first.pins]


def test_a_greedy_choice_is_taken_back_when_it_would_leave_somebody_without() -> None:
    # PB8 and PB9 are the only pins with I2C1 here; the PWM output could take PB8 as well.
    wishes = [
        Wish("fan", "pwm", hz=1000),
        Wish("sda", "i2c_sda", group="bus"),
        Wish("scl", "i2c_scl", group="bus"),
    ]
    plan = planned("olimex-stm32-h405", ("PB8", "PB9", "PA8"), wishes)

    assert plan.findings == ()
    assert [pin.pin for pin in plan.pins] == ["PA8", "PB9", "PB8"]
    assert [pin.peripheral for pin in plan.pins] == ["tim1_ch1", "i2c1_sda", "i2c1_scl"]
    assert [pin.alternate for pin in plan.pins] == [1, 4, 4]


@pytest.mark.parametrize(
    ("board", "wishes", "code"),
    [
        ("esp32-c3-devkitm-1", [("a", 50), ("b", 60), ("c", 70), ("d", 80), ("e", 90)], "E122"),
        ("esp32-c3-devkitm-1", [(name, 50) for name in "abcdefg"], "E122"),
    ],
)
def test_timers_and_channels_run_out(board: str, wishes: list[tuple[str, int]], code: str) -> None:
    preferred = CATALOGUE.boards[board].preferred
    plan = planned(board, preferred, [Wish(name, "pwm", hz=hz) for name, hz in wishes])

    assert [finding.code for finding in plan.findings] == [code]


def test_a_second_bus_is_refused_where_there_is_one_peripheral() -> None:
    wishes = [
        Wish(f"{bus}_{role.value}", role.value, group=bus)
        for bus in ("one", "two")
        for role in GROUPS["i2c"]
    ]
    preferred = CATALOGUE.boards["esp32-c3-devkitm-1"].preferred
    plan = planned("esp32-c3-devkitm-1", preferred, wishes)

    assert {finding.code for finding in plan.findings} == {"E121"}
    assert {pin.demand.group for pin in plan.pins} == {"one"} or len(plan.pins) == 2


@pytest.mark.parametrize("count", [8, 16])
def test_each_frequency_has_a_timer_of_its_own(count: int) -> None:
    preferred = CATALOGUE.boards["olimex-stm32-h405"].preferred
    wishes = [Wish(f"x{number:02}", "pwm", hz=50 + number) for number in range(count)]
    plan = planned("olimex-stm32-h405", preferred, wishes)
    given = [told(pin) for pin in plan.pins]

    # Sixteen are more than there are timers; the solver says so, or that it stopped.
    assert {finding.code for finding in plan.findings} <= {"E118", "E122"}
    assert bool(plan.findings) is (count == 16)
    assert pin_checker.clashes("olimex-stm32-h405", met(plan, wishes), given) == []


PROMPT = "Switch a relay on above 30 C and off below 28 C; toggle a red LED on each button press."


@settings(max_examples=200)
@given(st.sampled_from(BOARDS), st.data())
def test_the_validator_and_the_checker_agree_on_any_pins(board: str, data: st.DataObject) -> None:
    design = OfflineDesigner(CATALOGUE).plan(DesignRequest(prompt=PROMPT, board=board))
    assert isinstance(design, Design)
    model = CATALOGUE.boards[board]
    part = CATALOGUE.part_of(model)
    every = tuple(pin.name for pin in part.pins)
    pins = tuple(
        replace(pin, pin=data.draw(st.sampled_from(every)), fixed_by=FixedBy.USER)
        if pin.signal in ("relay", "temperature", "red_led")
        else pin
        for pin in design.pins
    )
    found = validate_design(replace(design, pins=pins), model, part, CATALOGUE.electrical)
    wishes = [
        Wish(pin.signal, pin.function.value, pull=pin.pull is not Pull.NONE)
        for pin in pins
        if pin.fixed_by is not FixedBy.BOARD
    ]
    given = [Given(pin.pin) for pin in pins if pin.fixed_by is not FixedBy.BOARD]
    possible = not pin_checker.clashes(board, wishes, given) and all(
        each in list(pin_checker.possible(board, every, wish))
        for wish, each in zip(wishes, given, strict=True)
    )

    assert is_sound(found) is possible
