"""Designs in the console, against the real service: shown, kept, edited, compared, run."""

import os
from pathlib import Path

import pytest
from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot

from benchline.v1 import design_pb2, design_pb2_grpc, session_pb2, session_pb2_grpc
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest
from controlplane.domain.design import Design
from tests.wire.edge.conftest import Edge
from tests.wire.tui.test_console_screens import SIZES, console, notes, picture, shows, until
from tui.app import BenchlineApp
from tui.screens.design import DesignScreen
from tui.screens.designs import DesignsScreen
from tui.screens.keep import KeepScreen
from tui.screens.run import RunScreen

PROMPT = "Blink the on-board LED at 2 Hz and switch a relay on above 30 C and off below 28 C."


def made() -> Design:
    design = OfflineDesigner().plan(DesignRequest(prompt=PROMPT))
    assert isinstance(design, Design)
    return design


def designs(edge: Edge) -> design_pb2_grpc.DesignServiceStub:
    return design_pb2_grpc.DesignServiceStub(edge.channel)


async def keep(edge: Edge, name: str = "relay") -> None:
    request = design_pb2.SaveDesignRequest(design_id=name, document=made().to_json(), note="first")
    await designs(edge).SaveDesign(request)


async def revise(edge: Edge) -> None:
    stub = designs(edge)
    kept = await stub.GetDesign(design_pb2.GetDesignRequest(name="designs/relay"))
    request = design_pb2.UpdateDesignRequest(
        name="designs/relay",
        etag=kept.stored_design.etag,
        document='{"title": "Second [b]title[/b]"}',
        note="second",
    )
    request.update_mask.paths.append("title")
    await stub.UpdateDesign(request)


async def in_designs(pilot: Pilot[int]) -> None:
    await shows(pilot, "● live")
    await pilot.press("3")
    await until(pilot, lambda: isinstance(pilot.app.screen, DesignsScreen))


async def at_design(pilot: Pilot[int]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, DesignScreen))


def editor(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """An editor that is a program of this test, and a terminal that can be given away."""
    program = folder / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(program))
    monkeypatch.setattr(HeadlessDriver, "can_suspend", property(lambda _: True))


async def test_without_designs_the_list_teaches(edge: Edge) -> None:
    async with console(edge, (80, 24)) as pilot:
        await in_designs(pilot)
        await shows(pilot, "No designs are kept yet", "benchline design")
        await keep(edge)
        await shows(pilot, "relay", "first")
        await revise(edge)
        await shows(pilot, "Second [b]title[/b]", "second")


@pytest.mark.parametrize("size", SIZES)
async def test_the_tabs_show_the_whole_design(edge: Edge, size: tuple[int, int]) -> None:
    await keep(edge)
    async with console(edge, size) as pilot:
        await in_designs(pilot)
        await shows(pilot, "relay", "olimex-stm32-h405", "first")
        await pilot.press("enter")
        await shows(pilot, "relay @1 of 1", "[summary]", "components", "tmp36")
        await pilot.press("tab")
        await shows(pilot, "[wiring]", "── relay", "3V3", "── VCC")
        await pilot.press("right")
        await shows(pilot, "[pins]", "PC12", "gpio_out", "on-board LED", "by")
        await pilot.press("tab")
        await shows(pilot, "[findings]", "✓ sound: it can be built")
        await pilot.press("tab")
        await shows(pilot, "[parts list]", "TMP36GT9Z", "3300")
        await pilot.press("tab")
        await shows(pilot, "[revisions]", "@1", "first")
        await pilot.press("tab")
        await shows(pilot, "[summary]")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, DesignsScreen))


async def test_revisions_are_compared_and_older_ones_only_read(edge: Edge) -> None:
    await keep(edge)
    await revise(edge)
    async with console(edge, (80, 24)) as pilot:
        await in_designs(pilot)
        await shows(pilot, "Second [b]title[/b]")
        await pilot.press("enter")
        await shows(pilot, "relay @2 of 2")
        await pilot.press("c")
        await until(pilot, lambda: any("tab of revisions" in one for one in notes(pilot)))
        await pilot.press("left")
        await shows(pilot, "[revisions]", "second", "first")
        await pilot.press("down", "c")
        await shows(pilot, "from @1 to @2", "~ title was", "Second [b]title[/b]")
        await pilot.press("escape")
        await at_design(pilot)
        await pilot.press("enter")
        await shows(pilot, "relay @1 of 2")
        await pilot.press("e")
        await until(pilot, lambda: any("never changes" in one for one in notes(pilot)))


