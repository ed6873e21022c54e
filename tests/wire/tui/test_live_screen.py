"""The screens of live simulations against a real server, and the verb that follows one."""

import pytest
from textual.widgets import Input

from benchline.instance import Instance
from benchline.v1 import artifact_pb2, event_pb2, verdict_pb2
from tests.wire.tui.conftest import Command
from tests.wire.tui.fake_server import FakeControlPlane
from tests.wire.tui.test_console_screens import SIZES, console, notes, shows, until
from tui.screens.live import LiveScreen
from tui.screens.lives import LivesScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen


def add_built(plane: FakeControlPlane) -> None:
    """A finished run that has an image."""
    session = plane.add_session()
    image = artifact_pb2.Artifact(kind="firmware.test.elf", sha256="ab" * 32)
    session.artifacts.append(image)
    events = plane.events[session.name]
    events.append(event_pb2.Event(sequence=len(events) + 1, artifact=image))
    session.last_sequence = len(events)


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_is_started_typed_at_set_reset_and_ended(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int]
) -> None:
    add_built(plane)
    async with console(instance, size) as pilot:
        await shows(pilot, "01kdemo")
        await pilot.press("enter")
        await shows(pilot, "every check passed")
        await pilot.press("l")
        await until(pilot, lambda: isinstance(pilot.app.screen, LiveScreen))
        await shows(pilot, "Nothing runs here", "benchline simulate 01kdemo", "Start")
        await pilot.press("r")
        await until(pilot, lambda: "nothing runs; enter starts it" in notes(pilot))

        await pilot.press("enter")
        await shows(pilot, "ready [b]", "qemu-netduinoplus2 as olimex-stm32-h405, boot 1")
        await pilot.press("enter")
        await until(pilot, lambda: "it runs already; x ends it" in notes(pilot))
        await pilot.press("s", *"status", "enter")
        await shows(pilot, "you said status", "sent: status")
        await pilot.press("escape", "v")
        await shows(pilot, "inputs: temperature (PA1, C)")
        line = pilot.app.screen.query_one(Input)
        line.value = "humidity=3"
        await pilot.press("enter")
        await shows(pilot, "not set, and kept: there is no such input")
        assert line.value == "humidity=3"
        line.value = "temperature=25"
        await pilot.press("enter")
        await shows(pilot, "temperature is 25", "PA1 was given 931")
        await pilot.press("escape", "r")
        await shows(pilot, "reset: boot 2", "boot 2")

        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert plane.lives.lives["liveSimulations/01live0"].state == verdict_pb2.STATE_RUNNING
        await pilot.press("l")  # and it is found again
        await shows(pilot, "you said status", "boot 2")
        await pilot.press("x")
        await shows(pilot, "STOPPED", "stopped on request")
        await pilot.press("s")
        assert not pilot.app.screen.query_one(Input).display


async def test_the_list_teaches_and_opens_one(instance: Instance, plane: FakeControlPlane) -> None:
    add_built(plane)
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "01kdemo")
        await pilot.press("l")
        await until(pilot, lambda: isinstance(pilot.app.screen, LivesScreen))
        await shows(pilot, "No live simulations yet", "then press l")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        await pilot.press("enter")
        await shows(pilot, "every check passed")
        plane.lives.full = True
        await pilot.press("l", "enter")
        await shows(pilot, "4 of them run")
        plane.lives.full = False
        await pilot.press("enter")
        await shows(pilot, "ready [b]")
        await pilot.press("escape", "escape", "l")
        await shows(pilot, "01live0", "RUNNING", "Title")
        await pilot.press("enter")
        await shows(pilot, "ready [b]", "boot 1")


async def test_a_run_without_firmware_says_so(instance: Instance, plane: FakeControlPlane) -> None:
    plane.add_session()
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "01kdemo")
        await pilot.press("enter")
        await shows(pilot, "every check passed")
        await pilot.press("l")
        await until(pilot, lambda: any("built no firmware" in one for one in notes(pilot)))
        assert isinstance(pilot.app.screen, RunScreen)


async def test_the_verbs_do_what_the_screens_do(
    plane: FakeControlPlane, benchline: Command
) -> None:
    add_built(plane)
    kept = await benchline("simulate", "01kdemo", "--keep", "--for", "1")
    assert kept.code == 0, kept.err
    assert kept.out == "ready [b]\n"
    assert "benchline simulate set 01live0 INPUT=VALUE" in kept.err
    assert "left; it goes on" in kept.err

    sent = await benchline("simulate", "send", "01live0", "status")
    put = await benchline("simulate", "set", "01live0", "temperature=25")
    bad = await benchline("simulate", "set", "01live0", "humidity=25")
    reset = await benchline("simulate", "reset", "01live0")
    stopped = await benchline("simulate", "stop", "01live0")
    assert [one.code for one in (sent, put, bad, reset, stopped)] == [0, 0, 2, 0, 0]
    assert put.err == "PA1 was given 931\n"
    assert bad.err == "SIGNAL_UNKNOWN: there is no such input\n"

    watched = await benchline("simulate", "watch", "01live0")
    assert watched.code == 0
    assert "you said status\ntemperature is 25\n" in watched.out
    assert "next: start it again: benchline simulate 01kdemo" in watched.err
    listed = await benchline("simulate", "list")
    assert "01live0  " in listed.out
    assert "STOPPED" in listed.out
