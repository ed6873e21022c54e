"""What an STM32 image asks of its part besides flash for its bytes. Pure.

Only addresses that mean the same on every STM32F4 are looked at. A part with less memory than the
image was linked for would start it and fault at once.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from controlplane.domain.image import ImageSegment

# Main flash is at 0x0800_0000, at most 2 MiB on an F4 (ST RM0090 section 3.3). SRAM begins at
# 0x2000_0000 (section 2.3.1); CCM, which not every part has, is not in this window.
STM32_FLASH = range(0x0800_0000, 0x0820_0000)
STM32_SRAM = range(0x2000_0000, 0x2008_0001)
_VECTORS = struct.Struct("<II")


class PartMemory(NamedTuple):
    """The flash and the RAM of a part: addresses that exist."""

    flash: range
    ram: range


class MemoryUse(NamedTuple):
    """Addresses that a program takes, and what for."""

    what: str
    span: range


def memory_of(
    segments: Iterable[ImageSegment], running: Iterable[range] = ()
) -> tuple[MemoryUse, ...]:
    """What the vectors at the start of flash tell, and the addresses of a `running` ELF program."""
    found = [MemoryUse("its data", span) for span in running if span.start in STM32_SRAM]
    for segment in segments:
        if segment.address != STM32_FLASH.start or len(segment.data) < _VECTORS.size:
            continue
        stack, reset = _VECTORS.unpack_from(segment.data)
        if stack in STM32_SRAM and stack > STM32_SRAM.start:
            found.append(MemoryUse("its first stack", range(stack - 4, stack)))
        if reset & 1 and reset in STM32_FLASH:
            found.append(MemoryUse("its start", range(reset - 1, reset + 1)))
    return tuple(found)


def lacking(memory: Sequence[MemoryUse], part: PartMemory) -> str:
    """Which of it a part does not have; "" when it has all."""
    for what, span in memory:
        in_ram = span.start in STM32_SRAM
        kind, have = ("RAM", part.ram) if in_ram else ("flash", part.flash)
        if span.start < have.start or span.stop > have.stop:
            return (
                f"{what} is at {span.start:#x}..{span.stop:#x}, the {kind} at "
                f"{have.start:#x}..{have.stop:#x}"
            )
    return ""
