"""What a local cloud has on disk, brought to what is meant and compared with it. All blocking."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from benchline.instance import make_private
from controlplane.provisioning.localcloud.desired import Desired, read_desired, write_desired
from controlplane.provisioning.localcloud.files import read_or_none, write_when_other
from controlplane.provisioning.localcloud.identities import (
    AUTHORITY,
    INGEST,
    SENDER,
    SERVER,
    Identities,
    device_holder,
)
from controlplane.provisioning.localcloud.mosquitto import access_list, configuration

READY = "ready"
"""The condition of what is as it should be; any other says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """A device as it was found; `fingerprint` and `expires` are of its certificate, or empty."""

    device_id: str
    fingerprint: str
    expires: str
    condition: str


class CloudDisk:
    """The folder of one cloud. Faults of the disk are OSError."""

    def __init__(self, folder: Path, stack: str, now: Callable[[], datetime]) -> None:
        self.folder = folder
        self.identities = Identities(folder, stack, now)

    @property
    def config_path(self) -> Path:
        """What the broker is started with."""
        return self.folder / "mosquitto.conf"

    @property
    def exists(self) -> bool:
        """Whether anything at all is there."""
        return self.folder.exists()

    def desired(self) -> Desired | None:
        """What is meant; None when nothing is, or nobody can tell any more."""
        return read_desired(self._desired_path)

    def prepare(self, desired: Desired) -> bool:
        """Write all that the broker reads; whether anything of it is new."""
        make_private(self.folder)
        make_private(self.folder / "data")
        # First of all what is meant: from here on an interrupted call can be resumed.
        self._mean(desired)
        changed = [
            self.identities.ensure_authority(),
            self.identities.ensure(SERVER),
            self.identities.ensure(INGEST),
            self.identities.ensure(SENDER),
            write_when_other(self._acl_path, access_list(desired.devices)),
            write_when_other(self.config_path, self._config(desired.port)),
        ]
        return any(changed)

    def admit(self, desired: Desired, device_id: str) -> None:
        """Have a good identity for a device, and the right to its topics."""
        wanted = replace(desired, devices=desired.devices | {device_id})
        self._mean(wanted)
        write_when_other(self._acl_path, access_list(wanted.devices))
        self.identities.ensure(device_holder(device_id))

    def expel(self, desired: Desired, device_id: str) -> None:
        """Take the rights and the identity of a device away."""
        wanted = replace(desired, devices=desired.devices - {device_id})
        write_when_other(self._acl_path, access_list(wanted.devices))
        self.identities.remove(device_holder(device_id))
        # Last: while it is on the list, an interrupted removal is seen and done again.
        self._mean(wanted)

    def delete(self) -> None:
        """Remove everything, beginning with what is meant: the rest is no cloud any more."""
        if not self.exists:
            return
        self._desired_path.unlink(missing_ok=True)
        for key in self.folder.rglob("*.key"):
            key.unlink(missing_ok=True)
        shutil.rmtree(self.folder)

    def authority_fingerprint(self) -> str:
        """sha256 of the authority's certificate, or empty."""
        authority = self.identities.find(AUTHORITY)
        return authority.fingerprint if authority else ""

    def trouble(self, desired: Desired | None) -> str:
        """What is wrong with the files of the broker, in words; empty when nothing is."""
        if desired is None:
            return "it was removed in part"
        if trouble := self.identities.authority_trouble():
            return trouble
        for holder, what in (
            (SERVER, "the broker"),
            (INGEST, "the reader of telemetry"),
            (SENDER, "the sender of messages"),
        ):
            if trouble := self.identities.trouble(holder):
                return f"of {what}: {trouble}"
        if read_or_none(self._acl_path) != access_list(desired.devices):
            return "its access list was changed"
        if read_or_none(self.config_path) != self._config(desired.port):
            return "its configuration was changed"
        return ""

    def device(self, device_id: str) -> DeviceState:
        """How the identity of a device is."""
        holder = device_holder(device_id)
        identity = self.identities.find(holder)
        return DeviceState(
            device_id=device_id,
            fingerprint=identity.fingerprint if identity else "",
            expires=f"{identity.expires:%Y-%m-%dT%H:%M:%SZ}" if identity else "",
            condition=condition(self.identities.trouble(holder)),
        )

    @property
    def _desired_path(self) -> Path:
        return self.folder / "desired.json"

    @property
    def _acl_path(self) -> Path:
        return self.folder / "acl"

    def _config(self, port: int) -> bytes:
        return configuration(self.folder, port, as_root=os.geteuid() == 0)

    def _mean(self, desired: Desired) -> None:
        if self.desired() != desired:
            write_desired(self._desired_path, desired)


def condition(trouble: str) -> str:
    """The condition of what has this trouble, or none."""
    return f"broken: {trouble}" if trouble else READY
