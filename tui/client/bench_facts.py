"""Wire messages of benches into facts of the console."""

from benchline.v1 import bench_pb2
from tui.client.care_wording import quarantine_words
from tui.state.board import BoardFact, Inventory

_KINDS = {1: "virtual", 2: "physical"}
_BOARD_STATES = {1: "ACTIVE", 2: "LEASED", 3: "OFFLINE", 4: "FAULTY", 5: "QUARANTINED"}


def board_of(wire: bench_pb2.Board) -> BoardFact:
    """One board."""
    return BoardFact(
        name=wire.name,
        model=wire.model,
        part=wire.part,
        kind=_KINDS.get(wire.kind, "unknown"),
        state=_BOARD_STATES.get(wire.state, "UNKNOWN"),
        holder=wire.holder,
        lease=wire.lease,
        health=wire.health,
        proven_image=wire.proven_image_sha256,
        experimental=wire.experimental,
        console_epoch=wire.console_epoch,
        console_bytes=wire.console_bytes,
        probe_id=wire.probe_id,
        port=wire.port,
        family=wire.family,
        flash_tool=wire.flash_tool,
        chip=f"{wire.chip.name} {wire.chip.revision}".strip(),
        usb=_usb_words(wire.usb) if wire.HasField("usb") else "",
        abilities=tuple(wire.abilities),
        personality=tuple(wire.personality),
        score=wire.score,
        quarantine=quarantine_words(wire.quarantine) if wire.HasField("quarantine") else "",
        recovering=wire.recovering,
        cloud=cloud_words(wire.cloud) if wire.HasField("cloud") else "",
    )


def cloud_words(cloud: bench_pb2.BoardCloud) -> str:
    """``d1 of stack lab: connected, 12 published, 3 dropped``."""
    state = bench_pb2.BoardCloud.State.Name(cloud.state).removeprefix("STATE_").lower()
    told = "not told by its agent" if state == "unknown" else state
    words = [f"{told}: {cloud.message}" if cloud.message else told]
    counts = (
        ("published", cloud.published),
        ("received", cloud.received),
        ("dropped", cloud.dropped),
        ("refused", cloud.refused),
    )
    words += [f"{count} {name}" for name, count in counts if count]
    return f"{cloud.device} of stack {cloud.stack}: {', '.join(words)}"


def _usb_words(usb: bench_pb2.UsbDevice) -> str:
    """``ST-Link/V2-1 0483:374b at 1-2.3``."""
    known = usb.known_as or usb.product or "USB device"
    place = f" at {usb.location}" if usb.location else ""
    return f"{known} {usb.vendor_id:04x}:{usb.product_id:04x}{place}"


def inventory_of(wire: bench_pb2.WatchBoardsResponse) -> Inventory:
    """The whole inventory."""
    return Inventory(
        version=wire.version,
        boards=tuple(board_of(one) for one in wire.boards),
        agents=tuple((one.name.rpartition("/")[2], one.online) for one in wire.agents),
    )
