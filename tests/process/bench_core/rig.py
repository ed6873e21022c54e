"""Builds sketches on the bench core and runs them, with nothing of the product in between but the
core, its manifest, the sketch preprocessor and the machine that the part is simulated by.

A sketch of a test names pins by their role (`OUT_A`, `ANALOG_A`); a target says which pin that is.
"""

from __future__ import annotations

import hashlib
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchline.scenario import pin_number
from controlplane.bench_core.manifest import (
    PORTS,
    TEST_BUILD_FLAGS,
    CorePort,
    Variant,
    identity_source,
    uses_printf,
)
from controlplane.toolchains.elf import segments
from controlplane.toolchains.sketch import SketchFile, preprocess

DIGITAL, ANALOG, CONSOLE, END, ECHO = 0x0000, 0x0100, 0x0300, 0x0400, 0x0500

Row = tuple[int, int, int, int]

LIMIT_S = 120.0
"""How long a run may take before it counts as hung."""

FLASH_BYTES = 2 << 20
"""The smallest flash that a C3 module has."""

ROOT = Path(__file__).resolve().parents[3]


class CompileError(Exception):
    """The compiler's messages."""


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing: apt-get install {package}")
    return found


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
    def cloud(self) -> list[str]:
        """Cloud records without their mark, in order."""
        return [line.decode() for line in re.findall(rb"(?<!\x1e)\x1e(CL [^\n]*)\n", self.raw)]

    @property
    def text(self) -> bytes:
        """The user's bytes alone."""
        pattern = rb"\x1e\x1e|\x1e[BC]L [^\n]*\n"
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


@dataclass(frozen=True)
class Run:
    """What a machine is to run."""

    elf: Path
    port: CorePort
    table: Path | None
    log: Path
    live: bool
    config: bytes | None = None
    """What stands in the sector of the device configuration; None: it is erased."""
    """Paced by the host's clock, for input that comes from outside."""


Machine = Callable[[Run], list[str]]


def qemu_stm32(run: Run, *, serial: int) -> list[str]:
    """QEMU's netduinoplus2, its serial line of this number on stdio; 0 is USART1, 1 is USART2.

    What the firmware writes to unknown devices is logged.
    """
    command = [
        tool("qemu-system-arm", "qemu-system-arm"),
        *("-M", "netduinoplus2", "-nodefaults", "-display", "none"),
        *(() if run.live else ("-icount", "shift=3,align=off,sleep=off")),
        *(("-serial", "null") * serial),
        *("-serial", "stdio", "-kernel", str(run.elf)),
        *("-d", "unimp,guest_errors", "-D", str(run.log)),
    ]
    if run.table is not None:
        at = run.port.table_address
        command += ["-device", f"loader,file={run.table},addr={at:#x},force-raw=on"]
    if run.config is not None:
        path = run.log.with_name("config.bin")
        path.write_bytes(run.config)
        at = run.port.config_address
        command += ["-device", f"loader,file={path},addr={at:#x},force-raw=on"]
    return command


def emulator_c3(run: Run) -> list[str]:
    """Our own machine, as its own program."""
    return [
        *(sys.executable, "-m", "benchline.emulator.esp32c3", "--flash", str(flash_of(run))),
        *("--clock", "host" if run.live else "virtual", "--log", str(run.log)),
    ]


def espressif_qemu(run: Run) -> list[str]:
    """Espressif's machine; it logs no writes of GPIO."""
    run.log.write_text("")
    return [
        *("qemu-system-riscv32", "-M", "esp32c3", "-nographic", "-monitor", "none"),
        *(() if run.live else ("-icount", "shift=5,align=off,sleep=off")),
        *("-drive", f"file={flash_of(run)},if=mtd,format=raw,snapshot=on", "-serial", "stdio"),
    ]


