"""Reads the catalogue's TOML files once, on first use, and validates every entry."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from controlplane.catalog.checks import board_problems, component_problems, part_problems
from controlplane.catalog.functions import matrix_functions, pad_functions, read_peripherals
from controlplane.catalog.naming import Naming, name_boards, squeeze
from controlplane.catalog.tables import CatalogueError, Table, read_tables
from controlplane.domain.design import Active, PinRole, Pull, SignalKind
from controlplane.domain.hardware import BusKind
from controlplane.domain.part import (
    SUPPLY_MV,
    ArduinoBoard,
    BoardModel,
    ComponentKind,
    Console,
    Electrical,
    Family,
    FlashRegion,
    FlashTool,
    OnBoard,
    Part,
    Pin,
    PlatformioBoard,
    Simulator,
    UartPin,
    UsbId,
    WokwiBoard,
)
from controlplane.domain.units import Unit

__all__ = ["Catalogue", "CatalogueError", "load_catalogue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All parts, board models and component kinds, by key.

    ``electrical`` tells of every kind that a design may name, those without a driver of ours too.
    ``names`` are the names of board models in lower case, words separated by one space.
    """

    parts: Mapping[str, Part]
    boards: Mapping[str, BoardModel]
    components: Mapping[str, ComponentKind]
    electrical: Mapping[str, Electrical] = field(default_factory=dict)
    names: Mapping[str, Naming] = field(default_factory=dict)
    squeezed: Mapping[str, Naming] = field(default_factory=dict)

    def part_of(self, board: BoardModel) -> Part:
        """The part on a board model."""
        return self.parts[board.part]

    def components_on(self, part: Part) -> Mapping[str, ComponentKind]:
        """The component kinds as they are wired to a part."""
        return {key: kind.on(part) for key, kind in self.components.items()}

    def named(self, name: str) -> Naming | None:
        """What a name means: the key, part, family or a usual name of board models."""
        return self.squeezed.get(squeeze(name))


@cache
def load_catalogue() -> Catalogue:
    """Read and check the catalogue; later calls give the same object. Raises CatalogueError."""
    functions = {table.text("part"): table for table in read_tables("functions")}
    parts = {part.key: part for part in (_part(table, functions) for table in read_tables("parts"))}
    boards = {board.key: board for board in map(_board, read_tables("boards"))}
    components = {
        key: _component(key, Table(entry, f"components.{key}"))
        for table in read_tables("components")
        for key, entry in table.items()
    }
    problems = [
        *board_problems(parts, boards),
        *part_problems(parts, boards),
        *component_problems(components, parts),
    ]
    if problems:
        raise CatalogueError("; ".join(problems))
    spoken, squeezed = name_boards(boards.values(), parts)
    electrical = {
        key: _electrical(key, Table(entry, f"electrical.{key}"))
        for table in read_tables("electrical")
        for key, entry in table.items()
    } | {key: kind.electrical for key, kind in components.items()}
    return Catalogue(
        parts=parts,
        boards=boards,
        components=components,
        electrical=electrical,
        names=spoken,
        squeezed=squeezed,
    )


def _part(table: Table, functions: Mapping[str, Table]) -> Part:
    tolerant = table.flag("five_volt_tolerant", default=True)
    peripherals = read_peripherals(table.table("peripherals"))
    matrix = matrix_functions(peripherals)
    pins = [_pin(pin, tolerant=tolerant) for pin in table.tables("pins")]
    if table.text("key") in functions:
        pads = pad_functions(functions[table.text("key")])
        pins = [replace(pin, functions=pads.get(pin.name, ())) for pin in pins]
    else:
        pins = [replace(pin, functions=matrix[pin.input_only]) for pin in pins]
    return Part(
        key=table.text("key"),
        name=table.text("name"),
        family=table.word(Family, "family"),
        words=table.texts("words"),
        default_model=table.text("default_model"),
        package=table.text("package"),
        bench_core=table.flag("bench_core", default=False),
        core_line=table.text("core_line", ""),
        targets=tuple(
            (FlashTool(tool), str(name)) for tool, name in table.table("targets").items()
        ),
        flash_base=table.integer("flash_base"),
        flash_bytes=table.integer("flash_bytes"),
        flash=tuple(
            FlashRegion(
                name=region.text("name"),
                base=region.integer("base"),
                size=region.integer("size"),
                purpose=region.text("purpose"),
            )
            for region in table.tables("flash")
        ),
        ram_base=table.integer("ram_base"),
        ram_bytes=table.integer("ram_bytes"),
        adc_full_scale_mv=table.integer("adc_full_scale_mv"),
        adc_highest_mv=table.integer("adc_highest_mv", table.integer("adc_full_scale_mv")),
        adc_bits=table.integer("adc_bits"),
        adc2_reason=table.text("adc2_reason", ""),
        pins=tuple(pins),
        notes=table.texts("notes"),
        sources=table.texts("sources"),
        peripherals=peripherals,
        pin_max_ma=table.integer("pin_max_ma"),
        supply_ma=table.integer("supply_ma"),
    )


