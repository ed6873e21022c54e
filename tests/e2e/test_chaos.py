"""Killed at any moment, a session ends as if nothing had happened.

`make chaos` runs 25 rounds; the number of a failing round and its seed are in the message, and
`BENCHLINE_CHAOS_SEED` repeats them.
"""

import os
import random
import signal
import time
from collections import Counter
from typing import Any

import pytest

from tests.e2e.conftest import DEMO, Finished, Operator

ROUNDS = int(os.environ.get("BENCHLINE_CHAOS_ROUNDS", "4"))
SEED = int(os.environ.get("BENCHLINE_CHAOS_SEED", "0")) or random.SystemRandom().getrandbits(32)


def kill(operator: Operator, program: str) -> None:
    pid = operator.instance()["pids"][program]
    os.kill(pid, signal.SIGKILL)


def events_of(finished: Finished) -> list[dict[str, Any]]:
    return [line for line in finished.lines if "sequence" in line]


def flashes_begun(finished: Finished) -> list[dict[str, Any]]:
    found = (event["flash"] for event in events_of(finished) if "flash" in event)
    return [flash for flash in found if "outcome" not in flash]


def test_kill_9_changes_neither_the_verdict_nor_the_story(lone_operator: Operator) -> None:
    draw = random.Random(SEED)
    whole = lone_operator("run", DEMO, "--json")
    assert whole.code == 0, whole
    usual = time.monotonic()
    again = lone_operator("run", DEMO, "--json")
    usual = time.monotonic() - usual
    expected = {(r["scenarioId"], r["runner"][:2]) for r in again.session["scenarioResults"]}
    told = Counter((f["image"], f["imageSha256"]) for f in flashes_begun(again))

    for number in range(ROUNDS):
        victim = draw.choice(["controlplane", "agent"])
        moment = draw.uniform(0, usual)
        story = f"round {number} of seed {SEED}: {victim} killed after {moment:.2f} s"
        running = lone_operator.start("run", DEMO, "--json")
        time.sleep(moment)
        kill(lone_operator, victim)
        out, talk = running.communicate(timeout=300)
        finished = Finished(running.returncode, out, talk)

        assert finished.code == 0, f"{story}\n{finished}"
        numbers = [int(event["sequence"]) for event in events_of(finished)]
        assert numbers == list(range(1, len(numbers) + 1)), story
        results = {(r["scenarioId"], r["runner"][:2]) for r in finished.session["scenarioResults"]}
        assert results == expected, f"{story}\n{finished}"
        begun = flashes_begun(finished)
        for flash in begun:
            twin = Counter((f["image"], f["imageSha256"]) for f in begun)
            more = twin[flash["image"], flash["imageSha256"]]
            if more > told[flash["image"], flash["imageSha256"]]:
                reasons = [f["reason"] for f in begun if f["imageSha256"] == flash["imageSha256"]]
                assert any("again because" in reason for reason in reasons), f"{story}: {reasons}"


@pytest.mark.parametrize("victim", ["controlplane", "agent"])
def test_a_program_that_is_killed_is_back_by_itself(lone_operator: Operator, victim: str) -> None:
    first = lone_operator.instance()["pids"][victim]
    kill(lone_operator, victim)

    after = lone_operator("boards", "--json")

    assert after.code == 0, after
    deadline = time.monotonic() + 60
    while lone_operator.instance()["pids"][victim] == first:
        assert time.monotonic() < deadline
        time.sleep(0.1)
