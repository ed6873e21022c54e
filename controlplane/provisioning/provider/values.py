"""Values as Terraform sends them: MessagePack, with a mark for what is not known yet."""

from collections.abc import Mapping
from typing import Final

import msgpack

from controlplane.provisioning.provider.wire.tfplugin6_pb2 import DynamicValue

_UNKNOWN_EXTENSION = 0


class Unknown:
    """The type of `UNKNOWN`."""

    def __repr__(self) -> str:
        """As in a plan."""
        return "(known after apply)"


UNKNOWN: Final = Unknown()
"""A value that the apply will tell."""

Value = str | int | bool | None | Unknown
Values = Mapping[str, Value]
"""The attributes of one resource by name."""


class BadValueError(ValueError):
    """Bytes that are no object of the expected kind."""


def decode(value: DynamicValue) -> Values | None:
    """An object; None for null.

    Raises:
        BadValueError: anything else.
    """
    try:
        found = msgpack.unpackb(value.msgpack, ext_hook=lambda _code, _data: UNKNOWN)
    except (ValueError, msgpack.UnpackException) as error:
        raise BadValueError(f"the value cannot be read: {error}") from error
    if found is not None and not isinstance(found, dict):
        raise BadValueError("the value is not an object")
    return found


def encode(values: Values | None) -> DynamicValue:
    """An object, or null."""
    plain = None if values is None else {name: _plain(one) for name, one in values.items()}
    return DynamicValue(msgpack=msgpack.packb(plain))


def _plain(value: Value) -> object:
    if isinstance(value, Unknown):
        return msgpack.ExtType(_UNKNOWN_EXTENSION, b"\0")
    return value
