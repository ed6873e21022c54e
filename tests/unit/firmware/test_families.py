"""The same wish gives every family the same sketch and scenarios, but for the wiring."""

import re
from difflib import ndiff
from pathlib import Path

import pytest

from benchline.scenario import check, parse_scenario, resolve
from controlplane.bench_core.core_port import PORT_FOLDERS
from controlplane.bench_core.manifest import PORTS
from controlplane.catalog.loader import load_catalogue
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.design import Design
from controlplane.firmware.offline import OfflineAuthor
from tests.sketch_mutants import mutants_of

ROOT = Path(__file__).resolve().parents[3]
TEN = (ROOT / "tests/e2e/ten_prompts.txt").read_text("utf-8").splitlines()
CATALOGUE = load_catalogue()
USUAL = "olimex-stm32-h405"
OTHERS = [key for key in CATALOGUE.boards if key != USUAL]
WIRING = re.compile(
    r"const int \w+_(PIN|ON|OFF|PRESSED) = .*|// Board: .*|  pinMode\(BUTTON_PIN, INPUT\w*\);"
    r"|const float LIGHT_MV_PER_UNIT = .*"
)


def design(prompt: str, board: str) -> Design:
    found = OfflineDesigner().plan(DesignRequest(prompt=prompt, board=board))
    assert isinstance(found, Design), found
    return found


def sketch(prompt: str, board: str) -> str:
    return OfflineAuthor().render(design(prompt, board)).sketch.content


def test_there_are_ten_prompts_of_every_kind() -> None:
    kinds = {b.kind.value for prompt in TEN for b in design(prompt, USUAL).behaviours}

    assert len(TEN) == len(set(TEN)) == 10
    assert kinds == {"blink", "report", "threshold", "button", "command", "echo"}


@pytest.mark.parametrize("board", OTHERS)
@pytest.mark.parametrize("prompt", TEN)
def test_sketches_differ_by_their_wiring_only(prompt: str, board: str) -> None:
    changes = [
        line[2:]
        for line in ndiff(sketch(prompt, USUAL).splitlines(), sketch(prompt, board).splitlines())
        if line[:2] in ("- ", "+ ")
    ]

    assert [line for line in changes if not WIRING.fullmatch(line)] == []


@pytest.mark.parametrize("board", OTHERS)
@pytest.mark.parametrize("prompt", TEN)
def test_scenarios_draw_the_same_values_at_the_same_times(prompt: str, board: str) -> None:
    usual, other = design(prompt, USUAL).scenarios, design(prompt, board).scenarios

    assert [s.id for s in usual] == [s.id for s in other]
    for mine, theirs in zip(usual, other, strict=True):
        first, second = (resolve(parse_scenario(s.yaml), 5) for s in (mine, theirs))
        assert first.values == second.values
        assert [row.ms for row in first.rows] == [row.ms for row in second.rows]
        assert check(parse_scenario(theirs.yaml)) == ()


@pytest.mark.parametrize("prompt", TEN)
def test_every_family_has_the_same_mutants(prompt: str) -> None:
    names = [[m.name for m in mutants_of(sketch(prompt, b))] for b in (USUAL, "esp32c3")]

    assert names[0] == names[1]


def test_texts_of_a_design_name_no_pin_of_another_family() -> None:
    for key, board in CATALOGUE.boards.items():
        found = design(TEN[-1], key)
        said = " ".join(
            [*(a.text for a in found.assumptions), *(b.text for b in found.behaviours)]
            + [text for c in found.components for text in (c.note, c.part_number)]
            + [pin.reason for pin in found.pins if pin.signal != "console"]
        )
        foreign = r"\bGPIO\d" if CATALOGUE.part_of(board).family == "stm32" else r"\bP[A-I]\d|STM32"
        assert re.search(foreign, said) is None, (key, said)


@pytest.mark.parametrize("board", ["", *OTHERS])
@pytest.mark.parametrize("wish", ["Fade the LED.", "Blink the LED at 2 Hz and send me an e-mail."])
def test_what_one_family_refuses_the_others_refuse_too(wish: str, board: str) -> None:
    found = OfflineDesigner().plan(DesignRequest(prompt=wish, board=board))

    assert isinstance(found, Refusal)
    assert {finding.code for finding in found.findings} == {"E200"} or not board


@pytest.mark.parametrize("board", [b for b in CATALOGUE.boards.values() if "esp32" in b.part])
def test_a_voltage_that_a_converter_cannot_measure_is_refused(board) -> None:
    part = CATALOGUE.part_of(board)
    too_high = f"Switch a relay on when the voltage is above {part.adc_highest_mv} mV."
    found = OfflineDesigner().plan(DesignRequest(prompt=too_high, board=board.key))
    fits = f"Switch a relay on when the voltage is above {part.adc_highest_mv - 10} mV."

    assert isinstance(found, Refusal)
    assert f"0 to {part.adc_highest_mv} mV" in found.findings[0].message
    assert design(fits, board.key).signal("voltage").maximum == str(part.adc_highest_mv)


HEADERS = [
    (port, variant.board_model, next(d for d in variant.defines if "variants/" in d))
    for port in PORTS.values()
    for variant in port.variants.values()
    if port.family == "esp32"
]
"""Those of an STM32 are compared as the compiler reads them: tests/process/bench_core."""


@pytest.mark.parametrize(("port", "model", "define"), HEADERS, ids=[h[1] for h in HEADERS])
def test_the_sketch_and_the_bench_core_mean_the_same_led_and_button(port, model, define) -> None:
    name = define.partition("<")[2].rstrip(">")
    folder = next(f for f in port.include_dirs if (f / name).exists())
    text = (folder / name).read_text("utf-8")
    assert folder.is_relative_to(PORT_FOLDERS)
    named = dict(re.findall(r"constexpr uint32_t (LED_BUILTIN|USER_BTN) = (\w+);", text))
    found = design("Toggle the LED when the button is pressed.", model)
    pins = {pin.signal: pin.pin for pin in found.pins}

    assert pins["led"] == named["LED_BUILTIN"]
    assert pins["button"] == named["USER_BTN"]
