"""The boards of all benches as the console knows them, free of wire types."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFact:
    """One board of the inventory; ``state`` is the wire word, e.g. ACTIVE."""

    name: str
    model: str = ""
    part: str = ""
    kind: str = ""
    state: str = "UNKNOWN"
    holder: str = ""
    lease: str = ""
    health: str = ""
    proven_image: str = ""
    experimental: bool = False
    console_epoch: int = 0
    console_bytes: int = 0
    probe_id: str = ""
    port: str = ""
    family: str = ""
    flash_tool: str = ""
    chip: str = ""
    """What the chip calls itself, with its revision; empty until it was asked."""
    usb: str = ""
    """What is on USB, and in which socket; empty for virtual boards."""
    abilities: tuple[str, ...] = ()
    personality: tuple[str, ...] = ()
    score: int = 0
    """How reliable it was lately, 0 to 100."""
    quarantine: str = ""
    """Why it is out of service; empty when it is not."""
    recovering: str = ""
    """What is done to bring it back right now."""
    cloud: str = ""
    """Which device of which stack it is, and how its gateway is; empty when it is none."""

    @property
    def board_id(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All boards and agents at one version."""

    version: int
    boards: tuple[BoardFact, ...] = ()
    agents: tuple[tuple[str, bool], ...] = ()
    """Their names, and whether each is connected."""
