"""What a finished session tells, and what it need not tell again."""

import subprocess
import sys

import pytest
from google.protobuf.duration_pb2 import Duration

from benchline.v1 import session_pb2, verdict_pb2
from tui.client.translate import finding_of
from tui.headless.progress import lines_for
from tui.headless.summary import head_lines, session_lines, stage_lines
from tui.state.fact import Event, Fact, Outcome, Stage, StageMoved, State
from tui.state.run import RunView, reduce_run

FINDING = verdict_pb2.Finding(
    code="E200",
    subject="Dance",
    message='"Dance" is not understood.',
    fix="Say what the device should do.",
    severity=verdict_pb2.Finding.SEVERITY_ERROR,
    stage=verdict_pb2.STAGE_DESIGN,
)
ONE_STREAM = "from tui.headless.output import is_one_stream as one; print(one())"


def ended(outcome: Outcome, why: str, *findings: verdict_pb2.Finding) -> session_pb2.Session:
    """A session that DESIGN ended."""
    wire = verdict_pb2.Outcome.Value(f"OUTCOME_{outcome.value}")
    done = session_pb2.StageRecord(
        stage=verdict_pb2.STAGE_DESIGN,
        state=verdict_pb2.STATE_DONE,
        outcome=wire,
        duration=Duration(nanos=10_000_000),
        message=why,
    )
    return session_pb2.Session(
        name="sessions/s1",
        state=verdict_pb2.STATE_DONE,
        outcome=wire,
        stages=[done],
        findings=findings,
        message=f"design: {why}",
    )


def follow(outcome: Outcome, why: str, *findings: verdict_pb2.Finding) -> tuple[RunView, list[str]]:
    """What the talk of such a session is, and what is known after it."""
    done = StageMoved(
        stage=Stage.DESIGN, state=State.DONE, outcome=outcome, message=why, duration_ms=10
    )
    facts: list[Fact] = [*map(finding_of, findings), done]
    view, talk = RunView(name="sessions/s1"), []
    for number, fact in enumerate(facts, 1):
        event = Event(sequence=number, fact=fact)
        after = reduce_run(view, event)
        talk += lines_for(event, view, after)
        view = after
    return view, talk


def test_the_reason_of_a_refusal_is_said_once_with_its_fix_and_the_next_step() -> None:
    why = f"cannot, because {FINDING.message} {FINDING.fix}"
    session = ended(Outcome.REFUSED, why, FINDING)
    seen, talk = follow(Outcome.REFUSED, why, FINDING)

    for told in (
        [*talk, *session_lines(session, seen)],
        session_lines(session),
        [*talk, "next: "],
    ):
        text = "\n".join(told)
        assert [text.count(w) for w in (FINDING.message, FINDING.fix, "next: ")] == [1, 1, 1]
    assert talk[-1] == "⊘ DESIGN    REFUSED  0.01 s"


def test_a_reason_without_findings_is_said_once_and_whole() -> None:
    why = "BOARDS_OFFLINE: " + "vf405-01 is away; " * 12 + "start it"
    session = ended(Outcome.BROKEN, why)
    seen, talk = follow(Outcome.BROKEN, why)

    for told in (
        [*talk, *session_lines(session, seen)],
        session_lines(session),
        talk,
        [*head_lines(session), *stage_lines(session)],
    ):
        assert "\n".join(told).count(why) == 1
    assert session_lines(session)[0] == f"BROKEN  design: {why}"


@pytest.mark.parametrize(("talk", "expected"), [(subprocess.STDOUT, True), (None, False)])
def test_two_streams_into_one_place_are_noticed(talk: int | None, expected: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONE_STREAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if talk is None else talk,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == str(expected)
