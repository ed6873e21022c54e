"""What a bench core port consists of: sources, flags, linker script, boards.

The one authority for how firmware on the bench core is compiled and linked. Pure: it names files
of this package and reads none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

_ROOT = Path(__file__).resolve().parent

TEST_BUILD_FLAGS = ("-DBENCH_TEST",)
"""Added to every compilation, core and sketch, of a test build (records, stimuli)."""

FLOAT_PRINTF_FLAGS = ("-u", "_printf_float")
"""Added to the link when a sketch uses the printf family: 18 KiB that others need not carry."""

_IDENTITY = re.compile(r"[0-9a-f]{12}|none")
_PRINTF = re.compile(r"\bv?s?n?printf(?:_P)?\s*\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One board model on a port."""

    board_model: str
    defines: tuple[str, ...]
    """Preprocessor arguments that name the variant header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorePort:
    """One part's bench core.

    A compilation is `{prefix}g++ *compile_flags *language_flags *variant.defines
    [*TEST_BUILD_FLAGS] -I each include_dir`, plus `core_warning_flags` for the core's own
    sources and `sketch_warning_flags` for others. A link is `{prefix}gcc *machine_flags
    *link_flags -T linker_script objects *libraries`.
    """

    part: str
    compiler_prefix: str
    apt_packages: tuple[str, ...]
    machine_flags: tuple[str, ...]
    compile_flags: tuple[str, ...]
    """Machine flags included; for C and C++ alike."""
    cxx_flags: tuple[str, ...]
    core_warning_flags: tuple[str, ...]
    sketch_warning_flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    """Machine flags included."""
    libraries: tuple[str, ...]
    """After the objects."""
    linker_script: Path
    include_dirs: tuple[Path, ...]
    sources: tuple[Path, ...]
    headers: tuple[Path, ...]
    """Every file that a compilation may read besides `sources`: they belong in a cache key."""
    flash_base: int
    table_address: int
    table_size: int
    code_address: int
    variants: Mapping[str, Variant] = field(default_factory=dict)


def _files(folder: Path, *names: str) -> tuple[Path, ...]:
    return tuple(folder / name for name in names)


_SRC = _ROOT / "src"
_F4 = _ROOT / "ports" / "stm32f4"

_CORE_SOURCES = _files(
    _SRC,
    "HardwareSerial.cpp",
    "Print.cpp",
    "Stream.cpp",
    "WString.cpp",
    "bench/console.cpp",
    "bench/format.cpp",
    "bench/identity.cpp",
    "bench/main.cpp",
    "bench/numbers.cpp",
    "bench/pins.cpp",
    "bench/pulses.cpp",
    "bench/records.cpp",
    "bench/runtime.cpp",
    "bench/stimulus.cpp",
    "bench/time.cpp",
)

_F4_SOURCES = _files(
    _F4,
    "clocks.cpp",
    "console_uart.cpp",
    "edges.cpp",
    "faults.cpp",
    "gpio.cpp",
    "startup.cpp",
    "tick.cpp",
)

_F4_MACHINE = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")


def _headers() -> tuple[Path, ...]:
    found = [
        path
        for folder in (_SRC, _F4)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".cpp"
    ]
    return tuple(sorted(found))


STM32F405RG = CorePort(
    part="stm32f405rg",
    compiler_prefix="arm-none-eabi-",
    apt_packages=("gcc-arm-none-eabi", "libnewlib-arm-none-eabi"),
    machine_flags=_F4_MACHINE,
    compile_flags=(
        *_F4_MACHINE,
        "-Os",
        "-g",
        "-ffunction-sections",
        "-fdata-sections",
        "-fstack-usage",
        "--specs=nano.specs",
    ),
    cxx_flags=(
        "-std=gnu++17",
        "-fno-exceptions",
        "-fno-rtti",
        "-fno-threadsafe-statics",
        "-fno-use-cxa-atexit",
    ),
    core_warning_flags=("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"),
    sketch_warning_flags=("-Wall", "-Wextra"),
    link_flags=(*_F4_MACHINE, "--specs=nano.specs", "-nostartfiles", "-Wl,--gc-sections"),
    libraries=("-lm",),
    linker_script=_F4 / "stm32f405rg.ld",
    include_dirs=(_SRC, _SRC / "std", _F4),
    sources=(*_CORE_SOURCES, *_F4_SOURCES),
    headers=_headers(),
    flash_base=0x0800_0000,
    table_address=0x0800_4000,
    table_size=16 * 1024,
    code_address=0x0801_0000,
    variants=MappingProxyType(
        {
            "olimex-stm32-h405": Variant(
                board_model="olimex-stm32-h405",
                defines=("-DBENCH_VARIANT_HEADER=<variants/olimex_stm32_h405.h>",),
            )
        }
    ),
)

PORTS: Mapping[str, CorePort] = MappingProxyType({STM32F405RG.part: STM32F405RG})
"""Every port by its part."""


def port_for_board(board_model: str) -> tuple[CorePort, Variant]:
    """Find the port and the variant of a board model.

    Raises:
        KeyError: no port knows this board model.
    """
    for port in PORTS.values():
        if board_model in port.variants:
            return port, port.variants[board_model]
    raise KeyError(board_model)


def identity_source(*, build_id: str, design_hash: str = "none") -> str:
    """Give the C++ file that names a build in its BOOT record; link it with the sketch.

    Both are 12 lower-case hexadecimal digits; `design_hash` may be "none".

    Raises:
        ValueError: an argument has another form.
    """
    for name, value in (("build_id", build_id), ("design_hash", design_hash)):
        if not _IDENTITY.fullmatch(value):
            raise ValueError(f"{name} must be 12 lower-case hexadecimal digits, got {value!r}")
    return (
        '#include "bench/identity.h"\n'
        f'extern const char benchBuildId[] = "{build_id}";\n'
        f'extern const char benchDesignHash[] = "{design_hash}";\n'
    )


def uses_printf(source: str) -> bool:
    """Whether a sketch's text mentions the printf family, so that its link needs float support."""
    return _PRINTF.search(source) is not None
