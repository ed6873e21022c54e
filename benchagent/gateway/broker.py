"""One connection to a broker with a device's own identity; the only user of the MQTT library."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiomqtt
from aiomqtt.exceptions import MqttConnectError

from benchagent.gateway.binding import Binding, RefusedError

KEEP_ALIVE_S = 30
ANSWER_S = 10.0
INCOMING = 64
"""Messages for a board that may wait to be written; more are dropped and counted."""
_QOS = 1
_NO_ANSWER = "Operation timed out"
# The library logs topics and client ids at INFO and DEBUG.
_QUIET = logging.getLogger("benchagent.gateway.mqtt")
_QUIET.setLevel(logging.ERROR)


class BrokerLostError(Exception):
    """The broker cannot be reached, or the connection ended; worth another try."""


class BrokerLink:
    """An open connection."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish and wait for the acknowledgement. Raises BrokerLostError."""
        try:
            await self._client.publish(topic, payload, qos=_QOS)
        except aiomqtt.MqttError as error:
            raise BrokerLostError(str(error)) from error

    async def subscribe(self, topic: str) -> None:
        """Subscribe. Raises BrokerLostError."""
        try:
            await self._client.subscribe(topic, qos=_QOS)
        except aiomqtt.MqttError as error:
            raise BrokerLostError(str(error)) from error

    async def messages(self) -> AsyncIterator[tuple[str, bytes]]:
        """Topics and payloads as they come. Raises BrokerLostError at the end of the connection."""
        try:
            async for message in self._client.messages:
                payload = message.payload
                yield str(message.topic), payload if isinstance(payload, bytes) else b""
        except aiomqtt.MqttError as error:
            raise BrokerLostError(str(error)) from error


@asynccontextmanager
async def connected(
    binding: Binding, context: ssl.SSLContext, on_dropped: Callable[[], None]
) -> AsyncIterator[BrokerLink]:
    """A connection while the block runs.

    Raises:
        BrokerLostError: not reached, or lost.
        RefusedError: reached, and it does not let this device in.
    """
    host, _, port = binding.endpoint.rpartition(":")

    class Waiting(asyncio.Queue[aiomqtt.Message]):
        """Messages that are not taken in time make room for nobody, and are counted."""

        def put_nowait(self, item: aiomqtt.Message) -> None:
            if self.full():
                on_dropped()
                return
            super().put_nowait(item)

    client = aiomqtt.Client(
        host,
        int(port),
        identifier=binding.client_id,
        tls_context=context,
        keepalive=KEEP_ALIVE_S,
        timeout=ANSWER_S,
        queue_type=Waiting,
        max_queued_incoming_messages=INCOMING,
        max_queued_outgoing_messages=INCOMING,
        logger=_QUIET,
    )
    try:
        await client.__aenter__()
    except MqttConnectError as error:
        raise RefusedError(f"the broker refuses the device: {error}") from error
    except aiomqtt.MqttError as error:
        raise _not_reached(error) from error
    try:
        yield BrokerLink(client)
    finally:
        try:
            await client.__aexit__(None, None, None)
        except aiomqtt.MqttError as error:
            raise BrokerLostError(str(error)) from error


def _not_reached(error: aiomqtt.MqttError) -> Exception:
    """What a failed connect means. With TLS 1.3 a broker looks at the client's certificate after
    the handshake, and hangs up without an answer when it does not like it."""
    cause = error.__context__
    if isinstance(cause, ssl.SSLError):
        return RefusedError(f"the broker cannot be proved: {cause.reason or cause}")
    if str(error) == _NO_ANSWER:
        return RefusedError(
            f"the broker did not let the device in within {ANSWER_S:g} s; its certificate may be"
            " expired or revoked"
        )
    return BrokerLostError(f"the broker is not reached: {error}")
