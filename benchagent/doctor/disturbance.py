"""What gets in the way of boards: other programs at their ports, and power saving."""

from collections.abc import Iterator

from benchagent.discovery.find import find_all
from benchagent.discovery.sysfs import DEVICES, read_devices
from benchagent.discovery.table import usb_table
from benchagent.doctor.check import Check, Pc
from benchagent.doctor.udev import FILE
from benchagent.holders import holders_of

_BRLTTY_IDS = ("10C4:EA60", "1A86:7523", "0403:6001", "067B:2303")


def disturbances(pc: Pc) -> Iterator[Check]:
    """Programs first."""
    yield _holders(pc)
    yield _modem_manager(pc)
    yield _brltty(pc)
    yield _hot_plug(pc)
    yield _autosuspend(pc)


def _holders(pc: Pc) -> Check:
    finds = find_all(read_devices(pc.usb.sysfs), usb_table())
    ports = sorted({pc.usb.nodes.tty(find.tty) for find in finds if find.tty})
    told: list[str] = []
    for port in ports:
        names = [f"{holder.program} (process {holder.pid})" for holder in holders_of(port, pc.proc)]
        if names:
            told.append(f"{port} by {', '.join(names)}")
    scope = "" if pc.is_root else "; programs of other users are seen by root only"
    return Check(
        name="port holders",
        good=not told,
        needed=False,
        message=("in use: " + "; ".join(told) if told else "no board's port is in use") + scope,
        fix="close these programs, unless one of them is the agent that runs here",
    )


def _modem_manager(pc: Pc) -> Check:
    running = pc.is_running("ModemManager")
    told_off = any("ID_MM_DEVICE_IGNORE" in text for text in _rules_of_ours(pc))
    good = not running or told_off
    if not running:
        message = "not running"
    elif told_off:
        message = f"running; {FILE} keeps it off boards"
    else:
        message = "it writes to new serial ports and disturbs boards"
    return Check(
        name="ModemManager",
        good=good,
        needed=False,
        message=message,
        fix=f"`benchline agent doctor --udev-rules | sudo tee /etc/udev/rules.d/{FILE}`, "
        "or sudo systemctl disable --now ModemManager",
    )


def _brltty(pc: Pc) -> Check:
    """Braille displays use the same serial adapters: brltty takes their ports away."""
    rules = [
        name
        for name, text in pc.rule_files().items()
        if "brltty" in name.lower() and any(ids in _ids_in(text) for ids in _BRLTTY_IDS)
    ]
    running = pc.is_running("brltty")
    if rules:
        message = f"its rules take serial adapters away from boards: {', '.join(rules)}"
    elif running:
        message = "it runs, and may take serial adapters"
    else:
        message = "not running, and no rules of it take serial adapters"
    return Check(
        name="brltty",
        good=not rules and not running,
        needed=False,
        message=message,
        fix="sudo apt remove brltty, or take the serial adapters out of its udev rules",
    )


def _hot_plug(pc: Pc) -> Check:
    source = pc.usb.events()
    if source is not None:
        source.close()
    here = (pc.usb.sysfs / DEVICES).is_dir()
    if not here:
        message = f"{pc.usb.sysfs / DEVICES} is not there: this PC or container has no USB"
    elif source is None:
        message = "no hot-plug events here; the agent looks once a second"
    else:
        message = "events of the kernel can be heard"
    return Check(
        name="USB",
        good=here,
        needed=False,
        message=message,
        fix="in a container: give it /sys and /dev/bus/usb; in a virtual machine: pass USB on",
    )


def _autosuspend(pc: Pc) -> Check:
    asleep: list[str] = []
    for find in find_all(read_devices(pc.usb.sysfs), usb_table()):
        control = pc.usb.sysfs / DEVICES / find.device.location / "power" / "control"
        try:
            if control.read_text().strip() == "auto":
                asleep.append(f"{find.row.known_as} in socket {find.device.location}")
        except OSError:
            continue
    return Check(
        name="USB power saving",
        good=not asleep,
        needed=False,
        message=f"may put to sleep: {', '.join(asleep)}" if asleep else "leaves boards awake",
        fix="echo on | sudo tee /sys/bus/usb/devices/SOCKET/power/control, or "
        "usbcore.autosuspend=-1 on the kernel's command line",
    )


def _rules_of_ours(pc: Pc) -> list[str]:
    return [text for name, text in pc.rule_files().items() if name == FILE]


def _ids_in(text: str) -> set[str]:
    """Ids as brltty's rules write them: ENV{PRODUCT}=="10c4/ea60/*"."""
    found: set[str] = set()
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        for piece in line.replace('"', " ").split():
            vendor, slash, rest = piece.partition("/")
            product = rest.partition("/")[0]
            if slash and vendor and product:
                found.add(f"{vendor.upper():0>4}:{product.upper():0>4}")
    return found
