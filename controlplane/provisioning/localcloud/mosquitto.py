"""What Mosquitto is told: its configuration, and who may use which topic. Nothing runs here."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from benchline.errors import NotReadyError
from controlplane.provisioning.localcloud.authority import LOOPBACK
from controlplane.provisioning.localcloud.identities import (
    AUTHORITY,
    INGEST_NAME,
    SENDER_NAME,
    SERVER,
)

PACKAGE = "mosquitto"
READY_LINE, RELOAD_LINE = b" running", b"Reloading config."
PORT_TAKEN_LINE = b"Address already in use"
# Debian keeps it where the PATH of a plain user does not look.
_FURTHER_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_PACKET_BYTES = 16_384
_CONNECTIONS = 1024
_QUEUED_MESSAGES = 1000
_MEMORY_BYTES = 128 << 20


def find_mosquitto() -> Path:
    """The broker's program.

    Raises:
        NotReadyError: MOSQUITTO_NOT_FOUND, it is not installed.
    """
    folders = os.pathsep.join((*os.get_exec_path(), *_FURTHER_FOLDERS))
    found = shutil.which("mosquitto", path=folders)
    if found is None:
        raise NotReadyError(
            "MOSQUITTO_NOT_FOUND",
            "mosquitto is missing, the broker of the local device cloud: install the package"
            f" (apt install {PACKAGE})",
            package=PACKAGE,
        )
    return Path(found).absolute()


def topic_prefix(device_id: str) -> str:
    """Below this a device publishes and subscribes, and nowhere else."""
    return f"devices/{device_id}"


def access_list(device_ids: Iterable[str]) -> bytes:
    """Each device below its own prefix, the control plane's reader and sender everywhere."""
    lines = [f"user {INGEST_NAME}", "topic read devices/#"]
    lines += ["", f"user {SENDER_NAME}", "topic write devices/#"]
    for device_id in sorted(device_ids):
        lines += ["", f"user {device_id}", f"topic readwrite {topic_prefix(device_id)}/#"]
    return "\n".join((*lines, "")).encode("ascii")


def configuration(folder: Path, port: int, *, as_root: bool) -> bytes:
    """The file that Mosquitto runs with: loopback only, certificates both ways."""
    lines = [
        "per_listener_settings false",
        # As root it would become a user that cannot read the keys.
        *(["user root"] if as_root else []),
        f"listener {port} {LOOPBACK}",
        f"cafile {folder / AUTHORITY}.crt",
        f"certfile {folder / SERVER}.crt",
        f"keyfile {folder / SERVER}.key",
        f"crlfile {folder / 'revoked.crl'}",
        "require_certificate true",
        "use_identity_as_username true",
        "allow_anonymous false",
        f"acl_file {folder / 'acl'}",
        f"max_packet_size {_PACKET_BYTES}",
        f"max_connections {_CONNECTIONS}",
        f"max_queued_messages {_QUEUED_MESSAGES}",
        f"memory_limit {_MEMORY_BYTES}",
        "persistence true",
        f"persistence_location {folder / 'data'}/",
        "autosave_interval 10",
        "log_dest stderr",
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
        *(f"log_type {kind}" for kind in ("error", "warning", "notice", "information")),
        "connection_messages true",
    ]
    return "\n".join((*lines, "")).encode()
