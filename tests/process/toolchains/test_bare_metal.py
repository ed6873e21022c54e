"""Sketches, right and wrong, through the installed compiler; and compilers that are at fault."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.bench_core import manifest
from controlplane.childproc.command import Confinement
from controlplane.childproc.confinement import strongest_confinement
from controlplane.domain.build import SourceFile
from controlplane.domain.elf_note import NOTE_OWNER, noted_part
from controlplane.domain.image import read_image
from controlplane.domain.verdict import Outcome, Severity
from controlplane.toolchains import compiler
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.protocol import BuildRequest, BuildResult, BuildVariant

BLINK = """void setup() {
  Serial.begin(115200);
  pinMode(LED_BUILTIN, OUTPUT);
}

void loop() {
  digitalWrite(LED_BUILTIN, LOW);
  delay(250);
  digitalWrite(LED_BUILTIN, HIGH);
  Serial.println(millis());
  delay(250);
}
"""


STM32, ESP32 = "olimex-stm32-h405", "esp32-c3-devkitm-1"
BOARDS = pytest.mark.parametrize("board", [STM32, ESP32])


def request(text: str, board: str = STM32, **more: str) -> BuildRequest:
    files = {"Sketch.ino": text, **{name.replace("__", "."): body for name, body in more.items()}}
    sources = tuple(SourceFile(path=path, content=body) for path, body in files.items())
    return BuildRequest(name="Sketch", sources=sources, board_model=board)


async def build(
    cache: Path,
    out: Path,
    text: str,
    *,
    board: str = STM32,
    seconds: float = 60.0,
    **more: str,
) -> BuildResult:
    return await BareMetalToolchain(cache, compile_seconds=seconds).build(
        request(text, board, **more), out
    )


@pytest.mark.parametrize(
    ("board", "compiler_name", "addresses", "ram_kib"),
    [
        (STM32, "arm-none-eabi-gcc", [0x0800_0000, 0x0801_0000], 128),
        (ESP32, "riscv64-unknown-elf-gcc", [0], 320),
    ],
)
async def test_both_variants_come_with_all_artifacts(
    cache: Path, tmp_path: Path, board: str, compiler_name: str, addresses: list[int], ram_kib: int
) -> None:
    result = await build(cache, tmp_path, BLINK, board=board)

    assert result.outcome is Outcome.PASSED, result.message
    assert result.toolchain.startswith(f"{compiler_name} ")
    for variant in BuildVariant:
        image = result.images[variant]
        assert image.elf.read_bytes()[:4] == b"\x7fELF"
        assert image.hex.read_text().endswith(":00000001FF\n")
        assert [segment.address for segment in image.segments] == addresses
        assert all(s.path.stat().st_size == s.size for s in image.segments)
        assert 0 < image.size.flash_used < image.size.flash_limit
        assert 0 < image.size.ram_used < image.size.ram_limit == ram_kib * 1024
        assert "Linker script and memory map" in image.map.read_text()


@BOARDS
async def test_the_elf_tells_its_part_and_flash_does_not(
    cache: Path, tmp_path: Path, board: str
) -> None:
    built = await build(cache, tmp_path / "out", BLINK, board=board)
    assert built.images, built.message
    for image in built.images.values():
        data = image.elf.read_bytes()
        assert noted_part(data) == built.part
        assert not any(NOTE_OWNER.encode() in s.data for s in read_image(data, "x.elf", base=0))


@BOARDS
async def test_a_release_image_holds_no_records(cache: Path, tmp_path: Path, board: str) -> None:
    images = (await build(cache, tmp_path, BLINK, board=board)).images

    assert b"BOOT" in images[BuildVariant.TEST].elf.read_bytes()
    release = b"".join(s.path.read_bytes() for s in images[BuildVariant.RELEASE].segments)
    assert b"BOOT" not in release
    assert b"BTL1" not in release


@BOARDS
async def test_other_directories_and_caches_give_the_same_bytes(tmp_path: Path, board: str) -> None:
    built = [
        await build(tmp_path / f"cache{n}", tmp_path / f"out{n}", BLINK, board=board)
        for n in (1, 22)
    ]

    for variant in BuildVariant:
        first, second = (result.images[variant] for result in built)
        assert first.elf.read_bytes() == second.elf.read_bytes()
        assert first.map.read_bytes() == second.map.read_bytes()


async def test_confinement_does_not_change_a_byte(tmp_path: Path) -> None:
    hashes = set()
    for level in (await strongest_confinement(), Confinement.RLIMITS):
        toolchain = BareMetalToolchain(tmp_path / level.value, confinement=level)
        result = await toolchain.build(request(BLINK), tmp_path / "out")
        assert result.confinement == level.value
        hashes.add(result.images[BuildVariant.TEST].elf_sha256)

    assert len(hashes) == 1


@BOARDS
async def test_an_error_names_the_operators_line(cache: Path, tmp_path: Path, board: str) -> None:
    result = await build(cache, tmp_path, BLINK.replace("millis()", "milis()"), board=board)

    assert result.outcome is Outcome.FAILED
    found = result.diagnostics[0]
    assert (found.file, found.line, found.column) == ("Sketch.ino", 10, 18)
    assert found.severity is Severity.ERROR
    assert "'milis' was not declared" in found.message
    assert ">   10 |   Serial.println(milis());" in found.excerpt


@BOARDS
async def test_an_undefined_function_names_its_caller(
    cache: Path, tmp_path: Path, board: str
) -> None:
    text = BLINK.replace("delay(250);\n}", "extern void away(); away();\n}")
    result = await build(cache, tmp_path, text, board=board)

    assert result.outcome is Outcome.FAILED
    assert [(d.file, d.line, d.message) for d in result.diagnostics] == [
        ("Sketch.ino", 11, "undefined reference to `away()'")
    ]


@BOARDS
async def test_an_image_too_large_is_told(cache: Path, tmp_path: Path, board: str) -> None:
    text = "char big[400000];\n" + BLINK.replace("println(millis())", "println(big)")
    result = await build(cache, tmp_path, text, board=board)

    assert result.outcome is Outcome.FAILED
    assert any("overflowed by" in found.message for found in result.diagnostics)


async def test_warnings_are_kept_when_the_object_is_cached(cache: Path, tmp_path: Path) -> None:
    text = BLINK + "void spare() { int unused; }\n"
    first = await build(cache, tmp_path, text)
    second = await build(cache, tmp_path, text)

    assert first.outcome is Outcome.PASSED
    assert [d.severity for d in first.diagnostics] == [Severity.WARNING]
    assert first.diagnostics == second.diagnostics


@BOARDS
async def test_real_numbers_in_printf_are_linked_only_where_it_is_used(
    cache: Path, tmp_path: Path, board: str
) -> None:
    used = []
    for call in ('Serial.print("no")', 'Serial.printf("%d", 1)'):
        sketch = BLINK.replace("Serial.println(millis())", call)
        result = await build(cache, tmp_path, sketch, board=board)
        assert result.outcome is Outcome.PASSED, result.message
        used.append(result.images[BuildVariant.RELEASE].size.flash_used)

    assert used[0] + 4000 < used[1]


@BOARDS
async def test_a_new_link_is_a_new_build(
    cache: Path, tmp_path: Path, board: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await build(cache, tmp_path, BLINK, board=board)
    port, variant = manifest.port_for_board(board)
    other = replace(port, link_flags=(*port.link_flags, "-Wl,--no-relax"))
    monkeypatch.setattr(manifest, "port_for_board", lambda _model: (other, variant))
    second = await build(cache, tmp_path, BLINK, board=board)

    assert first.build_id != second.build_id


@BOARDS
async def test_further_files_are_compiled_and_listed(
    cache: Path, tmp_path: Path, board: str
) -> None:
    text = '#include "more.h"\n' + BLINK.replace("delay(250);\n}", "delay(pause());\n}")
    body = '#include "more.h"\nint pause() { return 250; }\n'
    result = await build(
        cache, tmp_path, text, board=board, more__h="int pause();\n", more__cpp=body
    )

    assert result.outcome is Outcome.PASSED, result
    assert result.compile_commands is not None
    files = {row["file"] for row in json.loads(result.compile_commands.read_text())}
    assert "sketch/more.cpp" in files


async def test_a_file_of_the_machine_cannot_be_included(cache: Path, tmp_path: Path) -> None:
    text = '#include "/etc/passwd"\n' + BLINK
    strong = await build(cache, tmp_path, text)
    weak = await BareMetalToolchain(cache, confinement=Confinement.RLIMITS).build(
        request(text), tmp_path
    )

    assert strong.outcome is not Outcome.PASSED
    assert not any("root:" in d.message + d.excerpt for d in strong.diagnostics)
    assert weak.outcome is Outcome.REFUSED


async def test_a_compile_without_end_is_the_sketchs_fault(cache: Path, tmp_path: Path) -> None:
    bomb = (
        "template <int N, int M> struct Bomb {"
        " static const int v = Bomb<N - 1, M * 2>::v + Bomb<N - 1, M * 2 + 1>::v; };\n"
        "template <int M> struct Bomb<0, M> { static const int v = 1; };\n"
    )
    await build(cache, tmp_path, BLINK)
    result = await build(cache, tmp_path, bomb + BLINK + "int x = Bomb<28, 1>::v;\n", seconds=8)

    assert result.outcome is Outcome.FAILED
    assert "compile exceeded 8 s / 1 GiB" in [d.message for d in result.diagnostics]


async def test_cancelling_leaves_no_scratch(tmp_path: Path) -> None:
    toolchain = BareMetalToolchain(tmp_path / "cache")
    task = asyncio.create_task(toolchain.build(request(BLINK), tmp_path / "out"))
    async with asyncio.timeout(60):
        while not list((tmp_path / "cache/scratch").glob("*/*.o")):  # noqa: ASYNC110 - another process tells nothing
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert list((tmp_path / "cache/scratch").iterdir()) == []


PREFIXES = {STM32: "arm-none-eabi-", ESP32: "riscv64-unknown-elf-"}
COMPILERS = {STM32: "gcc-arm-none-eabi", ESP32: "gcc-riscv64-unknown-elf"}
LIBRARIES = {
    STM32: ("nano.specs", "newlib", "libnewlib-arm-none-eabi"),
    ESP32: ("picolibc.specs", "picolibc", "picolibc-riscv64-unknown-elf"),
}


@pytest.fixture(params=[STM32, ESP32])
def board(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestABrokenToolchain:
    """Programs named like the compiler that are not what they should be."""

    @pytest.fixture
    def install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str
    ) -> Callable[[str], None]:
        directory = tmp_path / "programs"
        directory.mkdir()
        monkeypatch.setenv("PATH", str(directory))

        def write(script: str) -> None:
            for kind in ("gcc", "g++") if script else ():
                name = PREFIXES[board] + kind
                answer = (
                    f'case "$1" in --version) echo "{name} (x) 12.2.1 2022";'
                    ' echo "Copyright (C) 2022 Free Software Foundation, Inc."; exit;; esac'
                )
                path = directory / name
                path.write_text(f"#!/bin/sh\n{answer}\n{script}\n")
                path.chmod(0o755)

        return write

    @pytest.mark.parametrize(
        ("script", "told"),
        [
            ("", "was not found"),
            ("exec /bin/sleep 1000", "did not compile a trivial file"),
            ("kill -11 $$", "was ended by signal 11"),
            ("exit 0", "made no object file"),
            ("echo garbage >&2; exit 1", "cannot compile a trivial file"),
            (
                "echo 'x: internal compiler error: in foo' >&2; exit 1",
                "internal compiler error",
            ),
        ],
        ids=["missing", "hangs", "crashes", "silent", "garbage", "internal"],
    )
    async def test_is_broken_naming_the_package(
        self,
        tmp_path: Path,
        board: str,
        install: Callable[[str], None],
        monkeypatch: pytest.MonkeyPatch,
        script: str,
        told: str,
    ) -> None:
        patience = 1.0 if "sleep" in script else 60.0  # only what hangs is waited for in vain
        monkeypatch.setattr(compiler, "CANARY_SECONDS", patience)
        install(script)
        result = await build(
            tmp_path / "cache", tmp_path / "out", BLINK, board=board, seconds=patience
        )

        assert result.outcome is Outcome.BROKEN
        assert result.package == COMPILERS[board]
        assert told in result.message
        assert f"install the package {COMPILERS[board]}" in result.message

    async def test_without_its_library_is_broken_naming_the_librarys_package(
        self, tmp_path: Path, board: str, install: Callable[[str], None]
    ) -> None:
        specs, name, package = LIBRARIES[board]
        install(f"echo \"cannot read spec file '{specs}'\" >&2; exit 1")
        result = await build(tmp_path / "cache", tmp_path / "out", BLINK, board=board)

        assert result.outcome is Outcome.BROKEN
        assert (result.tool, result.package) == (name, package)
        assert "the C library" in result.message
        assert f"install the package {package}" in result.message
