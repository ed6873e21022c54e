"""Agents, boards and leases."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Our process on a lab PC."""

    name: str
    version: str
    online: bool
    last_seen_time: datetime | None
    host: str


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
