"""Writes sysfs trees from descriptions, with the links and folders that Linux has there.

The descriptions in `sysfs/` are written from documents, not recorded from hardware.
"""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

DESCRIPTIONS = Path(__file__).parent / "sysfs"
ALL = sorted(path.stem for path in DESCRIPTIONS.glob("*.txt"))


@dataclass(slots=True)
class Described:
    location: str
    ids: str
    facts: dict[str, str]
    hub: bool = False
    interfaces: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)


def described(text: str) -> list[Described]:
    """Devices of a description."""
    found: list[Described] = []
    for line in text.splitlines():
        words = shlex.split(line, comments=line.startswith("#"))
        if not words:
            continue
        facts = dict(word.split("=", 1) for word in words[2:] if "=" in word)
        if line[0].isspace():
            found[-1].interfaces.append((int(words[0], 16), words[1], facts))
        else:
            found.append(Described(words[0], words[1], facts, hub="hub" in words[2:]))
    return found


class TreeWriter:
    """A sysfs tree and a folder of device nodes that grow and shrink as on a PC."""

    def __init__(self, root: Path) -> None:
        self.sysfs = root / "sys"
        self.dev = root / "dev"
        for folder in ("bus/usb/devices", "class/tty", "devices"):
            (self.sysfs / folder).mkdir(parents=True)
        (self.dev / "bus" / "usb").mkdir(parents=True)

    def plug(self, name: str, **moved: str) -> None:
        """Plug in what a description names. `moved` renames sockets and ports: `at`, `tty`."""
        self.plug_text((DESCRIPTIONS / f"{name}.txt").read_text(), **moved)

    def plug_text(self, text: str, *, at: str = "", tty: str = "") -> None:
        for device in described(text):
            device.location = at or device.location
            for _, _, facts in device.interfaces:
                if tty and "tty" in facts:
                    facts["tty"] = tty
            self._plug(device)

    def unplug(self, location: str) -> None:
        link = self.sysfs / "bus/usb/devices" / location
        folder = link.resolve()
        for interface in folder.glob(f"{location}:*"):
            (link.parent / interface.name).unlink()
            for tty in [*interface.glob("tty/tty*"), *interface.glob("tty*/tty/tty*")]:
                (self.sysfs / "class/tty" / tty.name).unlink()
        link.unlink()
        shutil.rmtree(folder)

    def terminal(self, tty: str, target: str) -> None:
        """Let a port's node lead to a terminal of this PC."""
        node = self.dev / tty
        node.unlink(missing_ok=True)
        node.symlink_to(target)

    def _plug(self, device: Described) -> None:
        bus = device.location.split("-")[0]
        parents = self._parents(device.location)
        folder = self.sysfs / "devices/pci0000:00/0000:00:14.0" / f"usb{bus}"
        folder = folder.joinpath(*parents, device.location)
        folder.mkdir(parents=True)
        vendor, product = device.ids.split(":")
        facts = {
            "idVendor": vendor,
            "idProduct": product,
            "busnum": bus,
            "devnum": device.facts.get("dev", "2"),
            "bDeviceClass": "09" if device.hub else "00",
            **{k: v for k, v in device.facts.items() if k in ("serial", "product", "manufacturer")},
        }
        for name, value in facts.items():
            (folder / name).write_text(f"{value}\n")
        for number, usb_class, more in device.interfaces:
            self._interface(folder, device.location, number, usb_class, more)
        node = self.dev / "bus" / "usb" / f"{int(bus):03}" / f"{int(facts['devnum']):03}"
        node.parent.mkdir(exist_ok=True)
        node.touch()
        self._link(self.sysfs / "bus/usb/devices" / device.location, folder)

    @staticmethod
    def _parents(location: str) -> list[str]:
        bus, ports = location.split("-")
        chain = ports.split(".")
        return [f"{bus}-{'.'.join(chain[:depth])}" for depth in range(1, len(chain))]

    def _interface(
        self, device: Path, location: str, number: int, usb_class: str, facts: dict[str, str]
    ) -> None:
        folder = device / f"{location}:1.{number}"
        folder.mkdir()
        (folder / "bInterfaceNumber").write_text(f"{number:02x}\n")
        (folder / "bInterfaceClass").write_text(f"{usb_class}\n")
        if "name" in facts:
            (folder / "interface").write_text(f"{facts['name']}\n")
        tty = facts.get("tty")
        if tty:
            place = folder / "tty" / tty
            if not tty.startswith("ttyACM"):
                place = folder / tty / "tty" / tty
            place.mkdir(parents=True)
            (self.dev / tty).unlink(missing_ok=True)
            (self.dev / tty).touch()
            self._link(self.sysfs / "class/tty" / tty, place)
        self._link(self.sysfs / "bus/usb/devices" / folder.name, folder)

    @staticmethod
    def _link(link: Path, target: Path) -> None:
        link.symlink_to(os.path.relpath(target, link.parent))
