"""docs/errors.md lists every reason, and each reason has one meaning."""

import importlib.util
import re
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[3] / "docs"
REASON = re.compile(r"[A-Z][A-Z0-9_]+[A-Z0-9]")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_errors", DOCS / "generate_errors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up while they are made.
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_of_errors_is_fresh(generator: ModuleType) -> None:
    page = (DOCS / "errors.md").read_text(encoding="utf-8")
    assert page == generator.errors_markdown(), "run: python docs/generate_errors.py"


def test_every_reason_is_written_where_the_error_is_made(generator: ModuleType) -> None:
    unread = [
        raised.place
        for raised in generator.raised_errors()
        if raised.reason is None and "benchline/errors.py" not in raised.place
    ]
    assert unread == []


def test_every_reason_has_one_form_and_one_code(generator: ModuleType) -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    for raised in generator.raised_errors():
        if raised.reason is not None:
            assert REASON.fullmatch(raised.reason), raised.place
            kinds[raised.reason].add(raised.kind)
    assert {reason: kind for reason, kind in kinds.items() if len(kind) > 1} == {}
