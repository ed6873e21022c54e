"""What is joined with what: the nets of a design follow from its pins, buses and components."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from controlplane.domain.design import Design, DesignComponent, FixedBy, PinAssignment, PinRole
from controlplane.domain.hardware import Bus, PullUps
from controlplane.domain.part import Electrical
from controlplane.planning.nodes import with_electrical

BOARD = "board"
"""How endpoints name the board; no component may be called so, since ids of nets are apart."""

HOST = "host"


class NetKind(StrEnum):
    """What a net carries."""

    SIGNAL = "signal"
    POWER = "power"
    GROUND = "ground"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One end of a net: a component's id (or ``board``, ``host``) and its terminal."""

    ref: str
    terminal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Terminals that are joined; ``voltage_mv`` of supplies, ``series_ohm`` between both ends.

    ``pull_up`` says that a resistor to the supply belongs to it, ``driver`` what stands between.
    """

    id: str
    kind: NetKind
    voltage_mv: int
    endpoints: tuple[Endpoint, ...]
    series_ohm: int = 0
    pull_up: bool = False
    driver: str = ""
    onboard: bool = False


_NO_KINDS: Mapping[str, Electrical] = {}
_LABELS = {
    PinRole.I2C_SDA: "SDA",
    PinRole.I2C_SCL: "SCL",
    PinRole.SPI_SCK: "SCK",
    PinRole.SPI_MOSI: "MOSI",
    PinRole.SPI_MISO: "MISO",
    PinRole.CAN_TX: "TX",
    PinRole.CAN_RX: "RX",
    PinRole.UART_TX: "RX",  # what the board sends, the component receives
    PinRole.UART_RX: "TX",
}


def nets_of(design: Design, kinds: Mapping[str, Electrical] = _NO_KINDS) -> tuple[Net, ...]:
    """Every net: signals in the order of the pins, then supplies, then ground.

    ``kinds`` give the supplies of documents that state none.
    """
    components = {item.id: _stated(item, design, kinds) for item in design.components}
    soldered = soldered_components(design)
    nets = [net for pin in design.pins for net in _signal_net(pin, design, components, soldered)]
    nets += _selects(design)
    return (*nets, *_supplies(list(components.values()), soldered))


def soldered_components(design: Design) -> frozenset[str]:
    """Ids of the components that the board itself brings."""
    return frozenset(
        pin.component
        for pin in design.pins
        if pin.fixed_by is FixedBy.BOARD and pin.component != "console"
    )


def supply_name(millivolts: int) -> str:
    """A supply as boards print it: 3V3, 5V."""
    volts, rest = divmod(millivolts, 1000)
    return f"{volts}V{rest // 100}" if rest else f"{volts}V"


def _stated(
    component: DesignComponent, design: Design, kinds: Mapping[str, Electrical]
) -> DesignComponent:
    known = kinds.get(component.kind)
    if design.schema_version == 1 and known is not None:
        return with_electrical(component, known)
    return component


def _signal_net(
    pin: PinAssignment,
    design: Design,
    components: Mapping[str, DesignComponent],
    soldered: frozenset[str],
) -> list[Net]:
    here = Endpoint(ref=BOARD, terminal=pin.pin)
    if pin.component == "console":
        far = Endpoint(ref=HOST, terminal=_LABELS.get(pin.function, "console"))
        return [_net(f"console_{far.terminal.lower()}", here, far, onboard=True)]
    bus = next((bus for bus in design.buses if bus.id == pin.signal), None)
    if bus is not None:
        return [_bus_net(pin, bus, here)]
    component = components.get(pin.component)
    if component is None:
        return []
    far = Endpoint(ref=component.id, terminal=pin.signal)
    driver = component.driver if pin.function in (PinRole.GPIO_OUT, PinRole.PWM) else ""
    return [
        Net(
            id=pin.signal,
            kind=NetKind.SIGNAL,
            voltage_mv=0,
            endpoints=(here, far),
            series_ohm=component.series_ohm,
            driver=driver,
            onboard=component.id in soldered,
        )
    ]


def _net(name: str, here: Endpoint, far: Endpoint, *, onboard: bool = False) -> Net:
    return Net(id=name, kind=NetKind.SIGNAL, voltage_mv=0, endpoints=(here, far), onboard=onboard)


def _bus_net(pin: PinAssignment, bus: Bus, here: Endpoint) -> Net:
    label = _LABELS.get(pin.function, "DATA")
    far = tuple(Endpoint(ref=member.component, terminal=label) for member in bus.members)
    open_drain = pin.function in (PinRole.I2C_SDA, PinRole.I2C_SCL) or label == "DATA"
    return Net(
        id=f"{bus.id}_{label.lower()}",
        kind=NetKind.SIGNAL,
        voltage_mv=0,
        endpoints=(here, *far),
        pull_up=open_drain and bus.pullups is PullUps.EXTERNAL,
    )


def _selects(design: Design) -> list[Net]:
    drawn = {(pin.pin, pin.component) for pin in design.pins}
    return [
        _net(
            f"{member.component}_cs",
            Endpoint(ref=BOARD, terminal=member.cs_pin),
            Endpoint(ref=member.component, terminal="CS"),
        )
        for bus in design.buses
        for member in bus.members
        if member.cs_pin and (member.cs_pin, member.component) not in drawn
    ]


def _supplies(components: list[DesignComponent], soldered: frozenset[str]) -> list[Net]:
    loose = [item for item in components if item.id not in soldered]
    fed: dict[int, list[DesignComponent]] = defaultdict(list)
    for component in loose:
        if component.supply_mv > 0:
            fed[component.supply_mv].append(component)
    nets = [
        Net(
            id=f"supply_{supply_name(millivolts).lower()}",
            kind=NetKind.POWER,
            voltage_mv=millivolts,
            endpoints=(
                Endpoint(ref=BOARD, terminal=supply_name(millivolts)),
                *(Endpoint(ref=item.id, terminal="VCC") for item in items),
            ),
        )
        for millivolts, items in sorted(fed.items())
    ]
    if loose:
        ground = tuple(Endpoint(ref=item.id, terminal="GND") for item in loose)
        board = Endpoint(ref=BOARD, terminal="GND")
        nets.append(Net(id="ground", kind=NetKind.GROUND, voltage_mv=0, endpoints=(board, *ground)))
    return nets
