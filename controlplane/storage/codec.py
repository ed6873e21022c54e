"""Domain values as JSON text, for rows.

Strict: a field that the class does not have is refused, and so is a value of another type. A
field that is missing takes its default, so that a class may gain fields. Readers and writers are
made once a class, for rows are read often. A document of a person, of which every fault is told
with its place, is read by `domain.codec`.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

_T = TypeVar("_T")

_MICROSECOND = timedelta(microseconds=1)


class CodecError(ValueError):
    """A stored document that is not what its class says."""


def to_json(value: object) -> str:
    """Compact JSON of a dataclass."""
    return json.dumps(
        _writer(typing.cast("Any", type(value)))(value),
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def from_json(kind: type[_T], text: str) -> _T:
    """The inverse of :func:`to_json`.

    Raises:
        CodecError: the text is not JSON, or not of this class.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"{kind.__name__}: {error}") from error
    value: _T = _reader(typing.cast("Any", kind))(document)
    return value


@cache
def _writer(kind: Any) -> Callable[[Any], Any]:
    if typing.get_origin(kind) is tuple:
        each = _writer(typing.get_args(kind)[0])
        return lambda value: [each(item) for item in value]
    inner = _optional(kind)
    if inner is not None:
        write = _writer(inner)
        return lambda value: None if value is None else write(value)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = [(f.name, _writer(hints[f.name])) for f in dataclasses.fields(kind)]
        return lambda value: {name: write(getattr(value, name)) for name, write in fields}
    if kind is datetime:
        return _write_instant
    if kind is timedelta:
        return lambda value: value // _MICROSECOND
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return str
    if kind in (str, int, float, bool):
        return lambda value: value
    raise TypeError(f"{kind} has no JSON form")


def _write_instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise CodecError("an instant without a time zone")
    return value.isoformat()


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    if typing.get_origin(kind) is tuple:
        return _tuple_reader(_reader(typing.get_args(kind)[0]))
    inner = _optional(kind)
    if inner is not None:
        read = _reader(inner)
        return lambda value: None if value is None else read(value)
    if dataclasses.is_dataclass(kind):
        return _record_reader(typing.cast("type", kind))
    if kind is datetime:
        return _read_instant
    if kind is timedelta:
        return lambda value: _plain(int, value) * _MICROSECOND
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum_reader(kind)
    if kind is float:
        return lambda value: float(value) if type(value) is int else _plain(float, value)
    if kind in (str, int, bool):
        return lambda value: _plain(kind, value)
    raise TypeError(f"{kind} has no JSON form")


def _optional(kind: Any) -> Any:
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        inner = [arg for arg in typing.get_args(kind) if arg is not type(None)]
        if len(inner) == 1:
            return inner[0]
    return None


def _plain(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise CodecError(f"expected {kind.__name__}, got {value!r:.60}")
    return value


def _tuple_reader(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read_tuple(value: Any) -> Any:
        return tuple(read(item) for item in _plain(list, value))

    return read_tuple


def _record_reader(kind: type) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    readers = {f.name: _reader(hints[f.name]) for f in dataclasses.fields(kind)}

    def read_record(value: Any) -> Any:
        document = _plain(dict, value)
        try:
            return kind(**{name: readers[name](item) for name, item in document.items()})
        except KeyError as error:
            raise CodecError(f"{kind.__name__} has no field {error}") from error
        except TypeError as error:
            raise CodecError(f"{kind.__name__}: {error}") from error

    return read_record


def _enum_reader(kind: type[StrEnum]) -> Callable[[Any], Any]:
    values: dict[str, StrEnum] = {item.value: item for item in kind}

    def read_enum(value: Any) -> Any:
        if not isinstance(value, str) or value not in values:
            raise CodecError(f"expected one of {', '.join(values)}, got {value!r:.60}")
        return values[value]

    return read_enum


def _read_instant(value: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(_plain(str, value))
    except ValueError as error:
        raise CodecError(f"not an instant: {value!r:.60}") from error
    if instant.tzinfo is None:
        raise CodecError(f"an instant without a time zone: {value!r:.60}")
    return instant
