"""The esptool flasher against virtual boards: real child processes, real esptool, real ports."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchagent.flashers.esptool import EsptoolFlasher
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
from benchagent.virtual.esp32.loader import Op
from tests.process.flashers.esp_port import EspPort, esp_port
from tests.process.virtual.boards import (
    RunningBoard,
    children_of,
    console,
    is_alive,
    stock_esptool,
    virtual_board,
    wait_for,
)

PART = "esp32c3"
C3 = ("--model", "esp32-c3-devkitm-1")
SECTOR = 4096
TABLE = 0x1F_0000
DIRECT_BOOT = bytes.fromhex("1d04dbae1d04dbae")
BIG = random.Random(3).randbytes(300_000)


def probe_of(board: RunningBoard) -> ProbeRef:
    return ProbeRef(address=board.probe, uid=board.uid, control=board.entry["control"])


def at_port(port: EspPort, uid: str = "") -> ProbeRef:
    return ProbeRef(address=port.path, uid=uid or port.mac)


def plan_of(*segments: FlashSegment, base: tuple[FlashSegment, ...] = ()) -> FlashPlan:
    return FlashPlan(part=PART, segments=segments, base=base)


def flash_of(board: RunningBoard) -> bytes:
    return (board.directory / "flash.bin").read_bytes()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Shared, as operations share it: esptool is imported once."""
    found = Nursery("benchagent.flashers.esptool_child")
    yield found
    found.close()


@pytest.fixture
def flasher(tmp_path: Path, nursery: Nursery) -> EsptoolFlasher:
    return EsptoolFlasher(state_dir=tmp_path / "agent", nursery=nursery)


async def test_a_flash_is_read_back_equal_by_stock_esptool_and_stays_in_the_bootloader(
    tmp_path: Path, flasher: EsptoolFlasher
) -> None:
    image, table = FlashSegment.of(0, BIG), FlashSegment.of(TABLE, b"\x07" * 5000)
    heard: list[FlashProgress] = []
    back = tmp_path / "back.bin"
    with virtual_board(tmp_path, *C3) as board:
        result = await flasher.flash(
            probe_of(board), plan_of(image, table), on_progress=heard.append
        )
        assert result.outcome is FlashOutcome.PASSED, result
        assert result.in_bootloader
        assert not result.was_reset
        assert board.now()["run_state"] == "DOWNLOAD"
        stock_esptool(board.probe, "read-flash", "0", "0x400000", str(back))
        assert result.identity is not None
        assert (result.identity.device_uid, result.identity.part) == (board.uid, PART)
        assert (result.identity.flash_kib, result.identity.revision_id) == (4096, 4)
        assert result.identity.chip.startswith("ESP32-C3")
    expected = bytearray(b"\xff" * (4 << 20))
    expected[: len(BIG)] = BIG
    expected[TABLE : TABLE + 5000] = b"\x07" * 5000
    assert back.read_bytes() == expected
    assert [one.sha256 for one in result.verified] == [image.sha256, table.sha256]
    assert len(result.programmed) == len(result.erased) == 74 + 2
    assert result.attempts == ("control-reset: ok", "921600 baud, stub, compressed: ok")
    for phase in (Phase.PROGRAM, Phase.VERIFY):
        fractions = [progress.fraction for progress in heard if progress.phase is phase]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1.0


async def test_what_is_already_there_is_not_written_again(flasher: EsptoolFlasher) -> None:
    plan = plan_of(FlashSegment.of(0, BIG))
    with esp_port() as port:
        first = await flasher.flash(at_port(port), plan)
        worn = list(port.array.wear.sector_erases)
        second = await flasher.flash(at_port(port), plan)
        assert port.array.wear.sector_erases == worn
    assert (second.outcome, second.erased, second.programmed_bytes) == ("PASSED", (), 0)
    assert len(second.skipped) == 74
    assert second.digest == first.digest != ""


