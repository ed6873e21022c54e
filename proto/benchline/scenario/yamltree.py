"""Read YAML into plain nodes that know their lines. Hostile input is bounded before it is built.

Anchors, aliases, tags and further documents are refused; scalars stay the text that was written, so
``on`` is not turned into a truth value.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml

from benchline.scenario.model import Finding, ScenarioError

MAX_SCENARIO_BYTES = 64 * 1024
"""Largest accepted scenario file."""

MAX_DEPTH = 12
"""Deepest accepted nesting."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True, kw_only=True)
class Scalar:
    """A scalar as written; ``quoted`` tells ``"1"`` from ``1``."""

    text: str
    quoted: bool
    line: int


@dataclass(slots=True, kw_only=True)
class Sequence:
    """A list of nodes."""

    line: int
    items: list["Node"] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Mapping:
    """Keys and values in the order of the file; ``key_lines`` has the line of each key."""

    line: int
    entries: dict[str, "Node"] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


def _refuse(code: str, message: str, line: int = 0) -> ScenarioError:
    return ScenarioError((Finding(code=code, subject="file", message=message, line=line),))


def read_tree(text: str, largest: int = MAX_SCENARIO_BYTES) -> Mapping:
    """Read a file's text of at most ``largest`` bytes.

    Raises ScenarioError; the root must be a mapping.
    """
    root = read_node(text, largest)
    if not isinstance(root, Mapping):
        raise _refuse(
            "not-a-scenario", "a scenario is a mapping of keys, starting 'scenario: 1'", 1
        )
    return root


def read_node(text: str, largest: int) -> Node | None:
    """Read any file's text of at most ``largest`` bytes, None when it is empty.

    Raises ScenarioError.
    """
    if len(text.encode("utf-8", "surrogatepass")) > largest:
        raise _refuse("too-large", f"larger than {largest} bytes")
    try:
        return _Builder().build(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = mark.line + 1 if mark is not None else 0
        raise _refuse("bad-yaml", f"not YAML: {problem}", line) from error
    except UnicodeEncodeError as error:
        raise _refuse("bad-yaml", "not YAML: it has characters that are not Unicode") from error


class _Builder:
    """Builds nodes from parser events with its own stack, so that depth is bounded."""

    def __init__(self) -> None:
        self._stack: list[Sequence | Mapping] = []
        self._keys: list[Scalar | None] = []
        self._root: Node | None = None
        self._documents = 0

    def build(self, text: str) -> Node | None:
        for event in yaml.parse(text, Loader=_LOADER):
            mark = event.start_mark
            line = mark.line + 1 if mark is not None else 0
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise _refuse("bad-yaml", "more than one document", line)
            elif isinstance(event, yaml.NodeEvent):
                self._node(event, line)
            elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                self._keys.pop()
                self._stack.pop()
        return self._root

    def _node(self, event: yaml.NodeEvent, line: int) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _refuse("yaml-alias", "anchors and aliases are not accepted", line)
        if getattr(event, "tag", None) not in {None, "!"}:
            raise _refuse("yaml-tag", "tags are not accepted", line)
        if isinstance(event, yaml.ScalarEvent):
            self._add(Scalar(text=event.value, quoted=bool(event.style), line=line))
            return
        node: Sequence | Mapping
        node = (
            Sequence(line=line)
            if isinstance(event, yaml.SequenceStartEvent)
            else Mapping(line=line)
        )
        self._add(node)
        self._stack.append(node)
        self._keys.append(None)
        if len(self._stack) > MAX_DEPTH:
            raise _refuse("too-deep", f"nested deeper than {MAX_DEPTH}", line)

    def _add(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if isinstance(parent, Sequence):
            parent.items.append(node)
            return
        key = self._keys[-1]
        if key is None:
            if not isinstance(node, Scalar):
                raise _refuse("bad-yaml", "a key must be a word", node.line)
            if node.text in parent.entries:
                raise _refuse("duplicate-key", f"{node.text[:40]!r} stands here twice", node.line)
            self._keys[-1] = node
            return
        parent.entries[key.text] = node
        parent.key_lines[key.text] = key.line
        self._keys[-1] = None
