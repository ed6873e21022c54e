"""Firmware live in QEMU and in the emulator: typed at, reset, set, stopped, capped, killed."""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchline.errors import BenchlineError, ExhaustedError, InvalidRequestError, NotReadyError
from benchline.names import session_name
from controlplane.catalog.loader import load_catalogue
from controlplane.domain.build import SourceFile
from controlplane.domain.live_simulation import EndReason, LiveLimits, LiveSimulation
from controlplane.domain.session import Session, SessionRequest, Source, SourceScenario, StageRecord
from controlplane.domain.verdict import Outcome, Stage, State
from controlplane.journal.journal import Journal
from controlplane.ops.identity import new_session_id
from controlplane.pipeline.images import RELEASE_ELF, TEST_ELF
from controlplane.pipeline.live_simulations import LiveParts, LiveSimulations
from controlplane.simulators.ladder import SimulatorLadder, all_simulators
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.console_log import ConsoleLog
from controlplane.storage.database import Database
from controlplane.storage.live_simulations import LiveSimulationStore
from controlplane.storage.sessions import SessionStore
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.protocol import BuildRequest, BuildVariant

QEMU_BOARD, EMULATED_BOARD = "olimex-stm32-h405", "esp32-c3-devkitm-1"
PINS = {QEMU_BOARD: ("PA1", "PA0"), EMULATED_BOARD: ("GPIO1", "GPIO5")}
LIMITS = LiveLimits(
    simulations=2,
    idle=timedelta(minutes=10),
    time=timedelta(minutes=10),
    console_bytes=1 << 20,
)

SKETCH = """
void setup() {{
  Serial.begin(115200);
  analogReadResolution(12);
  pinMode({button}, INPUT_PULLUP);
  Serial.println("ready");
}}

void loop() {{
  if (Serial.available()) {{
    const String line = Serial.readStringUntil('\\n');
    if (line == "read") {{
      Serial.print("level ");
      Serial.print(digitalRead({button}));
      Serial.print(" counts ");
      Serial.println(analogRead({analog}));
    }} else if (line == "crash") {{
      // Without a handler that can be reached the next fault locks the processor up.
#if defined(__riscv)
      asm volatile(
          ".option push\\n.option arch, +zicsr\\ncsrw mtvec, %0\\n.option pop" ::"r"(0xfffffff0));
#else
      *reinterpret_cast<volatile uint32_t *>(0xE000ED08) = 0xF0000000;
#endif
      *reinterpret_cast<volatile int *>(0xfffffff0) = 1;
    }} else if (line == "flood") {{
      while (true) Serial.println("flood flood flood flood flood flood");
    }} else {{
      Serial.println("you said " + line);
    }}
  }}
  delay(1);
}}
"""
SCENARIO = """
scenario: 1
id: main
title: Inputs
duration: 2s
signals:
  temperature:
    {{kind: analog, pin: {analog}, unit: C, mv_at_zero: 500, mv_per_unit: 10, min: -40, max: 125}}
  button: {{kind: digital_in, pin: {button}, active: low}}
steps:
  - expect: {{id: boot, type: READY, within: 1s}}
"""


@dataclass
class Bench:
    lives: LiveSimulations
    store: LiveSimulationStore
    consoles: ConsoleLog
    sessions: SessionStore
    artifacts: ArtifactStore
    cache: Path
    folder: Path

    async def session(self, board: str) -> Session:
        """A session that has built the sketch."""
        analog, button = PINS[board]
        sketch = SourceFile(path="live.ino", content=SKETCH.format(analog=analog, button=button))
        scenario = SourceScenario(
            scenario_id="main", yaml=SCENARIO.format(analog=analog, button=button)
        )
        built = await BareMetalToolchain(self.cache).build(
            BuildRequest(
                name="live", sources=(sketch,), board_model=board, variants=(BuildVariant.TEST,)
            ),
            self.folder / uuid.uuid4().hex,
        )
        assert built.images, built
        elf = built.images[BuildVariant.TEST].elf.read_bytes()
        stored = await self.artifacts.put(elf, kind=TEST_ELF, filename=TEST_ELF)
        release = replace(stored, kind=RELEASE_ELF)
        return await self.keep(
            Source(files=(sketch,), scenarios=(scenario,), title="Inputs"), board, (stored, release)
        )

    async def keep(self, source: Source, board: str, artifacts: tuple) -> Session:
        now = datetime.now(UTC)
        request = SessionRequest(
            prompt="",
            source=source,
            board_wish=board,
            until=Stage.BUILD,
            designer="",
            seed=None,
        )
        session = Session(
            name=session_name(uuid.uuid4().hex),
            request=request,
            state=State.DONE,
            stages=(StageRecord(stage=Stage.BUILD, state=State.DONE),),
            principal="test",
            create_time=now,
            update_time=now,
            seed=0,
            board_model=board,
            artifacts=artifacts,
        )
        return await self.sessions.create(session, "", [])

    async def started(self, board: str = QEMU_BOARD) -> LiveSimulation:
        session = await self.session(board)
        return await self.lives.start(session, "test", "")

    async def says(self, live: LiveSimulation, words: bytes, after: int = 0) -> int:
        """Wait for words on the console; the offset behind them."""
        seen = b""
        async with asyncio.timeout(60):
            while words not in seen:
                head = await self.consoles.wait(live.console, after + len(seen))
                pieces = await self.consoles.read(live.console, after + len(seen), head, 1 << 20)
                seen += b"".join(piece.data for piece in pieces)
        return after + seen.index(words) + len(words)

    async def until(
        self, live: LiveSimulation, true_of: Callable[[LiveSimulation], bool]
    ) -> LiveSimulation:
        current = await self.store.get(live.live_id)
        async with asyncio.timeout(60):
            while not true_of(current):
                current = await self.store.wait(live.live_id, current.revision)
        return current


