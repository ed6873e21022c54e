"""Domain values to wire messages and back, by the names of their fields.

A converter is made once for each pair of classes. It follows the message: a field of the message
that the domain class does not have is a programming error, found when the converter is made.
Enums are joined by name (`PASSED` and `OUTCOME_PASSED`), None is an unset field.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from benchline.errors import InvalidRequestError

_M = TypeVar("_M", bound=Message)
_T = TypeVar("_T")

_TIMESTAMP = "google.protobuf.Timestamp"
_DURATION = "google.protobuf.Duration"


def to_wire(value: object, message: type[_M], *, without: Iterable[str] = ()) -> _M:
    """A message with the fields of a dataclass; fields in `without` are left unset.

    Raises:
        TypeError: the message has a field that the dataclass does not have.
    """
    filled = message()
    _filler(typing.cast("Any", type(value)), message.DESCRIPTOR, frozenset(without))(filled, value)
    return filled


def from_wire(kind: type[_T], message: Message) -> _T:
    """A dataclass with the fields of a message.

    Raises:
        InvalidRequestError: INVALID_MESSAGE, a field that is needed is unset, or an enum value
            is not known.
    """
    value: _T = _taker(typing.cast("Any", kind), message.DESCRIPTOR)(message)
    return value


# --- to the wire ---

Filler = Callable[[Any, Any], None]


@cache
def _filler(kind: Any, descriptor: Descriptor, without: frozenset[str]) -> Filler:
    hints = typing.get_type_hints(kind)
    steps: list[tuple[str, Filler]] = []
    for field in descriptor.fields:
        if field.name in without:
            continue
        if field.name not in hints:
            raise TypeError(f"{kind.__name__} has no field {field.name} of {descriptor.name}")
        steps.append((field.name, _field_filler(field, hints[field.name])))

    def fill(message: Any, value: Any) -> None:
        for name, step in steps:
            item = getattr(value, name)
            if item is not None:
                step(message, item)

    return fill


def _field_filler(field: FieldDescriptor, hint: Any) -> Filler:
    name, kind = field.name, _bare(hint)
    if field.is_repeated:
        return _repeated_filler(field, _bare(typing.get_args(kind)[0]))
    if field.message_type is not None:
        full_name = field.message_type.full_name
        if full_name == _TIMESTAMP:
            return lambda message, item: getattr(message, name).FromDatetime(item)
        if full_name == _DURATION:
            return lambda message, item: getattr(message, name).FromTimedelta(item)
        inner = _filler(kind, field.message_type, frozenset())

        def fill_message(message: Any, item: Any) -> None:
            target = getattr(message, name)
            target.SetInParent()
            inner(target, item)

        return fill_message
    if field.enum_type is not None:
        numbers = enum_numbers(field.enum_type)
        return lambda message, item: setattr(message, name, numbers[_enum_name(item)])
    return lambda message, item: setattr(message, name, item)


def _enum_name(item: str) -> str:
    """The name of a member, whatever its text is."""
    return item.name if isinstance(item, StrEnum) else item.upper()


def _repeated_filler(field: FieldDescriptor, kind: Any) -> Filler:
    name = field.name
    if field.message_type is None:
        return lambda message, items: getattr(message, name).extend(items)
    inner = _filler(kind, field.message_type, frozenset())

    def fill_all(message: Any, items: Any) -> None:
        target = getattr(message, name)
        for item in items:
            inner(target.add(), item)

    return fill_all


@cache
def enum_numbers(descriptor: EnumDescriptor) -> dict[str, int]:
    """Numbers of an enum by name without prefix; the unspecified value is left out."""
    prefix = descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.name.removeprefix(prefix): value.number for value in descriptor.values[1:]}


def enum_from_wire(kind: type[StrEnum], descriptor: EnumDescriptor, number: int) -> Any:
    """The member of a domain enum, None for the unspecified value.

    Raises:
        InvalidRequestError: INVALID_MESSAGE.
    """
    if number == 0:
        return None
    for name, known in enum_numbers(descriptor).items():
        if known == number and name in kind.__members__:
            return kind[name]
    raise InvalidRequestError(
        "INVALID_MESSAGE", f"{number} is not a known value of {descriptor.full_name}"
    )


# --- from the wire ---

Taker = Callable[[Any], Any]


@cache
def _taker(kind: Any, descriptor: Descriptor) -> Taker:
    hints = typing.get_type_hints(kind)
    fields = descriptor.fields_by_name
    steps: list[tuple[str, bool, Taker]] = []
    for item in dataclasses.fields(kind):
        required = item.default is dataclasses.MISSING
        if item.name in fields:
            nullable = _bare(hints[item.name]) is not hints[item.name]
            step = _field_taker(fields[item.name], hints[item.name])
            steps.append((item.name, required and not nullable, step))
        elif required:
            raise TypeError(f"{descriptor.name} has no field {item.name} of {kind.__name__}")

    def take(message: Any) -> Any:
        values: dict[str, Any] = {}
        for name, required, step in steps:
            value = step(message)
            if value is not None:
                values[name] = value
            elif required:
                raise InvalidRequestError(
                    "INVALID_MESSAGE", f"{descriptor.full_name}.{name} is not set"
                )
            else:
                values[name] = _default(kind, name)
        return kind(**values)

    return take


@cache
def _default(kind: Any, name: str) -> Any:
    field = next(item for item in dataclasses.fields(kind) if item.name == name)
    return None if field.default is dataclasses.MISSING else field.default


def _field_taker(field: FieldDescriptor, hint: Any) -> Taker:
    name, kind = field.name, _bare(hint)
    if field.is_repeated:
        each = _bare(typing.get_args(kind)[0])
        if field.message_type is None:
            return lambda message: tuple(getattr(message, name))
        inner = _taker(each, field.message_type)
        return lambda message: tuple(inner(item) for item in getattr(message, name))
    if field.message_type is not None:
        return _message_taker(name, kind, field.message_type)
    if field.enum_type is not None:
        descriptor = field.enum_type
        return lambda message: enum_from_wire(kind, descriptor, getattr(message, name))
    if field.has_presence:
        return lambda message: getattr(message, name) if message.HasField(name) else None
    return lambda message: getattr(message, name)


def _message_taker(name: str, kind: Any, descriptor: Descriptor) -> Taker:
    read: Taker
    if descriptor.full_name == _TIMESTAMP:
        read = _instant
    elif descriptor.full_name == _DURATION:
        read = _duration
    else:
        read = _taker(kind, descriptor)
    return lambda message: read(getattr(message, name)) if message.HasField(name) else None


def _instant(message: Any) -> datetime:
    try:
        instant: datetime = message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError("INVALID_MESSAGE", f"not a time: {error}") from error
    return instant


def _duration(message: Any) -> timedelta:
    try:
        duration: timedelta = message.ToTimedelta()
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError("INVALID_MESSAGE", f"not a duration: {error}") from error
    return duration


def _bare(hint: Any) -> Any:
    """The type of an optional; any other type as it is."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return next(arg for arg in typing.get_args(hint) if arg is not type(None))
    return hint
