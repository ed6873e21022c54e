"""Flashing many boards from the bench, on the smallest terminal and on a wide one."""

from pathlib import Path

import pytest
from textual.screen import Screen

from benchline.instance import Instance
from benchline.v1 import artifact_pb2, event_pb2, verdict_pb2
from tests.wire.tui.fake_server import FakeControlPlane
from tests.wire.tui.test_console_screens import SIZES, console, notes, shows, until
from tui.screens.bench import BenchScreen
from tui.screens.flash import FlashScreen

FIRST, SECOND = (f"agents/bench/boards/vf405-0{n}" for n in (1, 2))


def board(name: str, **fields: object) -> event_pb2.BoardDeployment:
    values = {"board": name, "part": "stm32f405rg", "wave": 1, "image": "fw.elf"} | fields
    return event_pb2.BoardDeployment(**values)


def planned(plane: FakeControlPlane, name: str) -> None:
    for one in (FIRST, SECOND):
        plane.tell_deployment(name, board_deployment=board(one, state=verdict_pb2.STATE_PENDING))
    plane.tell_deployment(
        name,
        wave_changed=event_pb2.WaveChanged(
            wave=1, wave_count=1, state=verdict_pb2.STATE_RUNNING, boards=2
        ),
    )


def ended(plane: FakeControlPlane, name: str) -> None:
    plane.tell_deployment(
        name,
        board_deployment=board(
            FIRST,
            state=verdict_pb2.STATE_DONE,
            outcome=verdict_pb2.OUTCOME_PASSED,
            evidence=verdict_pb2.EVIDENCE_VIRTUAL,
            message="read back and equal",
        ),
    )
    plane.tell_deployment(
        name,
        board_deployment=board(
            SECOND,
            state=verdict_pb2.STATE_DONE,
            outcome=verdict_pb2.OUTCOME_BROKEN,
            reason="PROBE_LOST",
            message="the probe [b] is gone",
            next_action="check the cable",
        ),
    )
    plane.tell_deployment(
        name,
        deployment_changed=event_pb2.DeploymentChanged(
            state=verdict_pb2.STATE_DONE,
            outcome=verdict_pb2.OUTCOME_BROKEN,
            message="1 of 2 boards passed; 1 BROKEN",
        ),
    )


@pytest.mark.parametrize("size", SIZES)
async def test_marked_boards_are_flashed_and_failures_stay_with_what_to_do(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int], tmp_path: Path
) -> None:
    image = tmp_path / "fw.elf"
    image.write_bytes(b"\x7fELF")
    async with console(instance, size) as pilot:
        await shows(pilot, "2/2 boards")
        await pilot.press("2")
        await shows(pilot, "vf405-01", "stm32f405rg")
        await pilot.press("space", "space")
        await shows(pilot, "■ ")
        await pilot.press("F")
        await until(pilot, lambda: isinstance(pilot.app.screen, FlashScreen))
        await shows(pilot, "Flash vf405-01, vf405-02", "image of the newest run")
        await pilot.press(*str(image).replace("/", "/"), "tab", "1", "enter")
        await until(pilot, lambda: bool(plane.deployments_asked))
        asked = plane.deployments_asked[0]
        assert list(asked.boards) == [FIRST, SECOND]
        assert (asked.images[0].title, asked.waves) == ("fw.elf", "1")
        assert plane.uploads[asked.images[0].files[0].sha256] == b"\x7fELF"

        planned(plane, "deployments/01d1")
        await shows(pilot, "wave 1 of 1", "0 of 2 boards done")
        plane.tell_deployment(
            "deployments/01d1",
            flash_progress=event_pb2.FlashProgress(
                command_id="c", board=FIRST, phase="PROGRAM", fraction=0.5, image="image"
            ),
        )
        await shows(pilot, "█████░░░░░ program")
        ended(plane, "deployments/01d1")
        await shows(pilot, "✓ PASSED", "! BROKEN PROBE_LOST", "1 of 2 boards passed; 1 BROKEN")
        await pilot.press("home", "down")
        await shows(pilot, "the probe [b] is gone", "check the cable")


