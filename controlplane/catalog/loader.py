"""Reads the catalogue's TOML files once, on first use, and validates every entry."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import TypeVar

from controlplane.domain.design import Active, PinRole, Pull, SignalKind
from controlplane.domain.part import (
    BoardModel,
    ComponentKind,
    Console,
    FlashRegion,
    OnBoard,
    Part,
    Pin,
    Simulator,
    UartPin,
)
from controlplane.domain.units import Unit, parse_decimal

_E = TypeVar("_E", bound=StrEnum)


class CatalogueError(ValueError):
    """The shipped catalogue is not consistent; the message lists every problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All parts, board models and component kinds, by key."""

    parts: Mapping[str, Part]
    boards: Mapping[str, BoardModel]
    components: Mapping[str, ComponentKind]

    def part_of(self, board: BoardModel) -> Part:
        """The part on a board model."""
        return self.parts[board.part]

    def find_board(self, name: str) -> BoardModel | None:
        """Find a board model by key, part key or one of its names; None when unknown.

        A part is resolved to its only board model.
        """
        squeezed = _squeeze(name)
        for board in self.boards.values():
            if squeezed in {_squeeze(word) for word in (board.key, board.name, *board.words)}:
                return board
        on_part = [board for board in self.boards.values() if _squeeze(board.part) == squeezed]
        return on_part[0] if len(on_part) == 1 else None


@cache
def load_catalogue() -> Catalogue:
    """Read and check the catalogue; later calls give the same object. Raises CatalogueError."""
    parts = {part.key: part for part in map(_part, _tables("parts"))}
    boards = {board.key: board for board in map(_board, _tables("boards"))}
    components = {
        key: _component(key, _Table(entry, f"components.{key}"))
        for table in _tables("components")
        for key, entry in table.items()
    }
    catalogue = Catalogue(parts=parts, boards=boards, components=components)
    problems = [*_board_problems(catalogue), *_component_problems(catalogue)]
    if problems:
        raise CatalogueError("; ".join(problems))
    return catalogue


def _squeeze(name: str) -> str:
    return "".join(ch for ch in name.lower() if ch.isalnum())


class _Table:
    """Typed access to one TOML table; every error names the place."""

    def __init__(self, data: object, path: str) -> None:
        if not isinstance(data, dict):
            raise CatalogueError(f"{path}: expected a table")
        self._data = data
        self._path = path

    def items(self) -> list[tuple[str, object]]:
        """All entries."""
        return list(self._data.items())

    def text(self, key: str, default: str | None = None) -> str:
        value = self._data.get(key, default)
        if not isinstance(value, str):
            raise CatalogueError(f"{self._path}.{key}: expected a text")
        return value

    def integer(self, key: str) -> int:
        value = self._data.get(key)
        if type(value) is not int:
            raise CatalogueError(f"{self._path}.{key}: expected a whole number")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise CatalogueError(f"{self._path}.{key}: expected a list of texts")
        return tuple(value)

    def number(self, key: str) -> Fraction:
        try:
            return parse_decimal(self.text(key, "0"))
        except ValueError as error:
            raise CatalogueError(f"{self._path}.{key}: {error}") from error

    def flag(self, key: str, default: bool) -> bool:
        return bool(self._data.get(key, default))

    def word(self, kind: type[_E], key: str, default: str | None = None) -> _E:
        try:
            return kind(self.text(key, default))
        except ValueError as error:
            raise CatalogueError(f"{self._path}.{key}: {error}") from error

    def table(self, key: str) -> "_Table":
        return _Table(self._data.get(key), f"{self._path}.{key}")

    def tables(self, key: str) -> list["_Table"]:
        value = self._data.get(key, [])
        return [_Table(item, f"{self._path}.{key}[{i}]") for i, item in enumerate(value)]

    def optional_integer(self, key: str) -> int | None:
        return self.integer(key) if key in self._data else None


def _tables(folder: str) -> list[_Table]:
    directory = files("controlplane.catalog") / folder
    names = sorted(entry.name for entry in directory.iterdir() if entry.name.endswith(".toml"))
    return [
        _Table(tomllib.loads((directory / name).read_text("utf-8")), f"{folder}/{name}")
        for name in names
    ]


def _part(table: _Table) -> Part:
    return Part(
        key=table.text("key"),
        name=table.text("name"),
        package=table.text("package"),
        flash_base=table.integer("flash_base"),
        flash_bytes=table.integer("flash_bytes"),
        ram_base=table.integer("ram_base"),
        ram_bytes=table.integer("ram_bytes"),
        adc_full_scale_mv=table.integer("adc_full_scale_mv"),
        adc_bits=table.integer("adc_bits"),
        pins=tuple(_pin(pin) for pin in table.tables("pins")),
        sources=table.texts("sources"),
    )


def _pin(table: _Table) -> Pin:
    return Pin(
        name=table.text("name"),
        five_volt_tolerant=table.flag("five_volt_tolerant", default=True),
        adc=table.optional_integer("adc"),
        uarts=tuple(
            UartPin(
                instance=uart.text("instance"),
                role=uart.word(PinRole, "role"),
                alternate=uart.integer("alternate"),
            )
            for uart in table.tables("uarts")
        ),
        reserved=table.text("reserved", ""),
    )


def _board(table: _Table) -> BoardModel:
    console = table.table("console")
    simulator = table.table("simulator")
    return BoardModel(
        key=table.text("key"),
        name=table.text("name"),
        part=table.text("part"),
        words=table.texts("words"),
        pyocd_target=table.text("pyocd_target"),
        oscillator_hz=table.integer("oscillator_hz"),
        console=Console(
            uart=console.text("uart"),
            tx=console.text("tx"),
            rx=console.text("rx"),
            baud=console.integer("baud"),
            source=console.text("source"),
        ),
        simulator=Simulator(
            backend=simulator.text("backend"),
            machine=simulator.text("machine"),
            console_serial=simulator.integer("console_serial"),
            source=simulator.text("source"),
        ),
        onboard=tuple(_onboard(item) for item in table.tables("onboard")),
        reserved=tuple((pin, str(reason)) for pin, reason in table.table("reserved").items()),
        preferred=table.texts("preferred"),
        flash=tuple(
            FlashRegion(
                name=region.text("name"),
                base=region.integer("base"),
                size=region.integer("size"),
                purpose=region.text("purpose"),
            )
            for region in table.tables("flash")
        ),
        notes=table.texts("notes"),
        sources=table.texts("sources"),
    )


def _onboard(table: _Table) -> OnBoard:
    return OnBoard(
        kind=table.text("kind"),
        pin=table.text("pin"),
        active=table.word(Active, "active"),
        label=table.text("label"),
        source=table.text("source"),
    )


def _component(key: str, table: _Table) -> ComponentKind:
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
        detects_absence=table.flag("detects_absence", default=False),
        decimals=table.optional_integer("decimals") or 0,
        note=table.text("note"),
        sources=table.texts("sources"),
    )


def _board_problems(catalogue: Catalogue) -> list[str]:
    problems = []
    for board in catalogue.boards.values():
        part = catalogue.parts.get(board.part)
        if part is None:
            problems.append(f"{board.key}: unknown part {board.part}")
            continue
        named = [
            board.console.tx,
            board.console.rx,
            *board.preferred,
            *(pin for pin, _ in board.reserved),
            *(item.pin for item in board.onboard),
        ]
        problems += [f"{board.key}: {part.key} has no {pin}" for pin in named if not part.pin(pin)]
        end = part.flash_base
        for region in board.flash:
            if region.base != end:
                problems.append(f"{board.key}: flash region {region.name} leaves a gap or overlaps")
            end = region.base + region.size
        if end != part.flash_base + part.flash_bytes:
            problems.append(f"{board.key}: the flash map does not cover the flash")
        if not board.sources:
            problems.append(f"{board.key}: no sources")
    return problems


def _component_problems(catalogue: Catalogue) -> list[str]:
    problems = []
    owner: dict[str, str] = {}
    for kind in catalogue.components.values():
        if not kind.sources:
            problems.append(f"{kind.key}: no sources")
        if kind.signal_kind is SignalKind.ANALOG and kind.mv_per_unit <= 0:
            problems.append(f"{kind.key}: mv_per_unit must be above 0")
        problems.extend(
            f"{kind.key}: {word!r} also names {owner[word]}"
            for word in kind.words
            if owner.setdefault(word, kind.key) != kind.key
        )
    return problems
