"""What Terraform complains of becomes a reason that stays, with the way forward."""

import pytest

from controlplane.domain.provisioning import ProvisioningDiagnostic
from controlplane.domain.verdict import Severity
from controlplane.provisioning.failures import complaints_of, failure_of

LOCK = """Error message: resource temporarily unavailable
Lock Info:
  ID:        2fd7e17c
  Path:      ../state/terraform.tfstate
  Operation: OperationTypeApply
  Who:       ana@bench-1
  Version:   1.11.4
  Created:   2026-11-27 17:33:09 +0000 UTC
"""


def complaint(summary: str, detail: str = "", address: str = "") -> ProvisioningDiagnostic:
    return ProvisioningDiagnostic(
        severity=Severity.ERROR, summary=summary, detail=detail, address=address
    )


@pytest.mark.parametrize(
    ("told", "reason", "way"),
    [
        (complaint("Error acquiring the state lock", LOCK), "STATE_LOCKED", "ana@bench-1, since"),
        (complaint("Saved plan is stale", "The given plan…"), "PLAN_STALE", "new plan"),
        (
            complaint("Failed to write state", "write ../state: no space left on device"),
            "DISK_FULL",
            "make room",
        ),
        (
            complaint("Failed to query available provider packages"),
            "PROVIDER_UNAVAILABLE",
            "provider_mirror",
        ),
        (
            complaint("dial tcp 10.0.0.1:5432: connect: connection refused"),
            "STATE_UNREACHABLE",
            "state backend",
        ),
        (
            complaint("Failed to persist state to backend", "…errored.tfstate…"),
            "STATE_NOT_SAVED",
            "plan again",
        ),
        (
            complaint("reading IoT thing", "ExpiredToken: the token is expired", "aws_iot_thing.a"),
            "CREDENTIALS_EXPIRED",
            "renew",
        ),
        # A provider that cannot reach its cloud says nothing of the state.
        (
            complaint("dial tcp 10.0.0.1:443: connect: connection refused", "", "aws_iot_thing.a"),
            "TERRAFORM_FAILED",
            "aws_iot_thing.a",
        ),
    ],
)
def test_a_complaint_has_its_reason(told: ProvisioningDiagnostic, reason: str, way: str) -> None:
    error = failure_of("the apply", [told], 1)

    assert error.reason == reason
    assert way in error.message


def test_warnings_are_no_reason() -> None:
    warning = ProvisioningDiagnostic(severity=Severity.WARNING, summary="Saved plan is stale")

    assert failure_of("the plan", [warning], 1).reason == "TERRAFORM_FAILED"


def test_a_signal_from_outside_is_told() -> None:
    error = failure_of("the apply", [], -9)

    assert error.reason == "TERRAFORM_KILLED"
    assert "signal 9" in error.message


def test_plain_text_is_read_when_there_is_nothing_else() -> None:
    text = "\x1b[31m╷\x1b[0m\n│ Error: Failed to parse command-line flags\n│ \n│ flag -force?\n╵\n"

    (told,) = complaints_of(text)

    assert told.summary == "Failed to parse command-line flags"
    assert told.detail == "flag -force?"
    assert complaints_of("") == ()
