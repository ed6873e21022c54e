"""The files with which other tools open a session's project, kept as one artifact."""

from collections.abc import Sequence

from controlplane.domain.artifact import Artifact
from controlplane.domain.build import SourceFile
from controlplane.exporters.project_files import project_files
from controlplane.exporters.wiring import Thing, wiring_of_design, wiring_of_signals
from controlplane.pipeline.project import Project
from controlplane.storage.artifacts import ArtifactStore

PROJECT_FILES = "project.files"


async def keep_project_files(
    artifacts: ArtifactStore, project: Project, sources: Sequence[SourceFile]
) -> Artifact:
    """Write them for this board model, these sources and these scenarios."""
    made = project_files(project.board_model, sources, project.scenarios, _things(project))
    data = made.to_json().encode("utf-8", "surrogatepass")
    return await artifacts.put(data, kind=PROJECT_FILES, filename="project-files.json")


def _things(project: Project) -> tuple[Thing, ...]:
    """What is wired: as the design says, else every pin that a scenario names, once."""
    if project.design is not None:
        return wiring_of_design(project.design)
    by_pin: dict[str, Thing] = {}
    taken: set[str] = set()
    for scenario in project.scenarios:
        for thing in wiring_of_signals(scenario.signals.values()):
            if thing.pin not in by_pin and thing.id not in taken:
                by_pin[thing.pin] = thing
                taken.add(thing.id)
    return tuple(by_pin.values())
