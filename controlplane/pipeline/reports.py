"""Stores what the scenario language reports about a run: JSON for programs, JUnit for CI."""

import json

from benchline import scenario as language
from controlplane.domain.artifact import Artifact
from controlplane.storage.artifacts import ArtifactStore


async def keep_report(
    artifacts: ArtifactStore, result: language.ScenarioResult, runner: str
) -> Artifact:
    """The report of one scenario on one runner."""
    text = json.dumps(language.report_json(result), indent=1, ensure_ascii=False)
    name = f"report.{runner}.{result.scenario_id}.json"
    return await artifacts.put(text.encode(), kind="report", filename=name)


async def keep_junit(
    artifacts: ArtifactStore, results: list[language.ScenarioResult], runner: str
) -> Artifact:
    """All scenarios of one runner as JUnit XML."""
    text = language.report_junit(results, suite=f"benchline.{runner}")
    return await artifacts.put(text.encode(), kind="report.junit", filename=f"junit.{runner}.xml")
