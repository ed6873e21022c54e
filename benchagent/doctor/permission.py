"""Whether this user may use serial ports and debug probes."""

import os
from collections.abc import Iterator

from benchagent.discovery.find import Find, find_all
from benchagent.discovery.sysfs import read_devices
from benchagent.discovery.table import InterfaceKind, usb_table
from benchagent.doctor.check import Check, Pc
from benchagent.doctor.udev import FILE, covered

_PATTERNS = ("ttyACM*", "ttyUSB*")
_RELOAD = "then `sudo udevadm control --reload` and plug the boards in again"


def permissions(pc: Pc) -> Iterator[Check]:
    """Groups, ports, probes, rules."""
    yield _group(pc, "dialout", "serial ports")
    yield _group(pc, "plugdev", "debug probes")
    yield _ports(pc)
    yield _probes(pc)
    yield _rules(pc)


def _group(pc: Pc, name: str, what: str) -> Check:
    member = pc.has_group(name)
    user = pc.user_name
    if pc.is_root:
        message = "not needed: root may use everything"
    elif member is None:
        message = f"this PC has no group {name}"
    else:
        message = f"{user} is {'' if member else 'not '}in it; it gives the {what}"
    return Check(
        name=f"group {name}",
        good=pc.is_root or member is not False,
        needed=False,
        message=message,
        fix=f"sudo usermod -aG {name} {user}, then log out and in again",
    )


def _ports(pc: Pc) -> Check:
    ports = [port for pattern in _PATTERNS for port in sorted(pc.usb.dev.glob(pattern))]
    closed = [str(port) for port in ports if not os.access(port, os.R_OK | os.W_OK)]
    if closed:
        message = f"not permitted: {', '.join(closed)}"
    elif ports:
        message = f"usable: {', '.join(map(str, ports))}"
    else:
        message = "no USB serial port is plugged in"
    return Check(
        name="serial ports",
        good=not closed,
        needed=bool(closed),
        message=message,
        fix=f"sudo usermod -aG dialout {pc.user_name}, then log out and in again",
    )


def _probes(pc: Pc) -> Check:
    probes = [find for find in _finds(pc) if find.row.interface is InterfaceKind.PROBE]
    closed = [find for find in probes if pc.usb.nodes.usb_fault(find)]
    if closed:
        message = f"not permitted: {', '.join(map(_told, closed))}"
    elif probes:
        message = f"usable: {', '.join(map(_told, probes))}"
    else:
        message = "no debug probe is plugged in"
    return Check(
        name="debug probes",
        good=not closed,
        needed=bool(closed),
        message=message,
        fix=f"`benchline agent doctor --udev-rules | sudo tee /etc/udev/rules.d/{FILE}`, {_RELOAD}",
    )


def _rules(pc: Pc) -> Check:
    lacking = [] if pc.is_root else [row for row in usb_table().rows if row.is_probe]
    files = pc.rule_files().values()
    lacking = [row for row in lacking if not covered(row, files)]
    return Check(
        name="udev rules",
        good=not lacking,
        needed=False,
        message="not needed: root may use everything"
        if pc.is_root
        else f"none for {', '.join(row.known_as for row in lacking)}"
        if lacking
        else "there for all probes that are known",
        fix=f"`benchline agent doctor --udev-rules | sudo tee /etc/udev/rules.d/{FILE}`, {_RELOAD}",
    )


def _finds(pc: Pc) -> list[Find]:
    return find_all(read_devices(pc.usb.sysfs), usb_table())


def _told(find: Find) -> str:
    return f"{find.row.known_as} in socket {find.location}"
