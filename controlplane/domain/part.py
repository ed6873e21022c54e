"""Parts (microcontroller types), board models and component kinds, as the catalogue knows them."""

from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from controlplane.domain.design import Active, PinRole, Pull, SignalKind
from controlplane.domain.hardware import BusKind
from controlplane.domain.image_memory import PartMemory
from controlplane.domain.units import Unit, decimal_text


class Family(StrEnum):
    """A family of parts: one way to spell pins, one tool to write flash."""

    STM32 = "stm32"
    ESP32 = "esp32"


class FlashTool(StrEnum):
    """The program that writes a board's flash."""

    PYOCD = "pyocd"
    ESPTOOL = "esptool"


@dataclass(frozen=True, slots=True, kw_only=True)
class UartPin:
    """A UART signal of a pin; ``alternate`` is the alternate function, None where there is none."""

    instance: str
    role: PinRole
    alternate: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PinFunction:
    """What a peripheral does on a pad: "i2c1" with its line "sda".

    ``alternate`` is the number of the alternate function, None where any pad reaches any
    peripheral.
    """

    peripheral: str
    line: str
    alternate: int | None

    @property
    def role(self) -> PinRole | None:
        """The role that it plays in a design; None for one that no design asks for."""
        kind = self.peripheral.rstrip("0123456789")
        if kind in ("tim", "ledc"):
            return PinRole.PWM
        kind = "uart" if kind == "usart" else kind
        return _ROLES.get(f"{kind}_{self.line}")

    @property
    def name(self) -> str:
        """The peripheral with its line, as designs write it: "i2c1_sda"."""
        return f"{self.peripheral}_{self.line}" if self.line else self.peripheral


