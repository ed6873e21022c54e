"""What surrounds the pins of a design: nodes, power, buses, links, cloud resources, demands.

Every class is part of the design document. Fields that later versions of the document brought have
a default and say with ``since`` which version that was: older documents lack them, and their
canonical JSON stays as it is. ``sparse`` ones are left out of every document where they hold their
default.
"""

from dataclasses import dataclass
from enum import StrEnum

SINCE_2 = {"since": 2}
"""Metadata of fields that documents have from version 2 on."""

SPARSE_2 = {"since": 2, "sparse": True}
"""The same for fields that are only written where they say something."""


class PowerSource(StrEnum):
    """What feeds a node."""

    USB = "usb"
    BATTERY = "battery"
    MAINS_ADAPTER = "mains_adapter"


class Framework(StrEnum):
    """What the firmware of a node is written on."""

    BENCH_CORE = "bench_core"
    ARDUINO = "arduino"
    ESP_IDF = "esp_idf"
    ZEPHYR = "zephyr"


class BusKind(StrEnum):
    """How several pins carry data together."""

    I2C = "i2c"
    SPI = "spi"
    UART = "uart"
    ONEWIRE = "onewire"
    CAN = "can"


class PullUps(StrEnum):
    """Where the resistors of an open-drain bus are."""

    INTERNAL = "internal"
    EXTERNAL = "external"
    NONE = "none"


class LinkKind(StrEnum):
    """What joins two nodes, or a node and something outside."""

    UART = "uart"
    CAN = "can"
    RS485 = "rs485"
    I2C = "i2c"
    WIFI_MQTT = "wifi_mqtt"
    BLE = "ble"
    ESPNOW = "espnow"
    LORA = "lora"
    ETHERNET = "ethernet"

    @property
    def needs_radio(self) -> bool:
        """Whether both ends need a radio."""
        return self in (LinkKind.WIFI_MQTT, LinkKind.BLE, LinkKind.ESPNOW, LinkKind.LORA)


class CloudProvider(StrEnum):
    """Who runs the cloud resources."""

    NONE = "none"
    AWS = "aws"
    GCP = "gcp"
    AZURE = "azure"
    LOCAL = "local"


class RequirementKind(StrEnum):
    """What is demanded of the whole device besides its behaviours."""

    MAX_CURRENT = "max_current_ma"
    BATTERY_DAYS = "battery_days"
    LATENCY = "latency_ms"
    BOOT = "boot_ms"
    FLASH_LIMIT = "flash_limit_kib"
    RAM_LIMIT = "ram_limit_kib"
    WATCHDOG = "watchdog"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePower:
    """What feeds a node and what its regulator gives at most (mA at ``supply_mv``; 0 = unknown)."""

    source: PowerSource
    supply_mv: int
    budget_ma: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConsole:
    """The UART of the console."""

    uart: str
    tx_pin: str
    rx_pin: str
    baud: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignNode:
    """One board of the design. ``radio`` says that it uses Wi-Fi or Bluetooth."""

    id: str
    role: str
    board_model: str
    part: str
    framework: Framework
    power: NodePower
    console: NodeConsole
    min_flash_kib: int
    min_ram_kib: int
    radio: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BusMember:
    """A component on a bus: its address ("0x76", "" where there is none) or its select pin."""

    component: str
    address: str
    cs_pin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bus:
    """Pins that carry data together, on one peripheral of the part ("" = to be solved)."""

    id: str
    node: str
    kind: BusKind
    instance: str
    speed_hz: int
    pullups: PullUps
    members: tuple[BusMember, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEnd:
    """One end of a link. ``node`` "" is something outside of the design; 0 = not stated."""

    node: str
    bus: str
    speed_hz: int
    level_mv: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What joins two ends."""

    id: str
    kind: LinkKind
    a: LinkEnd
    b: LinkEnd
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudParameter:
    """A named setting of a cloud resource."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudResource:
    """One resource, with what has to be there before it."""

    id: str
    kind: str
    name: str
    depends_on: tuple[str, ...]
    parameters: tuple[CloudParameter, ...]
    sensitive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudBinding:
    """What a node is told about a resource, under which key."""

    node: str
    resource: str
    env_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The resources outside of the device."""

    provider: CloudProvider
    region: str
    resources: tuple[CloudResource, ...]
    bindings: tuple[CloudBinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A demand on the whole device: an exact decimal as text, in the unit that the kind names."""

    id: str
    kind: RequirementKind
    node: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """Something that only a person can say, and what is taken when nobody does."""

    id: str
    text: str
    blocking: bool
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Infeasible:
    """A wish that cannot be met, and why."""

    requirement: str
    reason: str


NO_CLOUD = Cloud(provider=CloudProvider.NONE, region="", resources=(), bindings=())
