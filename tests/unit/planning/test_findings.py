"""Every code of the table has an example that brings it up, and nothing else does."""

import importlib.util
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import (
    Active,
    Design,
    DesignComponent,
    FixedBy,
    PinAssignment,
    PinRole,
    Pull,
)
from controlplane.domain.finding import Finding, Severity
from controlplane.domain.hardware import (
    Bus,
    BusKind,
    BusMember,
    Cloud,
    CloudParameter,
    CloudProvider,
    CloudResource,
    Framework,
    Infeasible,
    Link,
    LinkEnd,
    LinkKind,
    OpenQuestion,
    PullUps,
)
from controlplane.planning.pins import PinDemand, plan_pins
from controlplane.planning.rules import RULES
from controlplane.planning.validate import is_sound, validate_design

ROOT = Path(__file__).parents[3]
CATALOGUE = load_catalogue()
PROMPT = "Switch a relay on above 30 C and off below 28 C; blink a red LED at 2 Hz."


def base(board: str = "olimex-stm32-h405", prompt: str = PROMPT) -> Design:
    found = OfflineDesigner(CATALOGUE).plan(DesignRequest(prompt=prompt, board=board))
    assert isinstance(found, Design), found
    return found


def found_in(design: Design) -> tuple[Finding, ...]:
    board = CATALOGUE.boards.get(design.board.model)
    part = CATALOGUE.part_of(board) if board else None
    return validate_design(design, board, part, CATALOGUE.electrical)


def moved(design: Design, signal: str, pin: str, **others: object) -> Design:
    pins = tuple(replace(p, pin=pin, **others) if p.signal == signal else p for p in design.pins)
    return replace(design, pins=pins)


def component(design: Design, name: str, **changes: object) -> Design:
    items = tuple(replace(c, **changes) if c.id == name else c for c in design.components)
    return replace(design, components=items)


def node(design: Design, **changes: object) -> Design:
    return replace(design, nodes=(replace(design.nodes[0], **changes),))


def part_item(kind: str, name: str = "extra", **facts: int) -> DesignComponent:
    return DesignComponent(
        id=name, kind=kind, part_number="", signals=(), note="", **{"supply_mv": 3300, **facts}
    )


def line(pin: str, role: PinRole, bus: str, peripheral: str, alternate: int) -> PinAssignment:
    return PinAssignment(
        pin=pin,
        signal=bus,
        component=bus,
        function=role,
        active=Active.NONE,
        pull=Pull.NONE,
        fixed_by=FixedBy.DESIGNER,
        reason="",
        peripheral=peripheral,
        alternate=alternate,
    )


def with_bus(
    *members: BusMember, kind: BusKind = BusKind.I2C, pullups: PullUps = PullUps.EXTERNAL
) -> Design:
    """A sound design with a bus: I2C1 on PB6 and PB9, or SPI1 on PB3 to PB5."""
    design = base()
    if kind is BusKind.I2C:
        name, pins = (
            "i2c1",
            (
                line("PB6", PinRole.I2C_SCL, "bus", "i2c1_scl", 4),
                line("PB9", PinRole.I2C_SDA, "bus", "i2c1_sda", 4),
            ),
        )
    else:
        name, pins = (
            "spi2",
            (
                line("PB13", PinRole.SPI_SCK, "bus", "spi2_sck", 5),
                line("PB14", PinRole.SPI_MISO, "bus", "spi2_miso", 5),
                line("PB15", PinRole.SPI_MOSI, "bus", "spi2_mosi", 5),
            ),
        )
    bus = Bus(
        id="bus",
        node="node",
        kind=kind,
        instance=name,
        speed_hz=100_000,
        pullups=pullups,
        members=members,
    )
    sensors = tuple(part_item("bme280", member.component) for member in members)
    return replace(
        design,
        components=(*design.components, *sensors),
        pins=(*design.pins, *pins),
        buses=(bus,),
    )


BME = BusMember(component="air", address="0x76", cs_pin="")
BME_SPI = BusMember(component="air", address="", cs_pin="PB12")


def with_pwm(frequencies: tuple[int, int]) -> Design:
    design = base()
    names = ("PB6", "PB7")
    pwm = tuple(
        PinAssignment(
            pin=pin,
            signal=f"fan{number}",
            component="relay",
            function=PinRole.PWM,
            active=Active.HIGH,
            pull=Pull.NONE,
            fixed_by=FixedBy.DESIGNER,
            reason="",
            peripheral=f"tim4_ch{number}",
            alternate=2,
            frequency_hz=hz,
        )
        for number, pin, hz in zip((1, 2), names, frequencies, strict=True)
    )
    return replace(design, pins=(*design.pins, *pwm))


