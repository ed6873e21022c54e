"""Many boards from one command: three kinds, two waves, one that cannot be flashed."""

import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Finished, Operator
from tests.process.virtual.boards import (
    RunningBoard,
    build_firmware,
    pyocd,
    stock_esptool,
    virtual_board,
    wait_for,
)

# OPTCR with read protection level 1: any RDP byte but 0xAA and 0xCC (ST RM0090 section 3.9.6,
# from the manual, not checked against it).
LOCKED = "0x0FFF00ED"
MODELS = {
    "vn446-01": ("nucleo-f446re",),
    "vn446-02": ("nucleo-f446re", "--optcr", LOCKED),
    "vc3-11": ("esp32-c3-devkitm-1",),
    "vc3-12": ("esp32-c3-devkitm-1",),
    "vc3-13": ("esp32-c3-devkitm-1",),
    "ve32-11": ("esp32-devkitc-v4",),
}
BOARDS = ("vf405-01", "vf405-02", "vn446-01", "vn446-02", "vc3-11", "vc3-12", "vc3-13", "ve32-11")


@dataclass(frozen=True)
class Fleet:
    operator: Operator
    started: dict[str, RunningBoard]
    stm32: Path
    c3: Path
    esp32: Path

    @property
    def images(self) -> list[str]:
        paths = (self.stm32, as_hex(self.c3), self.esp32)
        return [word for path in paths for word in ("--image", str(path))]

    def named(self, *names: str) -> list[str]:
        return [word for name in names for word in ("--board", name)]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    operator = Operator(folder / "data")
    assert operator("up").code == 0
    with ExitStack() as stack:
        stack.callback(operator, "down")
        virtual = operator.data_dir / "virtual"
        started = {
            name: stack.enter_context(virtual_board(virtual, "--model", model, *options, name=name))
            for name, (model, *options) in MODELS.items()
        }
        wait_for("all boards", lambda: set(BOARDS) <= set(states(operator)))
        yield Fleet(
            operator=operator,
            started=started,
            stm32=build_firmware(folder, tag="fleet"),
            c3=esp_image(folder / "c3.bin", 5, 90_000),
            esp32=manifest(folder / "idf"),
        )


def states(operator: Operator) -> dict[str, str]:
    boards = operator("boards", "--json").lines
    return {board["name"].rpartition("/")[2]: board["state"] for board in boards}


def esp_image(path: Path, chip: int, size: int) -> Path:
    """Bytes that begin as an image of an ESP chip does; they are flashed, not run."""
    header = bytearray(24)
    header[0], header[1] = 0xE9, 3
    header[12:14] = chip.to_bytes(2, "little")
    path.write_bytes(bytes(header) + random.Random(size).randbytes(size))
    return path


def manifest(folder: Path) -> Path:
    """A build folder of ESP-IDF for an ESP32, as far as flashing needs it."""
    (folder / "bootloader").mkdir(parents=True)
    esp_image(folder / "bootloader" / "bootloader.bin", 0, 20_000)
    esp_image(folder / "app.bin", 0, 120_000)
    (folder / "partition-table.bin").write_bytes(b"\xaa\x50" * 1536)
    files = {
        "0x1000": "bootloader/bootloader.bin",
        "0x8000": "partition-table.bin",
        "0x10000": "app.bin",
    }
    path = folder / "flasher_args.json"
    path.write_text(
        json.dumps({"flash_files": files, "extra_esptool_args": {"chip": "esp32", "stub": True}})
    )
    return path


def boards_of(finished: Finished) -> dict[str, dict[str, Any]]:
    return {board["board"].rpartition("/")[2]: board for board in finished.session["boards"]}


def facts(finished: Finished, kind: str) -> list[dict[str, Any]]:
    return [line[kind] for line in finished.lines if kind in line]


