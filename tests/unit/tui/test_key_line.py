"""The keys at the bottom are whole or left out, and the list of keys has room at 80 columns."""

import pytest
from textual.widgets._footer import FooterKey

from tui.screens.dialogs import HELP
from tui.widgets.key_line import fitting

_ROOM_AT_80 = 70  # the dialog's 76 columns without borders, padding and scroll bar


def keys() -> list[FooterKey]:
    named = (("x", "Cancel"), ("y", "Copy"), ("q", "Leave"))
    own = [FooterKey(key, key, word, word.lower()) for key, word in named]
    return [*own[:2], FooterKey("question_mark", "?", "Keys", "app.help"), *own[2:]]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (31, ["Cancel", "Copy", "Keys", "Leave"]),
        (30, ["Cancel", "Copy", "Keys"]),
        (22, ["Cancel", "Keys"]),
        (3, ["Keys"]),
    ],
)
def test_keys_are_whole_or_left_out(width: int, shown: list[str]) -> None:
    assert [one.description for one in fitting(keys(), width)] == shown


def test_no_line_of_the_help_is_wrapped_at_80_columns() -> None:
    assert [line for line in HELP.splitlines() if len(line) > _ROOM_AT_80] == []
