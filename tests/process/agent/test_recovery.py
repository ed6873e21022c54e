"""An agent process brings real virtual boards back: faults, ladder, canary, what is left."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from benchline.v1 import agent_link_pb2 as pb
from benchline.v1 import recovery_pb2, verdict_pb2
from tests.process.agent.control_plane import ControlPlane, agent, control_plane, pty_board, until
from tests.process.agent.test_agent import firmware
from tests.process.virtual.boards import c3_image, order, virtual_board

STM32, C3 = "vf405-01", "vc3-01"
C3_MODEL = ("--model", "esp32-c3-devkitm-1")
PASSED = verdict_pb2.OUTCOME_PASSED
BROKEN = verdict_pb2.OUTCOME_BROKEN
SKIPPED = verdict_pb2.OUTCOME_SKIPPED
WAIT_S = 240.0
Steps = list[tuple[str, int, str]]


class Family:
    """Images of one family, and what they say when they start."""

    def __init__(self, folder: Path, board: str) -> None:
        self.board = board
        self.part = "stm32f405rg" if board == STM32 else "esp32c3"
        self.folder = folder

    def image(self, tag: str) -> dict[int, bytes]:
        if self.board == STM32:
            return firmware(self.folder, tag)
        return {0: c3_image(tag)}

    def flash(self, server: ControlPlane, tag: str, image: str) -> pb.FlashCommand:
        return server.flash_command(self.image(tag), image, part=self.part)

    def recover(self, server: ControlPlane, **fields: Any) -> str:
        wanted = pb.RecoverCommand(
            canary=self.flash(server, "canary", "canary"),
            left=self.flash(server, "idle", "canary"),
            expect="boot canary",
            **fields,
        )
        return server.command(board=self.board, recover=wanted)


def steps_of(answer: pb.CommandResult) -> Steps:
    name = recovery_pb2.RecoveryAction.Name
    return [
        (name(step.action).removeprefix("RECOVERY_ACTION_"), step.outcome, step.reason)
        for step in answer.recovery.steps
    ]


def done(steps: Steps) -> list[str]:
    return [action for action, outcome, _ in steps if outcome != SKIPPED]


def left_out(answer: pb.CommandResult, action: str) -> list[str]:
    number = recovery_pb2.RecoveryAction.Value(f"RECOVERY_ACTION_{action}")
    return [
        step.message
        for step in answer.recovery.steps
        if step.action == number and step.outcome == SKIPPED
    ]


@pytest.mark.parametrize(("board", "options"), [(STM32, ()), (C3, C3_MODEL)])
async def test_a_wedged_board_needs_its_power_cycled_and_gets_its_release_image_back(
    tmp_path: Path, board: str, options: tuple[str, ...]
) -> None:
    family = Family(tmp_path, board)
    with virtual_board(tmp_path / "virtual", *options, name=board) as running:
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready(board)
            assert "power" in server.told(board).abilities
            release = server.command(board=board, flash=family.flash(server, "release", "release"))
            assert (await server.answer(release)).outcome == PASSED
            order(running, op="fault", fault="wedged")

            answer = await server.answer(family.recover(server, trouble="TARGET_SILENT"), WAIT_S)

            assert answer.outcome == PASSED, answer
            steps = steps_of(answer)
            assert done(steps)[-4:] == ["POWER_CYCLE", "CHECK", "CANARY", "RESTORE"], steps
            assert [s for s in steps if s[1] == BROKEN], "nothing was wrong before"
            assert "HARD_RESET" in done(steps)
            assert answer.recovery.left_image == "release"
            at = await server.said(board, b"boot canary")
            data = server.console(board).data
            await until("the release image", lambda: b"boot release" in data[at:])
            whole = hashlib.sha256(
                b"".join(piece for _, piece in sorted(family.image("release").items()))
            )
            assert answer.flash.image_sha256 == whole.hexdigest()
            await until(
                "the proof", lambda: server.told(board).proven_image_sha256 == whole.hexdigest()
            )


async def test_steps_are_told_live_when_they_begin_and_when_they_end(tmp_path: Path) -> None:
    family = Family(tmp_path, STM32)
    with virtual_board(tmp_path / "virtual"):
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready(STM32)
            command = family.recover(server)
            answer = await server.answer(command, WAIT_S)
            assert answer.outcome == PASSED, answer
            # Nothing was wrong: no rung was needed, and of no release image anything is known.
            assert done(steps_of(answer)) == ["CHECK", "CANARY", "RESTORE"]
            assert answer.recovery.left_image == "canary"
            told = [step.step for step in server.steps if step.command_id == command]
            begun = [step.action for step in told if step.outcome == 0]
            ended = [step for step in told if step.outcome != 0]
            assert begun == [step.action for step in ended]
            assert ended == list(answer.recovery.steps)


async def test_a_probe_that_never_answers_is_given_up_with_reasons(tmp_path: Path) -> None:
    family = Family(tmp_path, STM32)
    with virtual_board(tmp_path / "virtual", "--fault", "silent"):
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready(STM32)
            answer = await server.answer(family.recover(server, trouble="TOOL_HUNG"), WAIT_S)
            assert answer.outcome == BROKEN
            assert answer.reason == "TOOL_HUNG"
            assert "nothing helped" in answer.message
            assert "the reset goes through it" in left_out(answer, "SOFT_RESET")[0]
            assert "no other flash tool" in left_out(answer, "OTHER_FLASHER")[0]
            assert "POWER_CYCLE" in done(steps_of(answer))


async def test_wrong_bytes_are_tried_slower_and_the_board_is_given_up(tmp_path: Path) -> None:
    family = Family(tmp_path, STM32)
    with virtual_board(tmp_path / "virtual") as running:
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready(STM32)
            order(running, op="fault", fault="readback=0x08010020")
            answer = await server.answer(family.recover(server), WAIT_S)
            steps = steps_of(answer)
            assert (answer.outcome, answer.reason) == (BROKEN, "VERIFY_FAILED"), steps
            assert done(steps) == [
                "CHECK",
                "CANARY",
                "SLOWER",
                "CANARY",
                "POWER_CYCLE",
                "CHECK",
                "CANARY",
            ]
            assert "restarts the chip for each write" in left_out(answer, "HARD_RESET")[0]
            assert answer.recovery.left_image == "unknown"
            assert server.told(STM32).proven_image_sha256 == ""


async def test_a_board_that_comes_back_under_another_path_is_found_again(tmp_path: Path) -> None:
    family = Family(tmp_path, STM32)
    with virtual_board(tmp_path / "virtual") as running:
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            before = (await server.board_ready(STM32)).probe_id
            order(running, op="fault", fault="replug=2")
            answer = await server.answer(family.recover(server, trouble="PROBE_LOST"), WAIT_S)
            assert answer.outcome == PASSED, answer
            assert server.told(STM32).probe_id != before


async def test_a_cancelled_recovery_stops_and_says_so(tmp_path: Path) -> None:
    family = Family(tmp_path, STM32)
    with virtual_board(tmp_path / "virtual", "--fault", "silent"):
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready(STM32)
            command = family.recover(server)
            await until("the first step", lambda: bool(server.steps))
            server.cancel(command)
            answer = await server.answer(command)
            assert (answer.outcome, answer.reason) == (BROKEN, "CANCELLED")
            # The next command finds a board that nobody holds.
            again = server.command(board=STM32, power=power(recovery_pb2.POWER_STATE_OFF))
            assert (await server.answer(again)).outcome == PASSED


async def test_a_killed_agent_answers_that_the_recovery_was_cut_off(tmp_path: Path) -> None:
    family = Family(tmp_path, STM32)
    with virtual_board(tmp_path / "virtual", "--fault", "silent"):
        async with control_plane(tmp_path) as server:
            async with agent(server, tmp_path) as running:
                await server.board_ready(STM32)
                command = family.recover(server)
                await until("the first step", lambda: bool(server.steps))
                await running.kill()
            async with agent(server, tmp_path):
                answer = await server.answer(command)
            assert (answer.outcome, answer.reason) == (BROKEN, "INTERRUPTED")


def power(state: recovery_pb2.PowerState.ValueType) -> pb.PowerCommand:
    return pb.PowerCommand(state=state)


async def test_power_goes_through_the_switch_that_the_owner_configured(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    folder = tmp_path / "agent"
    folder.mkdir(mode=0o700)
    script = tmp_path / "relay"
    script.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    script.chmod(0o755)
    (folder / "bench.toml").write_text(
        f'[power.{STM32}]\ndriver = "command"\noff_s = 0\n'
        f'on = ["{script}", "3", "on"]\noff = ["{script}", "3", "off"]\n'
    )
    with virtual_board(tmp_path / "virtual"):
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready(STM32)
            epoch = server.told(STM32).console_epoch
            command = server.command(board=STM32, power=power(recovery_pb2.POWER_STATE_CYCLE))
            answer = await server.answer(command)
            assert answer.outcome == PASSED, answer
            assert answer.console.epoch == epoch + 1
            assert calls.read_text().splitlines() == ["3 off", "3 on"]
            # The file is read again when it changes, and what is wrong with it is told.
            (folder / "bench.toml").write_text(f'[power.{STM32}]\ndriver = "lamp"\n')
            command = server.command(board=STM32, power=power(recovery_pb2.POWER_STATE_ON))
            assert (await server.answer(command)).outcome == PASSED  # the board's own switch


async def test_a_board_without_a_switch_refuses_power(tmp_path: Path) -> None:
    with pty_board(tmp_path) as board:
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await until("the board", lambda: server.board(board.name) is not None)
            command = server.command(board=board.name, power=power(recovery_pb2.POWER_STATE_OFF))
            answer = await server.answer(command)
            assert answer.outcome == verdict_pb2.OUTCOME_REFUSED
            assert "bench.toml" in answer.message


@pytest.mark.parametrize(("board", "options"), [(STM32, ()), (C3, C3_MODEL)])
async def test_identify_asks_the_chip_and_lets_the_board_show_itself(
    tmp_path: Path, board: str, options: tuple[str, ...]
) -> None:
    with virtual_board(tmp_path / "virtual", *options, name=board) as running:
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready(board)
            command = server.command(board=board, identify=pb.IdentifyCommand())
            answer = await server.answer(command)
            assert answer.outcome == PASSED, answer
            assert answer.chip.identity
            assert json.loads((running.directory / "board.json").read_text())["identified"] == 1
            await until(
                "the chip", lambda: server.told(board).chip.identity == answer.chip.identity
            )


async def test_a_reset_into_the_bootloader_leaves_an_esp32_silent_until_the_next(
    tmp_path: Path,
) -> None:
    with virtual_board(tmp_path / "virtual", *C3_MODEL, name=C3) as running:
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready(C3)
            boot = pb.ResetCommand(mode=recovery_pb2.RESET_MODE_BOOTLOADER)
            assert (await server.answer(server.command(board=C3, reset=boot))).outcome == PASSED
            running.wait_run_state("DOWNLOAD")
            app = server.command(board=C3, reset=pb.ResetCommand())
            assert (await server.answer(app)).outcome == PASSED
            assert running.now()["run_state"] != "DOWNLOAD"


async def test_an_stm32_has_no_bootloader_to_be_reset_into(tmp_path: Path) -> None:
    with virtual_board(tmp_path / "virtual"):
        async with control_plane(tmp_path) as server, agent(server, tmp_path):
            await server.board_ready(STM32)
            boot = pb.ResetCommand(mode=recovery_pb2.RESET_MODE_BOOTLOADER)
            answer = await server.answer(server.command(board=STM32, reset=boot))
            assert answer.outcome == verdict_pb2.OUTCOME_REFUSED
            assert "through its probe" in answer.message