async def test_one_changed_byte_is_one_sector_and_the_proven_rest_is_not_read_again(
    flasher: EsptoolFlasher,
) -> None:
    image, table = FlashSegment.of(0, BIG), FlashSegment.of(TABLE, b"\x07" * 100)
    changed = bytearray(BIG)
    changed[200_000] ^= 0xFF
    with esp_port() as port:
        probe = at_port(port)
        assert (await flasher.flash(probe, plan_of(image, table))).outcome == "PASSED"
        port.loader.heard.clear()
        plan = plan_of(FlashSegment.of(0, bytes(changed)), table, base=(image, table))
        result = await flasher.flash(probe, plan)
        assert result.outcome == "PASSED", result
        assert (result.erased, result.programmed_bytes) == ((200_000 // SECTOR,), SECTOR)
        assert len(result.skipped) == 74
        assert port.array.wear.sector_erases[:74].count(2) == 1
        assert port.heard(Op.READ_FLASH) == 1  # of the one sector
        assert port.array.bytes[: len(changed)] == changed
    assert result.verified[0].sha256 == hashlib.sha256(changed).hexdigest()


async def test_a_base_that_is_no_longer_true_is_noticed(flasher: EsptoolFlasher) -> None:
    image = FlashSegment.of(0, BIG)
    with esp_port() as port:
        await flasher.flash(at_port(port), plan_of(image))
        port.array.erase_sector(20)  # somebody else was here
        result = await flasher.flash(at_port(port), plan_of(image, base=(image,)))
        assert (result.outcome, result.erased) == ("PASSED", (20,))
        assert port.array.bytes[: len(BIG)] == BIG


async def test_sectors_that_no_segment_touches_are_kept_and_others_are_cleared(
    flasher: EsptoolFlasher,
) -> None:
    with esp_port() as port:
        port.array.bytes[:] = b"\x55" * len(port.array.bytes)
        result = await flasher.flash(at_port(port), plan_of(FlashSegment.of(0x2010, b"\x01" * 16)))
        assert result.outcome == "PASSED", result
        wanted = bytearray(b"\x55" * len(port.array.bytes))
        wanted[0x2000:0x3000] = b"\xff" * SECTOR
        wanted[0x2010:0x2020] = b"\x01" * 16
        assert port.array.bytes == wanted


async def refused_untouched(
    flasher: EsptoolFlasher, port: EspPort, plan: FlashPlan, probe: ProbeRef | None = None
) -> FlashResult:
    before, worn = bytes(port.array.bytes), list(port.array.wear.sector_erases)
    result = await flasher.flash(probe or at_port(port), plan)
    assert result.outcome is FlashOutcome.REFUSED, result
    assert (result.erased, result.programmed_bytes, result.verified) == ((), 0, ())
    assert port.array.bytes == before
    assert port.array.wear.sector_erases == worn
    return result


async def test_a_wrong_chip_a_swapped_board_or_too_much_is_refused_untouched(
    flasher: EsptoolFlasher,
) -> None:
    header = bytes.fromhex("e901022000003840") + b"\xee\0\0\0\x09" + bytes(80)
    image = plan_of(FlashSegment.of(0, BIG))
    with esp_port() as port:
        await flasher.flash(at_port(port), plan_of(FlashSegment.of(0, b"kept" * 100)))
        assert port.array.bytes.startswith(b"kept")
        for plan, uid, reason in (
            (replace(image, part="esp32"), "", Reason.TARGET_MISMATCH),
            (image, "7c:df:a1:00:00:02", Reason.TARGET_MISMATCH),
            (plan_of(FlashSegment.of(0x1F_0000, bytes(0x1_0001))), "", Reason.IMAGE_TOO_LARGE),
            (plan_of(FlashSegment.of(0, header)), "", Reason.TARGET_MISMATCH),
            (replace(image, part="esp8266"), "", Reason.BAD_REQUEST),
            (replace(image, segments=()), "", Reason.BAD_REQUEST),
        ):
            result = await refused_untouched(flasher, port, plan, at_port(port, uid))
            assert result.reason is reason, result


@pytest.mark.parametrize(("flags", "count"), [(0b001, 0), (0b100, 0), (0, 1)])
async def test_a_chip_that_protects_itself_is_refused_untouched(
    flasher: EsptoolFlasher, flags: int, count: int
) -> None:
    with esp_port() as port:
        port.loader.security_flags, port.loader.flash_crypt_count = flags, count
        result = await flasher.flash(at_port(port), plan_of(FlashSegment.of(0, BIG)))
        assert (result.outcome, result.reason) == ("REFUSED", Reason.TARGET_LOCKED), result
        assert set(port.array.bytes) == {0xFF}
        assert sum(port.array.wear.sector_erases) == 0


async def test_a_chip_too_old_for_direct_boot_is_refused_untouched(flasher: EsptoolFlasher) -> None:
    image = plan_of(FlashSegment.of(0, DIRECT_BOOT + bytes(1000)))
    with esp_port() as port:
        port.loader.registers._fixed[0x6000_8844 + 12] = 2 << 18
        result = await flasher.flash(at_port(port), image)
        assert (result.outcome, result.reason) == ("REFUSED", Reason.TARGET_MISMATCH), result
        assert "v0.3 or higher" in result.message
        assert set(port.array.bytes) == {0xFF}


@pytest.mark.parametrize("fastest", [460_800, 115_200])
async def test_a_wire_that_is_too_slow_is_written_slower(
    flasher: EsptoolFlasher, fastest: int
) -> None:
    image = FlashSegment.of(0, BIG[:40_000])
    with esp_port() as port:
        port.fastest = fastest
        result = await flasher.flash(at_port(port), plan_of(image))
        assert result.outcome == "PASSED", result
        assert port.array.bytes[:40_000] == BIG[:40_000]
        assert port.speeds[-1] == fastest
    assert result.attempts[-1] == f"{fastest} baud, stub, compressed: ok"
    assert result.attempts[1].startswith("921600 baud, stub, compressed: ")


async def test_a_stub_that_does_not_start_is_done_without(flasher: EsptoolFlasher) -> None:
    image = FlashSegment.of(0, BIG[:10_000])
    with esp_port() as port:
        port.stub_starts = False
        result = await flasher.flash(at_port(port), plan_of(image))
        assert result.outcome == "PASSED", result
        assert port.array.bytes[:10_000] == BIG[:10_000]
        assert port.heard(Op.READ_FLASH) == 0  # that is the stub's command
    assert result.attempts[-1] == "115200 baud, no stub, plain: ok"


async def test_a_worn_byte_is_not_proven(tmp_path: Path, flasher: EsptoolFlasher) -> None:
    with virtual_board(tmp_path, *C3, "--stuck-low", "0x1234") as board:
        result = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(0, BIG)))
    assert (result.outcome, result.reason) == ("BROKEN", Reason.VERIFY_FAILED), result
    assert result.verified == ()


