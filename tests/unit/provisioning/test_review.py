"""A plan is shown without anything that its module marks as sensitive."""

from typing import Any

from controlplane.domain.provisioning import AttributeChange, ChangeAction
from controlplane.provisioning.review import change_action, review_of
from controlplane.provisioning.ui_events import Redactor

SECRET = "hunter2-hunter2"


def shown(change: dict[str, Any], **facts: Any) -> dict[str, Any]:
    resource = {"address": "thing.a", "type": "thing", "change": change, **facts}
    return {
        "variables": {"password": {"value": SECRET}},
        "prior_state": {"values": {"outputs": {"s": {"value": SECRET}}}},
        "planned_values": {"outputs": {"s": {"value": SECRET}}},
        "resource_changes": [resource],
    }


def attributes(change: dict[str, Any]) -> dict[str, AttributeChange]:
    (reviewed,) = review_of(shown(change), Redactor(())).changes
    return {one.name: one for one in reviewed.attributes}


def test_only_what_changes_is_shown_and_why() -> None:
    change = {
        "actions": ["delete", "create"],
        "before": {"port": 8883, "name": "b", "id": "1"},
        "after": {"port": 8884, "name": "b"},
        "after_unknown": {"id": True},
        "replace_paths": [["port"]],
    }

    review = review_of(shown(change, action_reason="replace_because_cannot_update"), Redactor(()))

    (reviewed,) = review.changes
    assert reviewed.action is ChangeAction.REPLACE
    assert reviewed.reason == "replace because cannot update"
    assert reviewed.attributes == (
        AttributeChange(name="id", before="1", after="(known after apply)"),
        AttributeChange(name="port", before="8883", after="8884", forces_replacement=True),
    )


def test_sensitive_values_are_masked_at_any_depth() -> None:
    change = {
        "actions": ["update"],
        "before": {"key": "old-" + SECRET, "users": [{"name": "a", "password": SECRET}]},
        "after": {
            "key": SECRET,
            "users": [{"name": "b", "password": SECRET}],
            "tags": {"x": SECRET},
        },
        "before_sensitive": {"key": True, "users": [{"password": True}]},
        "after_sensitive": {"key": True, "users": [{"password": True}], "tags": True},
    }

    found = attributes(change)

    assert SECRET not in repr(found)
    assert found["key"] == AttributeChange(name="key", before="(sensitive)", after="(sensitive)")
    assert found["users"].after == '[{"name": "b", "password": "(sensitive)"}]'
    assert found["tags"].after == "(sensitive)"


def test_a_whole_resource_may_be_sensitive() -> None:
    change = {"actions": ["create"], "after": {"key": SECRET}, "after_sensitive": True}

    assert attributes(change)["key"].after == "(sensitive)"


def test_neither_variables_nor_the_state_are_shown() -> None:
    review = review_of(shown({"actions": ["create"], "after": {"a": 1}}), Redactor(()))

    assert SECRET not in repr(review)


def test_a_known_secret_that_nobody_marked_is_taken_out() -> None:
    change = {"actions": ["create"], "after": {"url": f"mqtt://u:{SECRET}@h", "l": [SECRET]}}

    review = review_of(shown(change), Redactor([SECRET]))

    assert SECRET not in repr(review)
    assert "mqtt://u:(redacted)@h" in repr(review)


def test_what_stays_is_not_listed_and_drift_is_apart() -> None:
    document = shown({"actions": ["no-op"], "before": {"a": 1}, "after": {"a": 1}})
    document["resource_drift"] = [
        {"address": "thing.b", "change": {"actions": ["delete"], "before": {"a": 1}, "after": None}}
    ]
    document["output_changes"] = {"s": {"actions": ["update"], "after": SECRET}}

    review = review_of(document, Redactor(()))

    assert review.changes == ()
    assert [(one.address, one.action) for one in review.drift] == [("thing.b", ChangeAction.DELETE)]
    assert review.outputs == {"s": ChangeAction.UPDATE}


def test_both_orders_of_a_replacement_delete_something() -> None:
    for actions in (["delete", "create"], ["create", "delete"]):
        assert change_action(actions) is ChangeAction.REPLACE
        assert change_action(actions).deletes
    assert not change_action(["forget"]).deletes
    assert change_action([]) is ChangeAction.NONE