def test_eight_boards_of_three_kinds_in_two_waves_with_one_planted_failure(
    fleet: Fleet, tmp_path: Path
) -> None:
    done = fleet.operator(
        "flash", *fleet.images, *fleet.named(*BOARDS), "--wave", "4", "--json", timeout=300
    )

    assert done.code == 4, done
    boards = boards_of(done)
    assert set(boards) == set(BOARDS)
    assert Counter(board["wave"] for board in boards.values()) == {1: 4, 2: 4}
    outcomes = {name: board["outcome"] for name, board in boards.items()}
    assert outcomes.pop("vn446-02") == "OUTCOME_REFUSED"
    assert set(outcomes.values()) == {"OUTCOME_PASSED"}
    refused = boards["vn446-02"]
    assert refused["reason"] == "TARGET_LOCKED"
    assert "protected" in refused["nextAction"]
    for name in outcomes:
        assert boards[name]["readBackSha256"] == boards[name]["imageSha256"], name
    waves = [(wave["wave"], wave["state"]) for wave in facts(done, "waveChanged")]
    assert waves == [
        (1, "STATE_RUNNING"),
        (1, "STATE_DONE"),
        (2, "STATE_RUNNING"),
        (2, "STATE_DONE"),
    ]
    told = {progress["board"].rpartition("/")[2] for progress in facts(done, "flashProgress")}
    assert told >= set(outcomes)
    numbers = [int(line["sequence"]) for line in done.lines if "sequence" in line]
    assert numbers == list(range(1, len(numbers) + 1))

    assert fleet.operator("down").code == 0
    try:
        assert_stock_tools_read_the_same(fleet, tmp_path)
    finally:
        assert fleet.operator("up").code == 0
        wait_for("all boards", lambda: set(BOARDS) <= set(states(fleet.operator)))


def as_hex(image: Path) -> Path:
    """The bytes at flash offset 0 as Intel HEX, which says where they go."""
    data, lines, upper = image.read_bytes(), [], 0
    for at in range(0, len(data), 16):
        if at >> 16 != upper:
            upper = at >> 16
            lines.append(record(0, 4, upper.to_bytes(2, "big")))
        lines.append(record(at & 0xFFFF, 0, data[at : at + 16]))
    path = image.with_suffix(".hex")
    path.write_text("\n".join([":020000040000FA", *lines, ":00000001FF"]) + "\n")
    return path


def record(address: int, kind: int, payload: bytes) -> str:
    body = bytes([len(payload)]) + address.to_bytes(2, "big") + bytes([kind]) + payload
    return ":" + (body + bytes([-sum(body) & 0xFF])).hex().upper()


def assert_stock_tools_read_the_same(fleet: Fleet, folder: Path) -> None:
    """One board of each family, read by the vendor's tools, with nothing of ours in between."""
    port, back = str(fleet.started["vc3-12"].entry["probe"]), folder / "c3.back"
    wanted = fleet.c3.read_bytes()
    stock_esptool(port, "read-flash", "0x0", str(len(wanted)), str(back))
    assert back.read_bytes() == wanted
    port, build = str(fleet.started["ve32-11"].entry["probe"]), fleet.esp32.parent
    for offset, name in (("0x1000", "bootloader/bootloader.bin"), ("0x10000", "app.bin")):
        wanted = (build / name).read_bytes()
        stock_esptool(port, "read-flash", offset, str(len(wanted)), str(back))
        assert back.read_bytes() == wanted
    subprocess.run(
        [
            "arm-none-eabi-objcopy",
            "-O",
            "binary",
            "--gap-fill",
            "0xff",
            str(fleet.stm32),
            str(folder / "stm32.bin"),
        ],
        check=True,
    )
    wanted = (folder / "stm32.bin").read_bytes()
    back = folder / "stm32.back"
    read = pyocd(
        *("cmd", "-u", fleet.started["vn446-01"].probe, "--target", "cortex_m"),
        *("-c", f"savemem 0x08000000 {len(wanted)} {back}"),
    )
    assert read.returncode == 0, read.stderr
    assert back.read_bytes() == wanted


def wear(board: RunningBoard) -> dict[str, Any]:
    """What was done to a board's flash; its firmware may start over meanwhile."""
    told = board.stats()
    return {
        name: told[name]
        for name in ("sector_erases", "mass_erases", "programmed_bytes", "program_errors")
    }


def test_boards_that_no_image_is_for_are_refused_and_stay_untouched(fleet: Fleet) -> None:
    before = {name: wear(board) for name, board in fleet.started.items() if "c3" in name}

    done = fleet.operator("flash", "--image", str(fleet.stm32), *fleet.named("vf405-01", "vc3-11"))

    assert done.code == 4, done
    assert "NO_IMAGE_FOR_PART" in done.out
    assert "✓ vf405-01" in done.out
    assert before == {n: wear(b) for n, b in fleet.started.items() if "c3" in n}


def test_a_wave_is_not_begun_once_too_many_boards_failed(fleet: Fleet) -> None:
    done = fleet.operator(
        *("flash", "--image", str(fleet.stm32), *fleet.named("vn446-02", "vf405-01")),
        *("--wave", "1", "--stop-after", "1", "--json"),
    )

    boards = boards_of(done)
    first, second = sorted(boards.values(), key=lambda board: board["wave"])
    if first["board"].endswith("vn446-02"):
        assert (second["outcome"], second["reason"]) == ("OUTCOME_SKIPPED", "STOPPED")
    else:  # by name the good board comes first: only the bad one can be last
        assert second["outcome"] == "OUTCOME_REFUSED"
    assert done.code == 4, done