async def test_what_did_not_pass_is_done_again_with_one_key(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.add_session().artifacts.append(
        artifact_pb2.Artifact(
            kind="firmware.release.elf", filename="firmware.release.elf", sha256="ab" * 32
        )
    )
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "01kdemo")
        await pilot.press("2")
        await shows(pilot, "vf405-01")
        await pilot.press("R")
        await until(
            pilot, lambda: "there is no deployment yet; F flashes the marked boards" in notes(pilot)
        )
        await pilot.press("F")
        await until(pilot, lambda: isinstance(pilot.app.screen, FlashScreen))
        await pilot.press("enter")
        await until(pilot, lambda: bool(plane.deployments_asked))
        asked = plane.deployments_asked[0]
        assert list(asked.boards) == [FIRST]
        assert asked.images[0].files[0].sha256 == "ab" * 32
        planned(plane, "deployments/01d1")
        ended(plane, "deployments/01d1")
        await shows(pilot, "R does again what did not pass")
        await pilot.press("R")
        await until(pilot, lambda: len(plane.deployments_asked) == 2)
        assert plane.deployments_asked[1].retry_of == "deployments/01d1"


def shown(screen: Screen[object]) -> str:
    return screen.model.shown_rollout if isinstance(screen, BenchScreen) else ""


async def test_what_was_flashed_from_a_shell_is_shown_and_done_again(
    instance: Instance, plane: FakeControlPlane
) -> None:
    from benchline.v1 import deployment_pb2

    def flashed_elsewhere(name: str) -> None:
        plane.deployments[name] = deployment_pb2.Deployment(name=name)
        plane.deployment_events[name] = []
        planned(plane, name)
        ended(plane, name)

    flashed_elsewhere("deployments/01d7")
    async with console(instance, (80, 24)) as pilot:
        await pilot.press("2")
        await shows(pilot, "R does again what did not pass")
        flashed_elsewhere("deployments/01d8")
        await pilot.press("1", "2")
        await until(pilot, lambda: shown(pilot.app.screen) == "deployments/01d8")
        await shows(pilot, "R does again what did not pass")
        await pilot.press("R")
        await until(pilot, lambda: bool(plane.deployments_asked))
        assert plane.deployments_asked[0].retry_of == "deployments/01d8"


async def test_a_deployment_that_goes_on_is_shown_and_can_be_aborted(
    instance: Instance, plane: FakeControlPlane
) -> None:
    from benchline.v1 import deployment_pb2

    name = "deployments/01d9"
    plane.deployments[name] = deployment_pb2.Deployment(name=name, state=verdict_pb2.STATE_RUNNING)
    plane.deployment_events[name] = []
    planned(plane, name)
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "2/2 boards")
        await pilot.press("2")
        await shows(pilot, "wave 1 of 1")
        await pilot.press("x")
        await shows(pilot, "Abort 01d9?", "finished first")
        await pilot.press("y")
        await until(pilot, lambda: plane.deployments_cancelled == [name])
        ended(plane, name)
        await shows(pilot, "1 of 2 boards passed")
        await pilot.press("x")
        await until(pilot, lambda: "nothing is being flashed" in notes(pilot))


async def test_what_was_typed_is_kept_and_a_refusal_is_told(
    instance: Instance, plane: FakeControlPlane, tmp_path: Path
) -> None:
    image = tmp_path / "fw.bin"
    image.write_bytes(b"x")
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "2/2 boards")
        await pilot.press("2")
        await shows(pilot, "vf405-01")
        await pilot.press("F", *"nowhere.elf", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, BenchScreen))
        await pilot.press("F")
        await shows(pilot, "nowhere.elf")
        await pilot.press("enter")
        await until(
            pilot, lambda: any("nowhere.elf is not a file" in note for note in notes(pilot))
        )
        await pilot.press("F", "ctrl+u", *f"z80={image}", "enter")
        await until(pilot, lambda: "nothing here is a z80" in notes(pilot))
