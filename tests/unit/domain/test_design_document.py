"""The design document: exact, strict, and always the same bytes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.codec import DocumentError
from controlplane.domain.design import Design
from controlplane.domain.hardware import OpenQuestion

PROMPT = "Blink the LED at 2 Hz; toggle a relay when the button is pressed."


def design() -> Design:
    found = OfflineDesigner().plan(DesignRequest(prompt=PROMPT))
    assert isinstance(found, Design)
    return found


def test_a_design_survives_its_canonical_json() -> None:
    first = design()
    second = Design.from_json(first.to_json())

    assert second == first
    assert second.design_hash == first.design_hash


def test_two_designers_give_the_same_bytes() -> None:
    assert design().to_json() == design().to_json()


def test_canonical_json_has_sorted_keys_and_no_spaces() -> None:
    text = design().to_json()

    assert text == json.dumps(
        json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def test_every_problem_of_a_document_is_named_with_its_path() -> None:
    document = json.loads(design().to_json())
    document["surprise"] = 1
    del document["title"]
    document["pins"][0]["active"] = "sideways"
    document["pins"][1]["pin"] = 5

    with pytest.raises(DocumentError) as caught:
        Design.from_json(json.dumps(document))

    paths = {path for path, _ in caught.value.problems}
    assert paths == {"$.surprise", "$.title", "$.pins[0].active", "$.pins[1].pin"}


@pytest.mark.parametrize(
    "text", ["", "[]", "nonsense", "{}", "null", "[" * 100_000], ids=lambda t: t[:8] or "empty"
)
def test_nonsense_is_a_document_error(text: str) -> None:
    with pytest.raises(DocumentError):
        Design.from_json(text)


@pytest.mark.parametrize("field", ["prompt", "schema_version"])
def test_a_document_that_contradicts_itself_is_refused(field: str) -> None:
    document = json.loads(design().to_json())
    document[field] = 99 if field == "schema_version" else "Another wish."

    with pytest.raises(DocumentError):
        Design.from_json(json.dumps(document))


def test_a_changed_scenario_does_not_match_its_digest() -> None:
    document = json.loads(design().to_json())
    document["scenarios"][0]["yaml"] += "# edited\n"

    with pytest.raises(DocumentError, match="sha256 of scenario main"):
        Design.from_json(json.dumps(document))


V1 = Path(__file__).with_name("design_v1.json").read_text("utf-8")


def test_a_stored_document_of_version_1_keeps_its_bytes_and_its_hash() -> None:
    read = Design.from_json(V1)

    assert read.schema_version == 1
    assert read.to_json() == V1
    assert read.design_hash == "e54f2de629560481280849423486f85661a07897a835d84cc017a42988754522"
    assert (read.nodes, read.components[0].supply_mv) == ((), 0)


def test_a_document_of_version_1_cannot_hold_what_came_later() -> None:
    asked = OpenQuestion(id="range", text="Which range?", blocking=False, default="0 to 100")

    with pytest.raises(ValueError, match="design schema 1 has no open_questions"):
        replace(Design.from_json(V1), open_questions=(asked,))


def test_a_new_design_says_what_board_it_is_made_of() -> None:
    (node,) = design().nodes

    assert design().schema_version == 2
    assert (node.board_model, node.part) == ("olimex-stm32-h405", "stm32f405rg")
    assert node.power.budget_ma == 500
