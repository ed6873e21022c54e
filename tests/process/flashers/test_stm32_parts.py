"""Every STM32F4 part, played by a virtual board: what is found, written, and refused untouched."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchagent.flashers.protocol import (
    FlashOutcome,
    FlashPlan,
    FlashSegment,
    ProbeRef,
    Reason,
)
from benchagent.flashers.pyocd import PyocdFlasher
from benchagent.flashers.stm32_parts import PARTS, Part
from benchagent.virtual.models import MODELS
from tests.process.virtual.boards import RunningBoard, virtual_board

BOARDS = [
    pytest.param(model.name, PARTS[model.part], id=model.name)
    for model in MODELS.values()
    if model.family == "stm32"
]
VECTORS, TABLE, CODE = 0x0800_0000, 0x0800_4000, 0x0801_0000


def pattern(size: int, seed: int) -> bytes:
    return bytes((index * seed + index // 256) % 251 for index in range(size))


def probe_of(board: RunningBoard) -> ProbeRef:
    return ProbeRef(address=board.probe, uid=board.uid)


def image(part: Part, seed: int) -> FlashPlan:
    """Vectors, table and code up to the very last bytes of the flash."""
    end = part.flash_address + part.flash_size
    return FlashPlan(
        part=part.name,
        segments=(
            FlashSegment.of(VECTORS, pattern(392, seed)),
            FlashSegment.of(TABLE, pattern(200, seed + 1)),
            FlashSegment.of(CODE, pattern(5000, seed + 2)),
            FlashSegment.of(end - 64, pattern(64, seed + 3)),
        ),
        reset_after=False,
    )


@pytest.mark.parametrize(("model", "part"), BOARDS)
async def test_every_part_is_named_written_and_read_back(
    tmp_path: Path, flasher: PyocdFlasher, model: str, part: Part
) -> None:
    with virtual_board(tmp_path, "--model", model) as board:
        found = await flasher.identify(probe_of(board))
        assert part.name in found.candidates
        assert (found.device_id, found.flash_kib * 1024) == (part.device_id, part.flash_size)
        assert found.part in {"", part.name}
        plan = image(part, 7)
        first = await flasher.flash(probe_of(board), plan)
        assert first.outcome is FlashOutcome.PASSED, first
        assert first.identity is not None
        assert first.identity.part == part.name
        last = part.sectors[-1].number
        assert set(first.programmed) == {0, 1, 4, last}
        dump = await flasher.read(probe_of(board), part.name, part.flash_address, part.flash_size)
        for segment in plan.segments:
            offset = segment.address - part.flash_address
            assert dump[offset : offset + len(segment.data or b"")] == segment.data
        again = await flasher.flash(probe_of(board), plan)
        assert (again.outcome, again.erased, again.digest) == (
            FlashOutcome.PASSED,
            (),
            first.digest,
        )


@pytest.mark.parametrize(("model", "part"), BOARDS)
async def test_what_is_not_for_this_board_leaves_its_flash_as_it_was(
    tmp_path: Path, flasher: PyocdFlasher, model: str, part: Part
) -> None:
    end = part.flash_address + part.flash_size
    other = next(each for each in PARTS.values() if each.device_id != part.device_id)
    too_large = FlashSegment.of(end - 4, bytes(8))
    swapped = FlashPlan(
        part=part.name, segments=image(part, 9).segments, expect_device_uid="5a" * 12
    )
    with virtual_board(tmp_path, "--model", model) as board:
        assert (await flasher.flash(probe_of(board), image(part, 3))).outcome == "PASSED"

        async def dump() -> bytes:
            return await flasher.read(
                probe_of(board), part.name, part.flash_address, part.flash_size
            )

        before, worn = await dump(), board.stats()["sector_erases"]
        for plan, probe, reason in (
            (image(other, 5), probe_of(board), Reason.TARGET_MISMATCH),
            (swapped, probe_of(board), Reason.TARGET_MISMATCH),
            (
                image(part, 5),
                ProbeRef(address=board.probe, uid="0" * 24),
                Reason.TARGET_MISMATCH,
            ),
            (
                FlashPlan(part=part.name, segments=(too_large,)),
                probe_of(board),
                Reason.IMAGE_TOO_LARGE,
            ),
        ):
            result = await flasher.flash(probe, plan)
            assert (result.outcome, result.reason) == (FlashOutcome.REFUSED, reason), result
            assert (result.erased, result.programmed, result.verified) == ((), (), ())
        assert await dump() == before
        assert board.stats()["sector_erases"] == worn
