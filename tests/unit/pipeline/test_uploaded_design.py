"""Sessions that start from a design: judged like any other, built from a sketch of their own."""

from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import Design
from controlplane.domain.session import SessionRequest, Source
from controlplane.domain.verdict import Stage
from controlplane.pipeline.stage_order import planned_stages
from controlplane.pipeline.uploaded_design import read_uploaded

CATALOGUE = load_catalogue()


def designed(prompt: str = "Blink the LED at 2 Hz.", board: str = "esp32c3") -> Design:
    found = OfflineDesigner(CATALOGUE).plan(DesignRequest(prompt=prompt, board=board))
    assert isinstance(found, Design)
    return found


def request(source: Source, until: Stage = Stage.DEPLOY) -> SessionRequest:
    return SessionRequest(
        prompt="", source=source, board_wish="", until=until, designer="", seed=None
    )


def test_a_design_is_judged_first_and_a_project_is_built_first() -> None:
    design = Source(design_json="{}")

    assert planned_stages(request(design, Stage.BUILD)) == (Stage.DESIGN, Stage.BUILD)
    assert planned_stages(request(Source(), Stage.BUILD)) == (Stage.BUILD,)


def test_a_document_that_is_no_design_is_refused_with_every_problem() -> None:
    found = read_uploaded(Source(design_json='{"title": 1}'), "", (), CATALOGUE)

    assert isinstance(found, Refusal)
    assert {finding.code for finding in found.findings} == {"E108"}
    assert len(found.findings) > 5


def test_a_design_for_another_board_than_the_wish_is_refused() -> None:
    source = Source(design_json=designed().to_json())

    found = read_uploaded(source, "olimex-stm32-h405", (), CATALOGUE)
    assert isinstance(found, Refusal)
    assert "the design is for esp32-c3-devkitm-1" in found.findings[0].message
    assert read_uploaded(source, "esp32c3", (), CATALOGUE) == designed()


def test_a_design_that_is_not_sound_is_refused_with_its_findings() -> None:
    document = designed().to_json().replace('"kind":"blink"', '"kind":"custom"')
    document = document.replace('"proves":["blink_led"]', '"proves":[]')
    found = read_uploaded(Source(design_json=document), "", (), CATALOGUE)

    assert isinstance(found, Refusal)
    assert [finding.code for finding in found.findings] == ["E150"]


def test_a_known_behaviour_without_a_proof_gets_one_that_is_marked() -> None:
    document = designed().to_json().replace('"proves":["blink_led"]', '"proves":[]')
    found = read_uploaded(Source(design_json=document), "", (), CATALOGUE)

    assert isinstance(found, Design)
    assert [(s.id, s.generated) for s in found.scenarios] == [
        ("main", False),
        ("control", False),
        ("generated_main", True),
    ]
    assert found.scenarios[2].proves == ("blink_led",)
    assert read_uploaded(Source(design_json=found.to_json()), "", (), CATALOGUE) == found