def with_link(a: LinkEnd, b: LinkEnd, kind: LinkKind = LinkKind.WIFI_MQTT) -> Design:
    return replace(base(), links=(Link(id="uplink", kind=kind, a=a, b=b, topic="t"),))


def with_resource(*resources: CloudResource) -> Design:
    cloud = Cloud(provider=CloudProvider.LOCAL, region="", resources=resources, bindings=())
    return replace(base(), cloud=cloud)


def resource(name: str, *needs: str, **parameters: str) -> CloudResource:
    return CloudResource(
        id=name,
        kind="table",
        name=name,
        depends_on=needs,
        parameters=tuple(CloudParameter(key=k, value=v) for k, v in parameters.items()),
        sensitive=False,
    )


def first_scenario(design: Design, **changes: object) -> Design:
    first, *rest = design.scenarios
    return replace(design, scenarios=(replace(first, **changes), *rest))


def slow_blink() -> Design:
    design = base()
    behaviours = tuple(
        replace(
            b,
            parameters=tuple(
                replace(p, value="3") if p.name == "period" else p for p in b.parameters
            ),
        )
        for b in design.behaviours
    )
    return replace(design, behaviours=behaviours)


ESP32 = "esp32-devkitc-v4"
C3 = "esp32-c3-devkitm-1"
END = LinkEnd(node="node", bus="", speed_hz=0, level_mv=0)
BROKER = LinkEnd(node="", bus="", speed_hz=0, level_mv=0)
PCB = "Blink an LED on PA7 at 2 Hz."

EXAMPLES: dict[str, Callable[[], Design]] = {
    "E101": lambda: component(base(), "relay", kind="flux_capacitor"),
    "E102": lambda: replace(base(), components=(*base().components, part_item("led", "Red LED!"))),
    "E103": lambda: replace(base(), components=(*base().components, base().components[0])),
    "E104": lambda: replace(
        base(), components=tuple(part_item("custom", f"c{n}") for n in range(70))
    ),
    "E105": lambda: replace(base(), nodes=(*base().nodes, replace(base().nodes[0], id="two"))),
    "E106": lambda: replace(
        base(), open_questions=(OpenQuestion(id="q", text="Which?", blocking=True, default=""),)
    ),
    "E107": lambda: replace(
        base(), infeasible=(Infeasible(requirement="fly", reason="there are no wings"),)
    ),
    "E110": lambda: moved(base(), "relay", "PD9"),
    "E111": lambda: moved(base(), "relay", base().pin_of("temperature").pin),
    "E112": lambda: moved(base(ESP32), "relay", "GPIO34"),
    "E113": lambda: moved(base(C3), "relay", "GPIO19"),
    "W114": lambda: moved(base(C3), "relay", "GPIO2"),
    "E115": lambda: moved(base(), "relay", "PA3"),
    "E116": lambda: moved(node(base(ESP32), radio=True), "temperature", "GPIO4"),
    "W116": lambda: moved(base(ESP32), "temperature", "GPIO4"),
    "E117": lambda: moved(base(), "temperature", "PB6"),
    "E120": lambda: replace(
        with_bus(BME), pins=(*base().pins, *(replace(p, alternate=5) for p in BUS_PINS()))
    ),
    "E121": lambda: replace(
        with_bus(BME), buses=(*with_bus(BME).buses, replace(with_bus(BME).buses[0], id="again"))
    ),
    "E122": lambda: with_pwm((50, 1000)),
    "E130": lambda: with_bus(BME, replace(BME, component="second")),
    "E131": lambda: with_bus(replace(BME_SPI, cs_pin=""), kind=BusKind.SPI),
    "E140": lambda: component(base(), "temperature", logic_mv=5000),
    "E141": lambda: component(base(), "relay", driver=""),
    "W142": lambda: component(base(), "red_led", series_ohm=0),
    "E143": lambda: component(base(), "relay", supply_ma=900),
    "E150": lambda: first_scenario(base(), proves=()),
    "E151": lambda: replace(
        base(), signals=(replace(base().signals[0], component="nobody"), *base().signals[1:])
    ),
    "E152": slow_blink,
    "E160": lambda: with_resource(resource("a", "b"), resource("b", "a")),
    "E161": lambda: with_resource(resource("a", wifi_password="correct horse")),
    "E170": lambda: with_link(END, BROKER),
    "E180": lambda: node(base(), framework=Framework.ESP_IDF),
    "E190": lambda: first_scenario(base(), requires=("serial.rx", "power.cycle")),
    "E200": lambda: replace(base(), behaviours=()),
}


