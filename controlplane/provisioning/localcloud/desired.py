"""What a local cloud is meant to be, on disk: read when the control plane starts."""

import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchline.names import DEVICE_ID
from controlplane.ops.private_file import write_private
from controlplane.provisioning.localcloud.authority import LOOPBACK
from controlplane.provisioning.localcloud.files import read_or_none

# Below the ports that Linux gives to outgoing connections, so that a port stays free while its
# broker is down.
_FIRST_PORT, _PORTS = 18_883, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """The port of the broker and the devices that may use it."""

    port: int
    devices: frozenset[str] = frozenset()


def read_desired(path: Path) -> Desired | None:
    """What was written last; None when there is nothing that can be read."""
    try:
        table = json.loads(read_or_none(path) or b"")
        port, devices = int(table["port"]), frozenset(map(str, table["devices"]))
    except (ValueError, KeyError, TypeError):
        return None
    if not 1 <= port <= 65_535 or not all(map(DEVICE_ID.fullmatch, devices)):
        return None
    return Desired(port=port, devices=devices)


def write_desired(path: Path, desired: Desired) -> None:
    """Make it durable."""
    table = {"port": desired.port, "devices": sorted(desired.devices)}
    write_private(path, json.dumps(table).encode())


def free_ports(folder: Path) -> Iterator[int]:
    """Ports that nobody listens on, always in the same order for the same folder."""
    start = int.from_bytes(hashlib.sha256(bytes(folder)).digest()[:4], "big")
    for step in range(_PORTS):
        port = _FIRST_PORT + (start + step) % _PORTS
        if can_listen(port):
            yield port


def can_listen(port: int) -> bool:
    """Whether a port of the loopback address is free at this moment."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