def flash_of(run: Run) -> Path:
    """The whole flash as a file: the image, the table and the configuration at their places."""
    flash = bytearray(b"\xff" * FLASH_BYTES)
    for piece in segments(run.elf.read_bytes()):
        flash[piece.address : piece.address + len(piece.data)] = piece.data
    if run.table is not None:
        table = run.table.read_bytes()
        flash[run.port.table_address : run.port.table_address + len(table)] = table
    if run.config is not None:
        flash[run.port.config_address : run.port.config_address + len(run.config)] = run.config
    path = run.elf.with_name("flash.bin")
    path.write_bytes(flash)
    return path


def espressif_qemu_missing() -> str:
    """Why Espressif's machine cannot be used here; empty when it can."""
    qemu = shutil.which("qemu-system-riscv32")
    if qemu is None:
        return "Espressif's QEMU is not installed; no package registry has it"
    machines = subprocess.run([qemu, "-M", "help"], capture_output=True, text=True, check=False)
    if re.search(r"^esp32c3\b", machines.stdout, re.MULTILINE) is None:
        return "this qemu-system-riscv32 has no machine esp32c3 (Espressif's has)"
    return ""


_core_objects: dict[tuple[str, bool], list[Path]] = {}


@dataclass(frozen=True)
class Target:
    """A part, the machine that runs it, and the pins of each role."""

    name: str
    port: CorePort
    variant: Variant
    machine: Machine
    pins: Mapping[str, str]
    on_grid_us: int
    """How late after a tick a delay may begin and still end on a tick."""

    def number(self, role: str) -> int:
        return pin_number(self.pins[role])

    def fill(self, text: str) -> str:
        """Roles in an expected text replaced by this target's pins."""
        return re.sub(r"\b[A-Z]+_[A-Z]\b", lambda m: self.pins[m[0]], text)

    def tool(self, name: str) -> str:
        return tool(f"{self.port.compiler_prefix}{name}", " ".join(self.port.apt_packages))

    def compile_one(self, source: Path, out: Path, *, core: bool, test: bool) -> str:
        """Compile one file and give the compiler's messages; raises on an error."""
        roles = [] if core else [f"-D{role}={pin}" for role, pin in self.pins.items()]
        command = [
            self.tool("g++"),
            *self.port.compile_flags,
            *self.port.cxx_flags,
            *self.variant.defines,
            *roles,
            *(TEST_BUILD_FLAGS if test else ()),
            *(f"-I{folder}" for folder in self.port.include_dirs),
            *(self.port.core_warning_flags if core else self.port.sketch_flags),
            "-c",
            str(source),
            "-o",
            str(out),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise CompileError(done.stderr)
        return done.stderr

    def core_objects(self, *, test: bool) -> list[Path]:
        """The core's objects, compiled once per test process."""
        key = (self.variant.board_model, test)
        if key not in _core_objects:
            folder = Path(tempfile.mkdtemp(prefix="bench-core-"))
            objects = []
            for number, source in enumerate(self.port.sources):
                out = folder / f"{number}-{source.stem}.o"
                self.compile_one(source, out, core=True, test=test)
                objects.append(out)
            _core_objects[key] = objects
        return _core_objects[key]

    def build(
        self,
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
        (folder / "identity.cpp").write_text(
            identity_source(part=self.port.part, build_id=build_id)
        )
        self.compile_one(folder / "sketch.cpp", folder / "sketch.o", core=False, test=test)
        self.compile_one(folder / "identity.cpp", folder / "identity.o", core=True, test=test)
        elf = folder / "firmware.elf"
        objects = [folder / "sketch.o", folder / "identity.o", *self.core_objects(test=test)]
        command = [
            self.tool("gcc"),
            *self.port.link_flags,
            *(self.port.float_printf_flags if uses_printf(text) else ()),
            "-T",
            str(self.port.linker_script),
            *map(str, objects),
            *self.port.libraries,
            "-o",
            str(elf),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise CompileError(done.stderr)
        return elf

    def run(
        self,
        elf: Path,
        stimuli: bytes | None,
        *,
        stop: bytes = rb"\x1eBL \d+ (END|FAULT) [^\n]*\n",
        send: tuple[bytes, bytes] | None = None,
        live: bool = False,
        config: bytes | None = None,
    ) -> Trace:
        """Run an image until `stop` matches its output; `send` is (seen, then these bytes)."""
        folder = elf.parent
        path = None
        if stimuli is not None:
            path = folder / f"table-{hashlib.sha256(stimuli).hexdigest()[:8]}.bin"
            path.write_bytes(stimuli)
        log = folder / "registers.log"
        command = self.machine(
            Run(elf=elf, port=self.port, table=path, log=log, live=live, config=config),
        )
        raw = _output_of(command, stop, send)
        return Trace(raw, log.read_text())

    def prove(
        self, folder: Path, text: str, rows: Iterable[Row] = (), *, end_ms: int = 100
    ) -> Trace:
        """Build a sketch and run it by table to its END."""
        return self.run(self.build(folder, text), table([*rows, (end_ms, END, 0, 0)]))


def _output_of(command: list[str], stop: bytes, send: tuple[bytes, bytes] | None) -> bytes:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'proto'}:{ROOT}"}
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
    )
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
    return raw[: found.end()]


def table(
    rows: Iterable[Row], *, nonce: int = 0xC0FFEE01, injected: bool = True, live: bool = False
) -> bytes:
    """Pack a stimulus table as docs/bench-core.md describes it."""
    body = b"".join(struct.pack("<IHHI", *row) for row in sorted(rows, key=lambda row: row[0]))
    head = b"BTL1" + struct.pack("<HHII", 1, len(body) // 12, nonce, injected + 2 * live)
    return head + struct.pack("<I", zlib.crc32(head + body)) + body


def text_rows(at_ms: int, text: bytes, *, port: int = 0) -> list[Row]:
    """Rows that type `text` into the console; port 1 takes lines of the host."""
    parts = [text[i : i + 4] for i in range(0, len(text), 4)]
    return [(at_ms, CONSOLE + port, len(p), int.from_bytes(p, "little")) for p in parts]


_F4_PINS = {
    "OUT_A": "PB0",
    "OUT_B": "PC12",
    "OUT_C": "PB7",
    "IN_A": "PA0",
    "IN_B": "PB5",
    "IN_C": "PA4",
    "ANALOG_A": "PA1",
    "ANALOG_B": "PC0",
    "CONSOLE_A": "PA2",
}
# A small package: no port C but three pins.
_F411CE_PINS = _F4_PINS | {"OUT_B": "PB13", "ANALOG_B": "PA5", "CONSOLE_A": "PA9"}
_C3_PINS = {
    "OUT_A": "GPIO4",
    "OUT_B": "GPIO8",
    "OUT_C": "GPIO10",
    "IN_A": "GPIO0",
    "IN_B": "GPIO5",
    "IN_C": "GPIO6",
    "ANALOG_A": "GPIO1",
    "ANALOG_B": "GPIO3",
    "CONSOLE_A": "GPIO21",
}


def _target(name: str, part: str, board: str, machine: Machine, pins: Mapping[str, str]) -> Target:
    port = PORTS[part]
    facts = (port.linker_script.parent / "port_facts.h").read_text()
    found = re.search(r"kOnGridUs = (\d+);", facts)
    assert found is not None
    return Target(
        name=name,
        port=port,
        variant=port.variants[board],
        machine=machine,
        pins=pins,
        on_grid_us=int(found[1]),
    )


_USART1, _USART2 = partial(qemu_stm32, serial=0), partial(qemu_stm32, serial=1)
STM32F405 = _target("stm32f405rg", "stm32f405rg", "olimex-stm32-h405", _USART2, _F4_PINS)
STM32F411 = _target("stm32f411ce", "stm32f411ce", "blackpill-f411ce", _USART1, _F411CE_PINS)
ESP32C3 = _target("esp32c3", "esp32c3", "esp32-c3-devkitm-1", emulator_c3, _C3_PINS)
ESP32C3_QEMU = _target(
    "esp32c3-espressif-qemu", "esp32c3", "esp32-c3-devkitm-1", espressif_qemu, _C3_PINS
)
TARGETS = (STM32F405, STM32F411, ESP32C3, ESP32C3_QEMU)
