"""A new run: what is understood while it is typed, and everything that can be wished."""

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from benchline.instance import Instance
from benchline.v1 import session_pb2, session_pb2_grpc, verdict_pb2
from tests.wire.edge.conftest import Edge
from tests.wire.tui.fake_server import FakeControlPlane
from tests.wire.tui.test_cloud_screen import says_why
from tests.wire.tui.test_console_screens import SIZES, console, notes, shows, until
from tui.prompts import EXAMPLES
from tui.screens.choose import ChooseScreen
from tui.screens.new_run import NewRunScreen
from tui.screens.run import RunScreen
from tui.screens.stack_dialogs import FormScreen


async def opened(pilot: Pilot[int], sentence: str) -> None:
    await shows(pilot, "● live")
    await pilot.press("n")
    await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
    pilot.app.screen.query_one(TextArea).load_text(sentence)


async def choosing(pilot: Pilot[int], key: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, ChooseScreen))


async def taken(pilot: Pilot[int]) -> None:
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))


async def started(edge: Edge) -> session_pb2.Session:
    stub = session_pb2_grpc.SessionServiceStub(edge.channel)
    (session,) = (await stub.ListSessions(session_pb2.ListSessionsRequest())).sessions
    return session


@pytest.mark.parametrize("size", SIZES)
async def test_words_that_were_not_understood_are_marked_in_the_sentence(
    edge: Edge, size: tuple[int, int]
) -> None:
    async with console(edge, size) as pilot:
        await opened(pilot, "Blink the LED at 2 Hz and paint the [b]wall[/b].")
        await shows(pilot, "refused", "Blink the LED at 2 Hz and ⟦paint", "wall[/b", "E200")
        await shows(pilot, "was not understood")
        await pilot.press("f5")
        await until(pilot, lambda: any("would be refused" in one for one in notes(pilot)))
        assert isinstance(pilot.app.screen, NewRunScreen)
        pilot.app.screen.query_one(TextArea).load_text("Blink the LED at 2 Hz.")
        await shows(pilot, "✓ Blink", "the design picks", "DEPLOY")


async def test_a_board_is_chosen_by_searching_among_those_that_fit(edge: Edge) -> None:
    async with console(edge, (80, 24)) as pilot:
        await opened(pilot, "Blink the LED at 2 Hz.")
        await shows(pilot, "✓ Blink")
        await choosing(pilot, "ctrl+b")
        await shows(pilot, "let the design pick", "olimex-stm32-h405", "it is the default board")
        await pilot.press(*"nucleo f446")
        await shows(pilot, "nucleo-f446re", "firmware for it is built here")
        await pilot.press(*"zz")
        await shows(pilot, "nothing here fits")
        await pilot.press("backspace", "backspace")
        await taken(pilot)
        await shows(pilot, "^b board  nucleo-f446re")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
    session = await started(edge)
    assert (session.board_wish, session.designer) == ("nucleo-f446re", "offline")
    assert session.until == verdict_pb2.STAGE_DEPLOY


async def test_a_designer_that_costs_money_is_given_a_ceiling_and_a_stage_to_stop_after(
    edge: Edge,
) -> None:
    async with console(edge, (80, 24)) as pilot:
        await opened(pilot, "Play chess against me.")
        await pilot.press("ctrl+o")
        await until(pilot, lambda: any("costs nothing" in one for one in notes(pilot)))
        await choosing(pilot, "ctrl+g")
        await pilot.press(*"claude")
        await taken(pilot)
        await shows(pilot, "some model", "a session costs at most $5.00", "the server's")
        await pilot.press("ctrl+o", "9")
        await shows(pilot, "cost ceiling in dollars: 9")
        await pilot.press("f5")
        await until(pilot, lambda: any("at most $5.00 a session" in one for one in notes(pilot)))
        await pilot.press("backspace", *"x")
        await pilot.press("f5")
        await until(pilot, lambda: any("no amount of dollars" in one for one in notes(pilot)))
        await pilot.press("backspace", *"0.25", "enter")
        await shows(pilot, "at most $0.2500")
        await choosing(pilot, "ctrl+t")
        await pilot.press(*"build")
        await taken(pilot)
        await shows(pilot, "BUILD, nothing is run")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
    session = await started(edge)
    assert (session.designer, session.until) == ("claude", verdict_pb2.STAGE_BUILD)
    assert session.cost_ceiling_micro_usd == 250_000


async def test_a_designer_that_is_not_ready_says_how_to_make_it_so(
    instance: Instance, plane: FakeControlPlane
) -> None:
    async with console(instance, (80, 24)) as pilot:
        await opened(pilot, "link")
        await choosing(pilot, "ctrl+g")
        await shows(pilot, "⊘ claude")
        await pilot.press("down")
        await shows(pilot, "there is no key. Set ANTHROPIC_API_KEY.")
        await pilot.press("enter")
        await until(pilot, lambda: any("ANTHROPIC_API_KEY" in one for one in notes(pilot)))
        assert isinstance(pilot.app.screen, ChooseScreen)
        await pilot.press("escape")
        await shows(pilot, "^g designer  offline")


async def test_an_example_is_taken_by_its_number(edge: Edge) -> None:
    async with console(edge, (80, 24)) as pilot:
        await opened(pilot, "")
        await pilot.press("ctrl+e")
        await shows(pilot, "1 Blink the on-board LED", "4 Switch a relay on")
        await pilot.press("4")
        await until(pilot, lambda: pilot.app.screen.query_one(TextArea).text == EXAMPLES[3])
        await shows(pilot, "✓ Threshold")


async def test_a_cloud_is_chosen_for_the_device(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.stacks.add("greenhouse")
    async with console(instance, (80, 24)) as pilot:
        await opened(pilot, "Publish the temperature every 10 seconds.")
        await shows(pilot, "^l cloud  none", "^n device  none", "^r approval  nothing")
        await says_why(pilot, "ctrl+n", "it goes with a cloud; ctrl+l chooses one")
        await choosing(pilot, "ctrl+l")
        await shows(pilot, "made when there is none", "DRAFT, target local")
        await pilot.press(*"green")
        await taken(pilot)
        await shows(pilot, "^l cloud  greenhouse", "the same for this sentence", "by a person")
        await pilot.press("ctrl+n")
        await until(pilot, lambda: isinstance(pilot.app.screen, FormScreen))
        await pilot.press(*"Attic", "enter")
        await shows(pilot, "small letters, digits and hyphens")
        await pilot.press("home", "delete", "a", "enter")
        await shows(pilot, "^n device  attic")
        await pilot.press("ctrl+r")
        await shows(pilot, "^r approval  by rule")
        await choosing(pilot, "ctrl+t")
        await shows(pilot, "PROVISION", "its cloud is made; no board is touched")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
    (made,) = plane.created
    assert (made.stack, made.device, made.auto_approve) == ("greenhouse", "attic", True)


async def test_plans_of_another_target_need_a_person(
    instance: Instance, plane: FakeControlPlane
) -> None:
    plane.stacks.add("plant", target="aws-iot")
    async with console(instance, (80, 24)) as pilot:
        await opened(pilot, "Publish the temperature every 10 seconds.")
        await choosing(pilot, "ctrl+l")
        await pilot.press(*"plant")
        await taken(pilot)
        await shows(pilot, "^l cloud  plant")
        await says_why(pilot, "ctrl+r", "plans of target aws-iot need a person")
        await shows(pilot, "^r approval  by a person")
