"""Derives controlplane/catalog/functions/*.toml from the data of modm-devices.

modm-devices is no dependency of Benchline: install it beside it (`pip install modm-devices==0.13.1
lxml`) and run `python infra/catalogue/derive_functions.py`. For each pad that a part's entry names,
the alternate functions of timers (channels, without the complementary ones), I2C, SPI, UART and
CAN are written; nothing else is taken over.
"""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import modm_devices
from modm_devices.parser import DeviceParser

CATALOGUE = Path(__file__).parents[2] / "controlplane" / "catalog"
VERSION = "0.13.1"
SOURCES = {
    "stm32f401re": "stm32f4-01_11",
    "stm32f405rg": "stm32f4-05_07_15_17",
    "stm32f407vg": "stm32f4-05_07_15_17",
    "stm32f411ce": "stm32f4-01_11",
    "stm32f411re": "stm32f4-01_11",
    "stm32f446re": "stm32f4-46",
}
WANTED = {
    "tim": re.compile(r"ch[1-4]"),
    "i2c": re.compile(r"sda|scl"),
    "spi": re.compile(r"sck|miso|mosi"),
    "usart": re.compile(r"tx|rx"),
    "uart": re.compile(r"tx|rx"),
    "can": re.compile(r"tx|rx"),
}
HEAD = """\
# Alternate functions of the {name}'s pads: timers, I2C, SPI, UART and CAN, each with its number.
# Derived by infra/catalogue/derive_functions.py from the data of modm-devices {version}
# ({file}.xml). This file is licensed under the Mozilla Public License, version 2.0; see NOTICE.
part = "{part}"
source = "modm-devices {version} (MPL-2.0), {file}.xml: signals of the pads"

[functions]
"""


def main() -> None:
    """Write one file a part."""
    devices = files(modm_devices) / "resources" / "devices" / "stm32"
    for part, file in SOURCES.items():
        entry = tomllib.loads((CATALOGUE / "parts" / f"{part}.toml").read_text("utf-8"))
        pads = {pin["name"] for pin in entry["pins"]}
        found = DeviceParser().parse(str(devices / f"{file}.xml")).get_devices()
        device = next(one for one in found if one.partname.startswith(part))
        lines = []
        for pad in device.get_driver("gpio")["gpio"]:
            name = f"P{pad['port'].upper()}{pad['pin']}"
            functions = [text for one in pad.get("signal", []) if (text := wanted(one))]
            if name in pads and functions:
                lines.append(f"{name} = [{', '.join(map(quoted, functions))}]")
        head = HEAD.format(name=entry["name"], version=VERSION, file=file, part=part)
        path = CATALOGUE / "functions" / f"{part}.toml"
        path.write_text(head + "\n".join(sorted(lines, key=natural)) + "\n", "utf-8")


def wanted(signal: dict[str, str]) -> str:
    """A signal as "tim2_ch1 1", or "" when it is not taken over."""
    pattern = WANTED.get(signal["driver"])
    if pattern is None or "af" not in signal or not pattern.fullmatch(signal["name"]):
        return ""
    return f"{signal['driver']}{signal['instance']}_{signal['name']} {signal['af']}"


def quoted(text: str) -> str:
    """A TOML text."""
    return f'"{text}"'


def natural(line: str) -> tuple[str, int]:
    """Order by port, then by number."""
    name = line.partition(" ")[0]
    return name[:2], int(name[2:])


if __name__ == "__main__":
    main()
