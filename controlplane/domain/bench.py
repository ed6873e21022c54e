"""Agents, boards and leases."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controlplane.domain.health import Quarantine


class BoardKind(StrEnum):
    """What kind of thing a board is."""

    VIRTUAL = "VIRTUAL"
    PHYSICAL = "PHYSICAL"


class BoardState(StrEnum):
    """Life cycle of a board as the control plane sees it."""

    ACTIVE = "ACTIVE"
    LEASED = "LEASED"
    OFFLINE = "OFFLINE"
    FAULTY = "FAULTY"
    QUARANTINED = "QUARANTINED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Our process on a lab PC."""

    name: str
    version: str
    online: bool
    last_seen_time: datetime | None
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbDevice:
    """A device on USB as the lab PC sees it; `location` is bus and hub ports, e.g. "1-2.3"."""

    vendor_id: int
    product_id: int
    serial_number: str = ""
    location: str = ""
    product: str = ""
    manufacturer: str = ""
    known_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A chip as it described itself to the flash tool; `identity` is its MAC or unique id."""

    name: str
    revision: str = ""
    identity: str = ""
    flash_bytes: int = 0
    features: tuple[str, ...] = ()
    protections: tuple[str, ...] = ()
    read_time: datetime | None = None


class GatewayState(StrEnum):
    """How the gateway of a board is. UNKNOWN: its agent has not told, or is away."""

    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardCloud:
    """A board as a device of a cloud, and the gateway in its agent.

    `message` says why the gateway is not connected; counts are of messages since it was begun.
    """

    stack: str
    device: str
    state: GatewayState = GatewayState.UNKNOWN
    message: str = ""
    published: int = 0
    received: int = 0
    dropped: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One thing that can be flashed, with an identity; `health` is "ok" or what is wrong."""

    name: str
    model: str
    part: str
    kind: BoardKind
    state: BoardState
    probe_id: str
    identity: str
    port: str
    lease: str = ""
    holder: str = ""
    health: str = "ok"
    proven_image_sha256: str = ""
    experimental: bool = False
    last_seen_time: datetime | None = None
    console_epoch: int = 0
    console_bytes: int = 0
    family: str = ""
    flash_tool: str = ""
    usb: UsbDevice | None = None
    chip: Chip | None = None
    abilities: tuple[str, ...] = ()
    personality: tuple[str, ...] = ()
    score: int = 80
    """How reliable it was lately, 0 to 100."""
    quarantine: Quarantine | None = None
    recovering: str = ""
    """What is done to bring it back right now."""
    cloud: BoardCloud | None = None
    """The cloud that its messages are carried to; None while it is bound to none."""

    @property
    def board_id(self) -> str:
        """Last part of the name, e.g. `vf405-01`."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def agent_id(self) -> str:
        """Agent part of the name, e.g. `bench`."""
        return self.name.split("/")[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Time-limited exclusive right to a board."""

    name: str
    board: str
    holder: str
    fencing_token: int
    expire_time: datetime
    create_time: datetime
