"""Sessions for every board model: designed for all, built where the bench core is made for it."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from controlplane.bench_core.manifest import PORTS
from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.build import SourceFile
from controlplane.domain.design import Design
from controlplane.domain.session import Session, SessionRequest, Source
from controlplane.domain.verdict import Outcome, Stage
from controlplane.firmware.offline import OfflineAuthor
from controlplane.journal.journal import Journal
from controlplane.ops.identity import new_session_id
from controlplane.pipeline.build_stage import BuildParts, BuildStage
from controlplane.pipeline.design_stage import DesignStage
from controlplane.pipeline.engine import Engine, EngineParts
from controlplane.pipeline.slots import Slots
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.database import Database
from controlplane.storage.sessions import SessionStore
from controlplane.storage.work_queue import WorkQueue
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.ladder import ToolchainLadder, vendor_toolchains

CATALOGUE = load_catalogue()
BUILT = {model for port in PORTS.values() for model in port.variants}
UNBUILT = sorted(set(CATALOGUE.boards) - BUILT)
SKETCH = "void setup() {}\nvoid loop() { delay(1); }\n"


async def run(folder: Path, cache: Path, **wishes: Any) -> Session:
    """A session to its end, with the real stages DESIGN and BUILD."""
    request = SessionRequest(
        prompt=wishes.get("prompt", "Blink the LED at 2 Hz."),
        source=wishes.get("source"),
        board_wish=wishes.get("board", ""),
        until=Stage.BUILD,
        designer="",
        seed=None,
        no_questions=True,
    )
    database = await Database.open(folder / "x.db")
    journal = Journal(database)
    store = SessionStore(database, journal)
    artifacts = ArtifactStore(folder / "artifacts", database)
    boards = BoardStore(database)
    (folder / "work").mkdir()
    build = BuildStage(
        BuildParts(
            artifacts=artifacts,
            boards=boards,
            catalogue=CATALOGUE,
            store=store,
            authors={"offline": OfflineAuthor()},
            toolchain=ToolchainLadder(
                [BareMetalToolchain(cache), *vendor_toolchains(folder / "vendor")]
            ),
            slots=Slots(compilers=1, simulators=1),
            work_dir=folder / "work",
        )
    )
    engine = Engine(
        EngineParts(
            database=database,
            store=store,
            queue=WorkQueue(database),
            stages={
                Stage.DESIGN: DesignStage(
                    {"offline": OfflineDesigner()}, artifacts, boards, load_catalogue()
                ),
                Stage.BUILD: build,
            },
            new_session_id=new_session_id,
            owner=uuid.uuid4().hex,
            session_slots=1,
        )
    )
    stop = asyncio.Event()
    work = asyncio.create_task(engine.run(stop))
    try:
        session = await engine.start(request, "local:me", "")
        async with asyncio.timeout(120):
            while not (now := await store.get(session.session_id)).state.ended:
                await journal.wait(session.session_id, now.last_sequence)
        return now
    finally:
        stop.set()
        await work
        await database.close()


@pytest.mark.parametrize("model", ["nucleo-f446re", "esp32-c3-supermini"])
async def test_a_prompt_and_a_wish_decide_what_is_built_for(
    model: str, tmp_path: Path, cache: Path
) -> None:
    done = await run(tmp_path, cache, board=model)

    assert done.outcome is Outcome.PASSED, done.message
    assert done.board_model == model


@pytest.mark.parametrize("model", UNBUILT)
async def test_a_part_without_a_builder_is_designed_and_the_build_says_what_is_missing(
    model: str, tmp_path: Path, cache: Path
) -> None:
    done = await run(tmp_path, cache, board=model)
    design, build = done.stages
    board = CATALOGUE.boards[model]

    assert (design.outcome, build.outcome) == (Outcome.PASSED, Outcome.REFUSED)
    assert done.outcome is Outcome.REFUSED
    assert board.name in build.message
    assert "no vendor toolchain for it is installed" in build.message
    assert [(f.code, f.subject) for f in done.findings] == [("NO_TOOLCHAIN", model)]
    assert "pip install platformio" in done.findings[0].fix
    assert "esp32-c3-devkitm-1" in done.findings[0].fix


@pytest.mark.parametrize(
    ("wish", "model"),
    [
        ("", "olimex-stm32-h405"),
        ("esp32c3", "esp32-c3-devkitm-1"),
        ("model=esp32-c3-supermini,kind=virtual", "esp32-c3-supermini"),
    ],
)
async def test_a_sketch_that_is_brought_is_built_for_the_board_of_the_wish(
    wish: str, model: str, tmp_path: Path, cache: Path
) -> None:
    source = Source(files=(SourceFile(path="Mine.ino", content=SKETCH),))
    done = await run(tmp_path, cache, source=source, board=wish)

    assert done.outcome is Outcome.PASSED, done.message
    assert done.board_model == model


async def test_a_sketch_for_an_ambiguous_board_is_not_built(tmp_path: Path, cache: Path) -> None:
    source = Source(files=(SourceFile(path="Mine.ino", content=SKETCH),))
    done = await run(tmp_path, cache, source=source, board="nucleo")

    assert done.outcome is Outcome.REFUSED
    assert "nucleo-f401re, nucleo-f411re, nucleo-f446re" in done.message


async def test_an_ambiguous_board_is_refused_where_nobody_can_be_asked(
    tmp_path: Path, cache: Path
) -> None:
    done = await run(tmp_path, cache, prompt="Blink the LED at 2 Hz on an ESP32.")

    assert done.outcome is Outcome.REFUSED
    assert [finding.code for finding in done.findings] == ["E101", "E106"]


@pytest.mark.parametrize("model", ["olimex-stm32-h405", "esp32-c3-devkitm-1"])
async def test_a_design_that_is_brought_is_judged_and_built_from_a_sketch_of_its_own(
    model: str, tmp_path: Path, cache: Path
) -> None:
    design = OfflineDesigner(CATALOGUE).plan(
        DesignRequest(prompt="Blink the LED at 2 Hz.", board=model)
    )
    assert isinstance(design, Design)
    done = await run(tmp_path, cache, prompt="", source=Source(design_json=design.to_json()))

    assert [record.stage for record in done.stages] == [Stage.DESIGN, Stage.BUILD]
    assert done.outcome is Outcome.PASSED, done.message
    assert (done.board_model, done.design_hash) == (model, design.design_hash)
