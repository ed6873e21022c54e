"""`benchline_device`: the identity of a device at a stack's broker."""

from collections.abc import Sequence

from benchline.errors import InvalidRequestError
from controlplane.provisioning.localcloud.cloud import (
    LocalCloud,
    check_device_id,
)
from controlplane.provisioning.localcloud.disk import READY, DeviceState
from controlplane.provisioning.localcloud.mosquitto import topic_prefix
from controlplane.provisioning.provider.resource import Attribute, Problem
from controlplane.provisioning.provider.values import UNKNOWN, Unknown, Values


class DeviceResource:
    """A key, its certificate and its place in the broker's access list."""

    attributes: Sequence[Attribute] = (
        Attribute(
            name="device_id",
            required=True,
            replaces=True,
            description="1 to 63 lower-case letters, digits and dashes, no dash first.",
        ),
        Attribute(
            name="broker",
            required=True,
            replaces=True,
            description="The id of the stack's benchline_broker.",
        ),
        Attribute(name="id", computed=True, description="The device id."),
        Attribute(name="client_id", computed=True, description="What it calls itself in MQTT."),
        Attribute(
            name="topic_prefix",
            computed=True,
            description="Below this it publishes and subscribes, and nowhere else.",
        ),
        Attribute(
            name="credential_ref",
            computed=True,
            description="Names its key; the key itself is never in Terraform's state.",
        ),
        Attribute(
            name="certificate_fingerprint",
            computed=True,
            description="sha256 of its certificate.",
        ),
        Attribute(
            name="certificate_expires",
            computed=True,
            description="End of its certificate; a plan within the last 30 days renews it.",
        ),
        Attribute(
            name="condition",
            computed=True,
            description="ready: key and certificate are there and valid. Else what is wrong.",
        ),
    )

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    def validate(self, config: Values) -> list[Problem]:
        """The id could be a part of a topic, and the broker is that of this stack."""
        problems = []
        device_id, broker = config.get("device_id"), config.get("broker")
        if isinstance(device_id, str):
            try:
                check_device_id(device_id)
            except InvalidRequestError as error:
                problems.append(
                    Problem(attribute="device_id", summary="Not a device id", detail=error.message)
                )
        if not isinstance(broker, Unknown) and broker != self._cloud.stack:
            problems.append(
                Problem(
                    attribute="broker",
                    summary="Not the broker of this stack",
                    detail=f"It must be the id of the benchline_broker of {self._cloud.stack}.",
                )
            )
        return problems

    def plan(self, prior: Values | None, proposed: Values) -> Values:
        """Everything is known but the certificate, when there must be a new one."""
        keeps = (
            prior is not None
            and prior["condition"] == READY
            and all(prior[one] == proposed[one] for one in ("device_id", "broker"))
        )
        kept = prior if prior is not None and keeps else {}
        return {
            **self._named(proposed["device_id"]),
            "broker": proposed["broker"],
            "certificate_fingerprint": kept.get("certificate_fingerprint", UNKNOWN),
            "certificate_expires": kept.get("certificate_expires", UNKNOWN),
            "condition": READY,
        }

    async def read(self, state: Values) -> Values | None:
        """From the files, which the broker reads as well."""
        found = await self._cloud.read_device(str(state["device_id"]))
        return None if found is None else self._values(found)

    async def apply(self, planned: Values) -> Values:
        """Issue what is missing or not good any more."""
        return self._values(await self._cloud.ensure_device(str(planned["device_id"])))

    async def delete(self, state: Values) -> None:
        """Revoke its certificate and delete its key."""
        await self._cloud.delete_device(str(state["device_id"]))

    def _named(self, device_id: object) -> Values:
        if not isinstance(device_id, str):
            names = ("device_id", "id", "client_id", "topic_prefix", "credential_ref")
            return dict.fromkeys(names, UNKNOWN)
        return {
            "device_id": device_id,
            "id": device_id,
            "client_id": device_id,
            "topic_prefix": topic_prefix(device_id),
            "credential_ref": credential_ref(self._cloud.stack, device_id),
        }

    def _values(self, found: DeviceState) -> Values:
        return {
            **self._named(found.device_id),
            "broker": self._cloud.stack,
            "certificate_fingerprint": found.fingerprint,
            "certificate_expires": found.expires,
            "condition": found.condition,
        }


def credential_ref(stack: str, device_id: str) -> str:
    """Names the key of a device in a local cloud."""
    return f"local:{stack}/{device_id}"
