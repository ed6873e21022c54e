"""The rules of buses: one peripheral each, addresses, resistors, select pins."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from controlplane.domain.design import Design, PinAssignment, PinRole
from controlplane.domain.finding import Finding
from controlplane.domain.hardware import Bus, BusKind, PullUps
from controlplane.domain.part import BoardModel, Electrical, Part
from controlplane.planning.complaints import complaint

_LINES = {
    BusKind.I2C: (PinRole.I2C_SDA, PinRole.I2C_SCL),
    BusKind.SPI: (PinRole.SPI_SCK,),
    BusKind.UART: (PinRole.UART_TX, PinRole.UART_RX),
    BusKind.CAN: (PinRole.CAN_TX, PinRole.CAN_RX),
    BusKind.ONEWIRE: (),
}
_FASTEST_HZ = {BusKind.I2C: 1_000_000, BusKind.CAN: 1_000_000}
"""I2C: fast-mode plus (NXP UM10204); CAN: classical CAN (ISO 11898-1). From memory of both."""

_MOST_MEMBERS = {BusKind.UART: 1, BusKind.CAN: 1}
_FIRST_ADDRESS, _LAST_ADDRESS = 0x08, 0x77


def bus_findings(
    design: Design, board: BoardModel, part: Part, kinds: Mapping[str, Electrical]
) -> list[Finding]:
    """What is wrong with the buses of a design."""
    findings = [*_instances(design, board), *_stray_lines(design)]
    components = {item.id: item for item in design.components}
    for bus in design.buses:
        findings += [
            complaint("E151", bus.id, f"component {m.component!r} does not exist.", "Add it.")
            for m in bus.members
            if m.component not in components
        ]
        facts = {
            m.component: kinds[components[m.component].kind]
            for m in bus.members
            if m.component in components and components[m.component].kind in kinds
        }
        findings += _lines(bus, design)
        findings += _members(bus, facts)
        findings += _pull_ups(bus)
        if bus.kind is BusKind.I2C:
            findings += _addresses(bus, facts)
        if bus.kind is BusKind.SPI:
            findings += _selects(bus, part)
    return findings


def lines_of(design: Design, bus: Bus) -> list[PinAssignment]:
    """The pins of a bus: their signal is the bus's id."""
    return [pin for pin in design.pins if pin.signal == bus.id]


def _instances(design: Design, board: BoardModel) -> list[Finding]:
    users: dict[str, list[str]] = defaultdict(list)
    users[board.console.uart].append("the console")
    for bus in design.buses:
        if bus.instance:
            users[bus.instance].append(bus.id)
    return [
        complaint(
            "E121", found[-1], f"{name} is used by {' and '.join(found)}.", "Use another one."
        )
        for name, found in users.items()
        if len(found) > 1
    ]


def _stray_lines(design: Design) -> list[Finding]:
    """Lines of a bus that no bus of the design owns."""
    buses = {bus.id for bus in design.buses}
    roles = {role for lines in _LINES.values() for role in lines}
    roles |= {PinRole.SPI_MOSI, PinRole.SPI_MISO}
    return [
        complaint("E151", pin.signal, f"{pin.pin} belongs to no bus of the design.", "Add the bus.")
        for pin in design.pins
        if pin.function in roles and pin.signal not in buses and pin.signal != "console"
    ]


def _lines(bus: Bus, design: Design) -> list[Finding]:
    pins = lines_of(design, bus)
    findings = []
    there = Counter(pin.function for pin in pins)
    missing = [role for role in _LINES[bus.kind] if not there[role]]
    if bus.kind is BusKind.UART and len(missing) == 1:
        missing = []  # one direction is enough
    if bus.kind is BusKind.SPI and not there[PinRole.SPI_MOSI] + there[PinRole.SPI_MISO]:
        missing.append(PinRole.SPI_MOSI)
    if bus.kind is BusKind.ONEWIRE and not pins:
        missing.append(PinRole.GPIO_OUT)
    if missing:
        message = f"the bus has no {' and no '.join(missing)}."
        findings.append(complaint("E130", bus.id, message, "Give it the line, or let it solve."))
    findings += [
        complaint("E111", bus.id, f"the bus has {count} lines {role}.", "Give it one.")
        for role, count in there.items()
        if count > 1
    ]
    for pin in pins:
        peripheral = pin.peripheral.partition("_")[0]
        if bus.instance and peripheral and peripheral != bus.instance:
            message = f"{pin.pin} is of {peripheral}, and the bus is {bus.instance}."
            findings.append(complaint("E121", bus.id, message, "Use pins of one peripheral."))
    return findings


