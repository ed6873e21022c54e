"""Stores what the scenario language reports about runs: JSON for programs, JUnit for CI."""

import json
from collections.abc import Sequence

from benchline import scenario as language
from controlplane.domain.artifact import Artifact
from controlplane.domain.verdict import AssertionResult, ScenarioResult
from controlplane.storage.artifacts import ArtifactStore

JUNIT_KIND = "report.junit"


async def keep_report(
    artifacts: ArtifactStore, result: language.ScenarioResult, runner: str
) -> Artifact:
    """The report of one scenario on one runner."""
    text = json.dumps(language.report_json(result), indent=1, ensure_ascii=False)
    name = f"report.{runner}.{result.scenario_id}.json"
    return await artifacts.put(text.encode(), kind="report", filename=name)


async def keep_junit(artifacts: ArtifactStore, results: Sequence[ScenarioResult]) -> Artifact:
    """All scenarios of one stage as JUnit XML."""
    runner = results[0].runner
    text = language.report_junit([_as_language(r) for r in results], suite=f"benchline.{runner}")
    name = f"junit.{runner}.xml"
    return await artifacts.put(text.encode(), kind=f"{JUNIT_KIND}.{runner}", filename=name)


def _as_language(result: ScenarioResult) -> language.ScenarioResult:
    return language.ScenarioResult(
        scenario_id=result.scenario_id,
        title=result.title,
        outcome=language.Outcome(result.outcome.value),
        assertions=tuple(map(_assertion, result.assertions)),
        seed=result.seed,
        values={},
        reason=result.message,
        end_ms=result.device_ms,
    )


def _assertion(result: AssertionResult) -> language.AssertionResult:
    return language.AssertionResult(
        id=result.assertion_id,
        kind=result.kind,
        outcome=language.Outcome(result.outcome.value),
        message=result.message,
        expected=result.expected,
        got=result.got,
        at_ms=None if result.at_ms < 0 else result.at_ms,
        evidence=tuple(
            language.ByteRange(start=found.start, end=found.end) for found in result.evidence
        ),
    )
