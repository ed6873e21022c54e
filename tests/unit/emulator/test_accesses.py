"""Addresses of loads and stores, against what the assembler made of them."""

import pytest

from benchline.emulator.accesses import Access, access_of


@pytest.mark.parametrize(
    ("word", "store", "address"),
    [
        (0x0001_0403, False, 0x1002),  # lb s0, 0(sp)
        (0xFFC1_2403, False, 0x1002 - 4),  # lw s0, -4(sp)
        (0x7FF1_5403, False, 0x1002 + 2047),  # lhu s0, 2047(sp)
        (0x00F1_0023, True, 0x1002),  # sb a5, 0(sp)
        (0xFE81_2E23, True, 0x1002 - 4),  # sw s0, -4(sp)
        (0x4394, False, 0x1015),  # c.lw a3, 0(a5)
        (0xC3F4, True, 0x1015 + 68),  # c.sw a3, 68(a5)
        (0x50B2, False, 0x1002 + 44),  # c.lwsp ra, 44(sp)
        (0xC686, True, 0x1002 + 76),  # c.swsp ra, 76(sp)
    ],
)
def test_a_load_or_store_tells_its_address(word: int, store: bool, address: int) -> None:
    registers = {2: 0x1002, 15: 0x1015}

    assert access_of(word, registers.__getitem__) == Access(store, address)


@pytest.mark.parametrize(
    "word",
    [
        0x0000_0000,  # no instruction
        0xFFFF_FFFF,
        0x0001_3403,  # ld, which a part of 32 bits does not have
        0x0081_3023,  # sd
        0x0010_0073,  # ebreak
        0x1141,  # c.addi sp, -16
        0x8082,  # ret
        0x6080,  # c.flw
    ],
)
def test_other_instructions_are_no_access(word: int) -> None:
    assert access_of(word, lambda _number: 0) is None


def test_addresses_wrap_at_32_bits() -> None:
    assert access_of(0xFFC1_2403, lambda _number: 0) == Access(store=False, address=0xFFFF_FFFC)
