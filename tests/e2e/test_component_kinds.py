"""Motion, an encoder and an RGB LED in one device, flashed to a virtual board of each family."""

import pytest

from tests.e2e.conftest import Operator

pytestmark = pytest.mark.xdist_group("shared-instance")

WISH = (
    "Turn the lamp on for 1 s when motion is detected, print the position of a rotary encoder "
    "whenever it changes, and set the RGB LED to cyan when I send 'c'."
)


@pytest.mark.parametrize("board", ["olimex-stm32-h405", "esp32-c3-devkitm-1"])
def test_all_kinds_in_one_device_pass_on_a_virtual_board(operator: Operator, board: str) -> None:
    run = operator("run", WISH, "--board", board, "--json")

    assert run.code == 0, run
    assert run.session["evidence"] == "EVIDENCE_VIRTUAL"
    seen = {
        assertion["assertionId"]
        for result in run.session["scenarioResults"]
        if result["stage"] == "STAGE_DEPLOY"
        for assertion in result["assertions"]
    }
    assert {"lamp_extended", "position_3", "c_shows_rgb_green"} <= seen
