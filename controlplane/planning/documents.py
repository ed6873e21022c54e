"""Reads the text of a design, JSON or YAML: every problem of its shape at once."""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Mapping

from benchline.scenario import ScenarioError
from benchline.scenario.yamltree import Mapping as YamlMapping
from benchline.scenario.yamltree import Node, Scalar, read_tree
from controlplane.catalog.loader import Catalogue
from controlplane.domain.codec import DocumentError, Json
from controlplane.domain.design import SCHEMA_VERSION, Design, text_digest
from controlplane.domain.finding import Finding, Severity
from controlplane.planning.autopins import solve_auto
from controlplane.planning.missing_proofs import with_missing_proofs
from controlplane.planning.validate import validate_design

LARGEST_BYTES = 1024 * 1024
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


def read_document(text: str) -> dict[str, Json]:
    """The fields of a document. Raises DocumentError.

    A text that begins with a brace is JSON; scalars of YAML get the type that their field has.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_BYTES:
        raise DocumentError((("$", f"larger than {LARGEST_BYTES} bytes"),))
    if text.lstrip()[:1] == "{":
        try:
            document: object = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DocumentError((("$", f"not JSON: {error}"),)) from error
    else:
        try:
            document = _typed(Design, read_tree(text, LARGEST_BYTES))
        except ScenarioError as error:
            found = tuple((f"line {f.line}", f.message) for f in error.findings)
            raise DocumentError(found) from error
    if not isinstance(document, dict):
        raise DocumentError((("$", "expected an object"),))
    return typing.cast("dict[str, Json]", document)


def parse_design(text: str, catalogue: Catalogue, previous: Design | None = None) -> Design:
    """A design from the text of a document. Raises DocumentError."""
    return design_of(read_document(text), catalogue, previous)


def edit_design(design: Design, text: str, fields: tuple[str, ...], catalogue: Catalogue) -> Design:
    """The design with some fields, or all, taken from a document. Raises DocumentError."""
    document = read_document(text)
    if not fields:
        return design_of(document, catalogue, design)
    known = {field.name for field in dataclasses.fields(Design)}
    problems = [(f"$.{name}", "no field of a design") for name in fields if name not in known]
    problems += [
        (f"$.{name}", "named in the mask and not in the document")
        for name in fields
        if name in known and name not in document
    ]
    problems += [
        (f"$.{name}", "in the document and not named in the mask")
        for name in document
        if name not in fields
    ]
    if problems:
        raise DocumentError(tuple(problems))
    merged: dict[str, Json] = json.loads(design.to_json())
    return design_of({**merged, **document}, catalogue, design)


def design_of(
    document: Mapping[str, Json], catalogue: Catalogue, previous: Design | None = None
) -> Design:
    """A design from its fields: what follows from others is filled in, open pins are solved, and
    proofs that are missing are added where that is all that is wrong.

    Its findings are what the rules say. Raises DocumentError.
    """
    design = Design.from_json(json.dumps(_completed(document), ensure_ascii=False))
    board = catalogue.boards.get(design.board.model)
    unsolved: tuple[Finding, ...] = ()
    if board is not None:
        design, unsolved = solve_auto(design, board, catalogue.part_of(board), previous)
    found = (*unsolved, *judge(design, catalogue))
    if {f.code for f in found if f.severity is Severity.ERROR} == {"E150"}:
        design = with_missing_proofs(design)
        found = (*unsolved, *judge(design, catalogue))
    return dataclasses.replace(design, findings=tuple(dict.fromkeys(found)))


def judge(design: Design, catalogue: Catalogue) -> tuple[Finding, ...]:
    """What the rules say about a design."""
    board = catalogue.boards.get(design.board.model)
    part = catalogue.part_of(board) if board is not None else None
    return validate_design(design, board, part, catalogue.electrical)


def _completed(document: Mapping[str, Json]) -> dict[str, Json]:
    """Digests follow from what they are of, and are not asked for."""
    whole = dict(document)
    whole.setdefault("schema_version", SCHEMA_VERSION)
    whole.setdefault("findings", [])
    prompt = whole.get("prompt")
    if isinstance(prompt, str):
        whole["prompt_digest"] = text_digest(prompt)
    scenarios = whole.get("scenarios")
    if isinstance(scenarios, list):
        whole["scenarios"] = [
            {**item, "sha256": text_digest(str(item["yaml"]))}
            if isinstance(item, dict) and isinstance(item.get("yaml"), str)
            else item
            for item in scenarios
        ]
    return whole


def _typed(kind: object, node: Node) -> object:
    """A node of YAML with the types that its place in the document has."""
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        kind = next(arg for arg in typing.get_args(kind) if arg is not type(None))
        origin = typing.get_origin(kind)
    if isinstance(node, Scalar):
        return _scalar(kind, node)
    if isinstance(node, YamlMapping):
        is_record = isinstance(kind, type) and dataclasses.is_dataclass(kind)
        hints = typing.get_type_hints(kind) if is_record else {}
        return {key: _typed(hints.get(key, str), item) for key, item in node.entries.items()}
    inner = typing.get_args(kind)[0] if origin is tuple else str
    return [_typed(inner, item) for item in node.items]


def _scalar(kind: object, node: Scalar) -> object:
    if node.quoted:
        return node.text
    if kind is int and _INTEGER.fullmatch(node.text):
        return int(node.text)
    if kind is bool and node.text in ("true", "false"):
        return node.text == "true"
    if typing.get_origin(kind) is tuple and node.text in ("", "~", "null"):
        return []
    return node.text
