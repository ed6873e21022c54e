"""Sentences that are shown to people are understood, or asked about."""

import re
from pathlib import Path

import pytest

from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from tui.prompts import EXAMPLES

ROOT = Path(__file__).resolve().parents[3]
QUOTED = re.compile(r'benchline (?:run|design) "([^"…]+)"')
SHOWN = [
    sentence
    for page in ("README.md", "docs/cli.md", "infra/bootstrap/demo.sh")
    for sentence in QUOTED.findall((ROOT / page).read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("sentence", sorted({*EXAMPLES, *SHOWN}))
def test_a_sentence_that_is_shown_is_understood_or_asked_about(sentence: str) -> None:
    found = OfflineDesigner().plan(DesignRequest(prompt=sentence))
    assert isinstance(found, Design) or found.questions, [str(f) for f in found.findings]
