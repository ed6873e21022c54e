"""What describes a port of the bench core: the types, and what all ports share.

Pure: it names files of this package and lists its headers; it reads none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SRC = ROOT / "src"
PORT_FOLDERS = ROOT / "ports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One board model on a port."""

    board_model: str
    defines: tuple[str, ...]
    """Preprocessor arguments that name the variant header."""


@dataclass(frozen=True, slots=True)
class Region:
    """A piece of memory that an image may use."""

    origin: int
    length: int

    @property
    def addresses(self) -> range:
        """Every address in it."""
        return range(self.origin, self.origin + self.length)


@dataclass(frozen=True, slots=True, kw_only=True)
class CorePort:
    """One part's bench core.

    A compilation is `{prefix}g++ *compile_flags *language_flags *variant.defines
    [*TEST_BUILD_FLAGS] -I each include_dir`, plus `core_warning_flags` for the core's own
    sources and `sketch_flags` for others. A link is `{prefix}gcc *link_flags
    [*float_printf_flags] -T linker_script objects *libraries`.
    """

    part: str
    family: str
    """As the catalogue says it: `stm32`, `esp32`."""
    compiler_prefix: str
    apt_packages: tuple[str, ...]
    """The compiler's package, then the C library's."""
    libc: str
    """The C library's name for messages."""
    libc_specs: str
    """The specs file that comes with the C library: the compiler names it when it is missing."""
    compile_flags: tuple[str, ...]
    """Machine flags included; for C and C++ alike."""
    cxx_flags: tuple[str, ...]
    core_warning_flags: tuple[str, ...]
    sketch_flags: tuple[str, ...]
    """For what is not the core's own: warnings, and what messages about a sketch need."""
    link_flags: tuple[str, ...]
    """Machine flags included, and the symbols that the linker script asks for."""
    float_printf_flags: tuple[str, ...]
    """Added to the link when a sketch uses the printf family."""
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
    config_address: int
    """Where the device configuration begins; no image fills its sectors."""
    code_address: int
    flash_regions: tuple[Region, ...]
    """What the linker script may fill, at load addresses."""
    ram_regions: tuple[Region, ...]
    variants: Mapping[str, Variant] = field(default_factory=dict)


CXX_FLAGS = (
    "-std=gnu++17",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
    "-fno-use-cxa-atexit",
)
CODE_FLAGS = ("-Os", "-g", "-ffunction-sections", "-fdata-sections", "-fstack-usage")
CORE_WARNING_FLAGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
SKETCH_WARNING_FLAGS = ("-Wall", "-Wextra")


def files(folder: Path, *names: str) -> tuple[Path, ...]:
    """The named files of a folder."""
    return tuple(folder / name for name in names)


CORE_SOURCES = files(
    SRC,
    "Cloud.cpp",
    "HardwareSerial.cpp",
    "Print.cpp",
    "Stream.cpp",
    "WString.cpp",
    "bench/console.cpp",
    "bench/echoes.cpp",
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


def headers(*folders: Path) -> tuple[Path, ...]:
    """Every file below the core's sources and these folders that is not a unit of its own."""
    found = [
        path
        for folder in (SRC, *folders)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in {".cpp", ".S"}
    ]
    return tuple(sorted(found))


def variant(board_model: str, header: str) -> Variant:
    """A board model whose pins stand in `variants/<header>` of its port."""
    return Variant(
        board_model=board_model, defines=(f"-DBENCH_VARIANT_HEADER=<variants/{header}>",)
    )