def test_what_did_not_pass_is_done_again_and_nothing_else(fleet: Fleet) -> None:
    first = fleet.operator(
        "flash", "--image", str(fleet.stm32), *fleet.named("vn446-02", "vf405-01"), "--json"
    )
    again = fleet.operator("flash", "--retry", first.session["name"], "--json")

    assert set(boards_of(first)) == {"vn446-02", "vf405-01"}
    assert set(boards_of(again)) == {"vn446-02"}
    assert again.session["retryOf"] == first.session["name"]
    assert again.code == 4, again


def test_a_board_that_somebody_holds_is_waited_for_and_then_reported(fleet: Fleet) -> None:
    held = fleet.operator("lease", "acquire", "name=vf405-02", "--ttl", "600", "--json").lines[-1]
    try:
        done = fleet.operator(
            *("flash", "--image", str(fleet.stm32), *fleet.named("vf405-01", "vf405-02")),
            *("--wait", "5", "--json"),
        )
    finally:
        fleet.operator("lease", "release", held["lease"]["name"])

    assert done.code == 3, done
    boards = boards_of(done)
    assert boards["vf405-01"]["outcome"] == "OUTCOME_PASSED"
    assert boards["vf405-02"]["reason"] == "BOARD_BUSY"
    assert "held by" in boards["vf405-02"]["message"]
    waited = [b for b in facts(done, "boardDeployment") if b["state"] == "STATE_WAITING"]
    assert [b["board"].rpartition("/")[2] for b in waited] == ["vf405-02"]


def test_kill_9_of_the_control_plane_repeats_no_flash_unknowingly(
    fleet: Fleet, tmp_path: Path
) -> None:
    for number in range(3):
        image = build_firmware(tmp_path, tag=f"kill{number}", padding=60_000)
        names = ("vf405-01", "vf405-02", "vn446-01")
        verb = fleet.operator.start(
            *("flash", "--image", str(image), *fleet.named(*names), "--wave", "2", "--json")
        )
        assert verb.stdout is not None
        lines = []
        for line in verb.stdout:
            lines.append(line)
            if "flashProgress" in line:
                break
        os.kill(fleet.operator.instance()["pids"]["controlplane"], signal.SIGKILL)
        out, talk = verb.communicate(timeout=300)
        done = Finished(verb.returncode, "".join(lines) + out, talk)

        assert done.code == 0, done
        assert {b["outcome"] for b in done.session["boards"]} == {"OUTCOME_PASSED"}
        numbers = [int(line["sequence"]) for line in done.lines if "sequence" in line]
        assert numbers == list(range(1, len(numbers) + 1))
        begun = [flash for flash in facts(done, "flash") if "outcome" not in flash]
        for board, times in Counter(flash["board"] for flash in begun).items():
            reasons = [flash["reason"] for flash in begun if flash["board"] == board]
            assert times == 1 or all("again because" in why for why in reasons[1:]), reasons


def test_leaving_lets_the_deployment_go_on_and_cancel_on_exit_ends_it(fleet: Fleet) -> None:
    held = fleet.operator("lease", "acquire", "name=vf405-02", "--ttl", "600", "--json").lines[-1]
    try:
        for option, state in (("", "RUNNING"), ("--cancel-on-exit", "CANCELLED")):
            verb = fleet.operator.start(
                *("flash", "--image", str(fleet.stm32), *fleet.named("vf405-02"), "--json"),
                *filter(None, (option,)),
            )
            assert verb.stdout is not None
            name = ""
            for line in verb.stdout:
                event = json.loads(line)
                name = event["deployment"]
                if event.get("boardDeployment", {}).get("state") == "STATE_WAITING":
                    break
            verb.send_signal(signal.SIGINT)
            verb.communicate(timeout=180)
            assert verb.returncode == 130
            wait_for(state, lambda n=name, s=state: s in stands(fleet.operator, n))
            if state == "RUNNING":
                assert fleet.operator("flash", "--cancel", name).code == 0
                assert fleet.operator("flash", "--watch", name).code == 130
    finally:
        fleet.operator("lease", "release", held["lease"]["name"])


def stands(operator: Operator, name: str) -> str:
    found = operator("deployments", "--json").lines
    return str(next(d["state"] for d in found if d["name"] == name))
