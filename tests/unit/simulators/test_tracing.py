"""What simulators tell of the code that they run."""

import pytest

from controlplane.simulators.tracing import CodeLog, block_log, disassembly_log

ASSEMBLY = b"""----------------
IN: loop
0x08011c64:  f04f 22e0  mov.w    r2, #-0x1fff2000
0x08011c68:  b508       push     {r3, lr}
0x08011c6a:  f8d2 3d88  ldr.w    r3, [r2, #0xd88]

----------------
IN: setup
0x08011f00:  b508       push     {r3, lr}
GPIOC: unimplemented device write (size 4, offset 0x18, value 0x1000)
"""
BLOCKS = (
    b"gpio 3 out 0x00000001\nblock 0x42001f26 n=12\nblock 0x42001f32 n=4\nblock 0x42000000 n=2\n"
)


def read(log: CodeLog, data: bytes, piece: int) -> CodeLog:
    for at in range(0, len(data), piece):
        log.feed(data[at : at + piece])
    return log


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_instructions_of_a_block_are_found_however_the_log_is_cut(piece: int) -> None:
    found = read(disassembly_log(), ASSEMBLY, piece)

    assert found.spans == (
        (0x08011C64, 0x08011C66),
        (0x08011C68, 0x08011C6C),
        (0x08011F00, 0x08011F02),
    )
    assert found.bytes_read == len(ASSEMBLY)


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_blocks_are_joined_and_sorted(piece: int) -> None:
    found = read(block_log(), BLOCKS, piece)

    assert found.spans == ((0x42000000, 0x42000002), (0x42001F26, 0x42001F36))


def test_a_block_that_is_told_twice_counts_once() -> None:
    assert read(block_log(), BLOCKS * 3, 512).spans == read(block_log(), BLOCKS, 512).spans
