"""Which device a session is for that names none."""

from dataclasses import replace

import pytest

from controlplane.domain.session import SessionRequest, Source
from controlplane.domain.verdict import Stage
from controlplane.planning.provision_step import device_of

SENTENCE = SessionRequest(
    prompt="Publish the temperature.",
    source=None,
    board_wish="",
    until=Stage.DEPLOY,
    designer="offline",
    seed=None,
    stack="local",
)
PROJECT = replace(SENTENCE, prompt="", source=Source(title="lamp", design_json="{}"))
KEPT = replace(SENTENCE, prompt="", source=Source(design="designs/lamp/revisions/1"))


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (SENTENCE, replace(SENTENCE, prompt=" publish the\n temperature. ", seed=7)),
        (PROJECT, replace(PROJECT, source=Source(title="lamp", design_json='{"edited": 1}'))),
        (KEPT, replace(KEPT, source=Source(design="designs/lamp/revisions/2"))),
    ],
)
def test_the_same_firmware_is_the_same_device(first: SessionRequest, again: SessionRequest) -> None:
    assert device_of(first) == device_of(again)


def test_other_firmware_and_other_boards_are_other_devices() -> None:
    wishes = [
        SENTENCE,
        replace(SENTENCE, prompt="Publish the humidity."),
        replace(SENTENCE, board_wish="esp32-c3-devkit"),
        PROJECT,
        KEPT,
    ]

    assert len({device_of(wish) for wish in wishes}) == len(wishes)
