"""The rules of single pins, and of pins that share a peripheral."""

from collections import defaultdict

from controlplane.domain.design import Design, FixedBy, PinAssignment, PinRole, Pull
from controlplane.domain.finding import Finding
from controlplane.domain.part import PERIPHERAL_ROLES, BoardModel, Family, Part, Pin
from controlplane.planning.complaints import complaint


def pin_findings(design: Design, board: BoardModel, part: Part) -> list[Finding]:
    """What is wrong with the pins of a design."""
    radio = any(node.radio for node in design.nodes)
    findings = [found for pin in design.pins for found in _pin(pin, board, part, radio=radio)]
    findings += _shared_pins(design)
    findings += _soldered(design, board)
    return findings + _timers(design, part)


def _pin(pin: PinAssignment, board: BoardModel, part: Part, *, radio: bool) -> list[Finding]:
    pad = part.pin(pin.pin)
    if pad is None:
        message = f"{part.name} has no pin {pin.pin[:40]}."
        return [complaint("E110", pin.signal, message, "Use another.")]
    console = {board.console.tx: PinRole.UART_TX, board.console.rx: PinRole.UART_RX}
    if pin.pin in console:
        if pin.function is console[pin.pin] and pin.signal == "console":
            return []
        message = f"{pin.pin} carries the console."
        return [complaint("E115", pin.signal, message, "Use another pin.")]
    reserved = pad.kept_for or dict(board.reserved).get(pin.pin, "")
    if reserved:
        message = f"{pin.pin} is kept for {reserved}."
        return [complaint("E113", pin.signal, message, "Use another pin.")]
    if pad.input_only and (_drives(pin.function) or pin.pull is not Pull.NONE):
        message = f"{pin.pin} is an input only, without resistors inside."
        return [complaint("E112", pin.signal, message, "Use another pin.")]
    if pin.function not in pad.roles:
        code = "E117" if pin.function is PinRole.ADC else "E120"
        message = f"{pin.pin} cannot do {pin.function}."
        return [complaint(code, pin.signal, message, "Use another pin.")]
    return [*_function(pin, pad), *_cautions(pin, pad, part, radio=radio)]


def _drives(role: PinRole) -> bool:
    inputs = {PinRole.GPIO_IN, PinRole.ADC, PinRole.UART_RX, PinRole.SPI_MISO, PinRole.CAN_RX}
    return role not in inputs


def _function(pin: PinAssignment, pad: Pin) -> list[Finding]:
    """Whether the named peripheral does that on the pad, as that alternate function."""
    if pin.function not in PERIPHERAL_ROLES:
        return []
    there = pad.functions_for(pin.function)
    named = _without_channel(pin.peripheral)
    alternate = None if pin.alternate < 0 else pin.alternate
    if any(each.name == named and each.alternate == alternate for each in there):
        return []
    said = pin.peripheral[:40] or "no peripheral"
    if alternate is not None:
        said += f" as AF{alternate}"
    able = ", ".join(
        each.name + ("" if each.alternate is None else f" (AF{each.alternate})") for each in there
    )
    message = f"{pin.pin} does not do {said}."
    return [complaint("E120", pin.signal, message, f"Use {able}, or let the solver choose.")]


def _without_channel(peripheral: str) -> str:
    """LEDC channels are numbers that any pad reaches: "ledc_ch3" is a channel of "ledc"."""
    return "ledc" if peripheral.startswith("ledc_ch") else peripheral


def _cautions(pin: PinAssignment, pad: Pin, part: Part, *, radio: bool) -> list[Finding]:
    """What is allowed on a pin but has to be known; what the board itself wires is not doubted."""
    if pin.fixed_by is FixedBy.BOARD:
        return []
    findings = []
    if pad.strapping:
        findings.append(
            complaint(
                "W114",
                pin.signal,
                f"{pin.pin} is a strapping pin: {pad.strapping}.",
                "Use another pin, or make sure that what is wired to it leaves it so at reset.",
            )
        )
    if pin.function is PinRole.ADC and pad.adc_unit != 1:
        if radio and part.family is Family.ESP32:
            message = f"{pin.pin} is on the second converter, which the radio takes."
            findings.append(complaint("E116", pin.signal, message, "Use a pin of ADC1."))
        else:
            message = f"{pin.pin} is on the second converter: {part.adc2_reason}."
            findings.append(complaint("W116", pin.signal, message, "Use a pin of ADC1."))
    return findings