@asynccontextmanager
async def bench(folder: Path, cache: Path, limits: LiveLimits = LIMITS) -> AsyncIterator[Bench]:
    database = await Database.open(folder / "state.db")
    sessions = SessionStore(database, Journal(database))
    artifacts = ArtifactStore(folder / "artifacts", database)
    consoles, store = ConsoleLog(database), LiveSimulationStore(database)
    parts = LiveParts(
        artifacts=artifacts,
        boards=BoardStore(database),
        catalogue=load_catalogue(),
        console_log=consoles,
        ladder=SimulatorLadder(all_simulators(folder / "scratch")),
        limits=limits,
        new_id=new_session_id,
        sessions=sessions,
        store=store,
        work_dir=folder,
    )
    async with LiveSimulations(parts) as lives:
        yield Bench(lives, store, consoles, sessions, artifacts, cache, folder)
    await database.close()


def simulators_below(pid: int) -> list[int]:
    """Children of this process that run an image, however deep."""
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        for task in Path(f"/proc/{parent}/task").iterdir():
            children = [int(child) for child in (task / "children").read_text().split()]
            todo += children
            for child in children:
                words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                if any(word in (b"-kernel", b"--flash") for word in words):
                    found.append(child)
    return found


async def reason_of(action) -> str:
    with pytest.raises(BenchlineError) as caught:
        await action
    return caught.value.reason


@pytest.mark.parametrize("board", [QEMU_BOARD, EMULATED_BOARD])
async def test_firmware_is_typed_at_set_reset_and_stopped(
    tmp_path: Path, cache: Path, board: str
) -> None:
    async with bench(tmp_path, cache) as desk:
        analog, button = PINS[board]
        live = await desk.started(board)
        assert (live.state, live.epoch, live.test_build) == (State.PENDING, 0, True)
        assert [one.name for one in live.signals] == ["temperature", "button"]
        at = await desk.says(live, b"ready")
        live = await desk.until(live, lambda now: now.state is State.RUNNING)
        assert (live.epoch, live.rung) == (
            1,
            {QEMU_BOARD: "qemu-netduinoplus2"}.get(board, "unicorn-esp32c3"),
        )
        assert live.simulator
        assert live.confinement

        desk.lives.send(live, b"hello\n")
        at = await desk.says(live, b"you said hello", at)

        assert desk.lives.set_signal(live, "temperature", "25").value == 931
        desk.lives.set_signal(live, "button", "on")
        at = await desk.says(live, f"CMD set {button}=0\n".encode(), at)
        desk.lives.send(live, b"read\n")
        at = await desk.says(live, b"level 0 counts 931", at)
        desk.lives.set_signal(live, analog.lower(), "2048")
        desk.lives.set_signal(live, "button", "off")
        at = await desk.says(live, f"CMD set {button}=1\n".encode(), at)
        desk.lives.send(live, b"read\n")
        at = await desk.says(live, b"level 1 counts 2048", at)
        with pytest.raises(InvalidRequestError, match="range"):
            desk.lives.set_signal(live, "temperature", "200")
        with pytest.raises(InvalidRequestError, match="temperature, button"):
            desk.lives.set_signal(live, "humidity", "1")

        again = await desk.lives.reset(live)
        assert (again.epoch, again.state) == (2, State.RUNNING)
        at = await desk.says(live, b"BOOT core=", at)
        await desk.says(live, b"ready", at)
        chunks = await desk.consoles.read(live.console, at, 1 << 30, 1 << 20)
        assert {chunk.epoch for chunk in chunks} == {2}
        assert not any(chunk.gap_before for chunk in chunks)

        ended = await desk.lives.stop(live)
        assert (ended.state, ended.reason, ended.outcome) == (State.DONE, "STOPPED", None)
        assert simulators_below(os.getpid()) == []
        with pytest.raises(NotReadyError, match="benchline simulate"):
            desk.lives.send(ended, b"x")
        assert await reason_of(desk.lives.reset(ended)) == "LIVE_NOT_RUNNING"
        assert await desk.lives.stop(ended) == ended


