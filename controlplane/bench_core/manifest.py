"""How firmware on the bench core is compiled and linked: the one authority for it.

The ports themselves are data in `families/`, made from the catalogue where a family has many parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from controlplane.bench_core.core_port import CorePort, Variant
from controlplane.bench_core.families import esp32c3, stm32f4
from controlplane.domain.elf_note import part_note

__all__ = [
    "PORTS",
    "TEST_BUILD_FLAGS",
    "CorePort",
    "Variant",
    "identity_source",
    "port_for_board",
    "uses_printf",
]

TEST_BUILD_FLAGS = ("-DBENCH_TEST",)
"""Added to every compilation, core and sketch, of a test build (records, stimuli)."""

PORTS: Mapping[str, CorePort] = MappingProxyType(
    {port.part: port for port in (*stm32f4.PORTS, *esp32c3.PORTS)}
)
"""Every port by its part."""

_IDENTITY = re.compile(r"[0-9a-f]{12}|none")
_PRINTF = re.compile(r"\bv?s?n?printf(?:_P)?\s*\(")


def port_for_board(board_model: str) -> tuple[CorePort, Variant]:
    """Find the port and the variant of a board model.

    Raises:
        KeyError: no port knows this board model.
    """
    for port in PORTS.values():
        if board_model in port.variants:
            return port, port.variants[board_model]
    raise KeyError(board_model)


def identity_source(*, part: str, build_id: str, design_hash: str = "none") -> str:
    """Give the C++ file that names a build in its BOOT record, and in the ELF file the part.

    Link it with the sketch. The ids are 12 lower-case hexadecimal digits; `design_hash` may be
    "none".

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
        f'__asm__(R"({part_note(part)})");\n'
    )


def uses_printf(source: str) -> bool:
    """Whether a sketch's text mentions the printf family, so that its link needs float support."""
    return _PRINTF.search(source) is not None
