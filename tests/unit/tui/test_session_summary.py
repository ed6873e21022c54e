"""What a finished session tells, and what it need not tell again."""

import subprocess
import sys

import pytest

from benchline.v1 import session_pb2, verdict_pb2
from tui.client.translate import finding_of
from tui.headless.summary import session_lines

FINDING = verdict_pb2.Finding(
    code="E200",
    subject="Dance",
    message='"Dance" is not understood.',
    fix="Say what the device should do.",
    severity=verdict_pb2.Finding.SEVERITY_ERROR,
    stage=verdict_pb2.STAGE_DESIGN,
)
REFUSED = session_pb2.Session(
    name="sessions/s1",
    state=verdict_pb2.STATE_DONE,
    outcome=verdict_pb2.OUTCOME_REFUSED,
    findings=[FINDING],
)
ONE_STREAM = "from tui.headless.output import is_one_stream as one; print(one())"


def test_the_errors_of_a_session_stand_in_its_summary() -> None:
    assert '  error E200 Dance: "Dance" is not understood.' in session_lines(REFUSED)


def test_what_was_told_on_the_way_is_not_told_again() -> None:
    again = session_lines(REFUSED, told=[finding_of(FINDING)])

    assert not any("E200" in line for line in again)
    assert again[0].startswith("REFUSED")


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
