"""Adds the scenarios that a design lacks, for behaviours of kinds that we have proofs for. Pure.

A behaviour of any other kind cannot be proved without knowing what it means: that it lacks a
scenario stays a finding, for its designer to mend.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from benchline.scenario import ScenarioError, parse_scenario
from controlplane.domain.design import (
    Behaviour,
    BehaviourKind,
    Design,
    DesignScenario,
    text_digest,
)
from controlplane.planning.acceptance import write_scenarios

_LONGEST_ID = 48
_MARKED_SINCE = 2


def with_missing_proofs(design: Design) -> Design:
    """The design with a proof of each known behaviour and a control run, marked as generated.

    It is given back as it is when nothing is missing, when a behaviour lacks what its kind needs,
    or in a version of the document that has no such mark. What is there is never changed.
    """
    known = [b for b in design.behaviours if b.kind is not BehaviourKind.CUSTOM]
    proved = {name for scenario in design.scenarios for name in scenario.proves}
    lacking = {b.id for b in known} - proved
    controlled = any(scenario.control for scenario in design.scenarios)
    if design.schema_version < _MARKED_SINCE or not known or (controlled and not lacking):
        return design
    taken = {scenario.id for scenario in design.scenarios}
    added = [
        _marked(scenario, taken)
        for scenario in _written(design, known)
        if (not controlled if scenario.control else lacking & set(scenario.proves))
    ]
    return replace(design, scenarios=(*design.scenarios, *added))


def _written(design: Design, known: Sequence[Behaviour]) -> tuple[DesignScenario, ...]:
    try:
        written = write_scenarios(design.title, known, design.signals, design.pins)
        for scenario in written:
            parse_scenario(scenario.yaml)
    except (ArithmeticError, LookupError, ScenarioError, ValueError):
        # A document by hand may leave out what a kind is made of; the rules tell of that.
        return ()
    return written


def _marked(scenario: DesignScenario, taken: Collection[str]) -> DesignScenario:
    if scenario.id not in taken:
        return replace(scenario, generated=True)
    name = f"generated_{scenario.id}"[:_LONGEST_ID]
    text = scenario.yaml.replace(f"\nid: {scenario.id}\n", f"\nid: {name}\n", 1)
    return replace(scenario, id=name, yaml=text, sha256=text_digest(text), generated=True)
