"""Reads the outputs that every module gives. Pure; a module may be wrong, and is then refused."""

from collections.abc import Mapping
from typing import Any

from controlplane.domain.stack import DeviceOutput, StackOutputs

_TEXTS = ("broker_endpoint", "ca_ref", "telemetry_sink")
_OF_DEVICE = ("client_id", "topic_prefix", "credential_ref")


class OutputsError(ValueError):
    """The outputs are not those that every module has to give."""


def read_outputs(values: Mapping[str, object]) -> StackOutputs:
    """The outputs by name, as a stack keeps them.

    Raises:
        OutputsError: one is missing, or of another shape.
    """
    texts = {name: _text(values, name, "the module") for name in _TEXTS}
    devices = values.get("devices")
    if not isinstance(devices, Mapping):
        raise OutputsError("the module gives no map of devices")
    made = [_device(str(device), given) for device, given in sorted(devices.items())]
    return StackOutputs(
        broker_endpoint=texts["broker_endpoint"],
        ca_ref=texts["ca_ref"],
        devices=tuple(made),
        telemetry_sink=texts["telemetry_sink"],
    )


def _device(device: str, given: Any) -> DeviceOutput:
    if not isinstance(given, Mapping):
        raise OutputsError(f"device {device} is no object")
    client_id, topic_prefix, credential_ref = (
        _text(given, name, f"device {device}") for name in _OF_DEVICE
    )
    return DeviceOutput(
        device=device,
        client_id=client_id,
        topic_prefix=topic_prefix,
        credential_ref=credential_ref,
    )


def _text(values: Mapping[str, object], name: str, of: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        raise OutputsError(f"{of} gives no text {name}")
    return value
