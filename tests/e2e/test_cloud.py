"""A device cloud from the command line: provisioned by a run, broken, repaired, destroyed."""

import os
import signal
import socket
from pathlib import Path

from tests.e2e.conftest import Operator

PROMPT = "Blink the LED at 2 Hz."


def broker_pids(operator: Operator) -> list[int]:
    """Brokers of this instance, by their configuration file."""
    mark = os.fsencode(operator.data_dir / "stacks")
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes() if entry.name.isdecimal() else b""
        except OSError:
            continue
        if b"mosquitto" in words and mark in words:
            found.append(int(entry.name))
    return found


def test_a_run_provisions_and_what_breaks_is_seen_repaired_and_undone(
    lone_operator: Operator,
) -> None:
    operator = lone_operator
    run = operator(
        *("run", PROMPT, "--board", "olimex-stm32-h405", "--json"),
        *("--stack", "local", "--device", "lamp", "--auto-approve"),
    )
    assert run.code == 0, run
    stages = {one["stage"]: one["outcome"] for one in run.session["stages"]}
    assert list(stages)[3:] == ["STAGE_PROVISION", "STAGE_DEPLOY"]
    assert set(stages.values()) == {"OUTCOME_PASSED"}
    assert (run.session["stack"], run.session["device"]) == ("stacks/local", "lamp")
    outputs = operator("stack", "outputs", "local", "--json").lines[0]["outputs"]
    assert [one["device"] for one in outputs["devices"]] == ["lamp"]
    host, port = outputs["brokerEndpoint"].split(":")
    with socket.create_connection((host, int(port)), 10):
        pass
    clean = operator("stack", "drift", "local")
    assert clean.code == 0, clean

    (broker,) = broker_pids(operator)
    os.kill(broker, signal.SIGKILL)

    drift = operator("stack", "drift", "local")
    assert drift.code == 1, drift
    assert "benchline_broker.this" in drift.out
    repaired = operator("stack", "apply", "local", "--auto-approve")
    assert repaired.code == 0, repaired
    assert operator("stack", "drift", "local").code == 0

    # The control plane comes back with the same broker.
    operator("down")
    assert broker_pids(operator) == [], "it ends with the control plane"
    assert operator("stack", "drift", "local").code == 0
    assert len(broker_pids(operator)) == 1

    unconfirmed = operator("stack", "destroy", "local")
    assert unconfirmed.code == 4, unconfirmed
    destroyed = operator("stack", "destroy", "local", "--confirm", "local")
    assert destroyed.code == 0, destroyed
    assert broker_pids(operator) == []
    assert not list((operator.data_dir / "stacks/local").rglob("*.key"))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
    assert operator("stack", "delete", "local").code == 0
    assert not (operator.data_dir / "stacks/local").exists()
