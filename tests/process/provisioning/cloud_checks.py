"""What must be true of a stack of the local target, whatever happened to it before."""

import socket
from pathlib import Path

from controlplane.provisioning.localcloud.cloud import Credential
from controlplane.provisioning.localcloud.probe import probe
from tests.process.provisioning.local_rig import Stack, mosquitto_pids, written


async def refusal(credential: Credential, folder: Path) -> str:
    """Why the broker does not let a client in; empty when it does.

    The words depend on whether the alert or the end of the connection is faster.
    """
    folder = written(credential, folder)
    port = int(credential.endpoint.split(":")[1])
    why = await probe(port, folder / "ca.crt", folder / "client.crt", folder / "client.key")
    assert "no answer" not in why, "the broker is not there at all"
    assert "nothing listens" not in why, "the broker is not there at all"
    return why


async def settled_as(stack: Stack, devices: tuple[str, ...]) -> None:
    """Exactly what is desired is there, and Terraform sees nothing to do."""
    again = await stack.plan()
    assert (again.failure, again.actions, again.drift) == (None, {}, {}), again.text
    outputs = await stack.outputs()
    assert outputs["devices"].keys() == set(devices)
    found = await stack.cloud.ingest_credential()
    assert found.endpoint == outputs["broker_endpoint"]
    await intact(stack, devices)


async def intact(stack: Stack, devices: tuple[str, ...]) -> None:
    """One broker, a key for each device and for nobody else, and each of them is let in."""
    keys = {path.stem for path in (stack.cloud_folder / "devices").glob("*.key")}
    assert keys == set(devices)
    assert len(mosquitto_pids(stack.root)) == 1
    for name in devices:
        credential = await stack.cloud.device_credential(name)
        assert not await refusal(credential, stack.root / "clients" / name)


async def nothing_left(stack: Stack, port: int) -> None:
    """Nothing is there, and Terraform sees nothing to destroy."""
    erased(stack, port)
    again = await stack.plan(destroy=True)
    assert (again.failure, again.actions) == (None, {}), again.text


def erased(stack: Stack, port: int) -> None:
    """No file, no process, and the port is free."""
    assert not stack.cloud_folder.exists()
    assert mosquitto_pids(stack.root) == []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
