"""Turn the `.ino` files of a sketch into one C++ file.

A sketch may use a function before it defines it. A prototype is generated only for such a
function, directly in front of the declaration that mentions it first: by then the types that the
prototype needs exist, and code that was C++ already is left as it is. Every piece carries a
`#line`, so that messages and debug information name the author's files.

Pure: text in, text out. The text may be hostile; nothing here recurses with its nesting.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tree_sitter_cpp
from tree_sitter import Language, Node, Parser

_LANGUAGE = Language(tree_sitter_cpp.language())

_CONDITIONALS = frozenset({"preproc_if", "preproc_ifdef"})
_ALTERNATIVES = frozenset({"preproc_else", "preproc_elif", "preproc_elifdef"})
_WRAPPERS = frozenset({"pointer_declarator", "reference_declarator", "parenthesized_declarator"})
_MAX_CONDITIONAL_DEPTH = 64
_MAIN_SUFFIX = ".ino"


@dataclass(frozen=True, slots=True, kw_only=True)
class SketchFile:
    """One file of a sketch. `name` is what compiler messages will call it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class _Arm:
    """One branch of a conditional group, and the directives that lead to it."""

    group: int
    number: int
    directives: tuple[str, ...]


_Path = tuple[_Arm, ...]


@dataclass(frozen=True, slots=True)
class _Item:
    """A declaration at file level and the conditional branches around it."""

    node: Node
    path: _Path


@dataclass(frozen=True, slots=True)
class _Function:
    """A function definition that may need a prototype."""

    name: bytes
    start: int
    path: _Path
    prototype: str
    defaults: tuple[tuple[int, int], ...]
    """Where default arguments stand: C++ allows them once, and the prototype has them."""


class _Source:
    """The files of a sketch, one after the other, and which byte came from where."""

    def __init__(self, files: Sequence[SketchFile]) -> None:
        self.text = b""
        self._starts: list[int] = []
        self._names: list[str] = []
        for file in files:
            body = file.text.removeprefix("\ufeff").encode(errors="surrogateescape")
            self._starts.append(len(self.text))
            self._names.append(file.name)
            self.text += body if body.endswith(b"\n") else body + b"\n"

    @property
    def starts(self) -> tuple[int, ...]:
        """The first byte of every file."""
        return tuple(self._starts)

    def line_directive(self, offset: int) -> str:
        """Give the `#line` for the byte at `offset`."""
        index = bisect.bisect_right(self._starts, offset) - 1
        line = self.text.count(b"\n", self._starts[index], offset) + 1
        return f'#line {line} "{_c_text(self._names[index])}"'


def preprocess(files: Sequence[SketchFile]) -> str:
    """Give the C++ of a sketch.

    The first file is the main one, the one named like the sketch's folder; the other `.ino` files
    follow in the order of their names. Files with other endings are left out: they are compiled
    on their own.

    Raises:
        ValueError: there is no file, or the first one is no `.ino` file.
    """
    if not files or not files[0].name.endswith(_MAIN_SUFFIX):
        raise ValueError("a sketch needs its main .ino file first")
    others = sorted((f for f in files[1:] if f.name.endswith(_MAIN_SUFFIX)), key=lambda f: f.name)
    source = _Source([files[0], *others])
    items = list(_items(Parser(_LANGUAGE).parse(source.text).root_node))
    functions = _functions(items, source.text)
    return _render(source, functions, _plan(items, functions))


def _c_text(name: str) -> str:
    printable = "".join(c if c.isprintable() else "_" for c in name)
    return printable.replace("\\", "\\\\").replace('"', '\\"')


def _items(root: Node) -> Iterator[_Item]:
    """Declarations in file order. Conditional groups are entered; namespaces, classes and linkage
    blocks are not, because C++ rules hold inside them."""
    yield from _level(root, ())


def _level(node: Node, path: _Path) -> Iterator[_Item]:
    for child in node.named_children:
        if child.type in _CONDITIONALS and len(path) < _MAX_CONDITIONAL_DEPTH:
            yield from _arms(child, path)
        elif child.type not in _ALTERNATIVES and child.type != "comment":
            yield _Item(child, path)


def _arms(group: Node, path: _Path) -> Iterator[_Item]:
    directives: tuple[str, ...] = ()
    arm: Node | None = group
    while arm is not None:
        directives = (*directives, _directive(arm))
        yield from _level(arm, (*path, _Arm(group.id, len(directives), directives)))
        arm = arm.child_by_field_name("alternative")


def _directive(arm: Node) -> str:
    """The directive that opens a branch, in one line."""
    if arm.type == "preproc_else":
        return "#else"
    subject = arm.child_by_field_name("condition") or arm.child_by_field_name("name")
    keyword = _decode(arm.children[0])
    text = _decode(subject) if subject is not None else "0"
    return f"{keyword} {' '.join(text.replace(chr(92), ' ').split())}"


def _decode(node: Node) -> str:
    return (node.text or b"").decode(errors="surrogateescape")


def _functions(items: Sequence[_Item], text: bytes) -> list[_Function]:
    found = []
    for item in items:
        function = _function(item, text)
        if function is not None:
            found.append(function)
    return found


def _function(item: _Item, text: bytes) -> _Function | None:
    """Describe a plain function definition; None for what C++ needs no help with, or must not get
    any: members, operators, templates, constexpr, deduced types, macro calls with a body."""
    node = item.node
    body = node.child_by_field_name("body")
    result = node.child_by_field_name("type")
    if node.type != "function_definition" or body is None or result is None:
        return None
    declarator = _function_declarator(node)
    if declarator is None or result.type == "placeholder_type_specifier":
        return None
    name = declarator.child_by_field_name("declarator")
    if name is None or name.type != "identifier" or name.text is None:
        return None
    if any(_decode(child) == "constexpr" for child in node.children):
        return None
    return _Function(
        name=name.text,
        start=node.start_byte,
        path=item.path,
        prototype=_prototype(node, body, text),
        defaults=_default_spans(declarator),
    )