def _shared_pins(design: Design) -> list[Finding]:
    owners: dict[str, list[str]] = {}
    for pin in design.pins:
        owners.setdefault(pin.pin, []).append(pin.signal)
    for bus in design.buses:
        for member in bus.members:
            if member.cs_pin and not _is_pin_of(design, member.cs_pin, member.component):
                owners.setdefault(member.cs_pin, []).append(member.component)
    findings = [
        complaint(
            "E111", name, f"{name} is used by {' and '.join(users)}.", "Give each its own pin."
        )
        for name, users in owners.items()
        if len(users) > 1
    ]
    pins: dict[str, list[str]] = {}
    for pin in design.pins:
        if pin.signal != "console" and pin.function not in PERIPHERAL_ROLES - {PinRole.PWM}:
            pins.setdefault(pin.signal, []).append(pin.pin)
    findings += [
        complaint("E111", signal, f"{signal} is on {' and '.join(found)}.", "Give it one pin.")
        for signal, found in pins.items()
        if len(found) > 1
    ]
    return findings


def _is_pin_of(design: Design, name: str, component: str) -> bool:
    return any(pin.pin == name and pin.component == component for pin in design.pins)


def _soldered(design: Design, board: BoardModel) -> list[Finding]:
    """A pin that the board itself uses belongs to what is soldered to it, and to nothing else."""
    items = {item.pin: item for item in board.onboard}
    kinds = {component.id: component.kind for component in design.components}
    findings = []
    for pin in design.pins:
        item = items.get(pin.pin)
        if item is None:
            continue
        own = pin.fixed_by is FixedBy.BOARD and kinds.get(pin.component, item.kind) == item.kind
        if not own:
            message = f"{pin.pin} is wired to the {item.label} of the {board.name}."
            fix = f'Use another pin, or mean the {item.label} itself (fixed_by "board").'
            findings.append(complaint("E111", pin.signal, message, fix))
    return findings


def _timers(design: Design, part: Part) -> list[Finding]:
    outputs = [pin for pin in design.pins if pin.function is PinRole.PWM]
    findings = []
    channels: dict[str, list[str]] = defaultdict(list)
    timers: dict[str, dict[int, str]] = defaultdict(dict)
    for pin in outputs:
        timer = pin.peripheral.partition("_")[0]
        if pin.peripheral:
            channels[pin.peripheral].append(pin.signal)
        if timer != "ledc":
            timers[timer].setdefault(pin.frequency_hz, pin.signal)
        if pin.frequency_hz <= 0:
            message = "the PWM output has no frequency."
            findings.append(complaint("E122", pin.signal, message, "State frequency_hz."))
    for channel, users in channels.items():
        if len(users) > 1 and channel != "ledc":
            message = f"{channel} is used by {' and '.join(users)}."
            findings.append(complaint("E122", users[1], message, "Use another channel."))
    for timer, rates in timers.items():
        if len(rates) > 1:
            said = " and ".join(f"{hz} Hz for {user}" for hz, user in rates.items())
            message = f"{timer} counts at one frequency, and is asked for {said}."
            findings.append(complaint("E122", timer, message, "Use another timer."))
    return findings + _ledc(outputs, part)


def _ledc(outputs: list[PinAssignment], part: Part) -> list[Finding]:
    there = part.peripherals
    if not there.pwm_channels:
        return []
    findings = []
    rates = {pin.frequency_hz for pin in outputs}
    if len(outputs) > there.pwm_channels:
        message = f"{len(outputs)} PWM outputs; {part.name} has {there.pwm_channels} channels."
        findings.append(complaint("E122", "pwm", message, "Use fewer."))
    if len(rates) > there.pwm_timers:
        message = f"{len(rates)} PWM frequencies; {part.name} has {there.pwm_timers} timers."
        findings.append(complaint("E122", "pwm", message, "Use fewer frequencies."))
    for pin in outputs:
        number = pin.peripheral.removeprefix("ledc_ch")
        if number.isdecimal() and int(number) >= there.pwm_channels:
            message = f"{part.name} has no {pin.peripheral}."
            findings.append(complaint("E122", pin.signal, message, "Use a channel it has."))
    return findings