def BUS_PINS() -> tuple[PinAssignment, ...]:
    return tuple(pin for pin in with_bus(BME).pins if pin.signal == "bus")


PROMPTS = {
    "E153": "Turn the fan on above 28 C and off above 30 C.",
    "E154": "Switch the relay on above 30 V and off below 28 C.",
    "E155": "Turn the fan on above 25 C and off below 30 C.",
    "E156": "Switch the relay on above 30 C and off below 29.9 C.",
    "E157": "Turn on the fan above 200 C",
    "E158": "Answer 'a' with 'b'. Answer 'a' with 'c'.",
    "E159": "Answer '' with 'x'.",
    "E201": "Report the temperature.",
    "E202": "Toggle the LED at 2 Hz.",
    "E203": "Turn it on above 30 C",
    "E204": "Turn on the fan when the temperature is above 30 %",
}
BY_THE_SOLVER = {"E118"}
BY_THE_DOCUMENT = {"E108"}
BY_ANOTHER_DESIGNER = {"E119"}  # which has its tests beside it
BY_THE_SESSION = {"W162"}  # tested with the cloud's own rules


def test_every_code_of_the_table_has_an_example() -> None:
    named = {code for code in RULES if not code.startswith("E3")}  # of calls, tested beside them

    elsewhere = BY_THE_SOLVER | BY_THE_DOCUMENT | BY_ANOTHER_DESIGNER | BY_THE_SESSION
    assert {*EXAMPLES, *PROMPTS} | elsewhere == named


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_example_brings_the_code_up(code: str) -> None:
    found = [finding for finding in found_in(EXAMPLES[code]()) if finding.code == code]

    assert found, [str(finding) for finding in found_in(EXAMPLES[code]())]
    for finding in found:
        assert finding.subject
        assert finding.message
        assert finding.fix
        assert (finding.severity is Severity.WARNING) is code.startswith("W")


@pytest.mark.parametrize("code", PROMPTS)
def test_the_prompt_brings_the_code_up(code: str) -> None:
    found = OfflineDesigner(CATALOGUE).plan(DesignRequest(prompt=PROMPTS[code]))

    assert isinstance(found, Refusal)
    assert code in [finding.code for finding in found.findings]


def test_the_solver_says_when_it_stopped() -> None:
    model = CATALOGUE.boards["olimex-stm32-h405"]
    demands = [
        PinDemand(owner=f"x{n:02}", role=PinRole.PWM, frequency_hz=50 + n) for n in range(16)
    ]
    found = plan_pins(CATALOGUE.part_of(model), model, demands)

    assert "E118" in [finding.code for finding in found.findings]


@pytest.mark.parametrize(
    "design",
    [base(), base(C3), base(ESP32), with_bus(BME), with_bus(BME_SPI, kind=BusKind.SPI)],
    ids=["stm32", "c3", "esp32", "i2c", "spi"],
)
def test_what_is_right_brings_nothing_up(design: Design) -> None:
    assert [str(finding) for finding in found_in(design)] == []


def test_pwm_outputs_of_one_frequency_share_a_timer() -> None:
    assert "E122" not in [finding.code for finding in found_in(with_pwm((50, 50)))]


def test_a_five_volt_echo_is_taken_where_the_pad_tolerates_it() -> None:
    echo = component(base(), "temperature", logic_mv=5000)
    tolerant = moved(echo, "temperature", "PB6", function=PinRole.GPIO_IN)
    direct = moved(echo, "temperature", "PA4", function=PinRole.GPIO_IN)

    assert "E140" not in [finding.code for finding in found_in(tolerant)]
    assert "E140" in [finding.code for finding in found_in(direct)]


@pytest.mark.parametrize("code", EXAMPLES)
def test_findings_come_in_the_same_order_every_time(code: str) -> None:
    design = EXAMPLES[code]()

    assert found_in(design) == found_in(design)
    assert is_sound(found_in(design)) is all(f.code.startswith("W") for f in found_in(design))


def test_every_code_that_the_program_writes_is_in_the_table() -> None:
    written = {
        code
        for path in (ROOT / "controlplane").rglob("*.py")
        for code in re.findall(r'"([EW]\d{3})"', path.read_text("utf-8"))
    }

    assert written == set(RULES)


def test_the_page_of_findings_is_that_of_the_table() -> None:
    page = generator().page()

    assert page == (ROOT / "docs" / "findings.md").read_text("utf-8")
    assert all(f"| {code} |" in page for code in RULES)


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "generate_findings", ROOT / "docs" / "generate_findings.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
