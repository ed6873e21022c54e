"""JSON schemas of dataclasses, in the part of the language that structured answers keep.

Every field is required and nothing else is allowed; there are no maps, ranges, patterns or
recursion. What a field means stands in its metadata, as ``{"says": "…"}``.
"""

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any


def says(text: str) -> Any:
    """A field of a wire class with what it means."""
    return dataclasses.field(metadata={"says": text})


def schema_of(kind: type, words: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The schema of a dataclass; ``words`` lists what texts may be, by "Class.field"."""
    hints = typing.get_type_hints(kind)
    properties: dict[str, Any] = {}
    for each in dataclasses.fields(kind):
        value = _value(hints[each.name], words, words.get(f"{kind.__name__}.{each.name}"))
        if "says" in each.metadata:
            value["description"] = each.metadata["says"]
        properties[each.name] = value
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _value(
    hint: Any, words: Mapping[str, Sequence[str]], allowed: Sequence[str] | None
) -> dict[str, Any]:
    if typing.get_origin(hint) is tuple:
        return {"type": "array", "items": _value(typing.get_args(hint)[0], words, allowed)}
    if dataclasses.is_dataclass(hint):
        return schema_of(typing.cast("type", hint), words)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"type": "string", "enum": [item.value for item in hint]}
    if hint is str:
        return {"type": "string", "enum": list(allowed)} if allowed else {"type": "string"}
    return {"type": {bool: "boolean", int: "integer", float: "number"}[hint]}
