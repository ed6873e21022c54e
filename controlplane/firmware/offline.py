"""The offline author: the same design gives the same readable sketch."""

from controlplane.domain.build import SourceFile
from controlplane.domain.design import Design
from controlplane.firmware.protocol import SourceProject
from controlplane.firmware.sketch import write_sketch


class OfflineAuthor:
    """Writes sketches from templates, without a network."""

    name = "offline"
    version = "1"

    async def write(self, design: Design) -> SourceProject:
        """Write without waiting for anything."""
        return self.render(design)

    def render(self, design: Design) -> SourceProject:
        """Write the sketch, the design document and the scenarios."""
        name = project_name(design)
        files = [
            SourceFile(path=f"{name}.ino", content=write_sketch(design)),
            SourceFile(path="design.json", content=design.to_json() + "\n"),
        ]
        files += [
            SourceFile(path=f"scenarios/{scenario.id}.yaml", content=scenario.yaml)
            for scenario in design.scenarios
        ]
        return SourceProject(name=name, files=tuple(files))


def project_name(design: Design) -> str:
    """A name that a sketch folder can have, from what the design does."""
    kinds = dict.fromkeys(behaviour.kind.value for behaviour in design.behaviours)
    return "_".join(kinds)[:48] or "sketch"