async def test_bytes_that_read_back_wrong_are_not_proven(flasher: EsptoolFlasher) -> None:
    with esp_port() as port:
        port.loader.rots = 0x9003
        result = await flasher.flash(at_port(port), plan_of(FlashSegment.of(0x9000, b"\1" * 50)))
    assert (result.outcome, result.reason) == ("BROKEN", Reason.VERIFY_FAILED), result
    assert "0x009003" in result.message


async def test_a_port_that_somebody_else_holds_is_busy(flasher: EsptoolFlasher) -> None:
    with esp_port() as port:
        taken = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(taken, fcntl.LOCK_EX)
        result = await flasher.flash(at_port(port), plan_of(FlashSegment.of(0, BIG)))
        assert (result.outcome, result.reason) == ("BROKEN", Reason.PORT_BUSY), result
        lent = replace(at_port(port), port=taken)  # the holder itself may lend it
        result = await flasher.flash(lent, plan_of(FlashSegment.of(0, b"\1" * 50)))
        assert result.outcome == "PASSED", result
        os.close(taken)


async def test_a_chip_that_never_answers_tells_what_was_tried(flasher: EsptoolFlasher) -> None:
    with esp_port() as port:
        port.is_silent = True
        result = await flasher.flash(at_port(port), plan_of(FlashSegment.of(0, BIG)))
    assert (result.outcome, result.reason) == ("BROKEN", Reason.NO_SYNC), result
    ways = [attempt.partition(":")[0] for attempt in result.attempts]
    assert ways[:2] == ["default-reset", "no-reset"]


