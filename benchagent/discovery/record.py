"""What an agent remembers of a board on USB, and which record a find belongs to. Pure.

A board is known by *keys*, none of which is a device name:

- `usb:VID:PID:SERIAL` where a serial number tells the device from all others,
- `at:VID:PID@SOCKET` where it has none,
- `both:VID:PID:SERIAL@SOCKET` from the moment that two devices with one serial number were seen.

An adapter with a board behind each of its ports adds `#INTERFACE`. The identity of the chip, once
it was asked, stands above the keys: it joins two USB devices that lead to one chip, and finds a
board again whose keys tell only the socket.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from benchagent.board import Chip
from benchagent.discovery.find import Find
from benchagent.discovery.table import InterfaceKind

MAX_RECORDS = 1000
Records = Mapping[str, "Record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is remembered of one board."""

    board_id: str
    keys: tuple[str, ...]
    location: str = ""
    """Socket in which it was seen last."""
    pinned: bool = False
    """The operator gave it its name."""
    ignored: bool = False
    """The operator said that it is no board."""
    enrolled_time: datetime | None = None
    """When the operator said that it is a board; None = never."""
    family: str = ""
    part: str = ""
    model: str = ""
    chip: Chip | None = None

    @property
    def is_enrolled(self) -> bool:
        """Whether it is known to be a board, and what it is."""
        return self.enrolled_time is not None

    @property
    def is_kept(self) -> bool:
        """Whether somebody would miss it."""
        return self.is_enrolled or self.pinned or self.ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A board that is plugged in: its record and the USB devices that lead to it, best first."""

    record: Record
    finds: tuple[Find, ...]
    has_double: bool = False
    """Another device that is plugged in has its serial number."""


def resolve(finds: Sequence[Find], records: Records) -> tuple[list[Seen], dict[str, Record]]:
    """Which board each find is, and the records as they are from now on."""
    known = _with_shared_serials(finds, records)
    owner = {key: record.board_id for record in known.values() for key in record.keys}
    shared = _shared(finds, known)
    seen: dict[str, list[Find]] = {}
    for find in finds:
        key = key_of(find, shared)
        board_id = owner.get(key)
        if board_id is None:
            board_id = _fresh_id(find, known)
            known[board_id] = Record(board_id=board_id, keys=(key,))
            owner[key] = board_id
        seen.setdefault(board_id, []).append(find)
    doubles = _doubles(finds)
    boards: list[Seen] = []
    for board_id, group in seen.items():
        group.sort(key=_rank)
        known[board_id] = replace(known[board_id], location=group[0].location)
        boards.append(
            Seen(
                record=known[board_id],
                finds=tuple(group),
                has_double=any(_base(find) in doubles for find in group),
            )
        )
    return boards, _pruned(known, frozenset(seen))


def key_of(find: Find, shared: frozenset[str]) -> str:
    """The key of a find."""
    place = f"@{find.location}"
    if not find.serial_number:
        return f"at:{find.device.usb_id}{place}"
    base = _base(find)
    return f"both:{base}{place}" if base in shared else f"usb:{base}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a chip said when it was asked."""

    chip: Chip
    part: str
    family: str

    def of(self, record: Record) -> Record:
        """The record with it."""
        return replace(record, chip=self.chip, part=self.part, family=self.family)


