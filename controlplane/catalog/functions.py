"""Which peripheral does what on which pad: tables of alternate functions, or a matrix."""

from collections.abc import Mapping

from controlplane.catalog.tables import CatalogueError, Table
from controlplane.domain.part import Peripherals, PinFunction

_IN_LINES = frozenset({"miso", "rx"})
_LINES = {"i2c": ("sda", "scl"), "spi": ("sck", "mosi", "miso"), "uart": ("tx", "rx")}


def pad_functions(table: Table) -> Mapping[str, tuple[PinFunction, ...]]:
    """The alternate functions of every pad: "i2c1_sda 4" is I2C1's SDA as AF4."""
    pads = table.table("functions")
    return {pad: tuple(_function(text) for text in pads.texts(pad)) for pad, _ in pads.items()}


def _function(text: str) -> PinFunction:
    name, _, alternate = text.partition(" ")
    peripheral, _, line = name.partition("_")
    if not line or not alternate.isdecimal():
        raise CatalogueError(f"{text!r} is not a function with its number")
    return PinFunction(peripheral=peripheral, line=line, alternate=int(alternate))


def read_peripherals(table: Table) -> Peripherals:
    """What a matrix joins with the pads; nothing where there is none."""
    return Peripherals(
        i2c=table.texts("i2c"),
        spi=table.texts("spi"),
        uart=table.texts("uart"),
        can=table.texts("can"),
        pwm_channels=table.integer("pwm_channels", 0),
        pwm_timers=table.integer("pwm_timers", 0),
    )


def matrix_functions(there: Peripherals) -> Mapping[bool, tuple[PinFunction, ...]]:
    """Functions of every pad that a matrix serves, by whether it is an input only."""
    named = [
        (instance, line)
        for kind, instances in (("i2c", there.i2c), ("spi", there.spi), ("uart", there.uart))
        for instance in instances
        for line in _LINES[kind]
    ]
    named += [(instance, line) for instance in there.can for line in _LINES["uart"]]
    if there.pwm_channels:
        named.append(("ledc", ""))
    every = tuple(PinFunction(peripheral=p, line=line, alternate=None) for p, line in named)
    return {False: every, True: tuple(each for each in every if each.line in _IN_LINES)}
