"""Which board model a design is for: names narrow one another, and nothing is guessed."""

import pytest

from controlplane.catalog.loader import load_catalogue
from controlplane.catalog.naming import Naming
from controlplane.designers.offline import OfflineDesigner
from controlplane.designers.protocol import DesignRequest, Refusal
from controlplane.domain.bench import Board, BoardKind, BoardState
from controlplane.domain.design import Design, FixedBy
from controlplane.domain.finding import Finding
from controlplane.planning.boards import bench_selector, choose_model, read_wish

CATALOGUE = load_catalogue()
DESIGNER = OfflineDesigner()
BLINK = "Blink the LED at 2 Hz"


def board(name: str, model: str, kind: BoardKind = BoardKind.VIRTUAL) -> Board:
    return Board(
        name=f"agents/lab/boards/{name}",
        model=model,
        part=CATALOGUE.boards[model].part,
        kind=kind,
        state=BoardState.ACTIVE,
        probe_id="",
        identity="",
        port="",
    )


BENCH = (board("vf405-01", "olimex-stm32-h405"), board("vc3-01", "esp32-c3-devkitm-1"))


def designed(prompt: str, wish: str = "", bench: tuple[Board, ...] = BENCH) -> Design | Refusal:
    return DESIGNER.plan(DesignRequest(prompt=prompt, board=wish, bench=bench))


def model_of(prompt: str, wish: str = "", bench: tuple[Board, ...] = BENCH) -> str:
    found = designed(prompt, wish, bench)
    assert isinstance(found, Design), found
    return found.board.model


@pytest.mark.parametrize(
    ("wish", "model"),
    [
        ("esp32-c3-devkitm-1", "esp32-c3-devkitm-1"),
        ("ESP32-C3-DevKitM-1", "esp32-c3-devkitm-1"),
        ("esp32c3", "esp32-c3-devkitm-1"),
        ("c3 supermini", "esp32-c3-supermini"),
        ("nucleo f446re", "nucleo-f446re"),
        ("stm32f446re", "nucleo-f446re"),
        ("black pill", "blackpill-f411ce"),
        ("f407 discovery", "stm32f407g-disc1"),
        ("esp32s3", "esp32-s3-devkitc-1"),
        ("model=esp32-c3-supermini", "esp32-c3-supermini"),
        ("model=esp32-c3-devkitm-1,kind=virtual", "esp32-c3-devkitm-1"),
        ("part=esp32", "esp32-devkitc-v4"),
        ("part=stm32f405rg,kind=physical", "olimex-stm32-h405"),
        ("vc3-01", "esp32-c3-devkitm-1"),
        ("agents/lab/boards/vc3-01", "esp32-c3-devkitm-1"),
        ("name=vc3-01", "esp32-c3-devkitm-1"),
        ("kind=virtual", "olimex-stm32-h405"),
    ],
)
def test_a_wish_is_a_model_a_part_a_name_a_board_or_a_selector(wish: str, model: str) -> None:
    assert model_of(BLINK, wish) == model


@pytest.mark.parametrize(
    ("wish", "listed"),
    [
        ("nucleo", ["nucleo-f401re", "nucleo-f411re", "nucleo-f446re"]),
        ("esp32", ["esp32-c3-devkitm-1", "esp32-c3-supermini", "esp32-s3-devkitc-1"]),
        ("stm32f411", ["blackpill-f411ce", "nucleo-f411re"]),
        ("model=nucleo", ["nucleo-f401re", "nucleo-f446re"]),
    ],
)
def test_an_ambiguous_name_is_refused_with_the_list(wish: str, listed: list[str]) -> None:
    found = designed(BLINK, wish)

    assert isinstance(found, Refusal)
    assert [finding.code for finding in found.findings] == ["E101"]
    assert all(model in found.findings[0].message for model in listed)


@pytest.mark.parametrize("wish", ["arduino uno", "model=arduino-uno", "name", "esp8266", "part=x"])
def test_an_unknown_name_is_refused_with_what_is_known(wish: str) -> None:
    found = designed(BLINK, wish)

    assert isinstance(found, Refusal)
    assert [finding.code for finding in found.findings] == ["E101"]
    assert "esp32-c3-devkitm-1" in found.findings[0].fix