def _function_declarator(node: Node) -> Node | None:
    declarator = node.child_by_field_name("declarator")
    while declarator is not None and declarator.type in _WRAPPERS:
        inner = declarator.child_by_field_name("declarator")
        named = declarator.named_children
        declarator = inner or (named[-1] if named else None)
    if declarator is None or declarator.type != "function_declarator":
        return None
    return declarator


def _default_spans(declarator: Node) -> tuple[tuple[int, int], ...]:
    parameters = declarator.child_by_field_name("parameters")
    spans = []
    for parameter in parameters.named_children if parameters is not None else []:
        value = parameter.child_by_field_name("default_value")
        if parameter.type == "optional_parameter_declaration" and value is not None:
            equals = next(child for child in parameter.children if child.type == "=")
            spans.append((equals.start_byte, value.end_byte))
    return tuple(spans)


def _prototype(node: Node, body: Node, text: bytes) -> str:
    """The definition's head without comments, in one line."""
    pieces = []
    at = node.start_byte
    for comment in _comments_before(node, body.start_byte):
        pieces.append(text[at : comment.start_byte])
        at = comment.end_byte
    pieces.append(text[at : body.start_byte])
    head = b" ".join(pieces).decode(errors="surrogateescape")
    return " ".join(head.split()) + ";"


def _comments_before(node: Node, end: int) -> list[Node]:
    return [n for n in _descendants(node) if n.type == "comment" and n.end_byte <= end]


def _descendants(node: Node) -> Iterator[Node]:
    """All nodes below, in file order, without recursion."""
    waiting = list(reversed(node.children))
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(current.children))


def _mentions(item: _Item, names: frozenset[bytes]) -> frozenset[bytes]:
    """The functions that an item needs to know. A name that the item declares itself (a local
    variable, a parameter) or a prototype of the author's is no mention."""
    if item.node.type == "declaration" and _function_declarator(item.node) is not None:
        return frozenset()
    used: set[bytes] = set()
    own: set[bytes] = set()
    for node in _descendants(item.node):
        if node.type == "identifier" and node.text in names:
            (own if _declares(node, item.node) else used).add(node.text)
    return frozenset(used - own)


def _declares(identifier: Node, item: Node) -> bool:
    parent = identifier.parent
    while parent is not None and parent.type in (*_WRAPPERS, "array_declarator"):
        identifier, parent = parent, parent.parent
    if parent is None:
        return False
    if parent.type == "function_declarator":
        return parent.parent == item
    kinds = {
        "declaration",
        "init_declarator",
        "parameter_declaration",
        "optional_parameter_declaration",
    }
    declarator = parent.child_by_field_name("declarator")
    return parent.type in kinds and declarator is not None and declarator.id == identifier.id


@dataclass(frozen=True, slots=True)
class _Insertion:
    """A prototype and where it goes."""

    offset: int
    function: _Function
    path: _Path


def _plan(items: Sequence[_Item], functions: Sequence[_Function]) -> list[_Insertion]:
    names = frozenset(function.name for function in functions)
    by_name = {name: [f for f in functions if f.name == name] for name in names}
    insertions: list[_Insertion] = []
    known: dict[int, list[_Path]] = {function.start: [] for function in functions}
    for item in items:
        start = item.node.start_byte
        used = _mentions(item, names)
        wanted = [f for name in used for f in by_name[name] if f.start > start]
        for function in sorted(wanted, key=lambda f: f.start):
            seen = known[function.start]
            if any(item.path[: len(path)] == path for path in seen):
                continue
            seen.append(item.path)
            insertions.append(_Insertion(start, function, item.path))
    return insertions


def _guarded(insertion: _Insertion) -> list[str]:
    """The prototype inside the conditions of its definition that do not hold at this place yet."""
    path, here = insertion.function.path, insertion.path
    shared = 0
    while shared < min(len(path), len(here)) and path[shared] == here[shared]:
        shared += 1
    rest = path[shared:]
    opening = [directive for arm in rest for directive in arm.directives]
    return [*opening, insertion.function.prototype, *["#endif"] * len(rest)]


def _render(
    source: _Source, functions: Sequence[_Function], insertions: Sequence[_Insertion]
) -> str:
    text = bytearray(source.text)
    inserted = {insertion.function.start for insertion in insertions}
    for function in functions:
        for start, end in function.defaults if function.start in inserted else ():
            text[start:end] = bytes(c if c == ord("\n") else ord(" ") for c in text[start:end])
    at: dict[int, list[_Insertion]] = {}
    for insertion in insertions:
        at.setdefault(insertion.offset, []).append(insertion)
    cuts = sorted({*source.starts, *at})
    lines = ["#include <Arduino.h>"]
    for cut, end in zip(cuts, [*cuts[1:], len(text)], strict=True):
        told: set[tuple[str, ...]] = set()
        for insertion in at.get(cut, []):
            guarded = tuple(_guarded(insertion))
            if guarded not in told:
                told.add(guarded)
                # The directive stands next to the prototype: conditions take lines of their own.
                place = guarded.index(insertion.function.prototype)
                lines += guarded[:place]
                lines += [source.line_directive(insertion.function.start), *guarded[place:]]
        piece = bytes(text[cut:end]).decode(errors="surrogateescape")
        lines += [source.line_directive(cut), piece]
    return "\n".join(lines)
