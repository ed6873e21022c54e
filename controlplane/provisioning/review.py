"""What a saved plan would do, for the eyes of an approver. Pure.

`terraform show -json` prints every secret in clear. Taken from it are the changes of resources,
with each sensitive value masked; variables and the earlier state are left out.
"""

import json
from collections.abc import Mapping
from typing import Any

from controlplane.domain.provisioning import (
    AttributeChange,
    ChangeAction,
    PlanReview,
    ReviewedChange,
)
from controlplane.provisioning.ui_events import Redactor, action_of

SENSITIVE = "(sensitive)"
UNKNOWN = "(known after apply)"
MAX_ATTRIBUTES = 100
MAX_CHANGES = 5000
_REPLACING = (["delete", "create"], ["create", "delete"])


def review_of(shown: Mapping[str, Any], redact: Redactor) -> PlanReview:
    """The review of what `show -json` printed; resources that stay as they are are left out."""
    return PlanReview(
        changes=_changes(shown.get("resource_changes", ()), redact),
        drift=_changes(shown.get("resource_drift", ()), redact),
        outputs={
            redact(name): change_action(told["actions"])
            for name, told in shown.get("output_changes", {}).items()
        },
    )


def change_action(actions: list[str]) -> ChangeAction:
    """The one word for a plan's list of actions."""
    if actions in _REPLACING:
        return ChangeAction.REPLACE
    return action_of(actions[0]) if actions else ChangeAction.NONE


def _changes(told: Any, redact: Redactor) -> tuple[ReviewedChange, ...]:
    changes = [_change(one, redact) for one in told[:MAX_CHANGES] if "change" in one]
    return tuple(one for one in changes if one.action is not ChangeAction.NONE)


def _change(told: Mapping[str, Any], redact: Redactor) -> ReviewedChange:
    return ReviewedChange(
        address=redact(str(told["address"])),
        action=change_action(told["change"]["actions"]),
        resource_type=redact(str(told.get("type", ""))),
        reason=redact(str(told.get("action_reason", "")).replace("_", " ")),
        attributes=_attributes(told["change"], redact),
    )


def _attributes(change: Mapping[str, Any], redact: Redactor) -> tuple[AttributeChange, ...]:
    before = _members(change.get("before"))
    after = _members(change.get("after"))
    unknown = _members(change.get("after_unknown"))
    hidden_before, hidden_after = change.get("before_sensitive"), change.get("after_sensitive")
    forced = {path[0] for path in change.get("replace_paths", ()) if path}
    found = []
    for name in sorted({*before, *after, *unknown}):
        was = _words(before.get(name), _member(hidden_before, name), None, redact)
        will = _words(after.get(name), _member(hidden_after, name), unknown.get(name), redact)
        # Two masked values may differ: which of them do is told without the values.
        same = before.get(name) == after.get(name) and not unknown.get(name)
        if not same:
            found.append(
                AttributeChange(
                    name=redact(name), before=was, after=will, forces_replacement=name in forced
                )
            )
    return tuple(found[:MAX_ATTRIBUTES])


def _members(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _member(marks: Any, name: str) -> Any:
    """The marks of one attribute; `true` for a whole object marks all of it."""
    return marks.get(name) if isinstance(marks, dict) else marks


def _words(value: Any, sensitive: Any, unknown: Any, redact: Redactor) -> str:
    if sensitive is True:
        return SENSITIVE
    if unknown is True:
        return UNKNOWN
    if value is None and not _marked(unknown):
        return ""
    masked = _masked(value, sensitive, unknown)
    return redact(masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False))


def _masked(value: Any, sensitive: Any, unknown: Any) -> Any:
    if sensitive is True:
        return SENSITIVE
    if unknown is True:
        return UNKNOWN
    if isinstance(value, dict):
        names = dict.fromkeys((*value, *_members(unknown)))
        return {
            name: _masked(value.get(name), _member(sensitive, name), _members(unknown).get(name))
            for name in names
        }
    if isinstance(value, list):
        return [
            _masked(item, _item(sensitive, index), _item(unknown, index))
            for index, item in enumerate(value)
        ]
    return value


def _item(marks: Any, index: int) -> Any:
    if isinstance(marks, list):
        return marks[index] if index < len(marks) else None
    return marks


def _marked(marks: Any) -> bool:
    """Whether anything below is marked."""
    if isinstance(marks, dict):
        return any(map(_marked, marks.values()))
    if isinstance(marks, list):
        return any(map(_marked, marks))
    return marks is True
