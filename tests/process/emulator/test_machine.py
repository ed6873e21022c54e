"""The ESP32-C3 machine on hand-written images."""

import struct
import subprocess
from pathlib import Path

import pytest

from tests.process.emulator.conftest import (
    FLASH_BYTES,
    PRINT,
    Assemble,
    Emulate,
    child_environment,
    command,
)

HALT = "1: wfi\n  j 1b\n"

TICKS = """
  la t0, vectors
  ori t0, t0, 1
  csrw mtvec, t0
  li s0, TIMER
  li s1, MATRIX
  li t0, 0x40000000 + 16000     # periodic, 1 ms
  sw t0, 0x34(s0)
  li t0, 1 << 30 | 1 << 24
  sw t0, 0(s0)
  li t0, 1
  sw t0, 0x64(s0)               # interrupt enable of target 0
  li t0, 7
  sw t0, 4*37(s1)               # source 37 to line 7
  li t0, 1 << 7
  sw t0, 0x104(s1)
  li t0, 2
  sw t0, 0x114+4*7(s1)          # its priority
  li s3, 3
  csrsi mstatus, 8
wait:
  wfi
  bnez s3, wait
  la a0, done
  call print
  csrci mstatus, 8
  sw zero, 0(s0)
1: wfi
  j 1b
tick:
  li t0, 1
  sw t0, 0x6C(s0)
  addi s3, s3, -1
  li t1, UART
  li t0, '.'
  sw t0, 0(t1)
  mret
.balign 256
.option push
.option norvc
vectors:
  j fault
.rept 6
  j fault
.endr
  j tick
.option pop
fault: j fault
done: .asciz "done"
"""


def test_the_timer_interrupts_through_the_vector_table(emulate: Emulate) -> None:
    ran = emulate(TICKS + PRINT)

    assert ran.stdout == b"...done"
    assert ran.returncode == 0
    assert b"nothing can wake" in ran.stderr


def test_a_hundred_runs_of_instructions_are_the_same_in_number(
    emulate: Emulate, tmp_path: Path
) -> None:
    """The pin's times are in microseconds of virtual time: one different instruction would show."""
    source = """
  li s0, GPIO
  li t0, 1
  sw t0, 0x24(s0)
  li s1, 100
again:
  li t0, 1
  sw t0, 0x08(s0)
  li t1, 1000
1: addi t1, t1, -1
  bnez t1, 1b
  sw t0, 0x0C(s0)
  addi s1, s1, -1
  bnez s1, again
"""
    logs = []
    for number in range(3):
        log = tmp_path / f"{number}.log"
        emulate(source + HALT, "--log", str(log))
        logs.append(log.read_text())

    lines = [line for line in logs[0].splitlines() if " out " in line]
    assert len(set(logs)) == 1
    assert len(lines) == 200
    # 1000 times addi and bnez at 40 instructions a microsecond.
    assert int(lines[1].split()[1]) - int(lines[0].split()[1]) == 50


def test_an_access_outside_memory_traps_like_a_fault(emulate: Emulate, tmp_path: Path) -> None:
    source = """
  la t0, handler
  csrw mtvec, t0
  li t1, 0x30000000
bad: sw zero, 0(t1)
  j .
.balign 4
handler:
  csrr t0, mcause
  li t1, 7
  bne t0, t1, 1f
  csrr t0, mtval
  li t1, 0x30000000
  bne t0, t1, 1f
  csrr t0, mepc
  la t1, bad
  bne t0, t1, 1f
  la a0, right
  call print
1: wfi
  j 1b
right: .asciz "store fault at its address"
"""
    log = tmp_path / "log"
    ran = emulate(source + PRINT, "--log", str(log))

    assert ran.stdout == b"store fault at its address"
    assert "note exception 7 pc=0x420000" in log.read_text()


@pytest.mark.parametrize(
    ("instruction", "cause"),
    [
        (".word 0xffffffff", b"2"),
        (".2byte 0", b"2"),
        ("ebreak", b"3"),
        ("c.ebreak", b"3"),
        ("lw t0, 0(zero)", b"5"),
        ("jr zero", b"1"),
        ("ecall", b";"),
    ],
)
def test_each_exception_has_its_cause(emulate: Emulate, instruction: str, cause: bytes) -> None:
    source = f"""
  la t0, handler
  csrw mtvec, t0
  {instruction}
  j .
.balign 4
handler:
  csrr t0, mcause
  addi t0, t0, '0'
  li t1, UART
  sw t0, 0(t1)
"""
    assert emulate(source + HALT).stdout == cause


def test_a_fault_in_the_fault_handler_is_a_lockup(emulate: Emulate) -> None:
    ran = emulate("  lw t0, 0(zero)\n")

    assert ran.returncode == 65
    assert b"lockup" in ran.stderr


