"""Sends messages to the devices of local clouds, as the cloud's own sender."""

import ssl
from uuid import uuid4

import aiomqtt

from benchline.cloud_records import MAX_PAYLOAD_BYTES, MAX_TOPIC_CHARS, is_topic
from benchline.errors import InvalidRequestError, UnreachableError
from controlplane.provisioning.localcloud.clouds import LocalClouds
from controlplane.provisioning.localcloud.connection import client_of
from controlplane.provisioning.localcloud.mosquitto import topic_prefix

_PATIENCE_S = 10


class Sender:
    """Connects for each message: they are few, and each is acknowledged by the broker."""

    def __init__(self, clouds: LocalClouds) -> None:
        self._clouds = clouds

    async def send(self, stack_id: str, device: str, topic: str, payload: bytes) -> None:
        """Publish below a device's prefix; returns when the broker has it.

        Raises:
            InvalidRequestError: TOPIC_INVALID or PAYLOAD_TOO_LARGE.
            NotFoundError: CREDENTIAL_NOT_FOUND.
            UnreachableError: BROKER_UNREACHABLE.
        """
        if not is_topic(topic):
            raise InvalidRequestError(
                "TOPIC_INVALID",
                f"{topic[:80]!r} is no topic: 1 to {MAX_TOPIC_CHARS} letters, digits and _ . / -",
                topic=topic[:80],
            )
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise InvalidRequestError(
                "PAYLOAD_TOO_LARGE",
                f"a device takes {MAX_PAYLOAD_BYTES} bytes at most, these are {len(payload)}",
                bytes=str(len(payload)),
            )
        credential = await self._clouds.cloud(stack_id).sender_credential()
        identifier = f"{stack_id}-sender-{uuid4().hex[:8]}"
        try:
            async with await client_of(credential, identifier, timeout=_PATIENCE_S) as client:
                await client.publish(f"{topic_prefix(device)}/{topic}", payload, qos=1)
        except (aiomqtt.MqttError, ssl.SSLError) as error:
            raise UnreachableError(
                "BROKER_UNREACHABLE",
                f"the broker of {stack_id} did not take it: {error};"
                f" `benchline stack drift {stack_id}` looks what is wrong",
                stack=stack_id,
            ) from error