async def test_a_port_that_is_not_there_is_not_found(flasher: EsptoolFlasher) -> None:
    probe = ProbeRef(address="/dev/ttyNONE7")
    result = await flasher.flash(probe, plan_of(FlashSegment.of(0, BIG)))
    assert (result.outcome, result.reason) == ("BROKEN", Reason.PROBE_NOT_FOUND), result


@asynccontextmanager
async def flash_in_programming(
    flasher: EsptoolFlasher, board: RunningBoard, cancel: asyncio.Event | None = None
) -> AsyncIterator[asyncio.Task[FlashResult]]:
    """A flash that has written some of its bytes."""
    begun = asyncio.Event()

    def heard(progress: FlashProgress) -> None:
        if progress.phase is Phase.PROGRAM and progress.fraction > 0.2:
            begun.set()

    task = asyncio.create_task(
        flasher.flash(
            probe_of(board),
            plan_of(FlashSegment.of(0, BIG)),
            on_progress=heard,
            cancel=cancel,
        )
    )
    await asyncio.wait(
        (task, asyncio.create_task(begun.wait())), return_when=asyncio.FIRST_COMPLETED
    )
    yield task


def operations_of(nursery: Nursery) -> list[int]:
    if nursery.pid is None:
        return []
    return [child for child in children_of(nursery.pid) if is_alive(child)]


async def test_a_cancelled_flash_ends_says_so_and_does_not_boot(
    tmp_path: Path, flasher: EsptoolFlasher, nursery: Nursery
) -> None:
    cancel = asyncio.Event()
    with virtual_board(tmp_path, *C3) as board:
        async with flash_in_programming(flasher, board, cancel) as task:
            cancel.set()
            result = await task
        assert (result.outcome, result.reason) == ("BROKEN", Reason.CANCELLED)
        assert 0 not in result.programmed  # what the ROM boots from is written last
        assert operations_of(nursery) == []
        again = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(0, BIG)))
        assert again.outcome == "PASSED"
        assert again.skipped  # what the cancelled one wrote is there


async def test_a_tool_that_waits_for_an_answer_is_cancelled_at_once(
    flasher: EsptoolFlasher,
) -> None:
    cancel = asyncio.Event()
    with esp_port() as port:

        def heard(progress: FlashProgress) -> None:
            if progress.phase is Phase.PROGRAM and progress.fraction > 0.2:
                port.is_silent = True
                cancel.set()

        plan = plan_of(FlashSegment.of(0, BIG))
        result = await flasher.flash(at_port(port), plan, on_progress=heard, cancel=cancel)
        assert (result.outcome, result.reason) == ("BROKEN", Reason.CANCELLED)
        assert result.erased


async def test_a_killed_child_is_reported_and_the_next_flash_works(
    tmp_path: Path, flasher: EsptoolFlasher, nursery: Nursery
) -> None:
    with virtual_board(tmp_path, *C3) as board:
        async with flash_in_programming(flasher, board) as task:
            (child,) = operations_of(nursery)
            os.kill(child, signal.SIGKILL)
            result = await task
        assert (result.outcome, result.reason) == ("BROKEN", Reason.TOOL_CRASHED)
        again = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(0, BIG)))
        assert again.outcome == "PASSED"


async def test_a_board_that_goes_away_is_lost(tmp_path: Path, flasher: EsptoolFlasher) -> None:
    with virtual_board(tmp_path, *C3) as board:
        async with flash_in_programming(flasher, board) as task:
            board.kill()
            result = await task
        assert (result.outcome, result.reason) == ("BROKEN", Reason.PROBE_LOST), result