_ROLES = {role.value: role for role in PinRole if "_" in role.value}
PERIPHERAL_ROLES = frozenset(
    {
        PinRole.PWM,
        PinRole.I2C_SDA,
        PinRole.I2C_SCL,
        PinRole.SPI_SCK,
        PinRole.SPI_MOSI,
        PinRole.SPI_MISO,
        PinRole.CAN_TX,
        PinRole.CAN_RX,
        PinRole.UART_TX,
        PinRole.UART_RX,
    }
)
"""Roles that a peripheral plays on a pin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peripherals:
    """How many of each a part with a GPIO matrix has; ``pwm_timers`` is how many frequencies."""

    i2c: tuple[str, ...] = ()
    spi: tuple[str, ...] = ()
    uart: tuple[str, ...] = ()
    can: tuple[str, ...] = ()
    pwm_channels: int = 0
    pwm_timers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One pad of a part, as its data sheet describes it.

    ``adc`` is the channel of converter ``adc_unit``, or None. ``strapping`` says what the level of
    the pad decides at reset ("" = nothing), ``reserved`` what the pad is kept for ("" = free).
    """

    name: str
    five_volt_tolerant: bool
    adc: int | None
    adc_unit: int
    uarts: tuple[UartPin, ...]
    input_only: bool
    strapping: str
    usb_jtag: bool
    reserved: str
    functions: tuple[PinFunction, ...] = ()

    @property
    def plain_roles(self) -> frozenset[PinRole]:
        """What the pad can do besides its peripherals."""
        roles = {PinRole.GPIO_IN} | {uart.role for uart in self.uarts}
        if not self.input_only:
            roles.add(PinRole.GPIO_OUT)
        if self.adc is not None:
            roles.add(PinRole.ADC)
        return frozenset(roles)

    @property
    def roles(self) -> frozenset[PinRole]:
        """What the pad can be asked to do."""
        return self.plain_roles | {role for each in self.functions if (role := each.role)}

    def functions_for(self, role: PinRole) -> tuple[PinFunction, ...]:
        """The functions that play a role."""
        return tuple(each for each in self.functions if each.role is role)

    @property
    def kept_for(self) -> str:
        """What the pad cannot be given away for; "" when it can."""
        return self.reserved or ("the part's USB-Serial/JTAG" if self.usb_jtag else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashRegion:
    """A named stretch of the flash map (address as the flash tool counts, bytes)."""

    name: str
    base: int
    size: int
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A microcontroller type: its memory (bytes) and the pads of its package.

    ``flash`` is the map of images built on the bench core, empty where no bench core is
    (``bench_core``); ``core_line`` names the line of parts whose clock limits the core knows, for
    families that have several; ``adc2_reason`` says why the second converter is a last resort.
    ``adc_full_scale_mv`` is what all bits stand for, ``adc_highest_mv`` the most that is measured.
    ``peripherals`` counts what any pad reaches, where a matrix joins them; ``pin_max_ma`` is the
    most that a pad gives and ``supply_ma`` what the part itself takes at most (0 = not known).
    ``targets`` names the part as each flash tool does, ``default_model`` is the board model that is
    meant when only the part is named.
    """

    key: str
    name: str
    family: Family
    words: tuple[str, ...]
    default_model: str
    package: str
    bench_core: bool
    core_line: str
    targets: tuple[tuple[FlashTool, str], ...]
    flash_base: int
    flash_bytes: int
    flash: tuple[FlashRegion, ...]
    ram_base: int
    ram_bytes: int
    adc_full_scale_mv: int
    adc_highest_mv: int
    adc_bits: int
    adc2_reason: str
    pins: tuple[Pin, ...]
    notes: tuple[str, ...]
    sources: tuple[str, ...]
    peripherals: Peripherals = Peripherals()
    pin_max_ma: int = 0
    supply_ma: int = 0

    @property
    def memory(self) -> PartMemory:
        """The addresses of its flash and of its RAM."""
        return PartMemory(
            flash=range(self.flash_base, self.flash_base + self.flash_bytes),
            ram=range(self.ram_base, self.ram_base + self.ram_bytes),
        )

    def pin(self, name: str) -> Pin | None:
        """Find a pad by its name, e.g. "PA5" or "GPIO8"."""
        return next((pin for pin in self.pins if pin.name == name), None)

    def target(self, tool: FlashTool) -> str:
        """The name that a flash tool has for the part; "" when it has none."""
        return dict(self.targets).get(tool, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBoard:
    """A component that is soldered to a board model; its pin is not free for others.

    ``pull`` is the internal resistor that it needs. Kind ``rgb_led`` is an LED that takes serial
    data and cannot be switched by a level.
    """

    kind: str
    pin: str
    active: Active
    pull: Pull
    label: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The UART that carries the console, and its two pins."""

    uart: str
    tx: str
    rx: str
    baud: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """A way to simulate a board model; ``console_serial`` is the console's serial line, from 0."""

    backend: str
    machine: str
    console_serial: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbId:
    """How a board model, or the adapter it needs, shows itself on USB."""

    vendor_id: int
    product_id: int
    what: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformioBoard:
    """What PlatformIO calls a board model."""

    platform: str
    board: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArduinoBoard:
    """What Arduino's tools call a board model: vendor, architecture, board, options."""

    fqbn: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WokwiBoard:
    """A board model as Wokwi draws it.

    ``board`` is the type of the part in a diagram, ``ground`` and ``supply`` are pins of it, and
    ``pins`` names those pins whose name there is not their number.
    """

    board: str
    ground: str
    supply: str
    pins: tuple[tuple[str, str], ...]
    source: str

    def pin(self, name: str) -> str:
        """What the diagram calls a pin such as "GPIO8"."""
        return dict(self.pins).get(name, name.removeprefix("GPIO"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardModel:
    """A catalogue entry for a board one can buy.

    ``connector`` says what carries the console to the host. ``flash_bytes`` is what is soldered to
    the board or module, which for parts without flash of their own is no fact of the part.
    ``clock_input`` says that something else on the board gives the part its main clock, instead of
    a crystal.
    ``simulators`` come in the order in which they are tried. What other tools call the board is
    None where they do not know it.
    """

    key: str
    name: str
    part: str
    words: tuple[str, ...]
    flash_tool: FlashTool
    flash_bytes: int
    oscillator_hz: int
    clock_input: bool
    connector: str
    usb: tuple[UsbId, ...]
    console: Console
    simulators: tuple[Simulator, ...]
    onboard: tuple[OnBoard, ...]
    reserved: tuple[tuple[str, str], ...]
    preferred: tuple[str, ...]
    notes: tuple[str, ...]
    sources: tuple[str, ...]
    platformio: PlatformioBoard | None = None
    arduino: ArduinoBoard | None = None
    wokwi: WokwiBoard | None = None

    def fixed(self, kind: str) -> OnBoard | None:
        """Find the on-board component of a kind."""
        return next((item for item in self.onboard if item.kind == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Electrical:
    """What the wiring of a kind of component has to respect; 0 and "" = nothing to respect.

    ``supply_mv`` feeds it, ``logic_mv`` is the level that it drives towards a pin, ``supply_ma``
    the most that it draws, ``pin_ma`` what it takes from an output pin and ``series_ohm`` the
    resistor in that line. ``driver`` is what has to stand between the pin and the load.
    ``addresses`` are the I2C addresses that it can have, ``needs_pull_up`` says that its line is
    open-drain, ``buses`` which kinds of bus it is made for.
    """

    key: str
    supply_mv: int = 0
    logic_mv: int = 0
    supply_ma: int = 0
    pin_ma: int = 0
    series_ohm: int = 0
    driver: str = ""
    addresses: tuple[str, ...] = ()
    needs_pull_up: bool = False
    buses: tuple[BusKind, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentKind:
    """A sensor or actuator kind.

    Sensors: the pin shows ``mv_at_zero + value * mv_per_unit`` millivolts for a value in
    ``unit`` between ``minimum`` and ``maximum``, read by a converter of ``full_scale_mv``. Sensors
    with ``detects_absence`` show that they are missing by a voltage outside that range.
    ``electrical`` is what the wiring has to respect. ``lines`` names the pins of a kind that has
    several, each a signal of its own; all of them are of ``signal_kind``. ``bounces``: they are
    mechanical contacts, which open and close some times before they settle. Echo sensors answer a
    pulse on a trigger pin by one of ``us_per_unit`` microseconds for each ``unit``. ``divided_mv``
    is what the divider of ``note`` leaves of the level that it drives (0: there is none).
    """

    key: str
    role: str
    name: str
    part_number: str
    words: tuple[str, ...]
    signal: str
    signal_kind: SignalKind
    pin_role: PinRole
    active: Active
    pull: Pull
    unit: Unit
    mv_at_zero: Fraction
    mv_per_unit: Fraction
    minimum: Fraction
    maximum: Fraction
    spans_full_scale: bool
    full_scale_mv: int
    detects_absence: bool
    decimals: int
    note: str
    note_below_supply: str
    sources: tuple[str, ...]
    electrical: "Electrical"
    lines: tuple[str, ...] = ()
    bounces: bool = False
    us_per_unit: Fraction = Fraction(0)
    divided_mv: int = 0

    @property
    def has_trigger(self) -> bool:
        """Whether it is asked by a pulse on a pin of its own."""
        return self.signal_kind is SignalKind.ECHO

    def on(self, part: Part) -> "ComponentKind":
        """The kind as it is wired to a part: converters of other parts measure less than 3.3 V."""
        if self.signal_kind is not SignalKind.ANALOG:
            return self
        kind = replace(self, full_scale_mv=part.adc_full_scale_mv)
        highest = part.adc_highest_mv
        if not self.spans_full_scale or highest == SUPPLY_MV:
            return kind
        series = _DIVIDER_KOHM * (Fraction(SUPPLY_MV, highest) - 1)
        note = self.note_below_supply.format(highest=highest, series=decimal_text(series, 1))
        if self.unit is Unit.MILLIVOLTS:
            return replace(kind, maximum=Fraction(highest), note=note)
        return replace(kind, mv_per_unit=Fraction(highest) / self.maximum, note=note)


SUPPLY_MV = 3300
"""Supply of every part and sensor of the catalogue."""

_DIVIDER_KOHM = 10
