"""What is different between two designs, by path and in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from controlplane.domain.codec import Json, encode
from controlplane.domain.design import Design

_IGNORED = frozenset(
    {"prompt_digest", "sha256", "parent", "understood", "schema_version", "generated"}
)
"""What follows from other fields, or says nothing about the device."""

_KEYS = ("id", "signal", "key", "name", "component", "env_key", "requirement")
_SHOWN = 60


class ChangeKind(StrEnum):
    """What happened to a place of the document."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference: a path such as ``pins[relay].pin``, the values, and a sentence."""

    path: str
    kind: ChangeKind
    before: str
    after: str
    text: str


def diff_designs(left: Design, right: Design) -> tuple[Change, ...]:
    """Every difference, in the order of the document; empty when both are the same device."""
    return tuple(_diff(encode(left), encode(right), ""))


def _diff(left: Json, right: Json, path: str) -> Iterator[Change]:
    if left == right:
        return
    if isinstance(left, dict) and isinstance(right, dict):
        for name in [*left, *(name for name in right if name not in left)]:
            if name not in _IGNORED:
                yield from _diff(left.get(name), right.get(name), f"{path}.{name}".lstrip("."))
    elif isinstance(left, list) and isinstance(right, list):
        yield from _diff_lists(_keyed(left), _keyed(right), path)
    else:
        yield _changed(path, left, right)


def _diff_lists(left: Mapping[str, Json], right: Mapping[str, Json], path: str) -> Iterator[Change]:
    for key, item in left.items():
        place = f"{path}[{key}]"
        if key in right:
            yield from _diff(item, right[key], place)
        else:
            text = f"{_called(path, key)} was removed"
            yield Change(
                path=place, kind=ChangeKind.REMOVED, before=_show(item), after="", text=text
            )
    for key, item in right.items():
        if key not in left:
            text = f"{_called(path, key)} was added"
            yield Change(
                path=f"{path}[{key}]",
                kind=ChangeKind.ADDED,
                before="",
                after=_show(item),
                text=text,
            )
    stayed = [key for key in left if key in right]
    order = [key for key in right if key in left]
    if stayed != order:
        yield Change(
            path=path,
            kind=ChangeKind.CHANGED,
            before=", ".join(stayed),
            after=", ".join(order),
            text=f"{path} come in another order: {', '.join(order)}"[:200],
        )


def _keyed(items: list[Json]) -> dict[str, Json]:
    """Entries by what names them; what has no name goes by its place."""
    keyed: dict[str, Json] = {}
    for place, item in enumerate(items):
        key = str(place)
        if isinstance(item, str):
            key = item
        elif isinstance(item, dict):
            key = next((str(item[name]) for name in _KEYS if item.get(name)), key)
            if "function" in item and key in keyed:
                key = f"{key} {item['function']}"
        while key in keyed:
            key += "'"
        keyed[key] = item
    return keyed


def _changed(path: str, left: Json, right: Json) -> Change:
    before, after = _show(left), _show(right)
    if path.startswith("pins[") and path.endswith("].pin"):
        text = f"{path[5:-5]} moved from {before} to {after}"
    elif isinstance(left, str) and "\n" in left:
        text = f"{path} was rewritten"
    else:
        text = f"{path} was {before or 'empty'} and is {after or 'empty'}"
    return Change(path=path, kind=ChangeKind.CHANGED, before=before, after=after, text=text)


def _called(path: str, key: str) -> str:
    """One entry of a collection in words: "component relay"."""
    collection = path.rpartition(".")[2].rpartition("]")[2] or path
    single = {"buses": "bus", "open_questions": "open question"}.get(collection)
    return f"{single or collection.removesuffix('s').replace('_', ' ')} {key}"


def _show(value: Json) -> str:
    if isinstance(value, dict):
        shown = [f"{name} {_show(item)}" for name, item in value.items() if item not in ("", [], 0)]
        text = ", ".join(shown)
    elif isinstance(value, list):
        text = ", ".join(_show(item) for item in value)
    elif isinstance(value, bool) or value is None:
        text = {True: "yes", False: "no", None: ""}[value]
    else:
        text = str(value)
    first = text.split("\n", 1)[0]
    return first if len(first) <= _SHOWN and first == text else first[: _SHOWN - 1] + "…"
