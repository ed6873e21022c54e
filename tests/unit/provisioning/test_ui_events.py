"""Lines of Terraform become events of our own, without secrets and without trust."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.provisioning import (
    ChangeAction,
    ChangeCounts,
    OutputsKnown,
    PlannedChange,
    ProvisioningDiagnostic,
    ResourceDrift,
    ResourcePhase,
    ResourceProgress,
    RunEvent,
    RunNote,
)
from controlplane.domain.verdict import Severity
from controlplane.provisioning.ui_events import MAX_TEXT, Redactor, read_line

RESOURCE = {
    "addr": 'benchline_device.d["dev-2"]',
    "module": "",
    "resource_type": "benchline_device",
    "resource_key": "dev-2",
}
DEVICE = RESOURCE["addr"]


def read(said: dict[str, Any], *secrets: str) -> RunEvent | None:
    return read_line(json.dumps(said).encode(), Redactor(secrets))


@pytest.mark.parametrize(
    ("said", "event"),
    [
        (
            {"type": "planned_change", "change": {"resource": RESOURCE, "action": "create"}},
            PlannedChange(
                address=DEVICE, action=ChangeAction.CREATE, resource_type="benchline_device"
            ),
        ),
        (
            {
                "type": "planned_change",
                "change": {"resource": RESOURCE, "action": "replace", "reason": "tainted"},
            },
            PlannedChange(
                address=DEVICE,
                action=ChangeAction.REPLACE,
                resource_type="benchline_device",
                reason="tainted",
            ),
        ),
        (
            {"type": "resource_drift", "change": {"resource": RESOURCE, "action": "delete"}},
            ResourceDrift(address=DEVICE, action=ChangeAction.DELETE),
        ),
        (
            {"type": "planned_change", "change": {"resource": RESOURCE, "action": "remove"}},
            PlannedChange(
                address=DEVICE, action=ChangeAction.FORGET, resource_type="benchline_device"
            ),
        ),
        (
            {
                "type": "change_summary",
                "changes": {"add": 1, "change": 2, "import": 3, "remove": 4, "operation": "apply"},
            },
            ChangeCounts(add=1, change=2, imported=3, remove=4, operation="apply"),
        ),
        (
            {"type": "apply_start", "hook": {"resource": RESOURCE, "action": "create"}},
            ResourceProgress(
                address=DEVICE, action=ChangeAction.CREATE, phase=ResourcePhase.STARTED
            ),
        ),
        (
            {
                "type": "apply_progress",
                "hook": {"resource": RESOURCE, "action": "delete", "elapsed_seconds": 10},
            },
            ResourceProgress(
                address=DEVICE,
                action=ChangeAction.DELETE,
                phase=ResourcePhase.RUNNING,
                elapsed_s=10,
            ),
        ),
        (
            {
                "type": "apply_complete",
                "hook": {"resource": RESOURCE, "action": "create", "id_key": "id", "id_value": "7"},
            },
            ResourceProgress(
                address=DEVICE,
                action=ChangeAction.CREATE,
                phase=ResourcePhase.DONE,
                resource_id="7",
            ),
        ),
        (
            {"type": "apply_errored", "hook": {"resource": RESOURCE, "action": "create"}},
            ResourceProgress(
                address=DEVICE, action=ChangeAction.CREATE, phase=ResourcePhase.FAILED
            ),
        ),
        (
            {
                "type": "outputs",
                "outputs": {"ids": {"sensitive": False, "value": [1]}, "key": {"sensitive": True}},
            },
            OutputsKnown(names=("ids", "key"), sensitive=("key",)),
        ),
        (
            {"type": "log", "@message": "Interrupt received."},
            RunNote(text="Interrupt received."),
        ),
    ],
)
def test_a_line_becomes_its_event(said: dict[str, Any], event: RunEvent) -> None:
    assert read(said) == event


def test_a_complaint_comes_without_what_it_quotes() -> None:
    said = {
        "type": "diagnostic",
        "diagnostic": {
            "severity": "error",
            "summary": "Invalid port",
            "detail": "80 is below 1024",
            "address": "benchline_broker.b",
            "range": {"filename": "main.tf", "start": {"line": 12, "column": 3}},
            "snippet": {"code": "port = 80", "values": [{"statement": "is 'hunter2-hunter2'"}]},
        },
    }

    event = read(said)

    assert event == ProvisioningDiagnostic(
        severity=Severity.ERROR,
        summary="Invalid port",
        detail="80 is below 1024",
        address="benchline_broker.b",
        where="main.tf:12",
    )


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Terraform has been successfully initialized!",
        b'{"type": "apply_start"}',
        b'{"type": "apply_start", "hook": {"resource": [], "action": "create"}}',
        b'{"type": "diagnostic", "diagnostic": "text"}',
        b'{"type": "emergency_state_dump", "state": {"secret": "hunter2-hunter2"}}',
        b'{"type": "version", "terraform": "1.11.4", "ui": "1.2"}',
        b'{"type": ["planned_change"]}',
        b"[1, 2]",
        b'{"type": "outputs", "outputs": [',
        b"\xff\xfe",
    ],
)
def test_what_is_not_ours_to_tell_is_passed_over(line: bytes) -> None:
    assert read_line(line, Redactor(())) is None


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps))
def test_no_line_is_a_fault(line: bytes | str) -> None:
    read_line(line if isinstance(line, bytes) else line.encode(), Redactor(()))


def test_known_secrets_are_taken_out_of_every_text() -> None:
    secret = 'pass"wörd\\x'
    quoted = json.dumps({"key": secret})
    address = f'benchline_device.d["{secret}"]'
    said = [
        {"type": "provision_progress", "hook": {"output": f"key is {secret} {quoted}"}},
        {"type": "diagnostic", "diagnostic": {"severity": "error", "summary": secret}},
        {"type": "planned_change", "change": {"resource": {"addr": address}, "action": "create"}},
        {"type": "outputs", "outputs": {secret: {"sensitive": False}}},
    ]

    told = [read(one, secret) for one in said]

    assert None not in told
    assert "wörd" not in repr(told)
    assert "w\\u00f6rd" not in repr(told)
    assert repr(told).count("(redacted)") >= 5


def test_a_secret_inside_of_another_leaves_no_rest() -> None:
    redact = Redactor(["hunter2", "hunter2-hunter2"])

    assert redact("hunter2-hunter2 and hunter2") == "(redacted) and (redacted)"


def test_a_text_too_short_to_be_a_secret_is_left_alone() -> None:
    assert Redactor(["port", ""])("port 8883") == "port 8883"


def test_a_long_text_is_cut() -> None:
    assert len(Redactor(())("x" * 100_000)) <= MAX_TEXT + 1
