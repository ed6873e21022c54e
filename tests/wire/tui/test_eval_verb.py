"""``benchline eval`` against a control plane that says what a test wants."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from benchline.v1 import verdict_pb2
from tests.wire.tui.conftest import Command
from tests.wire.tui.fake_server import FakeControlPlane

SET = """prompts: 1
title: Three
designers:
  offline: [blink]
cases:
  - id: one
    prompt: Blink the LED at 2 Hz.
    answer: design
    needs: [blink]
    does: [{echo: {}}]
  - id: two
    prompt: Relay on above 28 C and off below 30 C.
    answer: refuse
    why: contradictory
    reason: at 29 C it would be both
  - id: three
    prompt: Read a DHT22.
    answer: design
    needs: [dht22]
    does: [{echo: {}}]
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    return written(tmp_path / "set.yaml", SET)


def verdicts(out: Path) -> dict[str, str]:
    return {one["case"]: one["verdict"] for one in json.loads(out.read_text())["trials"]}


async def test_refusals_are_judged_by_labels_and_range(
    plane: FakeControlPlane, benchline: Command, prompts: Path, tmp_path: Path
) -> None:
    plane.outcome = verdict_pb2.OUTCOME_REFUSED
    out = tmp_path / "out.json"
    ran = await benchline("eval", str(prompts), "--out", str(out), "--seed", "3", "--json")

    assert ran.code == 0, ran
    expected = {"one": "refused-wrong", "two": "refused-right", "three": "not-offered"}
    assert verdicts(out) == expected
    told = json.loads(ran.out)
    assert told["summary"]["pass@1"] == pytest.approx(0.3333)
    assert told["plan"]["seed"] == 3
    assert "refused-wrong" in ran.err
    assert {one.designer for one in plane.created} == {"offline"}
    assert len({one.seed for one in plane.created}) == 3


async def test_what_is_accepted_though_it_had_to_be_refused_is_exit_code_one(
    plane: FakeControlPlane, benchline: Command, prompts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    where = ("--case", "two", "--until", "design", "--out", str(out))
    ran = await benchline("eval", str(prompts), *where)
    # The design of this server is no document, so that it cannot be read.
    assert (ran.code, verdicts(out)) == (3, {"two": "broken"})


async def test_the_same_seed_asks_for_the_same_values_and_repeats_for_others(
    plane: FakeControlPlane, benchline: Command, prompts: Path, tmp_path: Path
) -> None:
    plane.outcome = verdict_pb2.OUTCOME_REFUSED
    for name in ("a", "b"):
        out = str(tmp_path / name)
        await benchline("eval", str(prompts), "--out", out, "--repeat", "2", "--limit", "2")
    seeds = [{one.seed for one in part} for part in (plane.created[:4], plane.created[4:])]
    assert seeds[0] == seeds[1]
    assert len(seeds[0]) == 4
    assert len({one.request_id for one in plane.created}) == 8


async def test_an_evaluation_that_was_left_goes_on_and_starts_nothing_twice(
    plane: FakeControlPlane, benchline: Command, prompts: Path, tmp_path: Path
) -> None:
    plane.outcome = verdict_pb2.OUTCOME_REFUSED
    plane.hold_at = 2
    out = tmp_path / "out.json"
    words = ("eval", str(prompts), "--out", str(out), "--jobs", "1")
    child = await benchline.start(*words)
    async with asyncio.timeout(60):
        await plane.watched.wait()
    child.send_signal(signal.SIGINT)
    _, err = await child.communicate()
    assert child.returncode == 130
    assert b"the same command goes on" in err
    assert verdicts(out) == {}

    plane.hold_at = None
    plane.changed.set()
    ran = await benchline(*words)
    assert ran.code == 0, ran
    assert plane.created[0].request_id == plane.created[1].request_id
    assert len(verdicts(out)) == 3

    count = len(plane.created)
    again = await benchline(*words)
    assert (again.code, len(plane.created)) == (0, count)
    other = await benchline(*words, "--seed", "9")
    assert "RESULTS_DIFFER" in other.err
    assert len(plane.created) == count


async def test_what_was_broken_is_tried_again_as_another_session(
    plane: FakeControlPlane, benchline: Command, prompts: Path, tmp_path: Path
) -> None:
    plane.outcome = verdict_pb2.OUTCOME_BROKEN
    words = ("eval", str(prompts), "--out", str(tmp_path / "out.json"), "--case", "two")
    assert (await benchline(*words)).code == 3
    plane.outcome = verdict_pb2.OUTCOME_REFUSED
    assert (await benchline(*words)).code == 0
    assert len({one.request_id for one in plane.created}) == 2


async def test_files_and_options_that_cannot_be_used_start_nothing(
    plane: FakeControlPlane, benchline: Command, prompts: Path, tmp_path: Path
) -> None:
    bad = written(tmp_path / "bad.yaml", "prompts: 2\n")
    for words in (
        ("eval", str(tmp_path / "none.yaml")),
        ("eval", str(bad)),
        ("eval", str(prompts), "--case", "four"),
        ("eval", str(prompts), "--repeat", "0"),
        ("eval", str(prompts), "--jobs", "99"),
    ):
        assert (await benchline(*words)).code == 2, words
    assert plane.created == []


async def test_a_prompt_that_is_refused_at_the_door_is_refused(
    plane: FakeControlPlane, benchline: Command, tmp_path: Path
) -> None:
    mail = written(tmp_path / "mail.yaml", SET.replace("Relay on", "Send e-mail; relay on"))
    out = tmp_path / "out.json"
    ran = await benchline("eval", str(mail), "--case", "two", "--out", str(out))
    assert (ran.code, verdicts(out)) == (0, {"two": "refused-right"})
