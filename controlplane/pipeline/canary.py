"""Known good firmware that proves a board: built once for each board model, kept as an artifact."""

import asyncio
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchline.errors import BenchlineError, InvalidRequestError
from benchline.scenario.table import end_row, pack_rows
from controlplane.bench_core.manifest import PORTS
from controlplane.childproc.tools import ToolBrokenError
from controlplane.domain.artifact import Artifact
from controlplane.domain.bench import Board
from controlplane.domain.build import SourceFile
from controlplane.domain.image import ImageError, ImageSegment, leave_out, read_image
from controlplane.domain.verdict import Outcome, Stage
from controlplane.fleet.orders import FlashOrder, ImageRole
from controlplane.pipeline.flashing import FlashMemory, Written, written
from controlplane.pipeline.slots import Slots
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.codec import from_json, to_json
from controlplane.storage.sessions import SessionStore
from controlplane.toolchains.protocol import BuildRequest, BuildVariant, Toolchain

SKETCH = """\
// Known good firmware: a board that says the number it was given takes, keeps and runs what is
// written to it.
void setup() {
  Serial.begin(115200);
  Serial.println("canary");
}

void loop() {
}
"""
KIND = "firmware.canary.elf"
_END_MS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """What is written, what it says then, and what is left on the board: without a table."""

    firmware: FlashOrder
    expect: str
    left: FlashOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCanary:
    """There is none for a board; `why` is for people."""

    why: str


class Canaries:
    """Builds canaries with the bench core, each once."""

    def __init__(
        self,
        *,
        artifacts: ArtifactStore,
        store: SessionStore,
        toolchain: Toolchain,
        slots: Slots,
        work_dir: Path,
    ) -> None:
        self._artifacts = artifacts
        self._store = store
        self._toolchain = toolchain
        self._slots = slots
        self._work_dir = work_dir
        self._building = asyncio.Lock()

    async def of(self, board: Board) -> Canary | NoCanary:
        """The canary of a board, with a number that nobody can have heard before."""
        port = PORTS.get(board.part)
        if port is None:
            what = board.part or "a part that is not known"
            return NoCanary(why=f"there is no bench core for {what}, so no canary can be built")
        model = board.model if board.model in port.variants else sorted(port.variants)[0]
        try:
            elf = await self._elf(model)
        except (ToolBrokenError, BenchlineError) as error:
            return NoCanary(why=f"the canary could not be built: {error}")
        memory = FlashMemory.of(port)
        segments = _segments(elf, memory)
        nonce = secrets.randbits(32)
        table = pack_rows([end_row(_END_MS)], nonce, flags=0)
        stimuli = ImageSegment(memory.table_address, table)
        firmware = await written(self._artifacts, (*segments, stimuli))
        left = await written(self._artifacts, (*segments, memory.blank_table))
        return Canary(
            firmware=_order(firmware, board.part),
            expect=f"nonce={nonce:08x}",
            left=_order(left, board.part),
        )

    async def _elf(self, model: str) -> bytes:
        """The image of a board model, from the store or built now.

        Raises:
            ToolBrokenError: the compiler is missing or broken.
            BenchlineError: it does not build, or its bytes are damaged.
        """
        request = BuildRequest(
            name="canary",
            sources=(SourceFile(path="canary.ino", content=SKETCH),),
            board_model=model,
            variants=(BuildVariant.TEST,),
        )
        async with self._building:
            fingerprint = await self._toolchain.fingerprint(model)
            document = json.dumps([KIND, asdict(request), fingerprint], sort_keys=True)
            key = hashlib.sha256(document.encode()).hexdigest()
            kept = await self._store.cached_stage(Stage.BUILD, key)
            if kept is not None:
                try:
                    return await self._artifacts.read(from_json(Artifact, kept).sha256)
                except BenchlineError:
                    pass  # its bytes are gone or damaged: they are built again
            elf = await self._build(request)
            stored = await self._artifacts.put(elf, kind=KIND, filename=KIND)
            await self._store.put_cached_stage(Stage.BUILD, key, to_json(stored))
            return elf

    async def _build(self, request: BuildRequest) -> bytes:
        async with self._slots.compiler():
            with TemporaryDirectory(dir=self._work_dir, prefix="canary-") as folder:
                result = await self._toolchain.build(request, Path(folder))
                image = result.images.get(BuildVariant.TEST)
                if result.outcome is not Outcome.PASSED or image is None:
                    raise InvalidRequestError("CANARY_UNBUILT", result.message or "no image")
                return image.elf.read_bytes()


def _segments(elf: bytes, memory: FlashMemory) -> tuple[ImageSegment, ...]:
    try:
        segments = read_image(elf, KIND, base=memory.base)
        return leave_out(segments, memory.table.start, memory.table.stop)
    except ImageError as error:
        raise InvalidRequestError("IMAGE_INVALID", f"{KIND}: {error}", filename=KIND) from error


def _order(image: Written, part: str) -> FlashOrder:
    return FlashOrder(pieces=image.pieces, part=part, reset_after=True, image=ImageRole.CANARY)
