"""Boards that `up` could never bring are refused before anything of an instance is there."""

from pathlib import Path

import pytest

from benchline.errors import InvalidRequestError
from benchline.instance import Instance
from tui.headless.starting import start_supervisor
from tui.virtual_boards import VARIABLE


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("n1:nucleo-f445re", "did you mean nucleo-f446re"),
        ("n1:nucleo-f446re:clok=-2%", "no personality 'clok'; there are"),
        ("n1:nucleo-f446re::silentt", "no fault 'silentt'; there are"),
        ("n1:nucleo-f446re,n2:nothing-like-it", "no virtual board of model 'nothing-like-it'"),
    ],
)
def test_a_board_that_cannot_be_is_refused_with_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: str, told: str
) -> None:
    monkeypatch.setenv(VARIABLE, wish)
    instance = Instance(tmp_path / "data")

    with pytest.raises(InvalidRequestError, match=VARIABLE) as caught:
        start_supervisor(instance)
    assert told in caught.value.message
    assert not instance.data_dir.exists()
