"""The lines that Terraform prints with `-json`, as events of our own. Pure.

Version 1 of its machine-readable UI. Unknown types and fields are passed over: among them are
an emergency dump of the state, which holds secrets, and what only a test run prints.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

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

REDACTED = "(redacted)"
SHORTEST_SECRET = 6
MAX_TEXT = 4096
MAX_NAMES = 1000

_PHASES = {
    "apply_start": ResourcePhase.STARTED,
    "apply_progress": ResourcePhase.RUNNING,
    "apply_complete": ResourcePhase.DONE,
    "apply_errored": ResourcePhase.FAILED,
}
_NOTED = ("log", "provision_progress", "provision_errored")


class Redactor:
    """Takes known secrets out of texts; one of fewer than 6 characters would take words along."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
        # Inside of a quoted text it is spelled as JSON spells it.
        known |= {
            json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
            for secret in known
            for ascii_only in (True, False)
        }
        self._secrets = sorted(known, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text without the secrets, cut to a length that fits into a journal."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def read_line(line: bytes, redact: Redactor) -> RunEvent | None:
    """The event of one line; None when it tells nothing that is ours to tell."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    try:
        return _event(said, redact)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _event(said: Mapping[str, Any], redact: Redactor) -> RunEvent | None:
    kind = said.get("type")
    if kind in _PHASES:
        return _progress(said["hook"], _PHASES[kind], redact)
    if kind in _NOTED:
        hook = said.get("hook", {})
        text = hook.get("output") or said.get("@message", "")
        return RunNote(text=redact(str(text)))
    reader = _READERS.get(str(kind))
    return None if reader is None else reader(said, redact)


def _planned(said: Mapping[str, Any], redact: Redactor) -> PlannedChange:
    change = said["change"]
    return PlannedChange(
        address=redact(str(change["resource"]["addr"])),
        action=action_of(str(change["action"])),
        resource_type=redact(str(change["resource"].get("resource_type", ""))),
        reason=redact(str(change.get("reason", ""))),
    )


def _drift(said: Mapping[str, Any], redact: Redactor) -> ResourceDrift:
    change = said["change"]
    return ResourceDrift(
        address=redact(str(change["resource"]["addr"])), action=action_of(str(change["action"]))
    )


def _counts(said: Mapping[str, Any], _redact: Redactor) -> ChangeCounts:
    changes = said["changes"]
    return ChangeCounts(
        add=int(changes.get("add", 0)),
        change=int(changes.get("change", 0)),
        remove=int(changes.get("remove", 0)),
        imported=int(changes.get("import", 0)),
        operation=str(changes.get("operation", "plan"))[:16],
    )


def _progress(hook: Mapping[str, Any], phase: ResourcePhase, redact: Redactor) -> ResourceProgress:
    return ResourceProgress(
        address=redact(str(hook["resource"]["addr"])),
        action=action_of(str(hook.get("action", "no-op"))),
        phase=phase,
        elapsed_s=int(hook.get("elapsed_seconds", 0)),
        resource_id=redact(str(hook.get("id_value", ""))),
    )


def _diagnostic(said: Mapping[str, Any], redact: Redactor) -> ProvisioningDiagnostic:
    """Without the snippet: it would quote values."""
    told = said["diagnostic"]
    place = told.get("range") or {}
    where = f"{place['filename']}:{place['start']['line']}" if place else ""
    warning = told.get("severity") == "warning"
    return ProvisioningDiagnostic(
        severity=Severity.WARNING if warning else Severity.ERROR,
        summary=redact(str(told["summary"])),
        detail=redact(str(told.get("detail", ""))),
        address=redact(str(told.get("address", ""))),
        where=redact(where),
    )


def _outputs(said: Mapping[str, Any], redact: Redactor) -> OutputsKnown:
    outputs = dict(list(said["outputs"].items())[:MAX_NAMES])
    return OutputsKnown(
        names=tuple(redact(name) for name in outputs),
        sensitive=tuple(redact(name) for name, told in outputs.items() if told.get("sensitive")),
    )


_READERS: dict[str, Callable[[Mapping[str, Any], Redactor], RunEvent]] = {
    "planned_change": _planned,
    "resource_drift": _drift,
    "change_summary": _counts,
    "diagnostic": _diagnostic,
    "outputs": _outputs,
}


def action_of(word: str) -> ChangeAction:
    """The action of a word of the UI or of a plan; what is not known is shown as an update."""
    if word in ("noop", "no-op"):
        return ChangeAction.NONE
    if word == "remove":
        return ChangeAction.FORGET
    try:
        return ChangeAction(word)
    except ValueError:
        return ChangeAction.UPDATE
