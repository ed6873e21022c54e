"""A sentence becomes firmware that is proved on an ESP32-C3, flashed through its console's port."""

from collections.abc import Iterator
from typing import Any

import pytest

from controlplane.toolchains.elf import segments
from tests.e2e.conftest import Finished, Operator
from tests.process.virtual.boards import virtual_board

pytestmark = pytest.mark.xdist_group("shared-instance")

MODEL = "esp32-c3-devkitm-1"
NAME = "vc3-e2e"
TABLE, TABLE_SIZE = 0x1F_0000, 16 * 1024
BLINK = "Blink an LED every 500 ms"


@pytest.fixture(scope="module")
def board(operator: Operator) -> Iterator[None]:
    """One more board on the bench of the instance."""
    with virtual_board(operator.data_dir / "virtual", "--model", MODEL, name=NAME):
        yield


@pytest.fixture(scope="module")
def finished(operator: Operator, board: None) -> Finished:
    return operator("run", BLINK, "--board", MODEL, "--json", timeout=300)


def stage(session: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in session["stages"] if one["stage"] == f"STAGE_{name}")


def test_the_same_verdict_as_on_an_stm32(finished: Finished) -> None:
    session = finished.session
    assert finished.code == 0, finished
    assert session["outcome"] == "OUTCOME_PASSED"
    assert session["evidence"] == "EVIDENCE_VIRTUAL"
    assert session["boardModel"] == MODEL
    assert stage(session, "DEPLOY")["outcome"] == "OUTCOME_PASSED"
    on_board = [r for r in session["scenarioResults"] if r["stage"] == "STAGE_DEPLOY"]
    assert {r["outcome"] for r in on_board} == {"OUTCOME_PASSED"}


def test_every_write_is_proved_and_the_last_leaves_the_release_image(
    operator: Operator, finished: Finished
) -> None:
    session = finished.session
    watched = operator("watch", session["name"], "--json")
    flashes = [e["flash"] for e in watched.lines if e.get("flash", {}).get("outcome")]
    assert [flash["image"] for flash in flashes] == ["test", "table", "release"]
    for flash in flashes:
        assert flash["readBackSha256"] == flash["imageSha256"]
        assert flash["attempts"][-1].endswith(": ok")
    assert flashes[1]["sectorsErased"] == 1  # the table alone

    kind = "firmware.release.elf"
    sha256 = next(one["sha256"] for one in session["artifacts"] if one["kind"] == kind)
    elf = operator.data_dir / "artifacts" / sha256[:2] / sha256[2:]
    place = operator.data_dir / "virtual" / session["board"].rpartition("/")[2]
    held = (place / "flash.bin").read_bytes()
    release = segments(elf.read_bytes())
    for segment in release:
        assert held[segment.address :][: len(segment.data)] == segment.data
    behind = max(segment.address + len(segment.data) for segment in release)
    assert set(held[behind:TABLE]) == {0xFF}, "of the longer test image nothing is left"
    assert held[TABLE : TABLE + TABLE_SIZE] == b"\xff" * TABLE_SIZE
