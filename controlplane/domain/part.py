"""Parts (microcontroller types), board models and component kinds, as the catalogue knows them."""

from dataclasses import dataclass
from fractions import Fraction

from controlplane.domain.design import Active, PinRole, Pull, SignalKind
from controlplane.domain.units import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class UartPin:
    """A UART signal that a pin can carry through an alternate function."""

    instance: str
    role: PinRole
    alternate: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One pad of a part, as its data sheet describes it.

    ``adc`` is the ADC1 channel or None; ``reserved`` says what the pad is kept for ("" = free).
    """

    name: str
    five_volt_tolerant: bool
    adc: int | None
    uarts: tuple[UartPin, ...]
    reserved: str

    @property
    def roles(self) -> frozenset[PinRole]:
        """What the pad can be asked to do."""
        roles = {PinRole.GPIO_IN, PinRole.GPIO_OUT} | {uart.role for uart in self.uarts}
        if self.adc is not None:
            roles.add(PinRole.ADC)
        return frozenset(roles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A microcontroller type: its memory (bytes) and the pads of its package."""

    key: str
    name: str
    package: str
    flash_base: int
    flash_bytes: int
    ram_base: int
    ram_bytes: int
    adc_full_scale_mv: int
    adc_bits: int
    pins: tuple[Pin, ...]
    sources: tuple[str, ...]

    def pin(self, name: str) -> Pin | None:
        """Find a pad by its name, e.g. "PA5"."""
        return next((pin for pin in self.pins if pin.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBoard:
    """A component that is soldered to a board model; its pin is not free for others."""

    kind: str
    pin: str
    active: Active
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
    """How a board model is simulated: machine, and which ``-serial`` is the console (from 0)."""

    backend: str
    machine: str
    console_serial: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashRegion:
    """A named stretch of the flash map (absolute address, bytes)."""

    name: str
    base: int
    size: int
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardModel:
    """A catalogue entry for a board one can buy."""

    key: str
    name: str
    part: str
    words: tuple[str, ...]
    pyocd_target: str
    oscillator_hz: int
    console: Console
    simulator: Simulator
    onboard: tuple[OnBoard, ...]
    reserved: tuple[tuple[str, str], ...]
    preferred: tuple[str, ...]
    flash: tuple[FlashRegion, ...]
    notes: tuple[str, ...]
    sources: tuple[str, ...]

    def fixed(self, kind: str) -> OnBoard | None:
        """Find the on-board component of a kind."""
        return next((item for item in self.onboard if item.kind == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentKind:
    """A sensor or actuator kind.

    Sensors: the pin shows ``mv_at_zero + value * mv_per_unit`` millivolts for a value in
    ``unit`` between ``minimum`` and ``maximum``. ``plausible`` sensors can show a missing
    sensor by a voltage outside that range.
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
    detects_absence: bool
    decimals: int
    note: str
    sources: tuple[str, ...]
