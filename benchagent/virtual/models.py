"""The board models that can be virtual, and what the virtual board must know of each."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
DEFAULT_MODEL = "olimex-stm32-h405"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardModel:
    """One board model: its part and what is soldered around it."""

    name: str
    family: str
    part: str
    flash_tool: str
    console_serial: int = 1
    """STM32: index of the console among QEMU's serial ports, 0 is USART1, 1 is USART2."""
    flash_size: int = 0
    """ESP32: bytes of the flash chip. The flash of an STM32 is part of the part."""
    led: str = ""
    """The pin of the LED; empty when there is none that is one pin."""
    table: int = 0x4000
    """Offset of the stimulus table in flash: docs/adr/0002-flash-map-stm32f4.md and its twins."""
    source: str = ""


_VCP = "USART2 (PA2, PA3) is the ST-Link's virtual COM port: ST UM1724, from memory, not checked"

MODELS = {
    model.name: model
    for model in (
        BoardModel(
            name="olimex-stm32-h405",
            family="stm32",
            part="stm32f405rg",
            flash_tool="pyocd",
            led="PC12",
            source="Olimex STM32-H405 user's manual: EXT2 pins 7 and 10, LED on PC12",
        ),
        BoardModel(
            name="nucleo-f401re",
            family="stm32",
            part="stm32f401re",
            flash_tool="pyocd",
            led="PA5",
            source=_VCP,
        ),
        BoardModel(
            name="nucleo-f411re",
            family="stm32",
            part="stm32f411re",
            flash_tool="pyocd",
            led="PA5",
            source=_VCP,
        ),
        BoardModel(
            name="nucleo-f446re",
            family="stm32",
            part="stm32f446re",
            flash_tool="pyocd",
            led="PA5",
            source=_VCP,
        ),
        BoardModel(
            name="blackpill-f411ce",
            family="stm32",
            part="stm32f411ce",
            flash_tool="pyocd",
            console_serial=0,
            led="PC13",
            source="WeAct Black Pill: LED on PC13, console on USART1; from memory, not checked",
        ),
        BoardModel(
            name="stm32f407g-disc1",
            family="stm32",
            part="stm32f407vg",
            flash_tool="pyocd",
            led="PD12",
            source="ST UM1472: green LED on PD12; from memory, not checked",
        ),
        BoardModel(
            name="esp32-c3-devkitm-1",
            family="esp32",
            part="esp32c3",
            flash_tool="esptool",
            flash_size=4 * MIB,
            table=0x1F_0000,
            source="Espressif ESP32-C3-DevKitM-1 user guide: 4 MB, RGB LED on GPIO8; not checked",
        ),
        BoardModel(
            name="esp32-c3-supermini",
            family="esp32",
            part="esp32c3",
            flash_tool="esptool",
            flash_size=4 * MIB,
            led="GPIO8",
            table=0x1F_0000,
            source="boards sold as ESP32-C3 SuperMini: 4 MB, LED on GPIO8; not checked",
        ),
        BoardModel(
            name="esp32-devkitc-v4",
            family="esp32",
            part="esp32",
            flash_tool="esptool",
            flash_size=4 * MIB,
            table=0x1F_0000,
            source="Espressif ESP32-DevKitC V4 user guide: 4 MB, no user LED; not checked",
        ),
    )
}