def _members(bus: Bus, facts: Mapping[str, Electrical]) -> list[Finding]:
    findings = []
    most = _MOST_MEMBERS.get(bus.kind)
    if not bus.members:
        findings.append(complaint("E130", bus.id, "nothing is on the bus.", "Leave it out."))
    if most is not None and len(bus.members) > most:
        message = f"{len(bus.members)} components; a {bus.kind} bus here joins {most}."
        findings.append(complaint("E130", bus.id, message, "Use a bus for each."))
    findings += [
        complaint(
            "E130",
            member.component,
            f"a {facts[member.component].key} is not made for {bus.kind}.",
            f"Use {' or '.join(facts[member.component].buses)}.",
        )
        for member in bus.members
        if member.component in facts
        and facts[member.component].buses
        and bus.kind not in facts[member.component].buses
    ]
    fastest = _FASTEST_HZ.get(bus.kind)
    if fastest is not None and bus.speed_hz > fastest:
        message = f"{bus.speed_hz} Hz is more than {bus.kind} carries."
        findings.append(complaint("E130", bus.id, message, f"Use at most {fastest} Hz."))
    return findings


def _pull_ups(bus: Bus) -> list[Finding]:
    if bus.kind not in (BusKind.I2C, BusKind.ONEWIRE) or bus.pullups is PullUps.EXTERNAL:
        return []
    if bus.pullups is PullUps.INTERNAL and bus.kind is BusKind.I2C and bus.speed_hz <= 100_000:
        return []
    message = f"the lines of the {bus.kind} bus lack their resistors to the supply."
    return [complaint("E130", bus.id, message, "Use external pull-ups, e.g. 4.7 kOhm.")]


def _addresses(bus: Bus, facts: Mapping[str, Electrical]) -> list[Finding]:
    findings = []
    users: dict[int, list[str]] = defaultdict(list)
    for member in bus.members:
        number = read_address(member.address)
        able = facts[member.component].addresses if member.component in facts else ()
        if number is None:
            message = f"{member.address[:20]!r} is no 7-bit address of a device."
            fix = f"Use {' or '.join(able)}." if able else "Use 0x08 to 0x77."
            findings.append(complaint("E130", member.component, message, fix))
            continue
        users[number].append(member.component)
        if able and number not in map(read_address, able):
            message = f"a {facts[member.component].key} cannot have the address {member.address}."
            findings.append(
                complaint("E130", member.component, message, f"Use {' or '.join(able)}.")
            )
    findings += [
        complaint(
            "E130",
            found[-1],
            f"{' and '.join(found)} have the address 0x{number:02x} on {bus.id}.",
            "Use another address, or a bus for each.",
        )
        for number, found in users.items()
        if len(found) > 1
    ]
    return findings


def read_address(text: str) -> int | None:
    """A 7-bit address in hexadecimal, None when it is none that a device may have."""
    if not text.lower().startswith("0x") or len(text) > 4:
        return None
    try:
        number = int(text, 16)
    except ValueError:
        return None
    return number if _FIRST_ADDRESS <= number <= _LAST_ADDRESS else None


def _selects(bus: Bus, part: Part) -> list[Finding]:
    findings = []
    selects = Counter(member.cs_pin for member in bus.members if member.cs_pin)
    for member in bus.members:
        pad = part.pin(member.cs_pin) if member.cs_pin else None
        if not member.cs_pin:
            message = "the member of the SPI bus has no select pin."
        elif pad is None:
            message = f"{part.name} has no pin {member.cs_pin[:40]}."
        elif pad.kept_for or PinRole.GPIO_OUT not in pad.roles:
            message = f"{member.cs_pin} cannot be a select pin."
        elif selects[member.cs_pin] > 1:
            message = f"{member.cs_pin} selects {selects[member.cs_pin]} members at once."
        else:
            continue
        findings.append(complaint("E131", member.component, message, "Give each its own pin."))
    return findings
