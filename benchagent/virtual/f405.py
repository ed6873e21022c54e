"""The STM32F405RG as its debug port sees it: addresses, sizes and identification values.

Sources: RM0090 Rev 19 (STM32F405/407/415/417/427/437/429/439 reference manual), the ARMv7-M
architecture reference manual DDI 0403E and the ARM debug interface manual IHI 0031C. The flashers
have their own transcription of the sector table on purpose: two readings check one another.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

PART = "stm32f405rg"
BOARD_MODEL = "olimex-stm32-h405"

# RM0090 section 3.3, table 5: main memory of 1 Mbyte devices.
FLASH_START = 0x0800_0000
FLASH_SIZE = 0x10_0000
KIB = 1024
SECTOR_SIZES = (16 * KIB,) * 4 + (64 * KIB,) + (128 * KIB,) * 7

# RM0090 section 2.3.1: 112 + 16 KiB of SRAM, and 64 KiB of core coupled memory.
SRAM_START = 0x2000_0000
SRAM_SIZE = 128 * KIB
CCM_START = 0x1000_0000
CCM_SIZE = 64 * KIB

# RM0090 section 2.3: APB1 to AHB2 lie in 0x4000_0000 to 0x5006_0BFF; AHB1 ends at 0x4007_FFFF.
PERIPHERAL_START = 0x4000_0000
PERIPHERAL_SIZE = 0x8_0000
FLASH_REGISTERS = 0x4002_3C00
FLASH_REGISTERS_SIZE = 0x400

# System memory, OTP and the device electronic signature (RM0090 section 39).
SYSTEM_START = 0x1FFF_0000
SYSTEM_SIZE = 0x8000
UNIQUE_ID = 0x1FFF_7A10
FLASH_SIZE_REGISTER = 0x1FFF_7A22

# RM0090 section 38.6.1: DEV_ID 0x413 is STM32F405/407 and STM32F415/417; REV_ID 0x1007 is rev 2.
DBGMCU_IDCODE = 0xE004_2000
DEVICE_ID = 0x413
REVISION_ID = 0x1007

PPB_START = 0xE000_0000
PPB_SIZE = 0x10_0000

# RM0090 section 3.9: reset value of FLASH_OPTCR, read protection level 0, no sector locked.
OPTCR_RESET = 0x0FFF_AAED

# RM0090 section 38.6.2 and IHI 0031C: serial wire DP of a Cortex-M4, and its AHB-AP.
DP_IDR = 0x2BA0_1477
AHB_AP_IDR = 0x2477_0011
AHB_AP_BASE = 0xE00F_F003


@dataclass(frozen=True, slots=True, kw_only=True)
class Sector:
    """One erase unit: its number, its offset from the start of flash and its size, in bytes."""

    number: int
    offset: int
    size: int


def _sectors() -> tuple[Sector, ...]:
    table: list[Sector] = []
    offset = 0
    for number, size in enumerate(SECTOR_SIZES):
        table.append(Sector(number=number, offset=offset, size=size))
        offset += size
    return tuple(table)


SECTORS = _sectors()


def bootable(flash: bytes | bytearray) -> bool:
    """Whether the core would start: stack pointer in RAM and a Thumb reset vector in flash.

    The core reads both words at address 0, which BOOT0 = 0 maps to flash (RM0090 section 2.4).
    """
    stack, reset = struct.unpack_from("<II", flash)
    in_sram = SRAM_START < stack <= SRAM_START + SRAM_SIZE or (
        CCM_START < stack <= CCM_START + CCM_SIZE
    )
    in_flash = FLASH_START <= reset < FLASH_START + FLASH_SIZE or reset < FLASH_SIZE
    return bool(in_sram and in_flash and reset & 1)
