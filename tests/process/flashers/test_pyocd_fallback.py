"""The ways that the pyOCD flasher tries, over connections that are bad in known ways."""

from __future__ import annotations

from pathlib import Path

from benchagent.flashers.protocol import (
    FlashOutcome,
    FlashPlan,
    FlashSegment,
    ProbeRef,
    Reason,
)
from benchagent.flashers.pyocd import PyocdFlasher
from tests.process.flashers.bad_wire import (
    BadWire,
    bad_wire,
    flips_a_bit_above,
    silent_above,
    silent_unless_held_in_reset,
)
from tests.process.virtual.boards import RunningBoard, virtual_board

PART = "stm32f405rg"
CODE = 0x0801_0000
IMAGE = bytes(index * 7 % 251 for index in range(3000))


def plan_of(*segments: FlashSegment) -> FlashPlan:
    return FlashPlan(part=PART, segments=segments or (FlashSegment.of(CODE, IMAGE),))


def through(wire: BadWire, board: RunningBoard) -> ProbeRef:
    return ProbeRef(address=wire.address, uid=board.uid)


async def test_a_good_connection_needs_one_attempt(tmp_path: Path, flasher: PyocdFlasher) -> None:
    with virtual_board(tmp_path) as board:
        result = await flasher.flash(ProbeRef(address=board.probe, uid=board.uid), plan_of())
    assert (result.outcome, result.attempts) == (FlashOutcome.PASSED, ("attach at 4 MHz: ok",))


async def test_firmware_that_took_the_debug_pins_is_reached_under_reset(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    with (
        virtual_board(tmp_path) as board,
        bad_wire(board.probe, silent_unless_held_in_reset()) as wire,
    ):
        result = await flasher.flash(through(wire, board), plan_of())
        assert result.outcome is FlashOutcome.PASSED, result
        assert await flasher.read(ProbeRef(address=board.probe), PART, CODE, len(IMAGE)) == IMAGE
        await flasher.reset(through(wire, board), PART)
    first, second = result.attempts
    assert first.startswith("attach at 4 MHz: TARGET_SILENT: ")
    assert second == "under reset at 4 MHz: ok"


async def test_a_long_wire_is_driven_slower_until_it_works(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    with virtual_board(tmp_path) as board, bad_wire(board.probe, silent_above(500_000)) as wire:
        result = await flasher.flash(through(wire, board), plan_of())
    assert result.outcome is FlashOutcome.PASSED, result
    assert [words.split(":")[0] for words in result.attempts] == [
        "attach at 4 MHz",
        "under reset at 4 MHz",
        "under reset at 1 MHz",
        "under reset at 400 kHz",
    ]
    assert result.attempts[-1].endswith(": ok")
    assert [session.frequency_hz for session in wire.sessions if session.frequency_hz] == [
        4_000_000,
        4_000_000,
        1_000_000,
        400_000,
    ]


async def test_a_wire_that_never_works_tells_every_attempt(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    with virtual_board(tmp_path) as board, bad_wire(board.probe, silent_above(1)) as wire:
        before = board.stats()
        result = await flasher.flash(through(wire, board), plan_of())
        after = board.stats()
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.TARGET_SILENT)
    assert len(result.attempts) == 4
    assert before["sector_erases"] == after["sector_erases"]


async def test_a_read_back_that_lies_at_speed_costs_no_second_erase(
    tmp_path: Path, flasher: PyocdFlasher
) -> None:
    with (
        virtual_board(tmp_path) as board,
        bad_wire(board.probe, flips_a_bit_above(2_000_000, CODE + 5)) as wire,
    ):
        result = await flasher.flash(through(wire, board), plan_of())
        assert sum(board.stats()["sector_erases"]) == 1
        assert await flasher.read(ProbeRef(address=board.probe), PART, CODE, len(IMAGE)) == IMAGE
    assert result.outcome is FlashOutcome.PASSED, result
    assert result.attempts[0].startswith("attach at 4 MHz: VERIFY_FAILED: 0x08010005 reads")
    assert result.attempts[1:] == ("under reset at 1 MHz: ok",)
    assert (result.erased, result.programmed, result.skipped) == ((4,), (4,), (4,))


async def test_a_worn_cell_is_not_worn_further(tmp_path: Path, flasher: PyocdFlasher) -> None:
    with virtual_board(tmp_path, "--stuck-low", f"{CODE + 5:#x}") as board:
        result = await flasher.flash(ProbeRef(address=board.probe, uid=board.uid), plan_of())
        erases = sum(board.stats()["sector_erases"])
    assert (result.outcome, result.reason) == (FlashOutcome.BROKEN, Reason.VERIFY_FAILED)
    assert [words.split(":")[0] for words in result.attempts] == [
        "attach at 4 MHz",
        "under reset at 1 MHz",
    ]
    assert erases == len(result.erased) == 1


async def test_what_is_refused_is_not_tried_again(tmp_path: Path, flasher: PyocdFlasher) -> None:
    with virtual_board(tmp_path, "--device-id", "0x431") as board:
        result = await flasher.flash(ProbeRef(address=board.probe, uid=board.uid), plan_of())
    assert (result.outcome, result.reason) == (FlashOutcome.REFUSED, Reason.TARGET_MISMATCH)
    (only,) = result.attempts
    assert only.startswith("attach at 4 MHz: TARGET_MISMATCH: the chip is STM32F411")
