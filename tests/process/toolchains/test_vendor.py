"""Vendor toolchains, played by programs that check how they are called."""

from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane.childproc.tools import ToolBrokenError
from controlplane.domain.build import SourceFile
from controlplane.domain.image import read_image
from controlplane.domain.verdict import Outcome
from controlplane.toolchains.bare_metal import BareMetalToolchain
from controlplane.toolchains.doctor import checks
from controlplane.toolchains.ladder import ToolchainLadder, vendor_toolchains
from controlplane.toolchains.protocol import (
    BuildRequest,
    BuildResult,
    BuildVariant,
    NoToolchainError,
)
from controlplane.toolchains.vendor import VendorToolchain
from tests.process.toolchains.vendor_programs import install

ESP32 = "esp32-devkitc-v4"
BOOTLOADER_AT = {ESP32: 0x1000, "esp32-s3-devkitc-1": 0}
SKETCH = "void setup() { Serial.begin(115200); }\nvoid loop() {}\n//> 200 hello\n"
KEYS = {"pio": "platformio", "arduino-cli": "arduino-cli", "idf.py": "esp-idf"}

Installed = Callable[..., ToolchainLadder]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """A ladder on a machine on which only these vendor tools are installed."""

    def ladder(*names: str, seconds: float = 60.0) -> ToolchainLadder:
        for name, value in install(tmp_path / "vendor", *names).items():
            monkeypatch.setenv(name, value)
        component = tmp_path / "vendor" / "arduino-esp32"
        vendors = vendor_toolchains(tmp_path / "scratch", component)
        for vendor in vendors:
            monkeypatch.setattr(vendor, "_seconds", seconds)
        return ToolchainLadder([BareMetalToolchain(tmp_path / "cache"), *vendors])

    return ladder


async def build(
    ladder: ToolchainLadder, out: Path, text: str = SKETCH, board: str = ESP32
) -> BuildResult:
    request = BuildRequest(
        name="Sketch",
        sources=(SourceFile(path="Sketch.ino", content=text),),
        board_model=board,
    )
    return await ladder.build(request, out)


@pytest.mark.parametrize("board", BOOTLOADER_AT)
@pytest.mark.parametrize("name", KEYS)
async def test_all_pieces_go_to_their_places(
    installed: Installed, tmp_path: Path, name: str, board: str
) -> None:
    result = await build(installed(name), tmp_path / "out", board=board)

    assert result.outcome is Outcome.PASSED, result.message
    assert result.toolchain.startswith(name)
    image = result.images[BuildVariant.RELEASE]
    pieces = {segment.address: segment.path.read_bytes() for segment in image.segments}
    assert pieces[BOOTLOADER_AT[board]].endswith(b"boot")
    assert pieces[0x8000].startswith(b"\xaa\x50")
    assert b"200 hello" in pieces[0x10000]
    told = read_image(image.hex.read_bytes(), image.hex.name, base=0)
    joined = {a: d for s in told for a, d in ((s.address, s.data),)}
    for address, data in pieces.items():
        home = next(a for a in joined if a <= address < a + len(joined[a]))
        assert joined[home][address - home :].startswith(data)
    assert not image.records
    assert not list((tmp_path / "scratch").iterdir())


async def test_update_data_of_an_earlier_firmware_is_erased(
    installed: Installed, tmp_path: Path
) -> None:
    result = await build(installed("pio"), tmp_path / "out")

    [piece] = [s for s in result.images[BuildVariant.RELEASE].segments if s.address == 0xE000]
    assert piece.path.read_bytes() == b"\xff" * 0x2000


async def test_sizes_are_those_that_the_tool_tells(installed: Installed, tmp_path: Path) -> None:
    size = (await build(installed("pio"), tmp_path / "out")).images[BuildVariant.RELEASE].size

    assert (size.ram_used, size.ram_limit, size.flash_limit) == (21484, 327680, 0x140000)


