"""Ports for the STM32F4 parts: one entry of `PORTS` each.

A part differs by its memory, its linker script's symbols and its boards; sources, start code and
flags are shared.
"""

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
_CODE = 0x0801_0000
_RAM = 0x2000_0000


def _port(part: str, *, flash_kib: int, ram_kib: int, variants: tuple[Variant, ...]) -> CorePort:
    """One F4 part; the first four sectors are the same on each (docs/adr/0002)."""
    code_bytes = flash_kib * 1024 - (_CODE - _FLASH)
    return CorePort(
        part=part,
        family="stm32",
        compiler_prefix="arm-none-eabi-",
        apt_packages=("gcc-arm-none-eabi", "libnewlib-arm-none-eabi"),
        libc="newlib",
        libc_specs=_SPECS,
        machine_flags=_MACHINE,
        compile_flags=(
            *_MACHINE,
            *CODE_FLAGS,
            f"--specs={_SPECS}",
            f'-DBENCH_PART="{part}"',
            f"-DBENCH_PART_HEADER=<parts/{part}.h>",
        ),
        cxx_flags=CXX_FLAGS,
        core_warning_flags=CORE_WARNING_FLAGS,
        sketch_warning_flags=SKETCH_WARNING_FLAGS,
        link_flags=(
            *_MACHINE,
            f"--specs={_SPECS}",
            "-nostartfiles",
            "-Wl,--gc-sections",
            f"-Wl,--defsym=_code_bytes={code_bytes:#x}",
            f"-Wl,--defsym=_ram_bytes={ram_kib * 1024:#x}",
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
        code_address=_CODE,
        flash_regions=(Region(_FLASH, _VECTORS_BYTES), Region(_CODE, code_bytes)),
        ram_regions=(Region(_RAM, ram_kib * 1024),),
        variants=MappingProxyType({each.board_model: each for each in variants}),
    )


# Memory sizes: the data sheets' device summaries (DS10086, DS8626, DS10314, DS10693); core coupled
# memory is not counted.
PORTS = (
    _port(
        "stm32f401re",
        flash_kib=512,
        ram_kib=96,
        variants=(variant("nucleo-f401re", "nucleo_f401re.h"),),
    ),
    _port(
        "stm32f405rg",
        flash_kib=1024,
        ram_kib=128,
        variants=(variant("olimex-stm32-h405", "olimex_stm32_h405.h"),),
    ),
    _port(
        "stm32f407vg",
        flash_kib=1024,
        ram_kib=128,
        variants=(variant("stm32f407g-disc1", "stm32f407g_disc1.h"),),
    ),
    _port(
        "stm32f411ce",
        flash_kib=512,
        ram_kib=128,
        variants=(variant("blackpill-f411ce", "blackpill_f411ce.h"),),
    ),
    _port(
        "stm32f411re",
        flash_kib=512,
        ram_kib=128,
        variants=(variant("nucleo-f411re", "nucleo_f411re.h"),),
    ),
    _port(
        "stm32f446re",
        flash_kib=512,
        ram_kib=128,
        variants=(variant("nucleo-f446re", "nucleo_f446re.h"),),
    ),
)
