"""The local cloud of one stack: one broker, its authority, and the identities of its devices.

Everything lies under one folder. Each call brings a part to what it should be, whatever it finds,
so that it may be repeated after any interruption. Calls are made one after the other.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from benchline.errors import InvalidRequestError, NotFoundError, NotReadyError
from benchline.names import DEVICE_ID
from controlplane.provisioning.localcloud.authority import LOOPBACK
from controlplane.provisioning.localcloud.broker import Broker, BrokerSetup
from controlplane.provisioning.localcloud.desired import Desired, free_ports
from controlplane.provisioning.localcloud.disk import CloudDisk, DeviceState, condition
from controlplane.provisioning.localcloud.identities import AUTHORITY, INGEST, SENDER, device_holder
from controlplane.provisioning.localcloud.mosquitto import find_mosquitto
from controlplane.provisioning.localcloud.probe import probe
from controlplane.provisioning.workspace import disk_error

T = TypeVar("T")

_PORT_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerState:
    """A broker as it was found; port 0 and no fingerprint when even that is lost."""

    port: int
    ca_fingerprint: str
    condition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a client connects with, as PEM. Never a part of an event, a log or a plan."""

    name: str
    endpoint: str
    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        """Without the key."""
        return f"Credential(name={self.name!r})"


class LocalCloud:
    """See the module. `folder` need not exist."""

    def __init__(
        self,
        stack: str,
        folder: Path,
        *,
        find_program: Callable[[], Path] = find_mosquitto,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.stack = stack
        self._find_program = find_program
        self._disk = CloudDisk(folder, stack, now)
        self._broker = Broker(folder / "broker.log")
        self._lock = asyncio.Lock()

    async def resume(self) -> None:
        """Start the broker if there should be one; what prevents it shows when it is read."""
        async with self._lock:
            desired = await _on_disk(self._disk.desired)
            if desired is None or self._broker.running:
                return
            try:
                self._broker.resume(self._setup(self._find_program(), desired.port))
            except NotReadyError as error:
                self._broker.trouble = error.message

    async def close(self) -> None:
        """Stop the broker; the cloud stays as it is on disk."""
        async with self._lock:
            await self._broker.stop()

    async def ensure_broker(self, port: int | None = None) -> BrokerState:
        """Have the broker run, on a port that is kept: the given one, or any free one.

        Raises:
            NotReadyError: MOSQUITTO_NOT_FOUND, BROKER_PORT_IN_USE or BROKER_NOT_STARTED.
            ExhaustedError: DISK_FULL.
        """
        async with self._lock:
            program = self._find_program()
            known = await _on_disk(self._disk.desired)
            if known is not None:
                await self._start(program, Desired(port=port or known.port, devices=known.devices))
            elif port is not None:
                await self._start(program, Desired(port=port))
            else:
                await self._start_anywhere(program)
            found, trouble = await self._look()
        if trouble:
            raise NotReadyError(
                "BROKER_NOT_STARTED", f"the broker runs, but lets nobody in: {trouble}", why=trouble
            )
        return found

    async def read_broker(self) -> BrokerState | None:
        """How the broker is, by connecting to it; None when there is nothing of it at all."""
        async with self._lock:
            if not self._disk.exists:
                return None
            found, _ = await self._look()
            return found

    async def delete_broker(self) -> None:
        """End the broker and delete everything of this cloud."""
        async with self._lock:
            await self._broker.stop()
            await _on_disk(self._disk.delete)

    async def ensure_device(self, device_id: str) -> DeviceState:
        """Have a good identity for a device, and the broker let it in.

        Raises:
            InvalidRequestError: INVALID_DEVICE_ID.
            NotReadyError: BROKER_NOT_STARTED: there is no broker yet, or it does not answer.
            ExhaustedError: DISK_FULL.
        """
        check_device_id(device_id)
        async with self._lock:
            desired = await _on_disk(self._disk.desired)
            if desired is None:
                raise NotReadyError(
                    "BROKER_NOT_STARTED",
                    f"stack {self.stack} has no broker yet; plan and apply the stack",
                    stack=self.stack,
                )
            await _on_disk(lambda: self._disk.admit(desired, device_id))
        await self._broker.reload()
        return await _on_disk(lambda: self._disk.device(device_id))

    async def read_device(self, device_id: str) -> DeviceState | None:
        """How the identity of a device is; None when the device is not one of this cloud."""
        async with self._lock:
            desired = await _on_disk(self._disk.desired)
            if desired is None or device_id not in desired.devices:
                return None
            return await _on_disk(lambda: self._disk.device(device_id))

    async def delete_device(self, device_id: str) -> None:
        """Revoke the identity of a device and delete its key; nothing when there is none.

        Raises:
            InvalidRequestError: INVALID_DEVICE_ID.
            NotReadyError: BROKER_NOT_STARTED: the broker does not answer.
            ExhaustedError: DISK_FULL.
        """
        check_device_id(device_id)
        async with self._lock:
            desired = await _on_disk(self._disk.desired)
            if desired is None:
                return
            await _on_disk(lambda: self._disk.expel(desired, device_id))
        await self._broker.reload()

    async def keep_only(self, device_ids: Collection[str] | None) -> None:
        """Delete what Terraform's state does not hold: it was made and never recorded.

        None: the state holds nothing, not even a broker.
        """
        if device_ids is None:
            await self.delete_broker()
            return
        desired = await _on_disk(self._disk.desired)
        for device_id in sorted((desired.devices if desired else frozenset()) - set(device_ids)):
            await self.delete_device(device_id)

    async def device_credential(self, device_id: str) -> Credential:
        """What a device connects with.

        Raises:
            InvalidRequestError: INVALID_DEVICE_ID.
            NotFoundError: CREDENTIAL_NOT_FOUND.
        """
        check_device_id(device_id)
        return await self._credential(device_holder(device_id), device_id)

    async def ingest_credential(self) -> Credential:
        """What the reader of all telemetry connects with.

        Raises:
            NotFoundError: CREDENTIAL_NOT_FOUND.
        """
        return await self._credential(INGEST, INGEST)

    async def sender_credential(self) -> Credential:
        """What who sends messages to devices connects with.

        Raises:
            NotFoundError: CREDENTIAL_NOT_FOUND.
        """
        return await self._credential(SENDER, SENDER)

    async def _credential(self, holder: str, name: str) -> Credential:
        async with self._lock:
            desired = await _on_disk(self._disk.desired)
            identity = await _on_disk(lambda: self._disk.identities.find(holder))
            authority = await _on_disk(lambda: self._disk.identities.find(AUTHORITY))
        if desired is None or identity is None or authority is None:
            raise NotFoundError(
                "CREDENTIAL_NOT_FOUND",
                f"stack {self.stack} has no credential of {name}; plan and apply the stack",
                stack=self.stack,
                name=name,
            )
        return Credential(
            name=name,
            endpoint=endpoint(desired.port),
            ca_pem=authority.certificate_pem,
            certificate_pem=identity.certificate_pem,
            key_pem=identity.key_pem,
        )

    def _setup(self, program: Path, port: int) -> BrokerSetup:
        return BrokerSetup(program=program, config=self._disk.config_path, port=port)

    async def _start_anywhere(self, program: Path) -> None:
        for tried, port in enumerate(free_ports(self._disk.folder), 1):
            try:
                await self._start(program, Desired(port=port))
            except NotReadyError as error:
                # Another program was faster.
                if error.reason != "BROKER_PORT_IN_USE" or tried == _PORT_TRIES:
                    raise
            else:
                return

    async def _start(self, program: Path, desired: Desired) -> None:
        changed = await _on_disk(lambda: self._disk.prepare(desired))
        if self._broker.running and not changed and not await self._probe(desired.port):
            return
        await self._broker.start(self._setup(program, desired.port))

    async def _look(self) -> tuple[BrokerState, str]:
        """The broker as it is, and what is wrong with it in words."""
        await self._broker.decided()
        desired = await _on_disk(self._disk.desired)
        trouble = await _on_disk(lambda: self._disk.trouble(desired))
        if desired is not None and not trouble:
            trouble = await self._probe(desired.port)
            if trouble and not self._broker.running:
                trouble = self._broker.trouble
        found = BrokerState(
            port=desired.port if desired else 0,
            ca_fingerprint=await _on_disk(self._disk.authority_fingerprint),
            condition=condition(trouble),
        )
        return found, trouble

    async def _probe(self, port: int) -> str:
        ids = self._disk.identities
        return await probe(
            port,
            ids.certificate_path(AUTHORITY),
            ids.certificate_path(INGEST),
            ids.key_path(INGEST),
        )


def endpoint(port: int) -> str:
    """Where a local broker listens: `host:port`."""
    return f"{LOOPBACK}:{port}"


def check_device_id(device_id: str) -> None:
    """Refuse what could not be a part of a topic, a file name and a certificate's subject.

    Raises:
        InvalidRequestError: INVALID_DEVICE_ID.
    """
    if not DEVICE_ID.fullmatch(device_id):
        raise InvalidRequestError(
            "INVALID_DEVICE_ID",
            "a device id has 1 to 63 lower-case letters, digits and dashes and does not begin"
            f" with a dash; {device_id[:80]!r} is none",
            device_id=repr(device_id[:80]),
        )


async def _on_disk(work: Callable[[], T]) -> T:
    """Run blocking work in a thread, to its end even when the caller is cancelled meanwhile.

    Raises:
        ExhaustedError: DISK_FULL.
        NotReadyError: STACK_FOLDER_UNUSABLE.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Terraform's end and then that of the server cancel twice: without the lock of the caller
        # the rest of the work would meet that of the next call.
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise
    except OSError as error:
        raise disk_error(error) from error
