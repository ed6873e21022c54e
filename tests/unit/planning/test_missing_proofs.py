"""Scenarios that a design lacks are added, marked, and judge what it does."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchline.scenario import parse_scenario
from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import BehaviourKind, Design
from controlplane.planning.diff import diff_designs
from controlplane.planning.documents import design_of, judge, parse_design
from controlplane.planning.missing_proofs import with_missing_proofs
from controlplane.planning.validate import is_sound

CATALOGUE = load_catalogue()
PROMPT = (
    "Blink the on-board LED at 2 Hz and report the temperature every second; switch a relay on "
    "above 30 C and off below 28 C; report the uptime every 20 s; answer 'status' with the last "
    "temperature."
)


def designed(prompt: str = PROMPT) -> Design:
    found = OfflineDesigner(CATALOGUE).plan(DesignRequest(prompt=prompt))
    assert isinstance(found, Design), found
    return found


def without(design: Design, *names: str) -> Design:
    return replace(design, scenarios=tuple(s for s in design.scenarios if s.id not in names))


def test_a_whole_design_is_given_back_as_it_is() -> None:
    design = designed()

    assert with_missing_proofs(design) is design
    assert "generated" not in design.to_json()


def test_all_that_is_missing_comes_back_marked_and_is_what_the_designer_writes() -> None:
    design = designed()
    found = with_missing_proofs(replace(design, scenarios=()))

    assert all(s.generated for s in found.scenarios)
    assert [s.yaml for s in found.scenarios] == [s.yaml for s in design.scenarios]
    assert is_sound(judge(found, CATALOGUE))


@pytest.mark.parametrize("name", ["main", "control", "slow_report_uptime"])
def test_only_what_is_missing_is_added(name: str) -> None:
    design = designed()
    assert name in {s.id for s in design.scenarios}
    found = with_missing_proofs(without(design, name))

    assert [s.id for s in found.scenarios if s.generated] == [name]
    assert {s.yaml for s in found.scenarios} == {s.yaml for s in design.scenarios}
    assert all(change.path == "scenarios" for change in diff_designs(design, found))


def test_a_scenario_of_the_same_name_stays_and_the_new_one_gets_another() -> None:
    design = designed("Blink the LED at 2 Hz.")
    blind = replace(design.scenarios[0], proves=())
    found = with_missing_proofs(replace(design, scenarios=(blind, design.scenarios[1])))

    assert found.scenarios[0] == blind
    added = found.scenarios[2]
    assert (added.id, parse_scenario(added.yaml).id) == ("generated_main", "generated_main")
    assert is_sound(judge(found, CATALOGUE))


def test_a_behaviour_of_no_known_kind_gets_no_proof() -> None:
    design = designed("Blink the LED at 2 Hz.")
    custom = tuple(replace(b, kind=BehaviourKind.CUSTOM) for b in design.behaviours)
    bare = replace(design, behaviours=custom, scenarios=())

    assert with_missing_proofs(bare) is bare
    assert [f.code for f in judge(bare, CATALOGUE)] == ["E150", "E150"]


def test_a_behaviour_without_its_parameters_is_left_to_the_rules() -> None:
    design = designed("Blink the LED at 2 Hz.")
    behaviours = tuple(replace(b, parameters=()) for b in design.behaviours)
    bare = replace(design, behaviours=behaviours, scenarios=())

    assert with_missing_proofs(bare).scenarios == ()


def test_a_document_is_completed_only_when_nothing_else_is_wrong() -> None:
    bare = json.loads(replace(designed(), scenarios=()).to_json())
    found = design_of(bare, CATALOGUE)
    broken = design_of({**bare, "board": {**bare["board"], "model": "unheard-of"}}, CATALOGUE)

    assert is_sound(found.findings)
    assert {s.id for s in found.scenarios} == {"main", "slow_report_uptime", "control"}
    assert "E150" in {f.code for f in broken.findings} or not broken.scenarios


def test_a_document_of_the_first_version_keeps_its_bytes() -> None:
    old = (Path(__file__).parents[1] / "domain" / "design_v1.json").read_text("utf-8")
    bare = {**json.loads(old), "scenarios": []}

    assert design_of(bare, CATALOGUE).scenarios == ()


def test_the_mark_lasts_and_is_part_of_the_hash() -> None:
    design = designed("Blink the LED at 2 Hz.")
    found = with_missing_proofs(replace(design, scenarios=()))
    again = parse_design(found.to_json(), CATALOGUE)

    assert again == found
    assert found.to_json().count('"generated":true') == 2
    assert found.design_hash != design.design_hash