def learn(
    records: Records, board_id: str, told: Told, *, present: frozenset[str]
) -> dict[str, Record]:
    """The records after the chip of a board told who it is; `present` are the keys in use now.

    A chip that another record knows is that other board, in another socket or through its second
    USB device: the record keeps its id and gets the keys. In a socket that tells nothing about
    what is in it another chip is another board.
    """
    known = dict(records)
    here = known[board_id]
    identity = told.chip.identity
    twin = _of_chip(known, identity, but=board_id)
    sockets = tuple(key for key in here.keys if key.startswith("at:"))
    was_other = here.chip is not None and here.chip.identity not in ("", identity)
    if identity and was_other and sockets:
        known[board_id] = replace(here, keys=_without(here.keys, sockets))
        if twin is None:
            twin = Record(
                board_id=_free_id(f"{board_id[:48]}-new", known),
                keys=(),
                enrolled_time=here.enrolled_time,
            )
        kept = tuple(key for key in twin.keys if not key.startswith("at:"))
        moved = replace(twin, keys=(*kept, *sockets), location=here.location)
        known[twin.board_id] = told.of(moved)
    elif twin is None:
        known[board_id] = told.of(here)
    else:
        stays, goes = (here, twin) if here.pinned and not twin.pinned else (twin, here)
        # The socket that a board has left says nothing about it any more.
        left = tuple(key for key in twin.keys if key.startswith("at:") and key not in present)
        del known[goes.board_id]
        known[stays.board_id] = told.of(
            replace(
                stays,
                keys=_without((*stays.keys, *goes.keys), left),
                model=stays.model or goes.model,
                enrolled_time=stays.enrolled_time or goes.enrolled_time,
            )
        )
    return known


def rename(records: Records, board_id: str, name: str) -> dict[str, Record]:
    """The records after the operator gave a board a name. Raises KeyError or ValueError."""
    if name in records and name != board_id:
        raise ValueError(f"{name} is the name of another board")
    known = dict(records)
    known[name] = replace(known.pop(board_id), board_id=name, pinned=True)
    return known


def _base(find: Find) -> str:
    port = "" if find.port_number is None else f"#{find.port_number}"
    return f"{find.device.usb_id}:{find.serial_number}{port}"


def _shared(finds: Sequence[Find], records: Records) -> frozenset[str]:
    """Serial numbers that tell nothing: two devices have them now, or had them once."""
    before = {
        key.removeprefix("both:").rpartition("@")[0]
        for record in records.values()
        for key in record.keys
        if key.startswith("both:")
    }
    return _doubles(finds) | before


def _doubles(finds: Sequence[Find]) -> frozenset[str]:
    counted = Counter(_base(find) for find in finds if find.serial_number)
    return frozenset(base for base, count in counted.items() if count > 1)


def _with_shared_serials(finds: Sequence[Find], records: Records) -> dict[str, Record]:
    """Turn the keys of records whose serial number proves to be shared into keys with a socket."""
    shared = _shared(finds, records)
    known = dict(records)
    for record in records.values():
        keys = tuple(
            f"both:{base}@{record.location}"
            if key.startswith("usb:") and (base := key.removeprefix("usb:")) in shared
            else key
            for key in record.keys
        )
        if keys != record.keys:
            known[record.board_id] = replace(record, keys=keys)
    return known


def _of_chip(records: Records, identity: str, *, but: str) -> Record | None:
    if not identity:
        return None
    for record in records.values():
        chip = record.chip
        if record.board_id != but and chip is not None and chip.identity == identity:
            return record
    return None


def _without(keys: Sequence[str], dropped: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for key in keys if key not in dropped))


def _rank(find: Find) -> tuple[int, str]:
    # Of two USB devices of one board the bridge is the better one: it hangs on the chip's UART,
    # which is the console of most firmware, and it stays when the chip resets.
    order = (InterfaceKind.PROBE, InterfaceKind.BRIDGE, InterfaceKind.USB_JTAG)
    kind = find.row.interface
    return (order.index(kind) if kind in order else len(order), find.location)


def _fresh_id(find: Find, records: Records) -> str:
    readable = re.sub(r"[^a-z0-9]+", "", find.serial_number.lower())[-12:]
    tail = readable or "at-" + re.sub(r"[^0-9]+", "-", find.location)
    return _free_id(f"{find.row.prefix}-{tail}", records)


def _free_id(wanted: str, records: Records) -> str:
    name, count = wanted, 1
    while name in records:
        count += 1
        name = f"{wanted}-{count}"
    return name


def _pruned(records: dict[str, Record], present: frozenset[str]) -> dict[str, Record]:
    """Forget boards that nobody would miss, when there are very many."""
    spare = len(records) - MAX_RECORDS
    droppable = [key for key, one in records.items() if key not in present and not one.is_kept]
    for board_id in droppable[: max(spare, 0)]:
        del records[board_id]
    return records
