"""The shipped sheets against the catalogue: what they name exists, what exists has a sheet."""

from pathlib import Path

from controlplane.catalog.loader import Catalogue, load_catalogue
from controlplane.skills.lint import Known, Problem, contradicted, lint
from controlplane.skills.loader import FRAMEWORKS, load_sheets
from controlplane.skills.sheet import Evidence, Sheet

REPOSITORY = Path(__file__).parents[2]
"""The checkout: sheets cite its documents, which an installed product does not carry."""


def known_keys(catalogue: Catalogue) -> Known:
    """What sheets may apply to."""
    return Known(
        parts=frozenset(catalogue.parts),
        boards=frozenset(catalogue.boards),
        components=frozenset(catalogue.electrical),
        frameworks=FRAMEWORKS,
    )


def coverage_problems(sheets: tuple[Sheet, ...], known: Known) -> tuple[str, ...]:
    """What exists and has no sheet."""
    covered = {key for s in sheets for key in (*s.parts, *s.components, *s.frameworks)}
    wanted = {*known.parts, *known.components, *known.frameworks}
    return tuple(f"no sheet is for {key}" for key in sorted(wanted - covered))


def cited_texts(sheets: tuple[Sheet, ...], repository: Path) -> dict[str, str]:
    """The files of the repository that sheets cite, by their path in it.

    Raises:
        FileNotFoundError: a sheet cites a file that is not there.
    """
    cited = {s.reference for sheet in sheets for s in sheet.sources if s.evidence is Evidence.REPO}
    return {path: (repository / path).read_text("utf-8") for path in sorted(cited)}


def all_problems() -> tuple[str, ...]:
    """Everything that is wrong with the shipped sheets."""
    sheets, known = load_sheets(), known_keys(load_catalogue())
    found: list[Problem] = [problem for sheet in sheets for problem in lint(sheet, known)]
    texts = cited_texts(sheets, REPOSITORY)
    found += [problem for sheet in sheets for problem in contradicted(sheet, texts)]
    return (*map(str, found), *coverage_problems(sheets, known))