async def test_an_edit_is_judged_and_becomes_the_next_revision(
    edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(edge)
    editor(tmp_path, monkeypatch, r"""sed -i 's/"pin": "PC12"/"pin": "PC99"/' "$1" """)
    async with console(edge, (120, 40)) as pilot:
        await in_designs(pilot)
        await shows(pilot, "relay")
        await pilot.press("enter")
        await shows(pilot, "relay @1 of 1")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, KeepScreen))
        await shows(pilot, "Keep as @2 of relay?", "PC99", "not sound", "error E")
        await pilot.press(*"bad", "enter")
        await shows(pilot, "relay @2 of 2")
        await pilot.press("v")
        await shows(pilot, "⊘ not sound", "PC99")
        await pilot.press("r")
        await until(pilot, lambda: any("the rules forbid it" in one for one in notes(pilot)))
    kept = await designs(edge).GetDesign(design_pb2.GetDesignRequest(name="designs/relay"))
    assert (kept.stored_design.revision, kept.stored_design.note) == (2, "bad")


async def test_an_edit_that_is_no_design_can_be_edited_again(
    edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(edge)
    state = tmp_path / "again"
    mend = f"""if [ -e {state} ]; then sed -i 's/"titel"/"title"/' "$1"; exit; fi
touch {state}
sed -i 's/"title": "Blink.*"/"titel": "Other"/' "$1" """
    editor(tmp_path, monkeypatch, mend)
    async with console(edge, (80, 24)) as pilot:
        await in_designs(pilot)
        await shows(pilot, "relay")
        await pilot.press("enter")
        await shows(pilot, "relay @1 of 1")
        await pilot.press("e")
        await shows(pilot, "This is no design. Edit it again?", "titel")
        await pilot.press("y")
        await shows(pilot, "Keep as @2 of relay?", "Other")
        await pilot.press("escape")
        await at_design(pilot)
    kept = await designs(edge).GetDesign(design_pb2.GetDesignRequest(name="designs/relay"))
    assert kept.stored_design.revision == 1


async def test_an_editor_that_fails_takes_nothing(
    edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(edge)
    editor(tmp_path, monkeypatch, 'echo broken > "$1"; exit 3')
    async with console(edge, (80, 24)) as pilot:
        await in_designs(pilot)
        await shows(pilot, "relay")
        await pilot.press("enter")
        await shows(pilot, "relay @1 of 1")
        await pilot.press("e")
        await until(pilot, lambda: any("it ended with 3" in one for one in notes(pilot)))
        monkeypatch.setitem(os.environ, "EDITOR", "/nowhere/editor")
        await pilot.press("e")
        await until(pilot, lambda: any("/nowhere/editor" in one for one in notes(pilot)))


async def test_a_terminal_that_cannot_be_given_away_names_the_shells_way(edge: Edge) -> None:
    await keep(edge)
    async with console(edge, (80, 24)) as pilot:
        await in_designs(pilot)
        await shows(pilot, "relay")
        await pilot.press("enter")
        await shows(pilot, "relay @1 of 1")
        await pilot.press("e")
        await until(pilot, lambda: any("benchline design edit" in one for one in notes(pilot)))


async def test_a_design_of_a_run_is_kept_and_run_again(edge: Edge) -> None:
    stub = session_pb2_grpc.SessionServiceStub(edge.channel)
    session = (await stub.CreateSession(session_pb2.CreateSessionRequest(prompt=PROMPT))).session
    identity = session.name.removeprefix("sessions/")
    await edge.store.put_checkpoint(identity, "design", made().to_json())
    await keep(edge, "taken")
    async with console(edge, (80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, BenchlineApp)
        await shows(pilot, "PENDING")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("D")
        await shows(pilot, "of a run, not kept", "[summary]")
        await pilot.press("r")
        await until(pilot, lambda: any("keep it first" in one for one in notes(pilot)))
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, KeepScreen))
        await pilot.press(*"my relay", "enter")
        await shows(pilot, "⊘ INVALID_NAME", "my relay")
        await pilot.press(*["backspace"] * 8, *"mine", "enter")
        await shows(pilot, "mine @1 of 1")
        await pilot.press("s")
        await until(pilot, lambda: any("kept already" in one for one in notes(pilot)))
        await pilot.press("r")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await shows(pilot, "design mine @1")
        assert "uploaded" not in picture(app)
    answer = await stub.ListSessions(session_pb2.ListSessionsRequest())
    assert answer.sessions[0].design == "designs/mine/revisions/1"