def test_a_selector_that_cannot_be_read_says_why() -> None:
    found = designed(BLINK, "colour=red")

    assert isinstance(found, Refusal)
    message = found.findings[0].message
    assert "'colour' is not one of " in message
    assert all(key in message for key in ("model", "part", "family", "kind", "name", "flash_tool"))


@pytest.mark.parametrize(
    ("prompt", "model"),
    [
        (f"{BLINK} on an ESP32-C3-DevKitM-1.", "esp32-c3-devkitm-1"),
        (f"On a Nucleo F446RE: {BLINK}", "nucleo-f446re"),
        ("Blink the LED on an ESP32-C3 SuperMini at 2 Hz", "esp32-c3-supermini"),
        ("Use an STM32F407 discovery board and blink the LED at 2 Hz", "stm32f407g-disc1"),
    ],
)
def test_a_prompt_may_name_the_board(prompt: str, model: str) -> None:
    found = designed(prompt)

    assert isinstance(found, Design), found
    assert (found.board.model, found.board.fixed_by) == (model, FixedBy.USER)


def test_names_in_the_prompt_and_beside_it_narrow_one_another() -> None:
    assert model_of(f"{BLINK} on a Nucleo", "stm32f411re") == "nucleo-f411re"
    assert model_of(f"{BLINK} on an ESP32-C3", "esp32-c3-supermini") == "esp32-c3-supermini"
    assert model_of(f"{BLINK} on an ESP32", "vc3-01") == "esp32-c3-devkitm-1"


def test_a_prompt_that_contradicts_the_wish_is_refused() -> None:
    found = designed(f"{BLINK} on an ESP32-C3 SuperMini", "olimex-stm32-h405")

    assert isinstance(found, Refusal)
    assert "esp32-c3-supermini" in found.findings[0].message
    assert "olimex-stm32-h405" in found.findings[0].message


def test_two_boards_in_a_prompt_are_refused() -> None:
    found = designed(f"{BLINK} on an ESP32-C3 SuperMini. Use a Nucleo F446RE.")

    assert isinstance(found, Refusal)
    assert [finding.code for finding in found.findings] == ["E101"]


def test_without_a_name_the_design_takes_the_default_and_says_why() -> None:
    found = designed(BLINK)

    assert isinstance(found, Design)
    assert (found.board.model, found.board.fixed_by) == ("olimex-stm32-h405", FixedBy.DESIGNER)
    assert "default" in found.board.reason


def test_a_part_with_several_models_says_which_it_took() -> None:
    found = designed(BLINK, "esp32c3")

    assert isinstance(found, Design)
    assert "esp32-c3-supermini" in found.board.reason


def test_a_kind_takes_a_model_that_there_is() -> None:
    only_c3 = (board("c3", "esp32-c3-devkitm-1", BoardKind.PHYSICAL),)

    assert model_of(BLINK, "kind=physical", only_c3) == "esp32-c3-devkitm-1"


@pytest.mark.parametrize(
    ("wish", "selector"),
    [
        ("", "model=esp32-c3-devkitm-1"),
        ("esp32c3", "model=esp32-c3-devkitm-1"),
        ("vc3-01", "model=esp32-c3-devkitm-1,name=vc3-01"),
        ("kind=virtual", "model=esp32-c3-devkitm-1,kind=VIRTUAL"),
        ("model=esp32-c3-devkitm-1,kind=virtual", "model=esp32-c3-devkitm-1,kind=VIRTUAL"),
        ("vc3-01,kind=virtual", "model=esp32-c3-devkitm-1,kind=VIRTUAL,name=vc3-01"),
    ],
)
def test_the_leased_board_is_of_the_model_and_as_wished(wish: str, selector: str) -> None:
    assert bench_selector("esp32-c3-devkitm-1", wish, CATALOGUE) == selector


def test_every_name_of_the_catalogue_is_understood_in_a_prompt() -> None:
    for name, naming in CATALOGUE.names.items():
        if naming.meant:
            assert model_of(f"{BLINK}, using {name}.") == naming.meant, name


def test_no_wish_leaves_the_model_open() -> None:
    assert read_wish("", CATALOGUE, BENCH) is None
    assert isinstance(read_wish("quux", CATALOGUE, BENCH), Finding)
    assert isinstance(choose_model(CATALOGUE, "", [Naming(models=frozenset())], ()), Finding)