ORPHAN = """
import asyncio, os, sys
from pathlib import Path
from benchagent.flashers.esptool import EsptoolFlasher
from benchagent.flashers.protocol import FlashPlan, FlashSegment, Phase, ProbeRef
state, address, uid, control, image = sys.argv[1:]
def heard(progress):
    if progress.phase is Phase.PROGRAM and progress.fraction > 0.2:
        os._exit(9)
plan = FlashPlan(part="esp32c3", record=Path(state) / "record.json", segments=(
    FlashSegment.of(0, Path(image).read_bytes()),))
probe = ProbeRef(address=address, uid=uid, control=control)
asyncio.run(EsptoolFlasher(state_dir=Path(state)).flash(probe, plan, on_progress=heard))
"""


async def test_an_orphaned_child_finishes_keeps_the_port_and_starts_the_board(
    tmp_path: Path, flasher: EsptoolFlasher
) -> None:
    state = tmp_path / "agent"
    state.mkdir()
    image = tmp_path / "image.bin"
    image.write_bytes(BIG)
    with virtual_board(tmp_path, *C3) as board:
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ORPHAN, str(state), board.probe, board.uid),
            *(board.entry["control"], str(image)),
            cwd=Path(__file__).parents[3],
        )
        assert await parent.wait() == 9
        await flasher.settled(probe_of(board))
        record = json.loads((state / "record.json").read_text())
        assert record["reason"] is None
        assert record["was_reset"]
        assert board.now()["run_state"] != "DOWNLOAD"
        assert record["verified"][0]["sha256"] == hashlib.sha256(BIG).hexdigest()
        again = await flasher.flash(probe_of(board), plan_of(FlashSegment.of(0, BIG)))
        assert (again.outcome, again.erased) == ("PASSED", ())


async def test_a_board_is_asked_who_it_is_and_read(tmp_path: Path, flasher: EsptoolFlasher) -> None:
    with virtual_board(tmp_path, "--model", "esp32-devkitc-v4") as board:
        identity = await flasher.identify(probe_of(board))
        assert (identity.part, identity.device_uid) == ("esp32", board.uid)
        assert (identity.revision_id, identity.crystal_mhz) == (300, 40)
        assert identity.protections == ()
        plan = FlashPlan(part="esp32", segments=(FlashSegment.of(0x1000, BIG[:9000]),))
        assert (await flasher.flash(probe_of(board), plan)).outcome == "PASSED"
        assert await flasher.read(probe_of(board), "esp32", 0x1FFC, 100) == BIG[0xFFC:][:100]
        with pytest.raises(FlasherError) as refused:
            await flasher.read(probe_of(board), PART, 0, 4)
        assert refused.value.reason is Reason.TARGET_MISMATCH


async def test_reset_lines_bring_a_chip_into_its_bootloader(
    tmp_path: Path, flasher: EsptoolFlasher
) -> None:
    with virtual_board(tmp_path, *C3) as board:
        probe = ProbeRef(address=board.entry["rfc2217"], uid=board.uid)
        result = await flasher.flash(probe, plan_of(FlashSegment.of(0, BIG[:5000])))
        assert result.outcome == "PASSED", result
        assert result.attempts[0] == "default-reset: ok"
        wait_for("the flash to be saved", lambda: flash_of(board)[:5000] == BIG[:5000])


async def test_a_reset_begins_while_the_board_is_silent(
    tmp_path: Path, flasher: EsptoolFlasher
) -> None:
    with virtual_board(tmp_path, *C3) as board, console(board.entry["tty"]) as tty:
        seen: list[bytes] = []

        async def boundary() -> None:
            seen.append(tty.until_quiet())
            tty.forget()

        await flasher.bootloader(probe_of(board), PART)
        assert board.now()["run_state"] == "DOWNLOAD"
        await flasher.reset(probe_of(board), PART, before_reset=boundary)
        assert tty.until(b"SPI_FAST_FLASH_BOOT").startswith(b"ESP-ROM:")
        assert b"SPI_FAST_FLASH_BOOT" not in seen[0].rpartition(b"waiting for download")[2]