def test_bytes_are_echoed_with_receive_interrupts(emulate: Emulate) -> None:
    source = """
  la t0, handler
  csrw mtvec, t0
  li s0, UART
  li s1, MATRIX
  li t0, 0x100
  sw t0, 0x0C(s0)               # receive timeout interrupt
  li t0, 5
  sw t0, 4*21(s1)
  sw t0, 0x114+4*5(s1)
  li t0, 1 << 5
  sw t0, 0x104(s1)
  csrsi mstatus, 8
1: wfi
  j 1b
.balign 4
handler:
  lw t0, 0x1C(s0)
  andi t0, t0, 0x7f
  beqz t0, 2f
  lw t1, 0(s0)
  sw t1, 0(s0)
  j handler
2: li t0, 0x100
  sw t0, 0x10(s0)
  mret
"""
    assert emulate(source, sent=b"ping\n").stdout == b"ping\n"
    assert emulate(source, "--clock", "host", sent=b"pong\n").stdout == b"pong\n"


def test_pins_show_pulls_and_what_stands_outside(emulate: Emulate) -> None:
    source = """
  li t0, 0x60009000
  li t1, 1 << 9 | 1 << 8        # input with pull-up
  sw t1, 4+4*5(t0)
  sw t1, 4+4*6(t0)
  li t1, 1 << 9
  sw t1, 4+4*7(t0)
  li t0, GPIO
  lw t1, 0x3C(t0)
  srli t1, t1, 5
  andi t1, t1, 7
  addi t1, t1, '0'
  li t0, UART
  sw t1, 0(t0)
"""
    assert emulate(source + HALT).stdout == b"3"
    assert emulate(source + HALT, "--pin", "5=0", "--pin", "GPIO7=1").stdout == b"6"


def test_the_adc_gives_the_value_of_its_channel(emulate: Emulate) -> None:
    source = """
  li t0, 0x60040000
  li t1, 1 << 31 | 3 << 25
  sw t1, 0x20(t0)
  li t2, 1 << 29
  or t1, t1, t2
  sw t1, 0x20(t0)
1: lw t1, 0x44(t0)
  bgez t1, 1b
  lw t1, 0x2C(t0)
  li t0, UART
  sw t1, 0(t0)
"""
    assert emulate(source + HALT, "--adc", f"3={ord('A')}").stdout == b"A"


def test_a_software_reset_starts_again_and_tells_its_cause(emulate: Emulate) -> None:
    source = """
  li t0, 0x60008000
  lw t1, 0x38(t0)
  li t3, '0'
  add t2, t1, t3
  li t3, UART
  sw t2, 0(t3)
  li t2, 1
  bne t1, t2, 1f
  li t1, 1 << 31
  sw t1, 0(t0)
  j .
1: wfi
  j 1b
"""
    assert emulate(source).stdout == b"13"


def test_unmodelled_registers_are_counted(emulate: Emulate, tmp_path: Path) -> None:
    source = "  li t0, 0x60026000\n" + 5 * "  lw t1, 0x10(t0)\n" + "  sw t1, 0x10(t0)\n"
    log = tmp_path / "log"
    emulate(source + HALT, "--log", str(log))

    lines = log.read_text().splitlines()
    assert "unmodelled read 0x60026010 n=5" in lines
    assert "unmodelled write 0x60026010 n=1" in lines


def test_firmware_writes_its_flash_through_spi1(assemble: Assemble) -> None:
    source = """
  li s0, 0x60002000
  li t0, 6
  call command                  # write enable
  li t0, 0x100000
  sw t0, 4(s0)
  li t0, 0x20
  call command                  # erase a sector
  li t0, 6
  call command
  li t0, 0x64636261
  sw t0, 0x58(s0)
  li t0, 31
  sw t0, 0x24(s0)
  li t0, 2
  call command                  # program four bytes
  sw zero, 0x58(s0)
  li t0, 31
  sw t0, 0x28(s0)
  li t0, 3
  call command                  # read them
  lw t0, 0x58(s0)
  li t1, UART
  sw t0, 0(t1)
  srli t0, t0, 8
  sw t0, 0(t1)
1: wfi
  j 1b
command:
  sw t0, 0x20(s0)
  li t0, 1 << 18
  sw t0, 0(s0)
2: lw t0, 0(s0)
  bnez t0, 2b
  ret
"""
    flash = assemble(source)
    ran = subprocess.run(
        command("--flash", str(flash), "--write-back"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=child_environment(),
        timeout=120,
        check=True,
    )

    assert ran.stdout == b"ab"
    assert flash.read_bytes()[0x100000:0x100006] == b"abcd\xff\xff"


def test_a_rom_image_is_loaded_into_ram(assemble: Assemble, tmp_path: Path) -> None:
    text = assemble("  li t0, 'R'\n  li t1, UART\n  sw t0, 0(t1)\n" + HALT).read_bytes()[8:256]
    flash = tmp_path / "rom.bin"
    header = struct.pack("<BBBBI16x", 0xE9, 1, 2, 0x10, 0x4038_0000)
    segment = struct.pack("<II", 0x4038_0000, len(text)) + text
    flash.write_bytes((header + segment).ljust(FLASH_BYTES, b"\xff"))
    ran = subprocess.run(
        command("--flash", str(flash)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=child_environment(),
        timeout=120,
        check=True,
    )

    assert ran.stdout == b"R"