def _pin(table: Table, *, tolerant: bool) -> Pin:
    return Pin(
        name=table.text("name"),
        five_volt_tolerant=table.flag("five_volt_tolerant", default=tolerant),
        adc=table.optional_integer("adc"),
        adc_unit=table.integer("adc_unit", 1),
        uarts=tuple(
            UartPin(
                instance=uart.text("instance"),
                role=uart.word(PinRole, "role"),
                alternate=uart.optional_integer("alternate"),
            )
            for uart in table.tables("uarts")
        ),
        input_only=table.flag("input_only", default=False),
        strapping=table.text("strapping", ""),
        usb_jtag=table.flag("usb_jtag", default=False),
        reserved=table.text("reserved", ""),
    )


def _board(table: Table) -> BoardModel:
    console = table.table("console")
    return BoardModel(
        key=table.text("key"),
        name=table.text("name"),
        part=table.text("part"),
        words=table.texts("words"),
        flash_tool=table.word(FlashTool, "flash_tool"),
        flash_bytes=table.integer("flash_bytes"),
        oscillator_hz=table.integer("oscillator_hz"),
        clock_input=table.flag("clock_input", default=False),
        connector=table.text("connector"),
        usb=tuple(
            UsbId(
                vendor_id=usb.integer("vendor_id"),
                product_id=usb.integer("product_id"),
                what=usb.text("what"),
                source=usb.text("source"),
            )
            for usb in table.tables("usb")
        ),
        console=Console(
            uart=console.text("uart"),
            tx=console.text("tx"),
            rx=console.text("rx"),
            baud=console.integer("baud"),
            source=console.text("source"),
        ),
        simulators=tuple(
            Simulator(
                backend=simulator.text("backend"),
                machine=simulator.text("machine"),
                console_serial=simulator.integer("console_serial"),
                source=simulator.text("source"),
            )
            for simulator in table.tables("simulators")
        ),
        onboard=tuple(_onboard(item) for item in table.tables("onboard")),
        reserved=tuple((pin, str(reason)) for pin, reason in table.table("reserved").items()),
        preferred=table.texts("preferred"),
        notes=table.texts("notes"),
        sources=table.texts("sources"),
        platformio=_platformio(table),
        arduino=_arduino(table),
        wokwi=_wokwi(table),
    )


def _platformio(table: Table) -> PlatformioBoard | None:
    if "platformio" not in table:
        return None
    known = table.table("platformio")
    return PlatformioBoard(
        platform=known.text("platform"), board=known.text("board"), source=known.text("source")
    )


def _arduino(table: Table) -> ArduinoBoard | None:
    if "arduino" not in table:
        return None
    known = table.table("arduino")
    return ArduinoBoard(fqbn=known.text("fqbn"), source=known.text("source"))


def _wokwi(table: Table) -> WokwiBoard | None:
    if "wokwi" not in table:
        return None
    known = table.table("wokwi")
    return WokwiBoard(
        board=known.text("board"),
        ground=known.text("ground"),
        supply=known.text("supply"),
        pins=tuple((pin, str(name)) for pin, name in known.table("pins").items()),
        source=known.text("source"),
    )


def _onboard(table: Table) -> OnBoard:
    return OnBoard(
        kind=table.text("kind"),
        pin=table.text("pin"),
        active=table.word(Active, "active"),
        pull=table.word(Pull, "pull", "none"),
        label=table.text("label"),
        source=table.text("source"),
    )


def _component(key: str, table: Table) -> ComponentKind:
    return ComponentKind(
        key=key,
        role=table.text("role"),
        name=table.text("name"),
        part_number=table.text("part_number"),
        words=table.texts("words"),
        signal=table.text("signal"),
        signal_kind=table.word(SignalKind, "signal_kind"),
        pin_role=table.word(PinRole, "pin_role"),
        active=table.word(Active, "active", "none"),
        pull=table.word(Pull, "pull", "none"),
        unit=table.word(Unit, "unit", ""),
        mv_at_zero=table.number("mv_at_zero"),
        mv_per_unit=table.number("mv_per_unit"),
        minimum=table.number("minimum"),
        maximum=table.number("maximum"),
        spans_full_scale=table.flag("spans_full_scale", default=False),
        full_scale_mv=SUPPLY_MV,
        detects_absence=table.flag("detects_absence", default=False),
        decimals=table.optional_integer("decimals") or 0,
        note=table.text("note"),
        note_below_supply=table.text("note_below_supply", ""),
        sources=table.texts("sources"),
        electrical=_electrical(key, table.table("electrical")),
        lines=table.texts("lines"),
        bounces=table.flag("bounces", default=False),
        us_per_unit=table.number("us_per_unit"),
        divided_mv=table.integer("divided_mv", 0),
    )


def _electrical(key: str, table: Table) -> Electrical:
    return Electrical(
        key=key,
        supply_mv=table.integer("supply_mv", 0),
        logic_mv=table.integer("logic_mv", 0),
        supply_ma=table.integer("supply_ma", 0),
        pin_ma=table.integer("pin_ma", 0),
        series_ohm=table.integer("series_ohm", 0),
        driver=table.text("driver", ""),
        addresses=table.texts("addresses"),
        needs_pull_up=table.flag("needs_pull_up", default=False),
        buses=tuple(BusKind(word) for word in table.texts("buses")),
        source=table.text("source"),
    )
