"""`benchline stack …` as child processes, against a real server with a real Terraform."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchline.errors import NotReadyError
from tests.wire.edge.conftest import Edge
from tui.headless.verb import report

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


async def benchline(edge: Edge, *words: str) -> Ran:
    data_dir = Path(edge.target.removeprefix("unix:")).parents[1]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "tui", *words),
        env=os.environ
        | {"BENCHLINE_DATA_DIR": str(data_dir), "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await child.communicate()
    return Ran(child.returncode or 0, out.decode(), err.decode())


async def test_a_stack_is_made_changed_and_destroyed_from_the_shell(edge: Edge) -> None:
    planned = await benchline(edge, "stack", "plan", "home", "--device", "lamp")
    assert planned.code == 0, planned
    head, *changes = planned.out.splitlines()
    assert "2 to add" in head
    assert '  + terraform_data.device["lamp"]  CREATE' in changes
    digest = head.split()[1]
    assert f"next: benchline stack approve home {digest}" in planned.err
    early = await benchline(edge, "stack", "apply", "home")
    assert early.code == 4
    assert "PLAN_NOT_APPROVED" in early.err
    wrong = await benchline(edge, "stack", "approve", "home", "f" * 12)
    assert (wrong.code, "PLAN_CHANGED" in wrong.err) == (4, True)
    assert (await benchline(edge, "stack", "approve", "home", digest)).code == 0

    applied = await benchline(edge, "stack", "apply", "home", "--json")

    assert applied.code == 0, applied
    *events, last = applied.lines
    assert last["state"] == "STACK_STATE_APPLIED"
    assert events[-1]["stackChanged"]["state"] == "STACK_STATE_APPLIED"
    assert applied.err == "", "nothing but data"
    outputs = (await benchline(edge, "stack", "outputs", "home")).out.splitlines()
    assert outputs[0] == "broker   127.0.0.1:8883"
    assert outputs[-1] == "device   lamp  devices/lamp  local:home/lamp"
    drift = await benchline(edge, "stack", "drift", "home")
    assert (drift.code, drift.out) == (0, "")
    same = await benchline(edge, "stack", "apply", "home", "--auto-approve")
    assert (same.code, "no changes" in same.err) == (0, True)

    # What takes something away is listed first, and is not approved by itself.
    change = ("stack", "plan", "home", "--set", "port=9000", "--remove-device", "lamp")
    changed = await benchline(edge, *change)
    first = changed.out.splitlines()[1]
    assert first.startswith('  - terraform_data.device["lamp"]  DELETE')
    assert "--confirm home" in changed.err
    careful = await benchline(edge, "stack", "apply", "home", "--auto-approve")
    assert (careful.code, "APPROVAL_NEEDED" in careful.err) == (4, True)
    kept = await benchline(edge, "stack", "destroy", "home")
    assert (kept.code, "nothing was destroyed" in kept.err) == (4, True)
    gone = await benchline(edge, "stack", "destroy", "home", "--confirm", "home")
    assert gone.code == 0, gone
    assert "stack    home  DESTROYED" in gone.out
    watching = asyncio.create_task(benchline(edge, "stack", "watch", "home"))
    assert (await benchline(edge, "stack", "delete", "home")).code == 0
    watched = await watching
    # It sees the history, and ends with the stack; or comes too late, and says so.
    assert watched.out.startswith("stack DRAFT") or "STACK_NOT_FOUND" in watched.err, watched
    listed = await benchline(edge, "stack", "list")
    assert (listed.code, listed.out) == (0, "")


async def test_a_plan_is_reviewed_and_rejected_as_json(edge: Edge) -> None:
    planned = await benchline(edge, "stack", "plan", "home", "--device", "lamp", "--json")
    assert planned.code == 0, planned
    plan = planned.lines[-1]
    assert plan["state"] == "STATE_PROPOSED"
    assert {change["action"] for change in plan["changes"]} == {"CHANGE_ACTION_CREATE"}
    rejected = await benchline(edge, "stack", "reject", "home", plan["digest"], "--json")
    assert rejected.lines[-1]["plan"]["state"] == "STATE_REJECTED"
    shown = await benchline(edge, "stack", "show", "home")
    assert "not made lamp" in shown.out
    assert "next     benchline stack plan home" in shown.out
    idle = await benchline(edge, "stack", "cancel", "home")
    assert (idle.code, "OPERATION_ENDED" in idle.err) == (4, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("plan", "Über"), "INVALID_NAME"),
        (("plan", "home", "--device", "a b"), "INVALID_DEVICE_ID"),
        (("plan", "home", "--set", "port"), "is not NAME=VALUE"),
        (("plan", "home", "--set", "region=x"), "UNKNOWN_SETTING"),
        (("show", "nobody"), "STACK_NOT_FOUND"),
        (("dance", "home"), "invalid choice"),
    ],
)
async def test_what_has_to_change_is_exit_code_2(
    edge: Edge, words: tuple[str, ...], told: str
) -> None:
    ran = await benchline(edge, "stack", *words)
    assert ran.code == 2, ran
    assert told in ran.err


def test_a_missing_capability_is_exit_code_5(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(NotReadyError("TERRAFORM_NOT_FOUND", "install it")) == 5
    assert report(NotReadyError("STACK_BUSY", "wait")) == 4
    assert "TERRAFORM_NOT_FOUND: install it" in capsys.readouterr().err
