"""The ESP32 parts as a flash tool sees them: registers, identification, boot messages.

Sources: esptool 5.6 (`targets/esp32.py`, `targets/esp32c3.py`), which names every register that it
reads and what it makes of it; the boot messages are from memory of boards' logs, not checked.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass

from benchagent.virtual.flash_array import Sector, sectors_of

SECTOR = 4096
IMAGE_MAGIC = 0xE9
DIRECT_BOOT = struct.pack("<II", 0xAEDB_041D, 0xAEDB_041D)
"""Two words at the start of flash that make an ESP32-C3 run from flash without a header."""
MAGIC_ADDRESS = 0x4000_1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiLayout:
    """Where the controller of the flash chip has its registers (offsets from `base`)."""

    base: int
    usr: int
    usr2: int
    miso: int
    w0: int
    address_at_top: bool
    """Whether an address of 24 bits is sent from the top of its register."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EspPart:
    """One chip of the family."""

    name: str
    chip_id: int | None
    """What GET_SECURITY_INFO says; None where the ROM does not know that command."""
    magic: int
    """The word at 0x4000_1000 by which chips without a chip id are told apart."""
    boot_offset: int
    direct_boot: bool
    spi: SpiLayout
    watchdog: int
    """Address of the RTC watchdog's configuration register; 0 where no tool uses it."""
    watchdog_key: int
    registers: Callable[[bytes], dict[int, int]]
    """The eFuses and other registers of a chip with this MAC."""
    app_message: bytes
    download_message: bytes
    qemu: str
    no_runner: str

    def sectors(self, flash_size: int) -> tuple[Sector, ...]:
        """The erase units of a flash chip of that size."""
        return sectors_of((SECTOR,) * (flash_size // SECTOR))

    def bootable(self, flash: bytes | bytearray) -> bool:
        """Whether the ROM would start what is in flash: an image header, or the direct boot."""
        if self.direct_boot and flash[: len(DIRECT_BOOT)] == DIRECT_BOOT:
            return True
        return flash[self.boot_offset] == IMAGE_MAGIC


def mac_of(name: str) -> bytes:
    """The MAC of a virtual board: locally administered, so that no real chip can have it."""
    return b"\x02" + hashlib.sha256(b"virtual esp32 " + name.encode()).digest()[:5]


def mac_text(mac: bytes) -> str:
    """A MAC as flash tools print it."""
    return ":".join(f"{byte:02x}" for byte in mac)


def _c3_registers(mac: bytes) -> dict[int, int]:
    block1 = 0x6000_8844
    return {
        block1: int.from_bytes(mac[2:], "big"),
        block1 + 4: int.from_bytes(mac[:2], "big"),
        block1 + 12: 4 << 18,  # minor revision 4: v0.4, in the QFN32 package, flash outside
        0x6000_0014: 347,  # UART_CLKDIV at 115200 baud from a crystal of 40 MHz
    }


def _esp32_registers(mac: bytes) -> dict[int, int]:
    efuse = 0x3FF5_A000
    return {
        efuse + 4: int.from_bytes(mac[2:], "big"),
        efuse + 8: int.from_bytes(mac[:2], "big"),
        efuse + 12: 1 << 15 | 1 << 9,  # revision bit 0; package 1, D0WD
        efuse + 20: 1 << 20,  # revision bit 1
        0x3FF6_607C: 1 << 31,  # revision bit 2: all three make v3.0
        0x3FF4_0014: 347,  # UART_CLKDIV at 115200 baud from a crystal of 40 MHz
    }


_C3 = EspPart(
    name="esp32c3",
    chip_id=5,
    magic=0x1B31_506F,
    boot_offset=0,
    direct_boot=True,
    spi=SpiLayout(base=0x6000_2000, usr=0x18, usr2=0x20, miso=0x28, w0=0x58, address_at_top=False),
    watchdog=0x6000_8090,
    watchdog_key=0x50D8_3AA1,
    registers=_c3_registers,
    app_message=(
        b"ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n"
        b"rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\n"
    ),
    download_message=(
        b"ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n"
        b"rst:0x1 (POWERON),boot:0x4 (DOWNLOAD(USB/UART0/1))\r\nwaiting for download\r\n"
    ),
    qemu="qemu-system-riscv32",
    no_runner="no runner here: install the extra benchline[virtual], or Espressif's QEMU",
)
_ESP32 = EspPart(
    name="esp32",
    chip_id=None,
    magic=0x00F0_1D83,
    boot_offset=0x1000,
    direct_boot=False,
    spi=SpiLayout(base=0x3FF4_2000, usr=0x1C, usr2=0x24, miso=0x2C, w0=0x80, address_at_top=True),
    watchdog=0,
    watchdog_key=0,
    registers=_esp32_registers,
    app_message=(
        b"ets Jul 29 2019 12:21:46\r\n\r\n"
        b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
    ),
    download_message=(
        b"ets Jul 29 2019 12:21:46\r\n\r\n"
        b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\n"
        b"waiting for download\r\n"
    ),
    qemu="qemu-system-xtensa",
    no_runner="no runner here: Xtensa needs Espressif's QEMU (idf_tools.py install qemu-xtensa)",
)
PARTS = {part.name: part for part in (_C3, _ESP32)}
