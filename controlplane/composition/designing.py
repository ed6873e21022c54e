"""Who designs, who writes the sketches, and what both read."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controlplane.catalog.loader import Catalogue, load_catalogue
from controlplane.claude.service import Claude
from controlplane.composition.stores import Stores
from controlplane.config import Config
from controlplane.designers.claude import ClaudeDesigner
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import Designer, DesignRequest, Refusal
from controlplane.edge.design_service import Preview
from controlplane.firmware.claude import ClaudeAuthor
from controlplane.firmware.offline import OfflineAuthor
from controlplane.firmware.protocol import FirmwareAuthor
from controlplane.storage.boards import BoardStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Designing:
    """Designers and authors by their names, and the catalogue of boards and components."""

    catalogue: Catalogue
    claude: Claude
    designers: Mapping[str, Designer]
    authors: Mapping[str, FirmwareAuthor]
    previews: "Previews"


@asynccontextmanager
async def opened_designing(config: Config, stores: Stores) -> AsyncIterator[Designing]:
    """Read the catalogue and bring up the designers; nobody is asked yet."""
    catalogue = load_catalogue()
    claude = Claude(config.claude, stores.calls, stores.artifacts)
    offline = OfflineDesigner(catalogue)
    try:
        yield Designing(
            catalogue=catalogue,
            claude=claude,
            designers={
                OfflineDesigner.name: offline,
                ClaudeDesigner.name: ClaudeDesigner(claude, catalogue),
            },
            authors={
                OfflineAuthor.name: OfflineAuthor(),
                ClaudeAuthor.name: ClaudeAuthor(claude, catalogue),
            },
            previews=Previews(offline, stores.boards),
        )
    finally:
        await claude.close()


class Previews:
    """Designs without a session."""

    def __init__(self, designer: Designer, boards: BoardStore) -> None:
        self._designer = designer
        self._boards = boards

    async def preview(self, prompt: str, board: str) -> Preview:
        """Design a sentence for a board of the bench, or for any where `board` is empty."""
        bench = await self._boards.boards() if board else []
        answer = await self._designer.design(
            DesignRequest(prompt=prompt, board=board, bench=tuple(bench))
        )
        design = None if isinstance(answer, Refusal) else answer
        return Preview(design=design, findings=answer.findings, understood=answer.understood)
