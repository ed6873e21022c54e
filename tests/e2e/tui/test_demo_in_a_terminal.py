"""The console in a real terminal, on a real local instance: nothing here is a stand-in."""

import json
import os
import signal
import sys

from benchline.process_id import identify
from tests.e2e.tui.conftest import Terminal, benchline


def test_the_demo_ends_proved_although_the_control_plane_is_killed(
    terminal: Terminal, environment: dict[str, str]
) -> None:
    terminal.open(sys.executable, "-P", "-m", "tui", "--demo")
    terminal.shows("✓ Simulate")
    told = json.loads(benchline(environment, "up", "--json").stdout)
    assert told["attached"]
    os.kill(told["pids"]["controlplane"], signal.SIGKILL)
    terminal.shows("reconnecting|● live")
    picture = terminal.shows(r"(?m)^ \w+ +PASSED \(virtual\)")  # the title, not a scenario
    assert "✓ Deploy" in picture
    terminal.keys("Tab")
    terminal.shows(r"following +[0-9,]+ lines")
    terminal.resize(120, 40)
    terminal.shows("Findings & assertions.*Console vf405-0")
    terminal.keys("2")
    terminal.shows(r"vf405-02 +stm32f405rg +ACTIVE")
    terminal.shows(r"vc3-02 +esp32c3 +ACTIVE")
    terminal.keys("q")
    terminal.shows("EXIT 0")
    listed = benchline(environment, "sessions", "--json")
    sessions = [json.loads(line) for line in listed.stdout.splitlines()]
    assert sorted(one["boardModel"] for one in sessions) == [
        "esp32-c3-devkitm-1",
        "olimex-stm32-h405",
    ]
    assert {one["outcome"] for one in sessions if one["state"] == "STATE_DONE"} == {
        "OUTCOME_PASSED"
    }


def test_up_attaches_down_leaves_nothing_and_a_killed_supervisor_is_survived(
    environment: dict[str, str],
) -> None:
    first = json.loads(benchline(environment, "up", "--json").stdout)
    assert len(first["boards"]) == 4
    again = json.loads(benchline(environment, "up", "--json").stdout)
    assert (again["attached"], again["pids"]) == (True, first["pids"])
    os.kill(first["pids"]["supervisor"], signal.SIGKILL)
    second = json.loads(benchline(environment, "up", "--json").stdout)
    assert set(second["pids"].values()).isdisjoint(first["pids"].values())
    assert benchline(environment, "down").returncode == 0
    gone = [*first["pids"].values(), *second["pids"].values()]
    assert [pid for pid in gone if identify(pid)] == []
