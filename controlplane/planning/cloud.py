"""The cloud of a design: the resources that its messages need, and what its node is told."""

from collections.abc import Sequence

from controlplane.domain.design import Behaviour, BehaviourKind, Design
from controlplane.domain.finding import Finding
from controlplane.domain.hardware import (
    NO_CLOUD,
    Cloud,
    CloudBinding,
    CloudParameter,
    CloudProvider,
    CloudResource,
)
from controlplane.planning.complaints import complaint
from controlplane.planning.nodes import NODE_ID

BROKER_ID = "broker"
THING_ID = "thing"
_TOLD = {
    "endpoint": BROKER_ID,
    "device_id": THING_ID,
    "topic_prefix": THING_ID,
    "credential_ref": THING_ID,
}
"""Keys of the device configuration by the resource whose output they are."""


def cloud_of(behaviours: Sequence[Behaviour]) -> Cloud:
    """A broker and the device's identity when anything is published or heard, else none."""
    publishes = topics(behaviours, BehaviourKind.PUBLISH)
    hears = topics(behaviours, BehaviourKind.MESSAGE)
    if not publishes and not hears:
        return NO_CLOUD
    broker = CloudResource(
        id=BROKER_ID,
        kind="mqtt_broker",
        name="broker",
        depends_on=(),
        parameters=(),
        sensitive=False,
    )
    told = (("publishes", publishes), ("subscribes", hears))
    thing = CloudResource(
        id=THING_ID,
        kind="thing",
        name="device",
        depends_on=(BROKER_ID,),
        parameters=tuple(
            CloudParameter(key=key, value=", ".join(names)) for key, names in told if names
        ),
        sensitive=False,
    )
    return Cloud(
        provider=CloudProvider.LOCAL,
        region="",
        resources=(broker, thing),
        bindings=tuple(
            CloudBinding(node=NODE_ID, resource=resource, env_key=key)
            for key, resource in _TOLD.items()
        ),
    )


def unheard(design: Design, stack: str) -> tuple[Finding, ...]:
    """What is said of the messages of a session; ``stack`` "" is a session without one."""
    if stack or not design.cloud.resources:
        return ()
    return (complaint("W162", "cloud", "it publishes to nobody", "add --stack local"),)


def first_publish_ms(design: Design | None) -> float | None:
    """Device time within which something is published by itself; None when that is not known."""
    periods = [
        behaviour.number("period")
        for behaviour in (design.behaviours if design is not None else ())
        if behaviour.kind is BehaviourKind.PUBLISH and behaviour.parameter("period") is not None
    ]
    return float(min(periods)) if periods else None


def topics(behaviours: Sequence[Behaviour], kind: BehaviourKind) -> tuple[str, ...]:
    """The topics of the behaviours of a kind, relative to the device's prefix, each once."""
    return tuple(dict.fromkeys(b.word("topic") for b in behaviours if b.kind is kind))
