"""A sentence with messages becomes firmware that publishes on a flashed virtual board."""

import json

import pytest

from benchline.cloud_records import CloudVerb, parse_cloud_record
from benchline.scenario import RecordSplitter
from tests.e2e.conftest import Operator

pytestmark = pytest.mark.xdist_group("shared-instance")

PROMPT = (
    "Publish the temperature every second to topic lab/temperature, and turn on the red LED when "
    "a message arrives on topic lamp."
)


@pytest.mark.parametrize("board", ["olimex-stm32-h405", "esp32-c3-devkitm-1"])
def test_a_board_publishes_and_the_session_says_that_nobody_listens(
    operator: Operator, board: str
) -> None:
    run = operator("run", PROMPT, "--board", board, "--json")

    assert run.code == 0, run
    session = run.session
    assert session["evidence"] == "EVIDENCE_VIRTUAL"
    assert "it publishes to nobody: add --stack local" in session["message"]
    (note,) = [f for f in session["findings"] if f["code"] == "W162"]
    assert note["severity"] == "SEVERITY_WARNING"
    span = next(
        r["console"]
        for r in session["scenarioResults"]
        if r["stage"] == "STAGE_DEPLOY" and r["scenarioId"] == "main"
    )
    said = [e.text for e in RecordSplitter().feed(operator.console(span)) if e.type == "CL"]
    records = [record for text in said if (record := parse_cloud_record(text)) is not None]
    assert len(records) == len(said)
    assert [r.topic for r in records if r.verb is CloudVerb.SUB] == ["lamp"]
    assert {r.topic for r in records if r.verb is CloudVerb.PUB} == {"lab/temperature"}
    shown = operator("show", session["name"].removeprefix("sessions/"), "--json")
    behaviours = json.loads(shown.out.splitlines()[-1])["design"]["behaviours"]
    assert any("on topic lab/temperature" in behaviour["text"] for behaviour in behaviours)
