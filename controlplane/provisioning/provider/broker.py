"""`benchline_broker`: the broker of a stack's local cloud."""

from collections.abc import Sequence

from controlplane.provisioning.localcloud.cloud import BrokerState, LocalCloud, endpoint
from controlplane.provisioning.localcloud.disk import READY
from controlplane.provisioning.provider.resource import Attribute, Kind, Problem
from controlplane.provisioning.provider.values import UNKNOWN, Unknown, Values

_LEAST_PORT, _MOST_PORT = 1024, 65_535


class BrokerResource:
    """There is one in a stack; its id is the stack's name."""

    attributes: Sequence[Attribute] = (
        Attribute(
            name="port",
            kind=Kind.NUMBER,
            optional=True,
            computed=True,
            description="TCP port on 127.0.0.1, from 1024; without it a free one, which it keeps.",
        ),
        Attribute(name="id", computed=True, description="The stack's name."),
        Attribute(name="endpoint", computed=True, description="host:port for MQTT over TLS."),
        Attribute(
            name="ca_fingerprint",
            computed=True,
            description="sha256 of the certificate of the stack's authority.",
        ),
        Attribute(
            name="condition",
            computed=True,
            description="ready: it lets clients with a certificate in. Else what is wrong.",
        ),
    )

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def validate(self, config: Values) -> list[Problem]:
        """The port is one that a plain user can listen on."""
        port = config.get("port")
        if port is None or isinstance(port, Unknown):
            return []
        if isinstance(port, int) and _LEAST_PORT <= port <= _MOST_PORT:
            return []
        return [
            Problem(
                attribute="port",
                summary="Not a port that the broker can have",
                detail=f"A whole number from {_LEAST_PORT} to {_MOST_PORT} is, {port} is not.",
            )
        ]

    def plan(self, prior: Values | None, proposed: Values) -> Values:
        """What is not ready is made so; its authority may have to be a new one then.

        A new broker's id is not known, so that devices are made anew with it: with the old one
        their keys go.
        """
        ready = prior is not None and prior["condition"] == READY
        port = proposed.get("port")
        if port in (None, 0):
            port = UNKNOWN
        return {
            "port": port,
            "id": self._cloud.stack if prior else UNKNOWN,
            "endpoint": endpoint(port) if isinstance(port, int) else UNKNOWN,
            "ca_fingerprint": prior["ca_fingerprint"] if prior and ready else UNKNOWN,
            "condition": READY,
        }

    async def read(self, state: Values) -> Values | None:
        """By connecting to it."""
        found = await self._cloud.read_broker()
        return None if found is None else self._values(found)

    async def apply(self, planned: Values) -> Values:
        """Start it, or mend it."""
        port = planned["port"]
        wanted = port if isinstance(port, int) else None
        return self._values(await self._cloud.ensure_broker(wanted))

    async def delete(self, state: Values) -> None:
        """End it, and delete the whole cloud with its authority."""
        await self._cloud.delete_broker()

    def _values(self, found: BrokerState) -> Values:
        return {
            "port": found.port,
            "id": self._cloud.stack,
            "endpoint": endpoint(found.port),
            "ca_fingerprint": found.ca_fingerprint,
            "condition": found.condition,
        }
