"""What the arguments of a virtual board say about it before it is started."""

import pytest

from benchagent.virtual.board import why_not
from benchagent.virtual.models import MODELS


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_can_be_run_as_it_is(model: str) -> None:
    assert why_not(["--name", "a", "--model", model]) == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "nucleo-f445re"], "did you mean nucleo-f446re"),
        (["--model", "zzz"], "no virtual board of model 'zzz' (there are blackpill-f411ce"),
        (["--personality", "clock=-99%"], "a clock is off by"),
        (["--personality", "clock=2%"], "QEMU's clock"),
        (["--fault", "on-fire"], "no fault 'on-fire'; there are"),
    ],
)
def test_what_cannot_be_is_told_with_what_there_is(arguments: list[str], told: str) -> None:
    assert told in why_not(["--name", "a", *arguments])
