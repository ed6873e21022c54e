"""Builds sketches on the bench core and runs them in QEMU, with nothing of the product in between
but the core, its manifest and the sketch preprocessor."""

from __future__ import annotations

import hashlib
import re
import select
import shutil
import struct
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controlplane.bench_core.manifest import (
    PORTS,
    TEST_BUILD_FLAGS,
    identity_source,
    uses_printf,
)
from controlplane.toolchains.sketch import SketchFile, preprocess

PORT = PORTS["stm32f405rg"]
VARIANT = PORT.variants["olimex-stm32-h405"]

DIGITAL, ANALOG, CONSOLE, END = 0x0000, 0x0100, 0x0300, 0x0400
PA0, PA1, PA4, PB0, PC12 = 0, 1, 4, 16, 44

Row = tuple[int, int, int, int]

LIMIT_S = 20.0
"""How long a run may take before it counts as hung."""


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing: apt-get install {package}")
    return found


GCC_PACKAGE = "gcc-arm-none-eabi libnewlib-arm-none-eabi"


def compile_one(source: Path, out: Path, *, core: bool, test: bool) -> str:
    """Compile one file and give the compiler's messages; raises on an error."""
    command = [
        tool(f"{PORT.compiler_prefix}g++", GCC_PACKAGE),
        *PORT.compile_flags,
        *PORT.cxx_flags,
        *VARIANT.defines,
        *(TEST_BUILD_FLAGS if test else ()),
        *(f"-I{folder}" for folder in PORT.include_dirs),
        *(PORT.core_warning_flags if core else PORT.sketch_warning_flags),
        "-c",
        str(source),
        "-o",
        str(out),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise CompileError(done.stderr)
    return done.stderr


class CompileError(Exception):
    """The compiler's messages."""


_core_objects: dict[bool, list[Path]] = {}


def core_objects(*, test: bool) -> list[Path]:
    """The core's objects, compiled once per test process."""
    if test not in _core_objects:
        folder = Path(tempfile.mkdtemp(prefix="bench-core-"))
        objects = []
        for number, source in enumerate(PORT.sources):
            out = folder / f"{number}-{source.stem}.o"
            compile_one(source, out, core=True, test=test)
            objects.append(out)
        _core_objects[test] = objects
    return _core_objects[test]


def build(
    folder: Path,
    text: str,
    *,
    test: bool = True,
    build_id: str = "0123456789ab",
    others: Sequence[SketchFile] = (),
) -> Path:
    """Build one sketch; the ELF lies in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sketch.cpp").write_text(
        preprocess([SketchFile(name="main.ino", text=text), *others])
    )
    (folder / "identity.cpp").write_text(identity_source(build_id=build_id))
    compile_one(folder / "sketch.cpp", folder / "sketch.o", core=False, test=test)
    compile_one(folder / "identity.cpp", folder / "identity.o", core=True, test=test)
    elf = folder / "firmware.elf"
    command = [
        tool(f"{PORT.compiler_prefix}gcc", GCC_PACKAGE),
        *PORT.link_flags,
        *(PORT.float_printf_flags if uses_printf(text) else ()),
        "-T",
        str(PORT.linker_script),
        *map(str, [folder / "sketch.o", folder / "identity.o", *core_objects(test=test)]),
        *PORT.libraries,
        "-o",
        str(elf),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise CompileError(done.stderr)
    return elf


def table(rows: Iterable[Row], *, nonce: int = 0xC0FFEE01, injected: bool = True) -> bytes:
    """Pack a stimulus table as docs/bench-core.md describes it."""
    body = b"".join(struct.pack("<IHHI", *row) for row in sorted(rows, key=lambda row: row[0]))
    head = b"BTL1" + struct.pack("<HHII", 1, len(body) // 12, nonce, 1 if injected else 0)
    return head + struct.pack("<I", zlib.crc32(head + body)) + body


def text_rows(at_ms: int, text: bytes) -> list[Row]:
    """Rows that type `text` into the console."""
    parts = [text[i : i + 4] for i in range(0, len(text), 4)]
    return [(at_ms, CONSOLE, len(p), int.from_bytes(p, "little")) for p in parts]


@dataclass(frozen=True)
class Trace:
    """What a run said: the raw bytes up to the last record waited for, and both streams."""

    raw: bytes
    registers: str

    @property
    def records(self) -> list[str]:
        """Records without their mark, in order."""
        return [line.decode() for line in re.findall(rb"(?<!\x1e)\x1e(BL [^\n]*)\n", self.raw)]

    @property
    def text(self) -> bytes:
        """The user's bytes alone."""
        pattern = rb"\x1e\x1e|\x1eBL [^\n]*\n"
        return re.sub(pattern, lambda m: b"\x1e" if m[0] == b"\x1e\x1e" else b"", self.raw)

    @property
    def lines(self) -> list[str]:
        return self.text.decode(errors="replace").split("\r\n")[:-1]

    def of(self, kind: str) -> list[str]:
        """Records of one type, as `<ms> <rest>`."""
        found = []
        for record in self.records:
            _, at, what, *rest = record.split(" ", 3)
            if what == kind:
                found.append(" ".join([at, *rest]))
        return found


def run(
    elf: Path,
    stimuli: bytes | None,
    *,
    stop: bytes = rb"\x1eBL \d+ (END|FAULT) [^\n]*\n",
    send: tuple[bytes, bytes] | None = None,
    icount: bool = True,
) -> Trace:
    """Run an image until `stop` matches its output; `send` is (seen, then these bytes)."""
    folder = elf.parent
    log = folder / "registers.log"
    command = [
        tool("qemu-system-arm", "qemu-system-arm"),
        *("-M", "netduinoplus2", "-nodefaults", "-display", "none"),
        *(("-icount", "shift=3,align=off,sleep=off") if icount else ()),
        *("-serial", "null", "-serial", "stdio", "-kernel", str(elf)),
        *("-d", "unimp,guest_errors", "-D", str(log)),
    ]
    if stimuli is not None:
        name = folder / f"table-{hashlib.sha256(stimuli).hexdigest()[:8]}.bin"
        name.write_bytes(stimuli)
        command += ["-device", f"loader,file={name},addr={PORT.table_address:#x},force-raw=on"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert child.stdin is not None
    assert child.stdout is not None
    raw = b""
    deadline = time.monotonic() + LIMIT_S
    try:
        while not (found := re.search(stop, raw)):
            if time.monotonic() > deadline or len(raw) > 4_000_000:
                raise TimeoutError(f"no {stop!r} in {raw[-2000:]!r}")
            if not select.select([child.stdout], [], [], 0.5)[0]:
                continue
            chunk = child.stdout.read(65536)
            if not chunk:
                raise RuntimeError(f"the simulator ended: {raw[-2000:]!r}")
            raw += chunk
            if send is not None and send[0] in raw:
                child.stdin.write(send[1])
                send = None
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()
    return Trace(raw[: found.end()], log.read_text())


def prove(folder: Path, text: str, rows: Iterable[Row] = (), *, end_ms: int = 100) -> Trace:
    """Build a sketch and run it by table to its END."""
    return run(build(folder, text), table([*rows, (end_ms, END, 0, 0)]))
