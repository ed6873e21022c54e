"""The flash controller of a virtual board, register by register."""

from __future__ import annotations

import pytest

from benchagent.virtual.flash_array import FlashArray, Wear
from benchagent.virtual.stm32 import flash_controller as fm
from benchagent.virtual.stm32 import part as f4

F405 = f4.PARTS["stm32f405rg"]


class EraseCounter:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


def controller(contents: bytes = b"\xff" * F405.flash_size) -> fm.FlashController:
    return fm.FlashController(FlashArray(contents, F405.sectors, Wear()), EraseCounter())


def unlocked(contents: bytes = b"\xff" * F405.flash_size) -> tuple[fm.FlashController, bytearray]:
    array = FlashArray(contents, F405.sectors, Wear())
    flash = fm.FlashController(array, EraseCounter())
    flash.write(fm.KEYR, fm.KEY1)
    flash.write(fm.KEYR, fm.KEY2)
    return flash, array.bytes


def test_the_sectors_cover_the_whole_megabyte_once() -> None:
    offsets = [sector.offset for sector in F405.sectors]
    assert offsets[:6] == [0, 0x4000, 0x8000, 0xC000, 0x10000, 0x20000]
    assert sum(sector.size for sector in F405.sectors) == F405.flash_size == 1 << 20


def test_flash_contents_of_another_size_are_an_error() -> None:
    with pytest.raises(ValueError, match="not 1048576"):
        FlashArray(b"\xff", F405.sectors, Wear())


def test_programming_clears_bits_and_never_sets_one() -> None:
    flash, contents = unlocked()
    flash.write(fm.CR, fm.CR_PG)
    flash.program(0, 4, 0xFFFF_00FF)
    flash.program(0, 4, 0x00FF_FFFF)
    assert contents[:4] == bytes.fromhex("ff00ff00")
    assert flash.read(fm.SR) == fm.SR_EOP


def test_a_locked_controller_flags_a_store_and_keeps_the_bytes() -> None:
    flash = controller()
    flash.write(fm.CR, fm.CR_PG)
    flash.program(0, 4, 0)
    assert flash.read(fm.SR) & fm.SR_PGSERR
    assert flash.read(fm.CR) == fm.CR_LOCK


def test_a_store_without_pg_is_a_sequence_error() -> None:
    flash, contents = unlocked()
    flash.program(8, 4, 0)
    assert flash.read(fm.SR) & fm.SR_PGSERR
    assert contents[8:12] == b"\xff" * 4


def test_a_misaligned_store_is_an_alignment_error() -> None:
    flash, contents = unlocked()
    flash.write(fm.CR, fm.CR_PG)
    flash.program(2, 4, 0)
    assert flash.read(fm.SR) & fm.SR_PGAERR
    assert contents[:8] == b"\xff" * 8


def test_a_wrong_key_locks_until_reset() -> None:
    flash = controller()
    flash.write(fm.KEYR, 0x1234_5678)
    flash.write(fm.KEYR, fm.KEY1)
    flash.write(fm.KEYR, fm.KEY2)
    assert flash.read(fm.CR) & fm.CR_LOCK
    flash.reset()
    flash.write(fm.KEYR, fm.KEY1)
    flash.write(fm.KEYR, fm.KEY2)
    assert not flash.read(fm.CR) & fm.CR_LOCK


@pytest.mark.parametrize("sector", F405.sectors, ids=lambda sector: str(sector.number))
def test_a_sector_erase_touches_that_sector_only(sector: f4.Sector) -> None:
    flash, contents = unlocked(bytes(F405.flash_size))
    flash.write(fm.CR, fm.CR_SER | sector.number << 3 | fm.CR_STRT)
    end = sector.offset + sector.size
    assert contents[sector.offset : end] == b"\xff" * sector.size
    assert contents.count(b"\xff") == sector.size
    assert flash.read(fm.SR) & fm.SR_EOP


def test_erases_are_counted_by_sector_and_as_a_whole() -> None:
    wear = Wear()
    heard = EraseCounter()
    flash = fm.FlashController(FlashArray(bytes(F405.flash_size), F405.sectors, wear), heard)
    flash.write(fm.KEYR, fm.KEY1)
    flash.write(fm.KEYR, fm.KEY2)
    for number in (4, 4, 0):
        flash.write(fm.CR, fm.CR_SER | number << 3 | fm.CR_STRT)
    flash.write(fm.CR, fm.CR_MER | fm.CR_STRT)
    assert (wear.sector_erases[0], wear.sector_erases[4], sum(wear.sector_erases)) == (1, 2, 3)
    assert (wear.mass_erases, heard.calls) == (1, 4)


def test_a_write_protected_sector_is_neither_erased_nor_programmed() -> None:
    flash, contents = unlocked(b"\xf0" * F405.flash_size)
    flash.optcr &= ~(1 << 16 + 4)
    flash.write(fm.CR, fm.CR_SER | 4 << 3 | fm.CR_STRT)
    assert flash.read(fm.SR) & fm.SR_WRPERR
    flash.write(fm.SR, fm.SR_WRPERR)
    flash.write(fm.CR, fm.CR_PG)
    flash.program(0x1_0000, 4, 0)
    assert flash.read(fm.SR) & fm.SR_WRPERR
    assert contents[0x1_0000:0x1_0004] == b"\xf0" * 4


def test_status_bits_are_cleared_by_writing_one() -> None:
    flash, _ = unlocked()
    flash.program(0, 4, 0)
    flash.write(fm.SR, fm.SR_PGSERR)
    assert flash.read(fm.SR) == 0


@pytest.mark.parametrize(
    ("stack", "reset", "boots"),
    [
        (0x2002_0000, 0x0801_0001, True),
        (0x1001_0000, 0x0801_0001, True),
        (0xFFFF_FFFF, 0xFFFF_FFFF, False),
        (0x2002_0000, 0x0801_0000, False),
        (0x2002_0004, 0x0801_0001, False),
        (0x2000_0000, 0x0801_0001, False),
        (0x2002_0000, 0x2000_0001, False),
        (0, 0, False),
    ],
)
def test_only_sound_vectors_boot(stack: int, reset: int, boots: bool) -> None:
    vectors = stack.to_bytes(4, "little") + reset.to_bytes(4, "little")
    assert F405.bootable(vectors + b"\xff" * 56) is boots
