"""The udev rules for the devices of the table: who may use them, and who must leave them alone."""

from collections.abc import Iterable, Iterator

from benchagent.discovery.table import Ids, InterfaceKind, Row, usb_table

FILE = "99-benchline.rules"
_HEAD = """\
# Devices that Benchline uses. Written by `benchline agent doctor --udev-rules`.
# Debug probes may be used by whoever sits at this PC (uaccess) and by the group plugdev, serial
# ports by the group dialout; ModemManager leaves all of them alone: it writes to new ports.
# To install:
#   benchline agent doctor --udev-rules | sudo tee /etc/udev/rules.d/{file}
#   sudo udevadm control --reload && sudo udevadm trigger
ACTION!="add|change|bind", GOTO="benchline_end"
SUBSYSTEM!="usb|tty|hidraw", GOTO="benchline_end"
"""
_TAIL = 'LABEL="benchline_end"\n'
_PROBE = 'SUBSYSTEM=="usb|hidraw", {match}, MODE="0660", GROUP="plugdev", TAG+="uaccess"'
_PORT = 'SUBSYSTEM=="tty", {match}, MODE="0660", GROUP="dialout"'
_LEAVE = 'SUBSYSTEM=="usb|tty", {match}, ENV{{ID_MM_DEVICE_IGNORE}}="1"'


def udev_rules() -> str:
    """The rules file."""
    return _HEAD.format(file=FILE) + "\n" + "\n".join(_lines()) + "\n" + _TAIL


def _lines() -> Iterator[str]:
    for row in usb_table().rows:
        yield f"# {row.known_as}"
        for match in _matches(row):
            # A port behind a chip of its own needs no access to the USB device itself.
            if row.interface is not InterfaceKind.BRIDGE:
                yield _PROBE.format(match=match)
            yield _PORT.format(match=match)
            yield _LEAVE.format(match=match)


def _matches(row: Row) -> Iterator[str]:
    if row.product:
        yield f'ATTRS{{product}}=="*{row.product}*"'
    for ids in row.ids:
        yield f'ATTRS{{idVendor}}=="{ids.vendor_id:04x}"' + "".join(_product(ids))


def _product(ids: Ids) -> Iterator[str]:
    span = ids.last_product - ids.first_product
    if span == 0:
        yield f', ATTRS{{idProduct}}=="{ids.first_product:04x}"'
    elif span < 0xFFFF:
        # udev knows no ranges: the digits that all of them share.
        first, last = f"{ids.first_product:04x}", f"{ids.last_product:04x}"
        common = next(n for n in range(4) if first[n] != last[n])
        yield f', ATTRS{{idProduct}}=="{first[:common]}{"?" * (4 - common)}"'


def covered(row: Row, files: Iterable[str]) -> bool:
    """Whether some rules name a device of a row. The rules of others are read as text only."""
    if row.product:
        wanted = [(row.product.lower(), "")]
    else:
        wanted = [(f"{ids.vendor_id:04x}", f"{ids.first_product:04x}") for ids in row.ids]
    return any(
        vendor in line and (product in line or "idproduct" not in line or "????" in line)
        for text in files
        for line in text.lower().splitlines()
        if not line.lstrip().startswith("#")
        for vendor, product in wanted
    )