@pytest.mark.parametrize("board", [QEMU_BOARD, EMULATED_BOARD])
async def test_a_processor_that_locked_up_waits_for_a_reset(
    tmp_path: Path, cache: Path, board: str
) -> None:
    async with bench(tmp_path, cache) as desk:
        live = await desk.started(board)
        at = await desk.says(live, b"ready")
        desk.lives.send(live, b"crash\n")
        live = await desk.until(live, lambda now: now.state is State.WAITING)
        assert "lockup" in live.message
        with pytest.raises(NotReadyError, match="reset it"):
            desk.lives.send(live, b"x")
        await desk.lives.reset(live)
        await desk.says(live, b"ready", at)


async def test_a_simulator_that_is_killed_is_broken_and_named(tmp_path: Path, cache: Path) -> None:
    async with bench(tmp_path, cache) as desk:
        live = await desk.started()
        await desk.says(live, b"ready")
        for pid in simulators_below(os.getpid()):
            os.kill(pid, signal.SIGKILL)
        ended = await desk.until(live, lambda now: now.state.ended)
        assert (ended.reason, ended.outcome) == ("TOOL_BROKEN", Outcome.BROKEN)
        assert "qemu-system-arm ended early with signal 9" in ended.message
        assert ended.again in ended.fix


async def test_a_missing_simulator_is_broken_and_named(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, cache) as desk:
        session = await desk.session(QEMU_BOARD)
        monkeypatch.setenv("PATH", str(tmp_path))
        live = await desk.lives.start(session, "test", "")
        ended = await desk.until(live, lambda now: now.state.ended)
        assert (ended.reason, ended.outcome) == ("TOOL_BROKEN", Outcome.BROKEN)
        assert "install the package qemu-system-arm" in ended.message


async def test_no_more_run_than_may_and_a_request_is_started_once(
    tmp_path: Path, cache: Path
) -> None:
    async with bench(tmp_path, cache, replace(LIMITS, simulations=1)) as desk:
        session, request_id = await desk.session(QEMU_BOARD), str(uuid.uuid4())
        live = await desk.lives.start(session, "test", request_id)
        again = await desk.lives.start(session, "test", request_id)
        assert again.name == live.name
        with pytest.raises(ExhaustedError, match=f"simulate stop {live.live_id}"):
            await desk.lives.start(session, "test", "")
        await desk.lives.stop(live)
        assert (await desk.lives.start(session, "test", "")).name != live.name


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (replace(LIMITS, idle=timedelta(seconds=1)), EndReason.IDLE),
        (replace(LIMITS, time=timedelta(seconds=1)), EndReason.TIME_CAP),
        (replace(LIMITS, console_bytes=4096), EndReason.BYTE_CAP),
    ],
)
async def test_each_limit_is_a_reason_to_end(
    tmp_path: Path, cache: Path, limits: LiveLimits, reason: EndReason
) -> None:
    async with bench(tmp_path, cache, limits) as desk:
        live = await desk.started()
        if reason is EndReason.IDLE:
            ended = await desk.until(live, lambda now: now.state.ended)
        else:
            with desk.lives.watched(live):  # somebody who watches keeps it from being idle alone
                if reason is EndReason.BYTE_CAP:
                    await desk.says(live, b"ready")
                    desk.lives.send(live, b"flood\n")
                ended = await desk.until(live, lambda now: now.state.ended)
        assert (ended.reason, ended.outcome) == (reason.value, None)
        assert simulators_below(os.getpid()) == []


async def test_what_a_dead_control_plane_left_behind_is_ended(tmp_path: Path, cache: Path) -> None:
    async with bench(tmp_path, cache) as desk:
        live = await desk.started()
        await desk.says(live, b"ready")
        database = desk.store._database
        left = replace(live, name="liveSimulations/0left", state=State.RUNNING, epoch=1)
        await LiveSimulationStore(database).create(left, "", 10)
    async with bench(tmp_path, cache) as desk:
        stopped, lost = await desk.store.get(live.live_id), await desk.store.get("0left")
        assert (stopped.reason, stopped.outcome) == ("SERVER_STOPPED", None)
        assert (lost.reason, lost.outcome) == ("INTERRUPTED", Outcome.BROKEN)
        assert lost.fix == f"start it again: {lost.again}"


async def test_what_has_no_image_and_what_is_no_test_build(tmp_path: Path, cache: Path) -> None:
    async with bench(tmp_path, cache) as desk:
        empty = await desk.keep(Source(design_json="{}"), QEMU_BOARD, ())
        assert await reason_of(desk.lives.start(empty, "test", "")) == "IMAGE_MISSING"
        live = await desk.started()
        with pytest.raises(NotReadyError, match="no test build"):
            desk.lives.set_signal(replace(live, test_build=False), "button", "on")
