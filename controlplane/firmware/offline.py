"""The offline author: the same design gives the same readable sketch."""

from controlplane.domain.build import SourceFile
from controlplane.domain.design import BehaviourKind, Design
from controlplane.domain.finding import Finding
from controlplane.firmware.protocol import (
    NO_HISTORY,
    History,
    NotWritten,
    SourceProject,
    Stronger,
)
from controlplane.firmware.sketch import write_sketch


class OfflineAuthor:
    """Writes sketches from templates, without a network."""

    name = "offline"
    version = "1"
    repairs = False
    stronger: Stronger | None = None

    async def write(
        self, design: Design, history: History = NO_HISTORY
    ) -> SourceProject | NotWritten:
        """Write without waiting for anything; there is no template for custom behaviours."""
        custom = [b for b in design.behaviours if b.kind is BehaviourKind.CUSTOM]
        if custom:
            return NotWritten(
                findings=tuple(
                    Finding(
                        code="E200",
                        subject=behaviour.id,
                        message="the offline author has no template for this behaviour.",
                        fix="Use the author claude.",
                    )
                    for behaviour in custom
                )
            )
        return self.render(design)

    def render(self, design: Design) -> SourceProject:
        """Write the sketch, the design document and the scenarios."""
        name = project_name(design)
        sketch = SourceFile(path=f"{name}.ino", content=write_sketch(design))
        return SourceProject(name=name, files=(sketch, *companions(design)))


def companions(design: Design) -> tuple[SourceFile, ...]:
    """The files that every project has beside its sources."""
    return (
        SourceFile(path="design.json", content=design.to_json() + "\n"),
        *(
            SourceFile(path=f"scenarios/{scenario.id}.yaml", content=scenario.yaml)
            for scenario in design.scenarios
        ),
    )


def project_name(design: Design) -> str:
    """A name that a sketch folder can have, from what the design does."""
    kinds = dict.fromkeys(behaviour.kind.value for behaviour in design.behaviours)
    return "_".join(kinds)[:48] or "sketch"
