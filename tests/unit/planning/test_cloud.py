"""The cloud of a design: what its messages need, and what is said when nobody carries them."""

from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from controlplane.domain.finding import Severity
from controlplane.domain.hardware import NO_CLOUD, CloudProvider
from controlplane.planning.cloud import unheard

DESIGNER = OfflineDesigner()


def design(prompt: str) -> Design:
    found = DESIGNER.plan(DesignRequest(prompt=prompt))
    assert isinstance(found, Design), found
    return found


def test_messages_need_a_broker_and_an_identity_that_the_node_is_told_of() -> None:
    cloud = design(
        "Publish the temperature every 2 s; turn on the LED when a message arrives on topic lamp."
    ).cloud

    assert cloud.provider is CloudProvider.LOCAL
    broker, thing = cloud.resources
    assert (broker.kind, thing.kind, thing.depends_on) == ("mqtt_broker", "thing", (broker.id,))
    assert [(p.key, p.value) for p in thing.parameters] == [
        ("publishes", "temperature"),
        ("subscribes", "lamp"),
    ]
    assert {binding.env_key: binding.resource for binding in cloud.bindings} == {
        "endpoint": broker.id,
        "device_id": thing.id,
        "topic_prefix": thing.id,
        "credential_ref": thing.id,
    }


def test_a_device_without_messages_has_no_cloud() -> None:
    assert design("Blink the LED at 2 Hz.").cloud == NO_CLOUD


def test_messages_without_a_stack_are_noted_and_nothing_else_is() -> None:
    publishing = design("Publish the uptime every second.")

    (note,) = unheard(publishing, "")
    assert (note.code, note.severity, note.fix) == ("W162", Severity.WARNING, "add --stack local")
    assert unheard(publishing, "stacks/local") == ()
    assert unheard(design("Blink the LED at 2 Hz."), "") == ()
