"""A design that came as a document: judged like any designer's."""

from collections.abc import Sequence
from dataclasses import replace

from controlplane.catalog.loader import Catalogue
from controlplane.catalog.naming import Naming
from controlplane.designers.protocol import Refusal
from controlplane.domain.bench import Board
from controlplane.domain.codec import DocumentError
from controlplane.domain.design import Design
from controlplane.domain.finding import Finding
from controlplane.domain.session import Source
from controlplane.planning.boards import choose_model
from controlplane.planning.documents import parse_design
from controlplane.planning.validate import is_sound


def read_uploaded(
    source: Source, wish: str, bench: Sequence[Board], catalogue: Catalogue
) -> Design | Refusal:
    """The design of a document, its open pins solved, or everything that is wrong with it."""
    try:
        design = parse_design(source.design_json, catalogue)
    except DocumentError as error:
        return Refusal(
            findings=tuple(
                Finding(code="E108", subject=path, message=f"{message}.", fix="Mend the document.")
                for path, message in error.problems
            )
        )
    if design.board.model in catalogue.boards:
        said = [Naming(models=frozenset({design.board.model}))]
        choice = choose_model(catalogue, wish, said, bench)
        if isinstance(choice, Finding):
            said_so = choice.message.replace("the prompt names", "the design is for")
            return Refusal(findings=(replace(choice, message=said_so),))
    if not is_sound(design.findings):
        return Refusal(findings=design.findings)
    return design
