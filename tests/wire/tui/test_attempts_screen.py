"""The attempts of a run: told by a real server, painted as they happen."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from benchline.instance import Instance
from benchline.v1 import session_pb2, session_pb2_grpc
from controlplane.domain.attempt import AttemptChanged
from controlplane.domain.coverage import Coverage, LineRange
from controlplane.domain.event import Fact, SessionChanged
from controlplane.domain.model_call import ModelCall, TokenUsage
from controlplane.domain.session import Session
from controlplane.domain.verdict import Outcome, Stage, State
from tests.wire.edge.conftest import Edge
from tests.wire.tui.fake_server import FakeControlPlane
from tests.wire.tui.test_console_screens import SIZES, console, notes, shows, until
from tui.app import BenchlineApp
from tui.screens.attempts import AttemptsScreen
from tui.screens.run import RunScreen

DIFF = "--- a/x.ino\n+++ b/x.ino\n@@ -1 +1 @@\n-  litAt = later;\n+  litAt = now; // [red]\x1b[2J\n"
REACHED = Coverage(
    scenario_id="light",
    runner="qemu-netduinoplus2",
    executed=14,
    executable=20,
    never_ran=(LineRange(file="x.ino", first=30, last=31, text="  lit = [red];\x1b[2J\n  off();"),),
)
EVIDENCE = "The sources of attempt 1 do not build.\n'later' was not declared"


@dataclass
class Told:
    """A session of Claude whose story a test tells."""

    edge: Edge
    session_id: str

    async def __call__(self, *facts: Fact, attempt: int = 1) -> None:
        await self.edge.store.record(self.session_id, facts, attempt=attempt)

    async def change(self, *facts: Fact, **fields: object) -> None:
        def change(session: Session) -> Session:
            return replace(session, **fields)

        await self.edge.store.record(self.session_id, facts, attempt=3, change=change)


@pytest.fixture
async def told(edge: Edge) -> Told:
    stub = session_pb2_grpc.SessionServiceStub(edge.channel)
    request = session_pb2.CreateSessionRequest(
        prompt="Light the lamp.", designer="claude", cost_ceiling_micro_usd=2_000_000
    )
    session = (await stub.CreateSession(request)).session
    tell = Told(edge, session.name.removeprefix("sessions/"))
    await tell(SessionChanged(state=State.RUNNING))
    return tell


def call(identity: str, attempt: int, outcome: str, **more: object) -> ModelCall:
    return ModelCall(
        call_id=identity,
        session_id="s",
        attempt=attempt,
        purpose="firmware",
        number=1,
        model_asked="claude-opus-5-5",
        request_hash="0" * 64,
        start_time=datetime.now(UTC),
        worst_micro_usd=500_000,
        outcome=outcome,
        **more,
    )


def ended(attempt: int, outcome: Outcome, message: str, **more: object) -> AttemptChanged:
    return AttemptChanged(
        attempt=attempt,
        state=State.DONE,
        outcome=outcome,
        message=message,
        stage=Stage.BUILD,
        calls=1,
        input_tokens=5100,
        cached_tokens=900,
        output_tokens=1300,
        cost_micro_usd=43_200,
        failing_checks=1,
        **more,
    )


async def opened(pilot: Pilot[int]) -> None:
    await shows(pilot, "RUNNING", "Light the lamp.")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
    await pilot.press("t")
    await until(pilot, lambda: isinstance(pilot.app.screen, AttemptsScreen))


@pytest.mark.parametrize("size", SIZES)
async def test_tokens_and_cost_move_while_an_answer_comes(
    told: Told, edge: Edge, size: tuple[int, int]
) -> None:
    async with console(edge, size) as pilot:
        await opened(pilot)
        await shows(pilot, "▶ 1", "$0.0000 of at most $2.00", "the first one, from the design")
        await told(call("c1", 1, "asking"))
        await shows(pilot, "claude-opus-5-5 (firmware) is asked, at most $0.5000")
        usage = TokenUsage(fresh_input=4200, cache_read=900)
        answering = call("c1", 1, "answering", usage=usage)
        await told(replace(answering, reckoned_output=261, reckoned_micro_usd=22_400))
        await shows(pilot, "about $0.0224 of at most $2.00", "about 261 out")
        final = replace(usage, output=1300)
        await told(call("c1", 1, "answered", usage=final, cost_micro_usd=43_200))
        await shows(pilot, "$0.0432 of at most $2.00", "1,300 out")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))


@pytest.mark.parametrize("size", SIZES)
async def test_an_attempt_shows_its_difference_and_what_it_was_made_from(
    told: Told, edge: Edge, size: tuple[int, int]
) -> None:
    diff = await edge.artifacts.put(DIFF.encode(), kind="attempt.2.diff", filename="a.diff")
    seen = await edge.artifacts.put(EVIDENCE.encode(), kind="evidence.1", filename="e.txt")
    await told(call("c1", 1, "answered", cost_micro_usd=43_200))
    first = ended(1, Outcome.FAILED, "x.ino:1: 'later' was not declared", coverage=REACHED)
    await told(first, seen)
    why = "build failed: x.ino:1: 'later' was not declared"
    await told(AttemptChanged(attempt=2, state=State.RUNNING, message=why), attempt=2)
    changed = {"files_changed": 1, "lines_added": 1, "lines_removed": 1}
    second = ended(2, Outcome.FAILED, "light: off", diff_sha256=diff.sha256, **changed)
    await told(second, attempt=2)
    async with console(edge, size) as pilot:
        await opened(pilot)
        await shows(pilot, "✗ 1", "✗ 2", "+1 -1 in 1 file", "$0.0864 of at most $2.00")
        await shows(pilot, "made because build failed", "came to", "light: off")
        await shows(pilot, "-  litAt = later;", "+  litAt = now; // [red]␛[2J")
        await pilot.press("e")
        await shows(pilot, "What attempt 2 was made from", "'later' was not declared")
        await pilot.press("escape")
        await pilot.press("up")
        await shows(pilot, "nothing to compare with", "reached", "14 of 20 lines with code ran")
        await shows(pilot, "x.ino:30", "lit = [red];␛[2J", "x.ino:31", "off();")
        await pilot.press("e")
        await until(pilot, lambda: any("repairs nothing" in one for one in notes(pilot)))


async def test_the_best_candidate_is_named_with_the_reason_that_it_is_not_proved(
    told: Told, edge: Edge
) -> None:
    attempts = []
    for number in (1, 2, 3):
        begun = AttemptChanged(attempt=number, state=State.RUNNING, message="build failed")
        attempts.append(ended(number, Outcome.FAILED, "light: off"))
        await told(begun, attempts[-1], attempt=number)
    over = "3 attempts failed in the same way; this is attempt 2"
    await told.change(
        SessionChanged(state=State.DONE, outcome=Outcome.FAILED, message=over),
        state=State.DONE,
        outcome=Outcome.FAILED,
        message=over,
        attempt=3,
        attempts=tuple(attempts),
        best_attempt=2,
    )
    async with console(edge, (80, 24)) as pilot:
        await shows(pilot, "FAILED")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("t")
        await shows(pilot, "best candidate: attempt 2; not proved: 3 attempts failed")
        listed = pilot.app.screen.query_one("#attempts", OptionList)
        lines = [str(listed.get_option_at_index(n).prompt) for n in range(3)]
        assert ["best candidate" in line for line in lines] == [False, True, False]


async def test_events_that_were_lost_are_told(instance: Instance, plane: FakeControlPlane) -> None:
    session = plane.add_session()
    del plane.events[session.name][4]
    async with console(instance, (80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, BenchlineApp)
        await shows(pilot, "01kdemo")
        await pilot.press("enter")
        await shows(pilot, "! events were lost")
        await pilot.press("t")
        await shows(pilot, "! events were lost; numbers may be too low", "One attempt.")
