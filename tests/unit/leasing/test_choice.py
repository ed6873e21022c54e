"""Which board a request gets."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.bench import Board, BoardKind, BoardState
from controlplane.planning.leases import Selector, SelectorError, choose_board, parse_selector

BOARDS = st.lists(
    st.builds(
        Board,
        name=st.integers(0, 99).map(lambda n: f"agents/bench/boards/b{n:02}"),
        model=st.sampled_from(["h405", "nucleo"]),
        part=st.just("stm32f405rg"),
        kind=st.sampled_from(BoardKind),
        state=st.sampled_from(BoardState),
        probe_id=st.just(""),
        identity=st.just(""),
        port=st.just(""),
        family=st.sampled_from(["stm32", "esp32"]),
        flash_tool=st.sampled_from(["pyocd", "esptool"]),
    ),
    unique_by=lambda board: board.name,
)


@given(
    BOARDS,
    st.sampled_from(
        [
            "",
            "family=esp32",
            "flash_tool=pyocd,kind=virtual",
            "model=h405",
            "kind=virtual",
            "nucleo",
            "name=b07",
        ]
    ),
)
def test_the_choice_is_the_lowest_free_board_that_fits(boards: list[Board], text: str) -> None:
    selector = parse_selector(text)
    shuffled = random.Random(0).sample(boards, len(boards))
    chosen = choose_board(shuffled, selector)
    assert chosen == choose_board(boards, selector)
    free = [b for b in boards if b.state is BoardState.ACTIVE and selector.accepts(b)]
    assert (chosen is None) == (not free)
    assert chosen is None or chosen.name == min(b.name for b in free)


def test_a_selector_is_read_in_both_of_its_forms() -> None:
    assert parse_selector(" kind=virtual , model=h405 ") == Selector(kind="VIRTUAL", model="h405")
    assert parse_selector("vf405-01") == Selector(word="vf405-01")
    assert parse_selector("") == Selector()


@pytest.mark.parametrize("text", ["a=b", "model=", "=", "model=a,model=b", "a,b", "x" * 401])
def test_a_selector_that_cannot_be_read_says_why(text: str) -> None:
    with pytest.raises(SelectorError):
        parse_selector(text)
