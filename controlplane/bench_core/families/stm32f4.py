"""Ports for the STM32F4 parts, one for each that the catalogue says has a bench core.

A part differs by its memory, its package, the limits of its line and its boards, all of which are
in its entry; sources, start code and flags are shared.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import MappingProxyType

from controlplane.bench_core.core_port import (
    CODE_FLAGS,
    CORE_SOURCES,
    CORE_WARNING_FLAGS,
    CXX_FLAGS,
    PORT_FOLDERS,
    SKETCH_WARNING_FLAGS,
    SRC,
    CorePort,
    Region,
    Variant,
    files,
    headers,
    variant,
)
from controlplane.catalog.loader import CatalogueError, load_catalogue
from controlplane.domain.part import BoardModel, Family, Part

_F4 = PORT_FOLDERS / "stm32f4"
_MACHINE = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
_SPECS = "nano.specs"

_SOURCES = files(
    _F4,
    "clocks.cpp",
    "console_uart.cpp",
    "edges.cpp",
    "faults.cpp",
    "gpio.cpp",
    "pin_names.cpp",
    "startup.cpp",
    "tick.cpp",
)

_FLASH = 0x0800_0000
_VECTORS_BYTES = 16 * 1024
_TABLE = 0x0800_4000
_CONFIG = 0x0800_C000
_CODE = 0x0801_0000
_GPIO_PORTS = "ABCDEFGHI"
_ANALOG_NAMES = 6
_CONSOLES = ("usart1", "usart2")
_LINES = ("f401", "f405", "f411", "f446")
"""Lines whose clock limits `ports/stm32f4/clock_plan.hpp` has."""


def _pads(part: Part) -> str:
    """For each GPIO port the pads that the package has, PA0 in bit 0 of the first."""
    masks = [0] * len(_GPIO_PORTS)
    for pin in part.pins:
        masks[_GPIO_PORTS.index(pin.name[1])] |= 1 << int(pin.name[2:])
    return ",".join(f"{mask:#06x}" for mask in masks)


def catalogue_variant(part: Part, board: BoardModel) -> Variant:
    """A board model as its entry in the catalogue describes it, for one without a header.

    Raises:
        CatalogueError: the console is on a USART that the port cannot drive.
    """
    if board.console.uart not in _CONSOLES:
        message = f"{board.key}: the bench core's console is one of {', '.join(_CONSOLES)}"
        raise CatalogueError(message)
    analog = [name for name in board.preferred if (pin := part.pin(name)) and pin.adc is not None]
    facts = {
        "BENCH_CONSOLE_USART": board.console.uart.removeprefix("usart"),
        "BENCH_CONSOLE_TX": board.console.tx,
        "BENCH_CONSOLE_RX": board.console.rx,
        "BENCH_HSE_HZ": str(board.oscillator_hz),
        "BENCH_HSE_IS_CLOCK": str(int(board.clock_input)),
    }
    facts |= {f"BENCH_A{number}": name for number, name in enumerate(analog[:_ANALOG_NAMES])}
    for kind, name in (("led", "BENCH_LED"), ("button", "BENCH_BUTTON")):
        if fixed := board.fixed(kind):
            facts[name] = fixed.pin
    defines = tuple(f"-D{name}={value}" for name, value in facts.items())
    known = variant(board.key, "from_catalogue.h")
    return replace(known, defines=(*known.defines, *defines))


def _variant(part: Part, board: BoardModel) -> Variant:
    own = board.key.replace("-", "_") + ".h"
    if (_F4 / "variants" / own).is_file():
        return variant(board.key, own)
    return catalogue_variant(part, board)


def _port(part: Part, boards: Iterable[BoardModel]) -> CorePort:
    """One F4 part; the first four sectors are the same on each (docs/adr/0002).

    Raises:
        CatalogueError: nobody knows the limits of the part's line.
    """
    if part.core_line not in _LINES:
        message = f"{part.key}: core_line must be one of {', '.join(_LINES)}"
        raise CatalogueError(message)
    code_bytes = part.flash_bytes - (_CODE - _FLASH)
    variants = [_variant(part, board) for board in boards if board.part == part.key]
    return CorePort(
        part=part.key,
        family=part.family.value,
        compiler_prefix="arm-none-eabi-",
        apt_packages=("gcc-arm-none-eabi", "libnewlib-arm-none-eabi"),
        libc="newlib",
        libc_specs=_SPECS,
        compile_flags=(
            *_MACHINE,
            *CODE_FLAGS,
            f"--specs={_SPECS}",
            f'-DBENCH_PART="{part.key}"',
            f"-DBENCH_LIMITS=k{part.core_line.upper()}",
            f"-DBENCH_PADS={_pads(part)}",
        ),
        cxx_flags=CXX_FLAGS,
        core_warning_flags=CORE_WARNING_FLAGS,
        sketch_flags=SKETCH_WARNING_FLAGS,
        link_flags=(
            *_MACHINE,
            f"--specs={_SPECS}",
            "-nostartfiles",
            "-Wl,--gc-sections",
            f"-Wl,--defsym=_code_bytes={code_bytes:#x}",
            f"-Wl,--defsym=_ram_bytes={part.ram_bytes:#x}",
        ),
        # 18 KiB of newlib that other sketches need not carry.
        float_printf_flags=("-u", "_printf_float"),
        libraries=("-lm",),
        linker_script=_F4 / "stm32f4.ld",
        include_dirs=(SRC, SRC / "std", _F4),
        sources=(*CORE_SOURCES, *_SOURCES),
        headers=headers(_F4),
        flash_base=_FLASH,
        table_address=_TABLE,
        table_size=16 * 1024,
        config_address=_CONFIG,
        code_address=_CODE,
        flash_regions=(Region(_FLASH, _VECTORS_BYTES), Region(_CODE, code_bytes)),
        ram_regions=(Region(part.ram_base, part.ram_bytes),),
        variants=MappingProxyType({each.board_model: each for each in variants}),
    )


def _ports() -> Iterator[CorePort]:
    catalogue = load_catalogue()
    for part in catalogue.parts.values():
        if part.family is Family.STM32 and part.bench_core:
            yield _port(part, catalogue.boards.values())


PORTS = tuple(_ports())
