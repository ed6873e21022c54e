"""Finding Espressif's QEMU, and the command that it is started with.

The program itself is on no package registry: programs that answer as it does stand in for the
search, and one test runs the real one where it is installed.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchline.scenario import Outcome, parse_scenario, resolve
from controlplane.childproc.tools import LocatedTool, ToolBrokenError, ToolTrouble
from controlplane.simulators import proof
from controlplane.simulators.canary import esp32c3_canary
from controlplane.simulators.espressif_qemu import (
    KINDS,
    EspressifQemu,
    espressif_simulator,
    machine_arguments,
)
from controlplane.simulators.machine_kind import Job
from controlplane.simulators.protocol import SimulationLimits
from tests.process.simulators.test_esp32c3 import SCENARIO, TARGET

LISTS = """
case "$1" in
  --version) echo "QEMU emulator version 9.0.0 (esp_develop)"; exit;;
  -M) if [ "$2" = help ]; then printf 'Supported machines are:\\n%s\\n' "MACHINES"; exit; fi;;
esac
"""
STOCK = LISTS.replace("MACHINES", "virt                 RISC-V VirtIO board")
ESPRESSIF = LISTS.replace("MACHINES", "esp32c3              Espressif ESP32C3 machine")

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Programs in folders of their own; the PATH is one of them, the home another."""
    on_path = tmp_path / "path" / "bin"
    on_path.mkdir(parents=True)
    monkeypatch.setenv("PATH", str(on_path))
    monkeypatch.setenv("IDF_TOOLS_PATH", str(tmp_path / "espressif"))

    def put(folder: str, script: str, name: str = "qemu-system-riscv32") -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return put


async def test_a_stock_qemu_is_passed_by_and_the_tools_of_esp_idf_are_found(
    install: Install,
) -> None:
    install("path/bin", STOCK)
    installed = install("espressif/tools/qemu-riscv32/esp_develop_9.0.0/qemu/bin", ESPRESSIF)
    found = await EspressifQemu().locate("esp32c3", None)

    assert found.path == installed
    assert found.version == "9.0.0"


async def test_the_configured_folder_comes_first(install: Install) -> None:
    install("path/bin", ESPRESSIF)
    mine = install("mine/bin", ESPRESSIF)

    assert (await EspressifQemu(mine.parent).locate("esp32c3", None)).path == mine


async def test_the_esp32_has_a_program_of_its_own(install: Install) -> None:
    install("path/bin", ESPRESSIF)
    xtensa = install(
        "path/bin", LISTS.replace("MACHINES", "esp32   Espressif"), "qemu-system-xtensa"
    )

    assert (await EspressifQemu().locate("esp32", None)).path == xtensa


@pytest.mark.parametrize("script", [STOCK, ""])
async def test_without_the_machine_it_is_missing(install: Install, script: str) -> None:
    if script:
        install("path/bin", script)
    with pytest.raises(ToolBrokenError) as caught:
        await EspressifQemu().locate("esp32c3", None)

    assert caught.value.trouble is ToolTrouble.MISSING
    assert "idf_tools.py install qemu-riscv32" in str(caught.value)


async def test_one_that_does_not_answer_is_broken(install: Install) -> None:
    install("path/bin", "exit 3")
    with pytest.raises(ToolBrokenError) as caught:
        await EspressifQemu().locate("esp32c3", None)

    assert caught.value.trouble is ToolTrouble.CRASHED


def test_the_arguments() -> None:
    assert machine_arguments("esp32c3", Path("/run/flash.bin")) == (
        *("-M", "esp32c3", "-nographic", "-monitor", "none", "-serial", "stdio"),
        *("-drive", "file=/run/flash.bin,if=mtd,format=raw"),
        *("-global", "driver=timer.esp32c3.timg,property=wdt_disable,value=true"),
        *("-icount", "shift=5,sleep=off"),
    )


def test_the_flash_file_holds_image_and_table_and_input_stays_open(tmp_path: Path) -> None:
    image = tmp_path / "image.bin"
    image.write_bytes(esp32c3_canary())
    command = EspressifQemu().command(
        Job(
            tool=LocatedTool(tool=KINDS["esp32c3"].tool, path=Path("/opt/qemu"), version="9.0.0"),
            target=TARGET,
            root=tmp_path,
            image=image,
            table=b"table",
            log=tmp_path / "log",
            end_ms=1000,
            limits=SimulationLimits(),
        )
    )
    flash = (tmp_path / "flash.bin").read_bytes()

    assert command.hold_input
    assert command.argv[0] == "/opt/qemu"
    assert flash.startswith(esp32c3_canary())
    assert flash[0x1F0000:0x1F0005] == b"table"


TALKS = ESPRESSIF + (
    "printf '\\036BL 0 BOOT core=1\\n\\036BL 0 PIN GPIO10 v=1\\n\\036BL 4000 END dropped=0\\n'\n"
    # Like the real one it says nothing at the end of its input: here it would end.
    "read line\n"
)


async def test_a_run_says_that_pins_were_not_corroborated(install: Install, tmp_path: Path) -> None:
    install("path/bin", TALKS)
    image = tmp_path / "image.bin"
    image.write_bytes(esp32c3_canary())
    simulator = espressif_simulator(tmp_path / "runs")
    result = await simulator.simulate(TARGET, image, resolve(parse_scenario(SCENARIO), 1))

    assert result.rung == "espressif-qemu-esp32c3"
    assert result.device_ms == 4000
    assert any("not compared with register writes" in note for note in result.notes)
    assert "core.pin_corroboration" not in {a.id for a in result.scenario.assertions}


async def test_one_that_runs_nothing_is_broken(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "CANARY_SECONDS", 1.0)
    install("path/bin", ESPRESSIF + "exit 1")
    image = tmp_path / "image.bin"
    image.write_bytes(esp32c3_canary())
    simulator = espressif_simulator(tmp_path / "runs")
    result = await simulator.simulate(TARGET, image, resolve(parse_scenario(SCENARIO), 1))

    assert result.outcome is Outcome.BROKEN
    assert result.package == "qemu-riscv32"


async def test_the_real_one_runs_the_canary(tmp_path: Path) -> None:
    """Proves search, arguments and canary on the real program."""
    qemu = EspressifQemu()
    try:
        await qemu.locate("esp32c3", None)
    except ToolBrokenError:
        pytest.skip("Espressif's QEMU is not installed; no package registry has it")
    image = tmp_path / "image.bin"
    image.write_bytes(b"\xff" * 4096)
    simulator = espressif_simulator(tmp_path / "runs")
    result = await simulator.simulate(
        TARGET,
        image,
        resolve(parse_scenario(SCENARIO), 1),
        limits=SimulationLimits(wall_base_s=5, wall_factor=0),
    )

    # A blank chip never boots; that the canary did makes it the firmware's fault.
    assert result.outcome is Outcome.FAILED, result.scenario.reason
