"""Motion, an encoder and an RGB LED in one device, flashed to a virtual board of each family; and a
distance beside motion."""

import pytest

from tests.e2e.conftest import Operator

pytestmark = pytest.mark.xdist_group("shared-instance")

WISH = (
    "Turn the lamp on for 1 s when motion is detected, print the position of a rotary encoder "
    "whenever it changes, and set the RGB LED to cyan when I send 'c'."
)
NEAR = (
    "Sound the buzzer when something is closer than 20 cm, print the distance every second, and "
    "turn the lamp on for 1 s when motion is detected."
)


@pytest.mark.parametrize(
    ("wish", "board", "proofs"),
    [
        (WISH, "olimex-stm32-h405", {"lamp_extended", "position_3", "c_shows_rgb_green"}),
        (WISH, "esp32-c3-devkitm-1", {"lamp_extended", "position_3", "c_shows_rgb_green"}),
        (
            NEAR,
            "esp32-c3-devkitm-1",
            {"buzzer_on_below", "buzzer_off_out_of_range", "distance_follows", "lamp_extended"},
        ),
    ],
    ids=["stm32", "esp32c3", "distance"],
)
def test_all_kinds_in_one_device_pass_on_a_virtual_board(
    operator: Operator, wish: str, board: str, proofs: set[str]
) -> None:
    run = operator("run", wish, "--board", board, "--json")

    assert run.code == 0, run
    assert run.session["evidence"] == "EVIDENCE_VIRTUAL"
    seen = {
        assertion["assertionId"]
        for result in run.session["scenarioResults"]
        if result["stage"] == "STAGE_DEPLOY"
        for assertion in result["assertions"]
    }
    assert proofs <= seen
