"""Plain data of gateways: what a board is bound to, and how its gateway is."""

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A board and the device that it is in a cloud. `endpoint` is host:port; what the board said
    in boots before `from_epoch` is not the device's."""

    board: str
    stack: str
    device: str
    endpoint: str
    client_id: str
    topic_prefix: str
    credential_ref: str
    from_epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Key and certificates in PEM; kept in memory alone. Without `ca_pem` the machine's
    authorities are trusted."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)
    ca_pem: bytes = b""


class GatewayState(StrEnum):
    """How a gateway is."""

    CONNECTING = "CONNECTING"
    CONNECTED = "CONNECTED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayNews:
    """How a gateway is. `published` were acknowledged by the broker, `received` written to the
    board; `dropped` could not be carried, `refused` must not be."""

    board: str
    stack: str
    device: str
    state: GatewayState = GatewayState.CONNECTING
    message: str = ""
    published: int = 0
    received: int = 0
    dropped: int = 0
    refused: int = 0


class RefusedError(Exception):
    """Somebody does not let the device in; the message says who and why."""
