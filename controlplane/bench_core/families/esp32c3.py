"""The port for the ESP32-C3: direct boot from flash, without the vendor's boot loader."""

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
from controlplane.catalog.loader import load_catalogue
from controlplane.domain.part import BoardModel

_C3 = PORT_FOLDERS / "esp32c3"
# Without zicsr, which would choose the libraries of another width (see csr.h).
_MACHINE = ("-march=rv32imc", "-mabi=ilp32")
_SPECS = "picolibc.specs"

_SOURCES = files(
    _C3,
    "clocks.cpp",
    "console_uart.cpp",
    "edges.cpp",
    "gpio.cpp",
    "pin_names.cpp",
    "startup.cpp",
    "tick.cpp",
    "traps.cpp",
)

# docs/adr/0006-flash-map-esp32c3.md
_CODE_BYTES = 0x1E_0000
_CONFIG = 0x1E_8000
_TABLE = 0x1F_0000
# The ROM's own variables lie above (ESP32-C3 has 400 KiB of SRAM, 16 KiB of them the cache's).
_RAM = Region(0x3FC8_0000, 320 * 1024)

_PART = "esp32c3"


def catalogue_variant(board: BoardModel) -> Variant:
    """A board model as its entry in the catalogue describes it, for one without a header.

    Without an LED that a level switches, LED_BUILTIN is the first pin that designs hand out.
    """
    led, button = board.fixed("led"), board.fixed("button")
    defines = [f"-DBENCH_LED={led.pin if led else board.preferred[0]}"]
    if button:
        defines.append(f"-DBENCH_BUTTON={button.pin}")
    known = variant(board.key, "from_catalogue.h")
    return replace(known, defines=(*known.defines, *defines))


def _variant(board: BoardModel) -> Variant:
    own = board.key.replace("-", "_") + ".h"
    if (_C3 / "variants" / own).is_file():
        return variant(board.key, own)
    return catalogue_variant(board)


def _variants() -> dict[str, Variant]:
    boards = load_catalogue().boards.values()
    return {board.key: _variant(board) for board in boards if board.part == _PART}


PORTS = (
    CorePort(
        part=_PART,
        family="esp32",
        compiler_prefix="riscv64-unknown-elf-",
        apt_packages=("gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf"),
        libc="picolibc",
        libc_specs=_SPECS,
        compile_flags=(
            *_MACHINE,
            *CODE_FLAGS,
            # Version 5 of this assembler's line tables names a sketch's lines by the wrong file.
            "-gdwarf-4",
            f"--specs={_SPECS}",
            f'-DBENCH_PART="{_PART}"',
        ),
        cxx_flags=CXX_FLAGS,
        core_warning_flags=CORE_WARNING_FLAGS,
        # Without relaxation the linker knows which line of a sketch lacks a function.
        sketch_flags=(*SKETCH_WARNING_FLAGS, "-mno-relax"),
        link_flags=(
            *_MACHINE,
            f"--specs={_SPECS}",
            "-nostartfiles",
            "-Wl,--gc-sections",
            f"-Wl,--defsym=_code_bytes={_CODE_BYTES:#x}",
            f"-Wl,--defsym=_ram_bytes={_RAM.length:#x}",
        ),
        # The library's printf for real numbers, by name: its default is a choice of its packager.
        float_printf_flags=("-DPICOLIBC_DOUBLE_PRINTF_SCANF",),
        libraries=("-lm",),
        linker_script=_C3 / "esp32c3.ld",
        include_dirs=(SRC, SRC / "std", _C3),
        sources=(*CORE_SOURCES, *_SOURCES),
        headers=headers(_C3),
        flash_base=0,
        table_address=_TABLE,
        table_size=16 * 1024,
        config_address=_CONFIG,
        code_address=0,
        flash_regions=(Region(0, _CODE_BYTES),),
        ram_regions=(_RAM,),
        variants=MappingProxyType(_variants()),
    ),
)
