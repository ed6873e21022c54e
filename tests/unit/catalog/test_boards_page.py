"""docs/boards.md says what the catalogue says."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_of_boards_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("generate_boards", DOCS / "generate_boards.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (DOCS / "boards.md").read_text(encoding="utf-8")

    assert page == module.boards_markdown(), "run: python docs/generate_boards.py"
