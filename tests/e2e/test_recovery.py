"""A board that wedges in the middle of work is left for another one, and comes back by itself."""

import json
import socket
import time
from typing import Any

from tests.e2e.conftest import Operator

WEDGED, OTHER = "vf405-01", "vf405-02"
PROMPT = "Blink the on-board LED at 2 Hz"


def control(operator: Operator, board: str, **order: str) -> None:
    """What a hand at the bench would do to a real board."""
    entry = json.loads((operator.data_dir / "virtual" / board / "board.json").read_text())
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(entry["control"])
        client.sendall(json.dumps(order).encode() + b"\n")
        assert json.loads(client.makefile("rb").readline())["ok"]


def board(operator: Operator, name: str) -> dict[str, Any]:
    listed = operator("boards", f"name={name}", "--json")
    assert listed.code == 0, listed
    return listed.lines[0]


def back_in_service(operator: Operator, name: str) -> dict[str, Any]:
    """The board once it is active again."""
    until = time.monotonic() + 180
    while (found := board(operator, name))["state"] != "STATE_ACTIVE":
        assert time.monotonic() < until, found
        time.sleep(0.5)
    return found


def test_a_wedged_board_is_replaced_recovered_and_returned(lone_operator: Operator) -> None:
    first = lone_operator("run", PROMPT, "--json", timeout=300)
    assert first.code == 0, first
    released = board(lone_operator, WEDGED)["provenImageSha256"]
    assert released
    control(lone_operator, WEDGED, op="fault", fault="wedged")

    run = lone_operator("run", PROMPT, "--seed", "7", "--json", timeout=300)

    assert run.code == 0, run
    notes = [line["note"]["text"] for line in run.lines if "note" in line]
    assert any("TARGET_SILENT" in note and f"again on {OTHER}" in note for note in notes), notes
    judged = {r["runner"] for r in run.session["scenarioResults"]}
    assert OTHER in judged
    assert WEDGED not in judged
    again = back_in_service(lone_operator, WEDGED)
    # Its last release image is on it again, read back.
    assert again["provenImageSha256"] == released
    assert again["score"] < 80
    health = lone_operator("boards", "health", WEDGED, "--json").lines[0]
    recovery = health["recoveries"][0]
    assert (recovery["outcome"], recovery["automatic"]) == ("OUTCOME_PASSED", True)
    done = [s["action"] for s in recovery["steps"] if s["outcome"] == "OUTCOME_PASSED"]
    assert done[-3:] == [
        "RECOVERY_ACTION_CHECK",
        "RECOVERY_ACTION_CANARY",
        "RECOVERY_ACTION_RESTORE",
    ]
    cured = {r["action"] for r in health["cureRates"] if int(r["cured"])}
    assert cured == {"RECOVERY_ACTION_POWER_CYCLE"}


def test_a_worn_board_stays_out_until_a_person_returns_it(lone_operator: Operator) -> None:
    assert lone_operator("up").code == 0
    control(lone_operator, OTHER, op="fault", fault="readback=0x08010020")
    recovered = lone_operator("boards", "recover", OTHER, timeout=300)
    assert recovered.code == 3, recovered
    assert "VERIFY_FAILED" in recovered.out
    out = board(lone_operator, OTHER)
    assert out["state"] == "STATE_QUARANTINED"
    assert out["quarantine"]["reason"] == "VERIFY_FAILED"
    refused = lone_operator("lease", "acquire", f"name={OTHER}")
    assert refused.code != 0
    assert "1 quarantined" in refused.talk
    # Mended, and recovered again: what the system took out, the system returns.
    control(lone_operator, OTHER, op="fault", fault="clear")
    assert lone_operator("boards", "recover", OTHER, timeout=300).code == 0
    assert board(lone_operator, OTHER)["state"] == "STATE_ACTIVE"
    # What a person took out only a person returns.
    kept = lone_operator("boards", "quarantine", OTHER, "--reason", "loose cable")
    assert kept.code == 0, kept
    assert lone_operator("boards", "recover", OTHER, timeout=300).code == 0
    assert board(lone_operator, OTHER)["state"] == "STATE_QUARANTINED"
    # It is there, so nobody waits for it.
    up = lone_operator("up")
    assert up.code == 0, up
    assert f"{OTHER}  olimex-stm32-h405  out of service" in up.out
    assert lone_operator("boards", "return", OTHER).code == 0
    assert board(lone_operator, OTHER)["state"] == "STATE_ACTIVE"


def test_verbs_reach_boards_of_both_families(lone_operator: Operator) -> None:
    assert lone_operator("up").code == 0
    for name in ("vf405-01", "vc3-01"):
        assert lone_operator("boards", "reset", name).code == 0
        chip = lone_operator("boards", "identify", name, "--json")
        assert chip.code == 0, chip
        assert chip.lines[0]["chip"]["identity"]
        for state in ("--off", "--on", "--cycle"):
            switched = lone_operator("boards", "power", name, state)
            assert switched.code == 0, switched
