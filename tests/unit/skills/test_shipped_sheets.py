"""The sheets that the product carries."""

import random
import re
from itertools import chain
from pathlib import Path

import pytest

from benchline.scenario import check, parse_scenario
from controlplane.catalog.loader import load_catalogue
from controlplane.skills.checks import (
    all_problems,
    cited_texts,
    coverage_problems,
    known_keys,
)
from controlplane.skills.loader import (
    BENCH_CORE,
    MAX_BYTES,
    VENDOR_ARDUINO,
    choose,
    framework_of,
    load_sheets,
    sheets_for,
)
from controlplane.skills.sheet import Sheet, SheetKind

ROOT = Path(__file__).parents[3]
SHEETS = load_sheets()
CORE_HEADERS = "\n".join(
    path.read_text() for path in (ROOT / "controlplane/bench_core/src").rglob("*.h")
)


def test_no_sheet_has_a_problem() -> None:
    assert all_problems() == ()


def test_every_part_component_and_framework_has_a_sheet() -> None:
    known = known_keys(load_catalogue())

    assert coverage_problems(SHEETS, known) == ()
    assert coverage_problems(SHEETS[:-1], known) != ()


def test_a_sheet_that_cites_a_missing_file_is_found() -> None:
    with pytest.raises(FileNotFoundError):
        cited_texts(SHEETS, ROOT / "docs")


def test_a_choice_does_not_depend_on_the_order_of_components() -> None:
    kinds = ["led", "tmp36", "relay", "button", "ds18b20"]
    first = sheets_for("olimex-stm32-h405", "stm32f405rg", kinds, BENCH_CORE)
    for _ in range(10):
        random.shuffle(kinds)
        again = sheets_for("olimex-stm32-h405", "stm32f405rg", kinds, BENCH_CORE)

        assert again.text() == first.text()
    assert first.ids == (
        "scenarios",
        "framework-bench-core",
        "framework-cloud",
        "board-stm32f4",
        "component-button",
        "component-ds18b20",
        "component-led",
        "component-relay",
        "component-tmp36",
    )
    assert first.omitted == ()


@pytest.mark.parametrize("board", sorted(load_catalogue().boards))
def test_every_board_gets_its_family_and_framework(board: str) -> None:
    catalogue = load_catalogue()
    part = catalogue.part_of(catalogue.boards[board])
    choice = sheets_for(board, part.key, [], framework_of(part))

    frameworks = [sheet for sheet in choice.sheets if sheet.kind is SheetKind.FRAMEWORK]
    assert len(frameworks) == (2 if part.bench_core else 1)
    assert [sheet.kind for sheet in choice.sheets] == [
        SheetKind.SCENARIO,
        *(sheet.kind for sheet in frameworks),
        SheetKind.BOARD_FAMILY,
    ]
    assert choice.ids[1] == f"framework-{BENCH_CORE if part.bench_core else VENDOR_ARDUINO}"


def test_all_components_together_fit_into_a_prompt() -> None:
    known = known_keys(load_catalogue())
    choice = sheets_for("esp32-c3-devkitm-1", "esp32c3", known.components, BENCH_CORE)

    assert choice.omitted == ()
    assert len(choice.text().encode()) <= MAX_BYTES


def test_what_does_not_fit_is_named_never_cut() -> None:
    arguments = (SHEETS, "blackpill-f411ce", "stm32f411ce", ["led", "relay"], BENCH_CORE)
    whole = choose(*arguments)
    size = len(whole.text().encode())
    less = choose(*arguments, max_bytes=size - 1)

    assert choose(*arguments, max_bytes=size + 1) == whole
    assert less.ids + less.omitted == whole.ids
    assert less.omitted == ("component-relay",)
    assert less.text() in whole.text()


@pytest.mark.parametrize("sheet", SHEETS, ids=[sheet.id for sheet in SHEETS])
def test_scenarios_in_sheets_are_accepted(sheet: Sheet) -> None:
    for block in sheet.code_blocks:
        if block.language == "yaml":
            assert block.text.startswith("scenario: 1\n"), "only whole scenarios can be checked"
            assert check(parse_scenario(block.text)) == ()


@pytest.mark.parametrize("sheet", SHEETS, ids=[sheet.id for sheet in SHEETS])
def test_text_calls_only_functions_that_exist_or_are_said_to_be_absent(sheet: Sheet) -> None:
    prose = re.sub(r"```.*?```", "", sheet.body, flags=re.DOTALL)
    code = " ".join(block.text for block in sheet.code_blocks if not block.absent)
    for name in chain(*(re.findall(r"(\w+)\(", span) for span in re.findall(r"`[^`]*`", prose))):
        declared = re.search(rf"\b{name}\s*\(", CORE_HEADERS + code)
        scenario_function = name in {"abs", "min", "max"}

        assert declared or scenario_function, f"{name}() is neither declared nor said to be absent"
