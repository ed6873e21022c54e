"""The pyOCD flasher against virtual boards: real child processes, real pyOCD."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchagent.flashers.elf import segments_of
from benchagent.flashers.nursery import Nursery
from benchagent.flashers.protocol import (
    FlasherError,
    FlashOutcome,
    FlashPlan,
    FlashProgress,
    FlashResult,
    FlashSegment,
    Phase,
    ProbeRef,
    Reason,
)
from benchagent.flashers.pyocd import PyocdFlasher
from benchagent.flashers.stm32_parts import PARTS
from tests.process.virtual.boards import (
    RunningBoard,
    build_firmware,
    children_of,
    console,
    flash_image,
    is_alive,
    stock_readback,
    virtual_board,
)

PART = "stm32f405rg"
CODE = 0x0801_0000
BIG = bytes(index * 7 % 251 for index in range(100_000))


def probe_of(board: RunningBoard) -> ProbeRef:
    return ProbeRef(address=board.probe, uid=board.uid)


def plan_of(*segments: FlashSegment, reset_after: bool = True) -> FlashPlan:
    return FlashPlan(part=PART, segments=segments, reset_after=reset_after)


def elf_plan(elf: Path) -> FlashPlan:
    return plan_of(*segments_of(elf.read_bytes(), base_address=0x0800_0000))


async def test_a_flash_is_read_back_equal_by_stock_pyocd_and_runs(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    elf = build_firmware(tmp_path, tag="alpha", padding=90_000)
    heard: list[FlashProgress] = []
    with virtual_board(tmp_path) as board, console(board.entry["tty"]) as tty:
        result = await flasher.flash(probe_of(board), elf_plan(elf), on_progress=heard.append)
        assert result.outcome is FlashOutcome.PASSED, result
        assert tty.until(b"tick 00000000").startswith(b"boot alpha")
        assert stock_readback(board.probe, tmp_path) == flash_image(elf)
        assert result.was_reset
        assert result.identity is not None
        assert (result.identity.probe_uid, result.identity.part) == (board.uid, PART)
    assert [segment.sha256 for segment in result.verified] == [
        segment.sha256 for segment in elf_plan(elf).segments
    ]
    for phase in Phase:
        fractions = [progress.fraction for progress in heard if progress.phase is phase]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0
    assert list(dict.fromkeys(progress.phase for progress in heard)) == list(Phase)


async def test_a_second_flash_of_the_same_image_erases_nothing(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    plan = elf_plan(build_firmware(tmp_path))
    with virtual_board(tmp_path) as board:
        first = await flasher.flash(probe_of(board), plan)
        before = board.stats()
        second = await flasher.flash(probe_of(board), plan)
        after = board.stats()
    assert (first.outcome, second.outcome) == (FlashOutcome.PASSED, FlashOutcome.PASSED)
    assert (second.erased, second.programmed, second.skipped) == ((), (), (0, 4))
    assert second.digest == first.digest != ""
    assert after["sector_erases"] == before["sector_erases"]
    assert after["programmed_bytes"] == before["programmed_bytes"]


async def test_addresses_that_are_to_be_blank_are_erased_and_proved_blank(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    with virtual_board(tmp_path) as board:
        probe = probe_of(board)
        await flasher.flash(probe, plan_of(FlashSegment.of(CODE, BIG)))
        shorter = replace(
            plan_of(FlashSegment.of(CODE, BIG[:100])), blank=(range(CODE + 0x1000, CODE + 0x19000),)
        )
        result = await flasher.flash(probe, shorter)
        assert (result.outcome, result.erased) == (FlashOutcome.PASSED, (4, 5)), result
        again = await flasher.flash(probe, shorter)
        assert (again.outcome, again.skipped) == (FlashOutcome.PASSED, (4, 5))
    flash = (board.directory / "flash.bin").read_bytes()[CODE - 0x0800_0000 :]
    assert flash.rstrip(b"\xff") == BIG[:100].rstrip(b"\xff")
    assert [one.sha256 for one in result.verified] == [shorter.segments[0].sha256]


async def test_only_changed_sectors_are_erased_and_unplanned_ones_are_kept(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    storage = FlashSegment.of(0x0800_8000, b"kept by the user" * 100)
    vectors = FlashSegment.of(0x0800_0000, bytes(64))
    with virtual_board(tmp_path) as board:
        probe = probe_of(board)
        await flasher.flash(probe, plan_of(storage))
        await flasher.flash(probe, plan_of(vectors, FlashSegment.of(CODE, BIG)))
        changed = bytearray(BIG)
        changed[99_000] ^= 0xFF
        result = await flasher.flash(probe, plan_of(vectors, FlashSegment.of(CODE, bytes(changed))))
        assert (result.erased, result.programmed, result.skipped) == ((5,), (5,), (0, 4))
        assert board.stats()["mass_erases"] == 0
        kept = await flasher.read(probe, PART, 0x0800_8000, 1600)
        assert kept == b"kept by the user" * 100


async def test_a_shorter_image_leaves_no_rest_of_the_longer_one(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    with virtual_board(tmp_path) as board:
        probe = probe_of(board)
        await flasher.flash(probe, plan_of(FlashSegment.of(CODE, b"\x55" * 60_000)))
        await flasher.flash(probe, plan_of(FlashSegment.of(CODE, b"\xaa" * 10)))
        assert await flasher.read(probe, PART, CODE, 65536) == b"\xaa" * 10 + b"\xff" * 65526


async def refused_untouched(
    flasher: PyocdFlasher, board: RunningBoard, plan: FlashPlan, probe: ProbeRef | None = None
) -> FlashResult:
    before = board.stats()
    result = await flasher.flash(probe or probe_of(board), plan)
    assert (result.erased, result.programmed, result.verified) == ((), (), ())
    assert board.stats() == before
    return result


async def test_a_flipped_byte_in_the_artifact_is_caught_before_any_erase(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    artifact = tmp_path / "artifact.bin"
    artifact.write_bytes(BIG)
    segment = FlashSegment(
        address=CODE, path=artifact, sha256=hashlib.sha256(artifact.read_bytes()).hexdigest()
    )
    with virtual_board(tmp_path) as board:
        assert (await flasher.flash(probe_of(board), plan_of(segment))).outcome == "PASSED"
        flipped = bytearray(BIG)
        flipped[12_345] ^= 0x10
        artifact.write_bytes(flipped)
        result = await refused_untouched(flasher, board, plan_of(segment))
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.DIGEST_MISMATCH)


async def test_another_device_id_is_refused_before_any_erase(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    with virtual_board(tmp_path, "--device-id", "0x441") as board:
        result = await refused_untouched(flasher, board, plan_of(FlashSegment.of(CODE, BIG)))
    assert (result.outcome, result.reason) == (FlashOutcome.REFUSED, Reason.TARGET_MISMATCH)
    assert "0x441" in result.message


@pytest.mark.parametrize("part", [name for name in PARTS if PARTS[name].device_id != 0x413])
async def test_an_image_for_another_chip_leaves_the_flash_as_it_was(
    tmp_path: Path, flasher: PyocdFlasher, part: str
) -> None:
    elf = build_firmware(tmp_path)
    with virtual_board(tmp_path) as board:
        await flasher.flash(probe_of(board), elf_plan(elf))
        before = stock_readback(board.probe, tmp_path)
        plan = FlashPlan(part=part, segments=(FlashSegment.of(CODE, BIG),))
        result = await refused_untouched(flasher, board, plan)
        assert stock_readback(board.probe, tmp_path) == before == flash_image(elf)
    assert (result.outcome, result.reason) == (FlashOutcome.REFUSED, Reason.TARGET_MISMATCH)
    assert "the chip is STM32F405/407/415/417, device id 0x413" in result.message
    assert result.identity is not None
    assert result.identity.candidates == ("stm32f405rg", "stm32f407vg")


async def test_parts_of_one_chip_take_the_same_image_and_are_named_together(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    plan = FlashPlan(part="stm32f407vg", segments=(FlashSegment.of(CODE, BIG),))
    with virtual_board(tmp_path) as board:
        result = await flasher.flash(probe_of(board), plan)
    assert result.outcome is FlashOutcome.PASSED, result
    assert result.identity is not None
    assert result.identity.part == "stm32f407vg"
    assert "stm32f405rg" in result.identity.candidates


async def test_a_board_is_identified_without_knowing_its_part(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    elf = build_firmware(tmp_path, tag="alpha")
    with virtual_board(tmp_path, holding=elf) as board, console(board.entry["tty"]) as tty:
        tty.until(b"tick 00000001")
        boots = board.stats()["boots"]
        found = await flasher.identify(probe_of(board))
        assert board.stats()["boots"] == boots
    assert (found.part, found.candidates) == ("", ("stm32f405rg", "stm32f407vg"))
    assert (found.device_id, found.revision_id, found.flash_kib) == (0x413, 0x1007, 1024)
    assert (len(found.device_uid), found.protections) == (24, ())
    assert found.chip == "STM32F405/407/415/417, device id 0x413"


@pytest.mark.parametrize(
    ("device_id", "chip"),
    [("0x441", "STM32F412, device id 0x441"), ("0x415", "an unknown chip, device id 0x415")],
)
async def test_a_chip_that_cannot_be_flashed_is_still_named(
    tmp_path: Path, flasher: PyocdFlasher, device_id: str, chip: str
) -> None:
    with virtual_board(tmp_path, "--device-id", device_id) as board:
        found = await flasher.identify(probe_of(board))
    assert (found.part, found.candidates, found.chip) == ("", (), chip)


async def test_a_protected_board_says_so_when_it_is_identified(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    with virtual_board(tmp_path, "--optcr", "0x0FEDBBED") as board:
        found = await flasher.identify(probe_of(board))
    assert found.protections == ("read protection level 1", "write protection of sectors 1, 4")


async def test_another_probe_or_part_behind_the_address_is_refused(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    segment = FlashSegment.of(CODE, BIG)
    with virtual_board(tmp_path) as board:
        other = ProbeRef(address=board.probe, uid="0123456789ABCDEF01234567")
        result = await refused_untouched(flasher, board, plan_of(segment), other)
        assert (result.outcome, result.reason) == (FlashOutcome.REFUSED, Reason.TARGET_MISMATCH)
        plan = FlashPlan(part=PART, segments=(segment,), expect_device_uid="00" * 12)
        result = await refused_untouched(flasher, board, plan)
        assert (result.outcome, result.reason) == (FlashOutcome.REFUSED, Reason.TARGET_MISMATCH)


@pytest.mark.parametrize("optcr", ["0x0FFFBBED", "0x0FEFAAED"])
async def test_a_protected_flash_is_refused_and_never_unlocked(
    tmp_path: Path, flasher: PyocdFlasher, optcr: str
) -> None:
    with virtual_board(tmp_path, "--optcr", optcr) as board:
        result = await refused_untouched(flasher, board, plan_of(FlashSegment.of(CODE, BIG)))
    assert (result.outcome, result.reason) == (FlashOutcome.REFUSED, Reason.TARGET_LOCKED)


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (plan_of(FlashSegment.of(0x0810_0000 - 4, b"12345678")), Reason.IMAGE_TOO_LARGE),
        (plan_of(FlashSegment.of(0x2000_0000, b"ram")), Reason.IMAGE_TOO_LARGE),
        (
            plan_of(FlashSegment.of(CODE, b"12345678"), FlashSegment.of(CODE + 7, b"1")),
            Reason.SEGMENTS_OVERLAP,
        ),
        (plan_of(), Reason.BAD_REQUEST),
        (plan_of(FlashSegment(address=CODE, sha256="")), Reason.BAD_REQUEST),
        (
            FlashPlan(part="stm32f999", segments=(FlashSegment.of(CODE, b"1"),)),
            Reason.BAD_REQUEST,
        ),
        (
            plan_of(FlashSegment(address=CODE, sha256="", path=Path("/nonexistent"))),
            Reason.BAD_REQUEST,
        ),
    ],
)
async def test_an_impossible_plan_is_refused_without_a_probe(
    flasher: PyocdFlasher, plan: FlashPlan, reason: Reason
) -> None:
    result = await flasher.flash(ProbeRef(address="remote:127.0.0.1:9"), plan)
    assert (result.outcome, result.reason) == (FlashOutcome.REFUSED, reason), result


async def test_a_worn_cell_is_found_by_the_read_back(tmp_path: Path, flasher: PyocdFlasher) -> None:
    with virtual_board(tmp_path, "--stuck-low", "0x08010123") as board:
        result = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(CODE, b"\x5a" * 900)))
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.VERIFY_FAILED)
    assert "0x08010123 reads 0x00 instead of 0x5a" in result.message
    assert result.digest == ""


async def test_no_board_at_the_address_is_told(flasher: PyocdFlasher) -> None:
    result = await flasher.flash(
        ProbeRef(address="remote:127.0.0.1:9"), plan_of(FlashSegment.of(CODE, b"1"))
    )
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.PROBE_NOT_FOUND)
    result = await flasher.flash(
        ProbeRef(address="0123456789ABCDEF"), plan_of(FlashSegment.of(CODE, b"1"))
    )
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.PROBE_NOT_FOUND)


@pytest.mark.parametrize("after", [0, 330])
async def test_a_probe_that_stops_answering_is_told_from_no_progress(
    tmp_path: Path, nursery: Nursery, after: int
) -> None:
    flasher = PyocdFlasher(
        state_dir=tmp_path / "agent", watchdog_s=1.0, grace_s=0.3, nursery=nursery
    )
    with virtual_board(tmp_path, "--hang-after", str(after)) as board:
        result = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(CODE, BIG)))
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.TOOL_HUNG)


@pytest.mark.parametrize("after", [60, 150, 330])
async def test_a_probe_that_vanishes_at_any_moment_is_told(
    tmp_path: Path, flasher: PyocdFlasher, after: int
) -> None:
    with virtual_board(tmp_path, "--unplug-after", str(after)) as board:
        result = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(CODE, BIG)))
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.PROBE_LOST), result


async def test_a_board_whose_process_dies_is_a_lost_probe(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    with virtual_board(tmp_path) as board:

        def kill_at_half(progress: FlashProgress) -> None:
            if progress.phase is Phase.PROGRAM and progress.fraction > 0.5:
                board.process.kill()

        plan = plan_of(FlashSegment.of(CODE, BIG))
        result = await flasher.flash(probe_of(board), plan, on_progress=kill_at_half)
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.PROBE_LOST)


@asynccontextmanager
async def flash_in_programming(
    flasher: PyocdFlasher, board: RunningBoard, cancel: asyncio.Event | None = None
) -> AsyncIterator[asyncio.Task[FlashResult]]:
    """A flash that is half way through programming."""
    half = asyncio.Event()

    def heard(progress: FlashProgress) -> None:
        if progress.phase is Phase.PROGRAM and progress.fraction > 0.4:
            half.set()

    plan = plan_of(FlashSegment.of(CODE, BIG))
    task = asyncio.create_task(
        flasher.flash(probe_of(board), plan, on_progress=heard, cancel=cancel)
    )
    await half.wait()
    yield task


def operations_of(nursery: Nursery) -> list[int]:
    """The operations that run now."""
    if nursery.pid is None:
        return []
    return [child for child in children_of(nursery.pid) if is_alive(child)]


async def test_a_killed_child_is_reported_and_the_next_flash_works(
    tmp_path: Path, flasher: PyocdFlasher, nursery: Nursery
) -> None:
    with virtual_board(tmp_path) as board:
        async with flash_in_programming(flasher, board) as task:
            (child,) = operations_of(nursery)
            os.kill(child, signal.SIGKILL)
            result = await task
        assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.TOOL_CRASHED)
        again = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(CODE, BIG)))
        assert again.outcome is FlashOutcome.PASSED
        assert again.programmed
        assert stock_readback(board.probe, tmp_path)[0x1_0000:][: len(BIG)] == BIG


async def test_a_cancelled_flash_ends_at_once_and_says_so(
    tmp_path: Path, flasher: PyocdFlasher, nursery: Nursery
) -> None:
    cancel = asyncio.Event()
    with virtual_board(tmp_path) as board:
        async with flash_in_programming(flasher, board, cancel) as task:
            cancel.set()
            result = await task
        assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.CANCELLED)
        assert operations_of(nursery) == []
        again = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(CODE, BIG)))
        assert again.outcome is FlashOutcome.PASSED


async def test_cancelling_the_task_leaves_no_child_and_no_lock(
    tmp_path: Path, flasher: PyocdFlasher, nursery: Nursery
) -> None:
    with virtual_board(tmp_path) as board:
        async with flash_in_programming(flasher, board) as task:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert operations_of(nursery) == []
        again = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(CODE, BIG)))
        assert again.outcome is FlashOutcome.PASSED


async def test_a_second_flash_waits_for_the_first(tmp_path: Path, flasher: PyocdFlasher) -> None:
    other = FlashSegment.of(CODE, BIG[::-1])
    with virtual_board(tmp_path) as board:
        async with flash_in_programming(flasher, board) as first:
            second = asyncio.create_task(flasher.flash(probe_of(board), plan_of(other)))
            results = await asyncio.gather(first, second)
        assert [result.outcome for result in results] == ["PASSED", "PASSED"]
        assert await flasher.read(probe_of(board), PART, CODE, len(BIG)) == BIG[::-1]


async def test_a_second_flash_that_may_not_wait_is_refused(
    tmp_path: Path, flasher: PyocdFlasher, nursery: Nursery
) -> None:
    hasty = PyocdFlasher(state_dir=tmp_path / "agent", lock_wait_s=0.0, nursery=nursery)
    with virtual_board(tmp_path) as board:
        async with flash_in_programming(flasher, board) as first:
            second = await hasty.flash(probe_of(board), plan_of(FlashSegment.of(CODE, b"1")))
            assert (second.outcome, second.reason) == (FlashOutcome.REFUSED, Reason.PROBE_BUSY)
            assert (await first).outcome is FlashOutcome.PASSED


ORPHAN = """
import asyncio, os, sys
from pathlib import Path
from benchagent.flashers.protocol import FlashPlan, FlashSegment, Phase, ProbeRef
from benchagent.flashers.pyocd import PyocdFlasher
state, address, uid, image = sys.argv[1:]
def heard(progress):
    if progress.phase is Phase.PROGRAM and progress.fraction > 0.2:
        os._exit(9)
