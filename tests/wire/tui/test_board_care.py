"""Looking after boards: headless verbs and the keys of the bench screen."""

import json

import pytest

from benchline.instance import Instance
from benchline.v1 import bench_pb2, verdict_pb2
from tests.wire.tui.conftest import Command
from tests.wire.tui.fake_server import BOARD, FakeControlPlane
from tests.wire.tui.test_console_screens import SIZES, console, notes, shows, until
from tui.screens.bench import BenchScreen
from tui.screens.dialogs import TextScreen


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("reset vf405-01", "reset vf405-01 APP"),
        ("reset vf405-01 --bootloader --lease l1", "reset vf405-01 BOOTLOADER leases/l1"),
        ("power vf405-01 --on", "power vf405-01 ON"),
        ("power vf405-01 --off", "power vf405-01 OFF"),
        ("power vf405-01 --cycle", "power vf405-01 CYCLE"),
        ("identify vf405-01", "identify vf405-01"),
        ("quarantine vf405-01 --reason smells", "quarantine vf405-01: smells"),
        ("return vf405-01", "return vf405-01"),
    ],
)
async def test_a_verb_asks_for_what_it_says(
    plane: FakeControlPlane, benchline: Command, words: str, asked: str
) -> None:
    ran = await benchline("boards", *words.split())
    assert (ran.code, plane.cared) == (0, [asked]), ran.err
    again = await benchline("boards", *words.split(), "--json")
    assert again.code == 0
    json.loads(again.out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("reset", "takes one BOARD"),
        ("power vf405-01", "say --on, --off or --cycle"),
        ("quarantine vf405-01", "say why"),
        ("reset vf405-01 --on", "with boards power"),
        ("vf405-01 --bootloader", "goes with one of"),
    ],
)
async def test_what_makes_no_sense_is_a_usage_error(
    plane: FakeControlPlane, benchline: Command, words: str, said: str
) -> None:
    ran = await benchline("boards", *words.split())
    assert ran.code == 2
    assert said in ran.err
    assert plane.cared == []


async def test_the_list_shows_scores_and_why_a_board_is_out(
    plane: FakeControlPlane, benchline: Command
) -> None:
    board = plane.boards[0]
    board.state, board.score = bench_pb2.Board.STATE_QUARANTINED, 52
    board.quarantine.reason, board.quarantine.message = "VERIFY_FAILED", "byte 7 is wrong"
    plane.boards[1].recovering = "power cycle"
    ran = await benchline("boards", "model=olimex-stm32-h405")
    assert ran.code == 0
    first, second = ran.out.splitlines()[1:3]
    assert "QUARANTINED  52" in first
    assert "VERIFY_FAILED: byte 7 is wrong" in first
    assert "recovering: power cycle" in second


@pytest.mark.parametrize(("outcome", "code"), [("PASSED", 0), ("BROKEN", 3)])
async def test_a_recovery_prints_its_steps_and_exits_by_its_outcome(
    plane: FakeControlPlane, benchline: Command, outcome: str, code: int
) -> None:
    plane.recovers = verdict_pb2.Outcome.Value(f"OUTCOME_{outcome}")
    ran = await benchline("boards", "recover", "vf405-01")
    assert ran.code == code
    step, ended = ran.out.splitlines()
    assert "power cycle" in step
    assert "1.5 s  by relay 3" in step
    assert outcome in ended
    told = (await benchline("boards", "recover", "vf405-01", "--json")).out.splitlines()
    assert "recovery" in json.loads(told[-1])


async def test_health_tells_what_happened_and_what_helps(
    plane: FakeControlPlane, benchline: Command
) -> None:
    ran = await benchline("boards", "health", "vf405-01")
    for words in ("score 52 of 100", "flash TOOL_HUNG (52)", "cured 3 of 4"):
        assert words in ran.out


async def test_a_board_that_is_held_says_by_whom(
    plane: FakeControlPlane, benchline: Command
) -> None:
    plane.busy = True
    ran = await benchline("boards", "reset", "vf405-01")
    assert ran.code != 0
    assert "held by ana until 12:00" in ran.err


@pytest.mark.parametrize("size", SIZES)
async def test_keys_of_the_bench_look_after_the_board_under_the_cursor(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int]
) -> None:
    plane.boards[0].abilities.extend(["reset", "identify"])
    async with console(instance, size) as pilot:
        await shows(pilot, "2/2 boards")
        await pilot.press("2")
        await shows(pilot, "vf405-01", "flash TOOL_HUNG (52)")
        await pilot.press("i")
        await until(pilot, lambda: any("STM32F405" in note for note in notes(pilot)))
        await pilot.press("r")
        await until(pilot, lambda: "its firmware starts again" in notes(pilot))
        await pilot.press("v")
        await until(pilot, lambda: any("works again" in note for note in notes(pilot)))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        await shows(pilot, "cured 3 of 4")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, BenchScreen))
        await pilot.press("Q")
        await shows(pilot, "out of service?")
        await pilot.press(*"burnt", "enter")
        await shows(pilot, "QUARANT", "MANUAL: burnt")
        await pilot.press("Q")
        await shows(pilot, "ACTIVE")
        assert plane.cared == [
            f"identify {BOARD}",
            f"reset {BOARD} APP",
            f"recover {BOARD}",
            f"quarantine {BOARD}: burnt",
            f"return {BOARD}",
        ]


async def test_a_key_that_cannot_be_used_says_why(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.boards[0].holder, plane.boards[0].state = "sessions/x", bench_pb2.Board.STATE_LEASED
    async with console(instance, (120, 40)) as pilot:
        await shows(pilot, "2/2 boards")
        await pilot.press("2")
        await shows(pilot, "vf405-01")
        await pilot.press("r")
        await until(pilot, lambda: "vf405-01 is held by sessions/x" in notes(pilot))
        plane.boards[0].recovering = "power cycle"
        plane.board_version += 1
        plane.announce()
        await shows(pilot, "recovering: power cycle")
        await pilot.press("v")
        wanted = "vf405-01 is being recovered: power cycle"
        await until(pilot, lambda: wanted in notes(pilot))
        assert plane.cared == []
