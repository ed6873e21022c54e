"""The STM32F4 parts that a flasher can write, and the chips that it can name.

A part is an entry of `PARTS`: pyOCD's definition of it, the plan and its checks are made from that
entry. Sources: RM0090 (STM32F405/407), RM0368 (STM32F401), RM0383 (STM32F411), RM0390 (STM32F446).
Section numbers of RM0090 are those of revision 19; what is cited of the other three is from the
manual, not checked against it. None of these parts was tried on hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KIB = 1024

IDCODE_REGISTER = 0xE004_2000
"""DBGMCU_IDCODE, the same address on every STM32F2 and F4 (RM0090 section 38.6.1)."""
DEVICE_ID_MASK = 0xFFF
FLASH_ADDRESS = 0x0800_0000
RAM_ADDRESS = 0x2000_0000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sector:
    """One erase unit: its number, its first address, its size in bytes."""

    number: int
    address: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a flasher must know of a part."""

    name: str
    device_id: int
    """DBGMCU_IDCODE bits 11:0."""
    sectors: tuple[Sector, ...]
    ram_size: int
    """SRAM at `ram_address` that the flash algorithm may use; core coupled memory is not."""
    has_code_protection: bool = False
    """FLASH_OPTCR bit 31 (SPRMOD) turns the write protection bits into read-out protection."""
    sources: tuple[str, ...]
    idcode_register: int = IDCODE_REGISTER
    flash_size_register: int = 0x1FFF_7A22
    """16 bits, in KiB."""
    uid_register: int = 0x1FFF_7A10
    """96 bits."""
    option_register: int = 0x4002_3C14
    """FLASH_OPTCR: RDP in bits 15:8, nWRP from bit 16 on."""
    flash_address: int = FLASH_ADDRESS
    ram_address: int = RAM_ADDRESS

    @property
    def flash_size(self) -> int:
        """Bytes of main flash."""
        return sum(sector.size for sector in self.sectors)


def _sectors(sizes_kib: Sequence[int]) -> tuple[Sector, ...]:
    table: list[Sector] = []
    address = FLASH_ADDRESS
    for number, size in enumerate(sizes_kib):
        table.append(Sector(number=number, address=address, size=size * KIB))
        address += size * KIB
    return tuple(table)


# Every F4 begins with four sectors of 16 KiB and one of 64 KiB; the rest have 128 KiB.
_512_KIB = _sectors((16, 16, 16, 16, 64, 128, 128, 128))
_1_MIB = _sectors((16, 16, 16, 16, 64, 128, 128, 128, 128, 128, 128, 128))

_F40X = (
    "RM0090 section 3.3, table 5: flash module organization",
    "RM0090 section 38.6.1: device id 0x413",
    "RM0090 section 39: unique id and flash size",
    "RM0090 section 3.9: FLASH_OPTCR",
)
_F401 = (
    "RM0368 section 3.3: flash module organization of the STM32F401xD/E",
    "RM0368 section 23.6.1: device id 0x433 of the STM32F401xD/E (0x423 is xB/C)",
    "RM0368 section 24: unique id and flash size",
    "RM0368 section 3.8: FLASH_OPTCR",
)
_F411 = (
    "RM0383 section 3.3: flash module organization of the STM32F411xC/E",
    "RM0383 section 23.6.1: device id 0x431",
    "RM0383 section 24: unique id and flash size",
    "RM0383 section 3.8: FLASH_OPTCR",
)
_F446 = (
    "RM0390 section 3.3: flash module organization of the STM32F446xC/E",
    "RM0390 section 33.6.1: device id 0x421",
    "RM0390 section 34: unique id and flash size",
    "RM0390 section 3.8: FLASH_OPTCR",
)

STM32F405RG = Part(
    name="stm32f405rg", device_id=0x413, sectors=_1_MIB, ram_size=128 * KIB, sources=_F40X
)
STM32F407VG = Part(
    name="stm32f407vg", device_id=0x413, sectors=_1_MIB, ram_size=128 * KIB, sources=_F40X
)
STM32F401RE = Part(
    name="stm32f401re",
    device_id=0x433,
    sectors=_512_KIB,
    ram_size=96 * KIB,
    has_code_protection=True,
    sources=_F401,
)
STM32F411CE = Part(
    name="stm32f411ce",
    device_id=0x431,
    sectors=_512_KIB,
    ram_size=128 * KIB,
    has_code_protection=True,
    sources=_F411,
)
STM32F411RE = Part(
    name="stm32f411re",
    device_id=0x431,
    sectors=_512_KIB,
    ram_size=128 * KIB,
    has_code_protection=True,
    sources=_F411,
)
STM32F446RE = Part(
    name="stm32f446re",
    device_id=0x421,
    sectors=_512_KIB,
    ram_size=128 * KIB,
    has_code_protection=True,
    sources=_F446,
)

PARTS = {
    part.name: part
    for part in (STM32F401RE, STM32F405RG, STM32F407VG, STM32F411CE, STM32F411RE, STM32F446RE)
}

UNKNOWN = Part(name="stm32unknown", device_id=0, sectors=(), ram_size=4 * KIB, sources=())
"""Enough to read the identification registers of any STM32F2 or F4 without knowing which it is."""

CHIPS = {
    0x411: "STM32F205/207/215/217 (or an STM32F405/407 of revision A, which says so by mistake)",
    0x413: "STM32F405/407/415/417",
    0x419: "STM32F427/429/437/439",
    0x421: "STM32F446",
    0x423: "STM32F401xB/xC",
    0x431: "STM32F411",
    0x433: "STM32F401xD/xE",
    0x434: "STM32F469/479",
    0x441: "STM32F412",
    0x458: "STM32F410",
    0x463: "STM32F413/423",
}
"""What a device id means, also of parts that cannot be flashed here. Sources: the id is in the
section on DBGMCU_IDCODE of each line's manual; the mistake of 0x411 is in the errata ES0182. From
the manuals, not checked against them."""


def chip_name(device_id: int) -> str:
    """The chip in words; with the bare id when nobody knows it."""
    known = CHIPS.get(device_id, "an unknown chip")
    return f"{known}, device id {device_id:#05x}"


def parts_that_match(device_id: int, flash_kib: int) -> tuple[Part, ...]:
    """Every part that looks like this from a probe: packages of one chip cannot be told apart."""
    return tuple(
        part
        for part in PARTS.values()
        if part.device_id == device_id and part.flash_size == flash_kib * KIB
    )
