"""From a sentence to telemetry over TLS from flashed boards, and back to nothing."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Operator
from tests.e2e.test_cloud import broker_pids

PROMPT = (
    "Publish the temperature every second to topic lab/temperature and publish the uptime every "
    "second to topic lab/uptime."
)
WAIT_S = 120.0


def until(what: str, look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something; every look is a verb of its own."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if found := look():
            return found
    raise AssertionError(f"waited {WAIT_S:.0f} s for {what}")


def telemetry(operator: Operator) -> list[dict[str, Any]]:
    return operator("stack", "telemetry", "local", "--json").lines


def clouds(operator: Operator) -> dict[str, dict[str, Any]]:
    """The boards that are devices, by device."""
    boards = operator("boards", "--json").lines
    return {one["cloud"]["device"]: one for one in boards if one.get("cloud")}


def proposed(operator: Operator) -> str:
    """Digest of the plan that waits for a person."""
    shown = operator("stack", "show", "local", "--json")
    plan = shown.lines[-1].get("plan", {}) if shown.code == 0 else {}
    return str(plan["digest"]) if plan.get("state") == "STATE_PROPOSED" else ""


def key_lines(folder: Path) -> set[bytes]:
    """The lines of every private key, without its frame."""
    return {
        line
        for path in folder.rglob("*.key")
        for line in path.read_bytes().splitlines()
        if line and not line.startswith(b"-----")
    }


def test_telemetry_arrives_from_boards_of_both_families_until_the_cloud_is_destroyed(
    lone_operator: Operator,
) -> None:
    operator = lone_operator
    stm32 = operator.start(
        *("run", PROMPT, "--board", "olimex-stm32-h405", "--json"),
        *("--stack", "local", "--device", "hall"),
    )
    digest = until("a plan", lambda: proposed(operator))
    approved = operator("stack", "approve", "local", digest[:12])
    assert approved.code == 0, approved
    out, talk = stm32.communicate(timeout=WAIT_S)
    assert stm32.returncode == 0, f"{out[-3000:]}\n{talk[-3000:]}"

    esp32 = operator(
        *("run", PROMPT, "--board", "esp32-c3-devkitm-1", "--json"),
        *("--stack", "local", "--device", "attic", "--auto-approve"),
    )
    assert esp32.code == 0, esp32
    (deploy,) = [one for one in esp32.session["stages"] if one["stage"] == "STAGE_DEPLOY"]
    assert "telemetry of attic arrives at 127.0.0.1:" in deploy["message"]
    came = telemetry(operator)
    assert {(one["device"], one["topic"]) for one in came} == {
        (device, topic)
        for device in ("hall", "attic")
        for topic in ("lab/temperature", "lab/uptime")
    }
    bound = clouds(operator)
    assert {device: one["cloud"]["state"] for device, one in bound.items()} == {
        "hall": "STATE_CONNECTED",
        "attic": "STATE_CONNECTED",
    }

    # A board that is flashed without a stack is a device no longer.
    board = bound["hall"]["name"].rsplit("/", 1)[-1]
    plain = operator("run", "Blink the LED at 2 Hz.", "--board", board, "--json")
    assert plain.code == 0, plain
    assert set(clouds(operator)) == {"attic"}

    secrets = key_lines(operator.data_dir / "stacks/local/cloud")
    (broker,) = broker_pids(operator)
    os.kill(broker, signal.SIGKILL)
    until(
        "a lost broker",
        lambda: clouds(operator)["attic"]["cloud"]["state"] == "STATE_CONNECTING",
    )
    drift = operator("stack", "drift", "local")
    assert drift.code == 1, drift
    repaired = operator("stack", "apply", "local", "--auto-approve")
    assert repaired.code == 0, repaired
    before = int(telemetry(operator)[-1]["number"])
    until("telemetry again", lambda: int(telemetry(operator)[-1]["number"]) > before)

    destroyed = operator("stack", "destroy", "local", "--confirm", "local")
    assert destroyed.code == 0, destroyed
    assert clouds(operator) == {}
    assert broker_pids(operator) == []
    assert not list((operator.data_dir / "stacks/local").rglob("*.key"))
    assert operator("stack", "telemetry", "local").code == 4
    assert len(secrets) > 6
    operator("down")
    for path in operator.data_dir.rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            assert not any(line in data for line in secrets), path