@pytest.mark.parametrize("name", ["pio", "arduino-cli"])
async def test_an_error_of_the_sketch_names_its_line(
    installed: Installed, tmp_path: Path, name: str
) -> None:
    result = await build(installed(name), tmp_path / "out", SKETCH + "WRONG\n")

    assert result.outcome is Outcome.FAILED
    [found] = result.diagnostics
    assert (found.file, found.line, found.column) == ("Sketch.ino", 4, 3)
    assert "not declared" in found.message
    assert "WRONG" in found.excerpt


@pytest.mark.parametrize(
    ("word", "said"),
    [("TOOLFAIL", "cannot reach the registry"), ("NOTHING", "firmware.bin was not made")],
)
async def test_trouble_of_the_tool_is_not_the_sketchs(
    installed: Installed, tmp_path: Path, word: str, said: str
) -> None:
    result = await build(installed("pio"), tmp_path / "out", f"{SKETCH}// {word}\n")

    assert result.outcome is Outcome.BROKEN
    assert said in result.message
    assert (result.tool, result.fix) == ("pio", "pip install platformio")


async def test_a_build_that_waits_for_its_registry_is_ended(
    installed: Installed, tmp_path: Path
) -> None:
    result = await build(installed("pio", seconds=2.0), tmp_path / "out", f"{SKETCH}// HANG\n")

    assert result.outcome is Outcome.BROKEN
    assert "it has no network here" in result.message


async def test_a_manifest_that_leaves_its_folder_is_not_followed(
    installed: Installed, tmp_path: Path
) -> None:
    result = await build(installed("idf.py"), tmp_path / "out", f"{SKETCH}// ESCAPE\n")

    assert result.outcome is Outcome.BROKEN
    assert "outside of its folder" in result.message


async def test_the_first_that_is_installed_is_taken(installed: Installed) -> None:
    ladder = installed("arduino-cli", "idf.py")

    assert (await ladder.fingerprint(ESP32)).startswith("arduino-cli 1.1.1, esp32:esp32 3.1.0")


async def test_a_platform_that_is_not_installed_leads_to_the_next_tool(
    installed: Installed, tmp_path: Path
) -> None:
    ladder = installed("pio", "arduino-cli")
    (tmp_path / "vendor" / "pio" / "platforms" / "espressif32" / "platform.json").unlink()

    assert (await ladder.fingerprint(ESP32)).startswith("arduino-cli")


async def test_without_any_all_are_named(installed: Installed) -> None:
    with pytest.raises(NoToolchainError) as refused:
        await installed().fingerprint(ESP32)

    assert "no vendor toolchain for it is installed" in str(refused.value)
    for word in ("platformio (pip install platformio)", "arduino-cli (", "esp-idf ("):
        assert word in refused.value.fix


async def test_a_broken_tool_is_told_as_broken(installed: Installed, tmp_path: Path) -> None:
    ladder = installed("pio")
    (tmp_path / "vendor" / "bin" / "pio").write_text("#!/bin/sh\nexit 3\n")

    with pytest.raises(ToolBrokenError, match="exit code 3"):
        await ladder.fingerprint(ESP32)


async def test_boards_of_the_bench_core_stay_with_it(installed: Installed) -> None:
    ladder = installed("pio", "arduino-cli", "idf.py")

    assert "core" in await ladder.fingerprint("esp32-c3-devkitm-1")


async def test_the_doctor_lists_them(installed: Installed) -> None:
    ladder = installed("pio")
    vendors = [t for t in ladder._toolchains if isinstance(t, VendorToolchain)]
    found = {check.name: check for check in await checks(vendors)}

    assert "pio 6.1.18, espressif32 6.9.0" in found["platformio"].detail
    assert "not installed" in found["arduino-cli"].detail
    assert all(found[key].ok for key in KEYS.values())
    assert "not run with the real tool" in found["platformio"].detail
