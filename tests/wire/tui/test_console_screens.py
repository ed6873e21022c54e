"""The console against a real server, on the smallest terminal and on a wide one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static, TextArea

from benchline.instance import Instance
from benchline.v1 import verdict_pb2
from tests.wire.tui.fake_server import FakeControlPlane
from tui.app import BenchlineApp
from tui.screens.bench import BenchScreen
from tui.screens.board import BoardScreen
from tui.screens.new_run import NewRunScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.state.model import Link
from tui.widgets.console_pane import ConsolePane

SIZES = [(80, 24), (120, 40)]
_SAID: WeakKeyDictionary[object, list[str]] = WeakKeyDictionary()


def picture(app: BenchlineApp) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(part.text for part in strip) for strip in strips)


async def until(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await pilot.pause(0.02)


async def shows(pilot: Pilot[int], *words: str) -> None:
    app = pilot.app
    assert isinstance(app, BenchlineApp)
    try:
        await until(pilot, lambda: all(word in picture(app) for word in words))
    except TimeoutError:
        pytest.fail(f"{words} are not all in\n{picture(app)}")


def notes(pilot: Pilot[int]) -> list[str]:
    """What was said in passing; from the screen it goes after seconds."""
    return _SAID[pilot.app]


class Reachable(Protocol):
    """A server of a test."""

    @property
    def target(self) -> str:
        """Where it listens."""
        ...


@asynccontextmanager
async def console(
    instance: Reachable, size: tuple[int, int], *, demo: bool = False
) -> AsyncIterator[Pilot[int]]:
    app = BenchlineApp(target=instance.target, auto_up=False, demo=demo)
    said, notify = _SAID.setdefault(app, []), app.notify

    def keep(message: str, **how: Any) -> None:
        said.append(message)
        notify(message, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "notify", keep)
        async with app.run_test(size=size) as pilot:
            yield pilot


@pytest.mark.parametrize("size", SIZES)
async def test_the_empty_list_teaches(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int]
) -> None:
    async with console(instance, size) as pilot:
        await shows(pilot, "No runs yet", "type a sentence", "● live", "2/2 boards", "n New")


@pytest.mark.parametrize("size", SIZES)
async def test_keys_lead_from_the_list_to_the_evidence_of_a_check(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int]
) -> None:
    plane.add_session()
    async with console(instance, size) as pilot:
        await shows(pilot, "01kdemo", "PASSED (virtual)")
        await pilot.press("enter")
        await shows(pilot, "relay_on", "every check passed on vf405-01", "2 of 2 passed")
        await pilot.press("end", "enter")
        await shows(pilot, "PB0 on by 4.500 s", "bytes [94, 115)")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


async def test_a_narrow_terminal_shows_one_pane_at_a_time(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.add_session()
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "01kdemo")
        await pilot.press("enter")
        await shows(pilot, "Findings & assertions")
        await pilot.press("tab")
        await shows(pilot, "temperature 31.5 C", "6 lines")
        await pilot.press("b")
        await shows(pilot, "records hidden")
        await until(pilot, lambda: "BOOT core" not in picture(pilot.app))
        await pilot.press("tab")
        await shows(pilot, "wiring", "free output")
        await pilot.resize_terminal(120, 40)
        await shows(pilot, "Findings & assertions", "Design & sketch")


async def test_a_run_moves_while_it_is_watched_and_can_be_cancelled(
    instance: Instance, plane: FakeControlPlane
) -> None:
    session = plane.add_session()
    session.state, session.outcome = verdict_pb2.STATE_RUNNING, verdict_pb2.OUTCOME_UNSPECIFIED
    plane.hold_at = 15
    async with console(instance, (120, 40)) as pilot:
        await shows(pilot, "RUNNING", "1 run going on")
        await pilot.press("enter")
        await shows(pilot, "flash test image on vf405-01  ██████░░░░ program 56 %", "▶ Deploy")
        await pilot.press("x")
        await shows(pilot, "Cancel 01kdemo?", "given back")
        await pilot.press("n")
        await pilot.press("x", "y")
        await until(pilot, lambda: plane.cancelled == ["sessions/01kdemo"])
        plane.hold_at = None
        plane.announce()
        await shows(pilot, "PASSED (virtual)", "✓ Deploy")


async def test_a_key_that_does_nothing_says_why(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.add_session()
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "01kdemo")
        await pilot.press("enter")
        await shows(pilot, "every check passed")
        await pilot.press("x")
        await until(pilot, lambda: "this run is over; r runs it again" in notes(pilot))


@pytest.mark.parametrize("size", SIZES)
async def test_the_bench_lists_boards_and_opens_a_console(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int]
) -> None:
    async with console(instance, size) as pilot:
        await shows(pilot, "2/2 boards")
        await pilot.press("2")
        await shows(pilot, "vf405-01", "vf405-02", "ACTIVE", "free")
        plane.boards[0].health = "probe does not answer [b]"
        plane.boards[0].state = 4
        plane.board_version += 1
        plane.announce()
        await shows(pilot, "FAULTY", "1/2 boards", "probe does not answer")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, BoardScreen))
        await shows(pilot, "temperature 31.5 C")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, BenchScreen))


async def test_a_line_is_typed_at_a_board_and_kept_when_the_board_is_in_use(
    instance: Instance, plane: FakeControlPlane
) -> None:
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "2/2 boards")
        await pilot.press("2")
        await shows(pilot, "vf405-01")
        await pilot.press("enter")
        await shows(pilot, "s types a line at the board")
        plane.busy = True
        await pilot.press("s", "2", "enter")
        await shows(pilot, "not sent, and kept: vf405-01 is in use")
        assert pilot.app.screen.query_one(Input).value == "2"
        plane.busy = False
        await pilot.press("enter")
        await shows(pilot, "sent: 2")
        assert plane.sent == [b"2\n"]
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, BoardScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, BenchScreen))


async def test_a_run_of_somebody_else_appears_without_reading_the_list_again(
    instance: Instance, plane: FakeControlPlane
) -> None:
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "No runs yet")
        plane.add_session()
        plane.announce()
        await shows(pilot, "01kdemo", "PASSED (virtual)")
        assert plane.list_watches == 1


@pytest.mark.parametrize("size", SIZES)
async def test_a_sentence_is_previewed_and_started(
    instance: Instance, plane: FakeControlPlane, size: tuple[int, int]
) -> None:
    async with console(instance, size) as pilot:
        await shows(pilot, "● live")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        await pilot.press("f5")
        assert plane.created == []
        pilot.app.screen.query_one(TextArea).insert("mail")
        await shows(pilot, "NOT_UNDERSTOOD", "leave it out")
        await pilot.press("f5")
        await until(pilot, lambda: any("would be refused" in one for one in notes(pilot)))
        assert plane.created == []
        await pilot.press("escape")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        assert pilot.app.screen.query_one(TextArea).text == "mail"
        pilot.app.screen.query_one(TextArea).load_text("link")
        await pilot.press("B")
        await shows(pilot, "Temperature relay", "blink the LED")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert plane.created[0].prompt == "Blink"
        await shows(pilot, "every check passed")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        assert pilot.app.screen.query_one(TextArea).text == "Blink"


async def test_the_demo_starts_and_opens_by_itself(
    instance: Instance, plane: FakeControlPlane
) -> None:
    async with console(instance, (80, 24), demo=True) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await shows(pilot, "every check passed")
        assert "switch a relay on above 30 C" in plane.created[0].prompt


async def test_a_server_that_goes_away_is_told_and_comes_back(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.add_session()
    async with console(instance, (80, 24)) as pilot:
        await shows(pilot, "● live", "01kdemo")
        await plane.stop()
        await shows(pilot, "○ reconnecting", "01kdemo")
        await pilot.press("n")
        await until(pilot, lambda: bool(notes(pilot)))
        assert isinstance(pilot.app.screen, RunsScreen)
        await plane.serve(instance.target)
        await shows(pilot, "● live")


async def test_a_flood_is_bounded_and_holding_keeps_the_view_still(
    instance: Instance, plane: FakeControlPlane
) -> None:
    async with console(instance, (80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, BenchlineApp)
        await until(pilot, lambda: app.store.model.link is Link.LIVE)
        app.push_screen(BoardScreen(app.session, "vf405-01"))
        await shows(pilot, "temperature 31.5 C")
        pane = app.screen.query_one(ConsolePane)
        await until(pilot, lambda: pane.line_count == 6)
        start = pane.offset_reached
        flood = b"".join(b"line %d\n" % n for n in range(30_000))
        pane.feed(flood, offset=start)
        await until(pilot, lambda: pane.line_count == 20_000)
        await until(pilot, lambda: "line 29999" in pane.visible_text())
        await pilot.press("f")
        held = pane.visible_text()
        pane.feed(b"later\n" * 100, offset=start + len(flood))
        await until(pilot, lambda: "+100 new" in pane.caption)
        assert pane.visible_text() == held
        await pilot.press("f")
        await until(pilot, lambda: "later" in pane.visible_text())


async def test_text_of_a_device_is_never_markup(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.outcome = verdict_pb2.OUTCOME_FAILED
    session = plane.add_session("[red]not red[/red] [/]")
    for event in plane.events[session.name]:
        if event.WhichOneof("fact") == "assertion_decided":
            event.assertion_decided.result.got = "[bold]x[/] \x1b[2J"
        if event.WhichOneof("fact") == "scenario_finished":
            event.scenario_finished.assertions[0].got = "[bold]x[/] \x1b[2J"
    async with console(instance, (120, 40)) as pilot:
        await shows(pilot, "[red]not red[/red] [/]", "FAILED")
        await pilot.press("enter")
        await shows(pilot, "got [bold]x[/]", "␛[2J")
        checks = pilot.app.screen.query_one("#checks", OptionList)
        assert checks.option_count == 5
        assert pilot.app.screen.query_one("#rail", Static) is not None
