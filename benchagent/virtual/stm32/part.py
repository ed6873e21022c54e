"""The STM32F4 parts as their debug port sees them: addresses, sizes and identification values.

Sources: RM0090 Rev 19 (STM32F405/407/415/417/427/437/429/439 reference manual), the ARMv7-M
architecture reference manual DDI 0403E and the ARM debug interface manual IHI 0031C. The values of
the F401, F411 and F446 are from their manuals RM0368, RM0383 and RM0390, not checked against them.
The flashers have their own transcription of the sector tables on purpose: two readings check one
another.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from benchagent.virtual.flash_array import Sector, sectors_of

KIB = 1024
FLASH_START = 0x0800_0000
SRAM_START = 0x2000_0000
CCM_START = 0x1000_0000

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

DBGMCU_IDCODE = 0xE004_2000

PPB_START = 0xE000_0000
PPB_SIZE = 0x10_0000

# RM0090 section 3.9: reset value of FLASH_OPTCR, read protection level 0, no sector locked.
OPTCR_RESET = 0x0FFF_AAED

# RM0090 section 38.6.2 and IHI 0031C: serial wire DP of a Cortex-M4, and its AHB-AP.
DP_IDR = 0x2BA0_1477
AHB_AP_IDR = 0x2477_0011
AHB_AP_BASE = 0xE00F_F003


# RM0090 section 3.3, table 5: main memory of 1 Mbyte devices.
_SECTORS_1M = sectors_of((16 * KIB,) * 4 + (64 * KIB,) + (128 * KIB,) * 7)
# RM0368 section 3.3, RM0383 section 3.3, RM0390 section 3.3: main memory of 512 Kbyte devices.
_SECTORS_512K = sectors_of((16 * KIB,) * 4 + (64 * KIB,) + (128 * KIB,) * 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stm32Part:
    """What differs between the parts of the family, seen from the debug port."""

    name: str
    device_id: int
    """DEV_ID of DBGMCU_IDCODE."""
    revision_id: int
    sectors: tuple[Sector, ...]
    sram_size: int
    ccm_size: int = 0
    """Core coupled memory, 0 where there is none."""

    @property
    def flash_size(self) -> int:
        """Bytes of main flash memory."""
        return sum(sector.size for sector in self.sectors)

    def bootable(self, flash: bytes | bytearray) -> bool:
        """Whether the core would start: stack pointer in RAM and a Thumb reset vector in flash.

        The core reads both words at address 0, which BOOT0 = 0 maps to flash (RM0090 section 2.4).
        """
        stack, reset = struct.unpack_from("<II", flash)
        in_sram = SRAM_START < stack <= SRAM_START + self.sram_size or (
            CCM_START < stack <= CCM_START + self.ccm_size
        )
        size = self.flash_size
        in_flash = FLASH_START <= reset < FLASH_START + size or reset < size
        return bool(in_sram and in_flash and reset & 1)


# RM0090 section 38.6.1: DEV_ID 0x413 is STM32F405/407 and STM32F415/417; REV_ID 0x1007 is rev 2.
# RM0090 section 2.3.1: 112 + 16 KiB of SRAM, and 64 KiB of core coupled memory.
_F405 = Stm32Part(
    name="stm32f405rg",
    device_id=0x413,
    revision_id=0x1007,
    sectors=_SECTORS_1M,
    sram_size=128 * KIB,
    ccm_size=64 * KIB,
)
# DEV_ID: RM0368 section 23.6.1 (0x433: F401xD/E), RM0383 section 23.6.1 (0x431: F411xC/E), RM0390
# section 33.6.1 (0x421: F446xx); SRAM: section 2.3 of each. From the manuals, not checked.
PARTS = {
    part.name: part
    for part in (
        _F405,
        Stm32Part(
            name="stm32f407vg",
            device_id=0x413,
            revision_id=0x1007,
            sectors=_SECTORS_1M,
            sram_size=128 * KIB,
            ccm_size=64 * KIB,
        ),
        Stm32Part(
            name="stm32f401re",
            device_id=0x433,
            revision_id=0x1001,
            sectors=_SECTORS_512K,
            sram_size=96 * KIB,
        ),
        Stm32Part(
            name="stm32f411ce",
            device_id=0x431,
            revision_id=0x1000,
            sectors=_SECTORS_512K,
            sram_size=128 * KIB,
        ),
        Stm32Part(
            name="stm32f411re",
            device_id=0x431,
            revision_id=0x1000,
            sectors=_SECTORS_512K,
            sram_size=128 * KIB,
        ),
        Stm32Part(
            name="stm32f446re",
            device_id=0x421,
            revision_id=0x1000,
            sectors=_SECTORS_512K,
            sram_size=128 * KIB,
        ),
    )
}
