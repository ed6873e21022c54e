"""Strict JSON codec for frozen dataclasses: every problem of a document is reported at once."""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import TypeVar

_T = TypeVar("_T")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class DocumentError(ValueError):
    """A document that does not have the expected shape; ``problems`` lists (path, message)."""

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{path}: {message}" for path, message in problems))
        self.problems = problems


def encode(value: object, version: int | None = None) -> Json:
    """Turn a dataclass tree into plain JSON values, as documents of ``version`` have them."""
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return [encode(item, version) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: encode(getattr(value, f.name), version)
            for f in dataclasses.fields(value)
            if (version is None or f.metadata.get("since", 1) <= version)
            and not (f.metadata.get("sparse") and getattr(value, f.name) == f.default)
        }
    raise TypeError(f"{type(value).__name__} has no place in a document")


def canonical_json(value: object, version: int | None = None) -> str:
    """Write a dataclass tree with sorted keys and no spaces: the same value, the same bytes.

    With a version, fields that came after it are left out.
    """
    return json.dumps(
        encode(value, version), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def later_content(value: object, version: int, path: str = "") -> tuple[str, ...]:
    """Paths of fields that came after ``version`` and nevertheless hold something."""
    if isinstance(value, tuple):
        return tuple(
            found
            for i, item in enumerate(value)
            for found in later_content(item, version, f"{path}[{i}]")
        )
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return ()
    paths: list[str] = []
    for field in dataclasses.fields(value):
        item, place = getattr(value, field.name), f"{path}.{field.name}".lstrip(".")
        if field.metadata.get("since", 1) <= version:
            paths += later_content(item, version, place)
        elif item != field.default:
            paths.append(place)
    return tuple(paths)


def decode(kind: type[_T], text: str | bytes) -> _T:
    """Read a document of ``kind``.

    Raises DocumentError naming every unknown, missing or mistyped field with its path.
    """
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError((("$", f"not JSON: {error}"),)) from error
    problems: list[tuple[str, str]] = []
    value = _decode(kind, document, "$", problems)
    if problems:
        raise DocumentError(tuple(problems))
    return typing.cast("_T", value)


@cache
def _hints(kind: type) -> Mapping[str, object]:
    return typing.get_type_hints(kind)


@cache
def _with_default(kind: type) -> frozenset[str]:
    """Fields that came later: documents written before them lack them."""
    return frozenset(
        each.name
        for each in dataclasses.fields(kind)
        if each.default is not dataclasses.MISSING
        or each.default_factory is not dataclasses.MISSING
    )


def _decode(kind: object, value: object, path: str, problems: list[tuple[str, str]]) -> object:
    origin = typing.get_origin(kind)
    if origin is tuple:
        return _decode_list(typing.get_args(kind)[0], value, path, problems)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        inner = next(arg for arg in typing.get_args(kind) if arg is not type(None))
        return _decode(inner, value, path, problems)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _decode_record(kind, value, path, problems)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _decode_enum(kind, value, path, problems)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        problems.append((path, f"expected {getattr(kind, '__name__', kind)}, got {value!r:.60}"))
        return None
    return value


def _decode_enum(
    kind: type[StrEnum], value: object, path: str, problems: list[tuple[str, str]]
) -> object:
    if isinstance(value, str) and value in set(kind):
        return kind(value)
    problems.append((path, f"expected one of {', '.join(kind)}, got {value!r:.60}"))
    return None


def _decode_list(item: object, value: object, path: str, problems: list[tuple[str, str]]) -> object:
    if not isinstance(value, list):
        problems.append((path, f"expected a list, got {value!r:.60}"))
        return ()
    return tuple(_decode(item, entry, f"{path}[{i}]", problems) for i, entry in enumerate(value))


def _decode_record(kind: type, value: object, path: str, problems: list[tuple[str, str]]) -> object:
    if not isinstance(value, dict):
        problems.append((path, f"expected an object, got {value!r:.60}"))
        return None
    hints = _hints(kind)
    before = len(problems)
    problems.extend((f"{path}.{name}", "unknown field") for name in value if name not in hints)
    optional = _with_default(kind)
    problems.extend(
        (f"{path}.{name}", "missing field")
        for name in hints
        if name not in value and name not in optional
    )
    fields = {
        name: _decode(hint, value[name], f"{path}.{name}", problems)
        for name, hint in hints.items()
        if name in value
    }
    if len(problems) > before:
        return None
    try:
        return kind(**fields)
    except ValueError as error:
        problems.append((path, str(error)))
        return None
