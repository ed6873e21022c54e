"""Why a run of Terraform failed, as an error of our own. Pure."""

from collections.abc import Sequence

import re2

from benchline.errors import (
    BenchlineError,
    ConflictError,
    ExhaustedError,
    NotReadyError,
    UnreachableError,
)
from controlplane.domain.provisioning import ProvisioningDiagnostic
from controlplane.domain.verdict import Severity

_COLOURS = r"\x1b\[[0-9;]*m"
_NO_ROOM = ("no space left on device", "file too large", "disk quota exceeded")
_NO_PROVIDER = (
    "failed to query available provider packages",
    "failed to install provider",
    "failed to resolve provider packages",
    "required plugins are not installed",
    "inconsistent dependency lock file",
)
_EXPIRED = ("expiredtoken", "expired token", "invalidclienttokenid", "token has expired")
# How complaints of a state's own server begin; those of a provider name a resource.
_STATE_AWAY = ("dial tcp", "pq: ", "error loading state", "failed to load state")


def complaints_of(stderr: str) -> tuple[ProvisioningDiagnostic, ...]:
    """What a run that said no more than text complains of: its first lines as one diagnostic."""
    plain = re2.sub(_COLOURS, "", stderr)
    lines = [line.strip("│╷╵ ").strip() for line in plain.splitlines()]
    told = [line for line in lines if line]
    start = next((i for i, line in enumerate(told) if line.startswith("Error: ")), 0)
    if not told:
        return ()
    return (
        ProvisioningDiagnostic(
            severity=Severity.ERROR,
            summary=told[start].removeprefix("Error: "),
            detail="\n".join(told[start + 1 :]),
        ),
    )


def failure_of(doing: str, complaints: Sequence[ProvisioningDiagnostic], rc: int) -> BenchlineError:
    """The error of a run that ended with an exit code other than success."""
    errors = [one for one in complaints if one.severity is Severity.ERROR]
    first = errors[0] if errors else None
    summary = first.summary if first is not None else f"no reason was told (exit code {rc})"
    whole = "\n".join(f"{one.summary}\n{one.detail}" for one in errors).lower()
    if rc < 0:
        return UnreachableError(
            "TERRAFORM_KILLED",
            f"{doing} ended with signal {-rc}: what it was at is not known; make a new plan",
            signal=str(-rc),
        )
    if any(words in whole for words in _NO_ROOM):
        return ExhaustedError(
            "DISK_FULL", f"{doing} ran out of disk: {summary}; make room, then plan again"
        )
    if "failed to persist state" in whole:
        return NotReadyError(
            "STATE_NOT_SAVED",
            f"what was done is not in the state yet: {summary}; bring the state backend of"
            " [provisioning] back, then plan again: that saves it",
        )
    if "error acquiring the state lock" in whole:
        return NotReadyError(
            "STATE_LOCKED",
            f"another Terraform works on this state ({holder_of(errors)});"
            " wait for it to end, then try again",
            holder=holder_of(errors),
        )
    if "saved plan is stale" in whole or "saved plan does not match" in whole:
        return ConflictError(
            "PLAN_STALE", "the state has changed since this plan was made; make a new plan"
        )
    if any(words in whole for words in _NO_PROVIDER):
        return NotReadyError(
            "PROVIDER_UNAVAILABLE",
            f"a provider of the module cannot be had: {summary}; reach its registry, or name a"
            " folder that has it in [provisioning] provider_mirror",
        )
    if any(words in whole for words in _EXPIRED):
        return NotReadyError(
            "CREDENTIALS_EXPIRED",
            f"the cloud does not take the credentials: {summary}; renew them, then try again",
        )
    if first is not None and not first.address and summary.lower().startswith(_STATE_AWAY):
        return UnreachableError(
            "STATE_UNREACHABLE",
            f"the state cannot be reached: {summary}; look at the state backend of [provisioning]",
        )
    address = f" ({first.address})" if first is not None and first.address else ""
    return NotReadyError(
        "TERRAFORM_FAILED",
        f"{doing} failed: {summary}{address}; mend what it names, then plan again",
        summary=summary,
    )


def holder_of(errors: Sequence[ProvisioningDiagnostic]) -> str:
    """Who holds the lock of a state and since when, as far as Terraform tells it."""
    told = "\n".join(one.detail for one in errors)
    facts = {
        name: value.strip()
        for name, _, value in (line.strip().partition(":") for line in told.splitlines())
    }
    # Of a state that does not exist yet PostgreSQL's lock tells who asked, not who holds it.
    if "Who" not in facts or "workspace creation" in told:
        return "it does not say whose"
    return f"{facts['Who']}, since {facts.get('Created', 'an unknown time')}"