plan = FlashPlan(part="stm32f405rg", record=Path(state) / "record.json", segments=(
    FlashSegment.of(0x08010000, Path(image).read_bytes()),))
probe = ProbeRef(address=address, uid=uid)
asyncio.run(PyocdFlasher(state_dir=Path(state)).flash(probe, plan, on_progress=heard))
"""


async def test_an_orphaned_child_finishes_keeps_the_probe_and_leaves_its_result(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    state = tmp_path / "agent"
    state.mkdir()
    image = tmp_path / "image.bin"
    image.write_bytes(BIG)
    with virtual_board(tmp_path) as board:
        await flasher.flash(probe_of(board), plan_of(FlashSegment.of(CODE, b"\0" * 100_000)))
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ORPHAN, str(state), board.probe, board.uid, str(image)),
            cwd=Path(__file__).parents[3],
        )
        assert await parent.wait() == 9
        erases = board.stats()["sector_erases"]
        again = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(CODE, BIG)))
        assert again.outcome is FlashOutcome.PASSED
        assert again.erased == ()
        assert board.stats()["sector_erases"] == erases
    record = json.loads((state / "record.json").read_text())
    assert record["reason"] is None
    assert record["verified"][0]["sha256"] == hashlib.sha256(BIG).hexdigest()


async def test_reset_read_and_identify_go_through_the_same_child(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    elf = build_firmware(tmp_path, tag="alpha")
    with virtual_board(tmp_path) as board, console(board.entry["tty"]) as tty:
        probe = probe_of(board)
        await flasher.flash(probe, elf_plan(elf))
        tty.until(b"tick 00000001")
        boots = board.stats()["boots"]
        identity = await flasher.identify(probe, PART)
        assert (identity.device_id, identity.flash_kib) == (0x413, 1024)
        assert len(identity.device_uid) == 24
        image = flash_image(elf)
        assert await flasher.read(probe, PART, 0x0800_FFFD, 1001) == image[0xFFFD:][:1001]
        assert board.stats()["boots"] == boots
        tty.forget()
        await flasher.reset(probe, PART)
        tty.until(b"boot alpha")
        with pytest.raises(FlasherError) as failed:
            await flasher.read(probe, PART, 0x9000_0000, 16)
        assert failed.value.reason is Reason.TARGET_SILENT


async def test_a_flash_without_reset_leaves_the_core_halted_until_one(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    elf = build_firmware(tmp_path, tag="alpha")
    segments = elf_plan(elf).segments
    with virtual_board(tmp_path) as board, console(board.entry["tty"]) as tty:
        result = await flasher.flash(probe_of(board), plan_of(*segments, reset_after=False))
        assert result.outcome is FlashOutcome.PASSED
        assert not result.was_reset
        assert board.stats()["boots"] == 0
        await flasher.reset(probe_of(board), PART)
        tty.until(b"boot alpha")


async def test_the_parent_acts_between_the_old_firmware_and_the_new(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    old, new = build_firmware(tmp_path, tag="alpha"), build_firmware(tmp_path, tag="beta")
    heads: list[bytes] = []
    with virtual_board(tmp_path, holding=old) as board, console(board.entry["tty"]) as tty:
        tty.until(b"tick 00000001")

        async def before_reset() -> None:
            heads.append(tty.until_quiet())

        probe = probe_of(board)
        flashed = await flasher.flash(probe, elf_plan(new), before_reset=before_reset)
        assert flashed.outcome is FlashOutcome.PASSED
        assert tty.until(b"tick 00000001", after=len(heads[0]))[len(heads[0]) :].startswith(
            b"boot beta"
        )
        again = await flasher.flash(probe, elf_plan(new), before_reset=before_reset)
        assert (again.outcome, again.erased, again.was_reset) == (FlashOutcome.PASSED, (), True)
        # A slow board would be halted again in the middle of its first line.
        tty.until(b"boot beta", after=len(heads[1]))
        await flasher.reset(probe, PART, before_reset=before_reset)
        tty.until(b"tick 00000001", after=len(heads[2]))
    assert len(heads) == 3
    for head in heads[1:]:
        assert tty.seen[len(head) :].startswith(b"boot beta")


async def test_a_board_does_not_stay_halted_for_a_parent_that_fails(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    elf = build_firmware(tmp_path, tag="alpha")

    async def before_reset() -> None:
        raise RuntimeError("the parent fell over")

    with virtual_board(tmp_path) as board, console(board.entry["tty"]) as tty:
        with pytest.raises(RuntimeError, match="fell over"):
            await flasher.flash(probe_of(board), elf_plan(elf), before_reset=before_reset)
        tty.until(b"boot alpha")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("raise ValueError('the tool fell over')", Reason.TOOL_CRASHED),
        ("print('garbage')", Reason.TOOL_CRASHED),
        ("print('x' * 5_000_000)", Reason.TOOL_CRASHED),
        ("import os; os.abort()", Reason.TOOL_CRASHED),
        (
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
            Reason.TOOL_HUNG,
        ),
    ],
)
async def test_a_child_that_misbehaves_is_ended_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: Reason
) -> None:
    # Only what hangs is waited for in vain.
    watchdog_s = 1.0 if reason is Reason.TOOL_HUNG else 60.0
    child = f"def warm(): pass\ndef main(kept): {script}\n"
    result = await flash_with(tmp_path, monkeypatch, child, watchdog_s)
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, reason)
    assert "pyocd" in result.message


async def flash_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch, child: str, watchdog_s: float
) -> FlashResult:
    """A flash whose child is this module."""
    (folder / "misbehaving.py").write_text(child)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    nursery = Nursery("misbehaving")
    flasher = PyocdFlasher(state_dir=folder, watchdog_s=watchdog_s, grace_s=0.3, nursery=nursery)
    try:
        return await flasher.flash(
            ProbeRef(address="remote:127.0.0.1:9"), plan_of(FlashSegment.of(CODE, b"1"))
        )
    finally:
        flasher.close()


async def test_a_flasher_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = await flash_with(tmp_path, monkeypatch, "raise ValueError('half installed')\n", 60.0)
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.TOOL_MISSING)
    assert "half installed" in result.message


async def test_a_missing_pyocd_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyocd.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    flasher = PyocdFlasher(state_dir=tmp_path)
    result = await flasher.flash(
        ProbeRef(address="remote:127.0.0.1:9"), plan_of(FlashSegment.of(CODE, b"1"))
    )
    flasher.close()
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.TOOL_MISSING)
    assert "benchline[agent]" in result.message


async def test_listing_usb_probes_never_waits(flasher: PyocdFlasher) -> None:
    assert isinstance(await flasher.probes(), tuple)
