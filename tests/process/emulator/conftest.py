"""Flash images from a few lines of assembly, and the emulator as a child."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import benchline

SOURCES = Path(benchline.__file__).parents[1]
FLASH_BYTES = 2 << 20

PRELUDE = """
.option arch, +zicsr
.equ UART, 0x60000000
.equ TIMER, 0x60023000
.equ MATRIX, 0x600C2000
.equ GPIO, 0x60004000
.section .text
.word 0xaedb041d, 0xaedb041d
.global _start
_start:
"""
"""Direct boot: the magic word twice, then code."""

PRINT = """
.balign 4
print:              # a0: text
  li t1, UART
1: lbu t0, 0(a0)
  beqz t0, 2f
  sw t0, 0(t1)
  addi a0, a0, 1
  j 1b
2: ret
"""


def child_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCES)}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchline.emulator.esp32c3", *arguments]


Emulate = Callable[..., "subprocess.CompletedProcess[bytes]"]
Assemble = Callable[[str], Path]


@pytest.fixture
def assemble(tmp_path: Path) -> Assemble:
    def build(source: str) -> Path:
        text, elf = tmp_path / "image.S", tmp_path / "image.elf"
        code, flash = tmp_path / "image.bin", tmp_path / "flash.bin"
        text.write_text(PRELUDE + source)
        tool = "riscv64-unknown-elf-"
        subprocess.run(
            [
                *(tool + "gcc", "-march=rv32imc", "-mabi=ilp32", "-nostdlib", "-nostartfiles"),
                *("-Wl,-Ttext=0x42000000", "-Wl,--no-warn-rwx-segments", text, "-o", elf),
            ],
            check=True,
        )
        subprocess.run([tool + "objcopy", "-O", "binary", elf, code], check=True)
        flash.write_bytes(code.read_bytes().ljust(FLASH_BYTES, b"\xff"))
        return flash

    return build


@pytest.fixture
def emulate(assemble: Assemble) -> Emulate:
    def run(source: str, *options: str, sent: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        flash = assemble(source)
        return subprocess.run(
            command("--flash", str(flash), "--max-wall", "60", *options),
            input=sent,
            capture_output=True,
            env=child_environment(),
            timeout=120,
            check=False,
        )

    return run
