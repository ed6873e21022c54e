"""Which means are tried to bring a board back, in which order, and why others are not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchagent.recovery.ladder import (
    AWAY,
    CANARY_SILENT,
    RUNGS,
    Action,
    Means,
    cannot_help,
    full_order,
    next_rung,
)

EVERYTHING = Means(
    soft_reset=True,
    hard_reset=True,
    bootloader=True,
    resets_through_probe=True,
    other_tools=("openocd",),
    power=True,
)
TROUBLES = (
    AWAY,
    CANARY_SILENT,
    "NO_SYNC",
    "PORT_BUSY",
    "PROBE_LOST",
    "PROBE_NOT_FOUND",
    "TARGET_LOCKED",
    "TARGET_MISMATCH",
    "TARGET_SILENT",
    "TOOL_CRASHED",
    "TOOL_HUNG",
    "VERIFY_FAILED",
    "WRITE_FAILED",
    "SOMETHING_NEW",
)
means_of_any_board = st.builds(
    Means,
    soft_reset=st.booleans(),
    hard_reset=st.booleans(),
    bootloader=st.booleans(),
    resets_through_probe=st.booleans(),
    other_tools=st.sampled_from([(), ("openocd",)]),
    power=st.booleans(),
)


def climbed(trouble: str, means: Means = EVERYTHING) -> list[Action]:
    """Every rung that is tried when none of them changes anything."""
    tried: list[Action] = []
    while (rung := next_rung(means, trouble, tried).rung) is not None:
        tried.append(rung)
    return tried


def test_a_silent_chip_is_tried_with_everything_from_mild_to_harsh() -> None:
    assert climbed("TARGET_SILENT") == list(RUNGS)


def test_wrong_bytes_are_written_slower_before_the_power_is_cycled() -> None:
    assert climbed("VERIFY_FAILED") == [
        Action.SLOWER,
        Action.OTHER_FLASHER,
        Action.POWER_CYCLE,
    ]


def test_firmware_that_does_not_run_is_restarted_and_not_written_again() -> None:
    assert climbed(CANARY_SILENT) == [
        Action.SOFT_RESET,
        Action.HARD_RESET,
        Action.POWER_CYCLE,
    ]


@pytest.mark.parametrize("trouble", ["PROBE_NOT_FOUND", "PROBE_LOST", AWAY])
def test_a_probe_that_is_gone_can_only_be_brought_back_by_its_power(trouble: str) -> None:
    assert climbed(trouble) == [Action.POWER_CYCLE]


def test_reset_lines_beside_the_tool_help_against_a_tool_that_hangs() -> None:
    beside = replace(EVERYTHING, resets_through_probe=False)
    assert climbed("TOOL_HUNG")[:1] == [Action.OTHER_FLASHER]
    assert climbed("TOOL_HUNG", beside)[:1] == [Action.SOFT_RESET]


@pytest.mark.parametrize("trouble", ["TARGET_MISMATCH", "TARGET_LOCKED", "PORT_BUSY"])
def test_what_nothing_here_can_cure_is_not_tried_at_all(trouble: str) -> None:
    decision = next_rung(EVERYTHING, trouble, [])
    assert decision.rung is None
    assert [rung for rung, _ in decision.left_out] == list(RUNGS)
    assert len({why for _, why in decision.left_out}) == 1


def test_what_cannot_be_done_here_says_what_is_missing() -> None:
    bare = Means(
        soft_reset=False,
        hard_reset=False,
        bootloader=False,
        resets_through_probe=False,
        no_power="bench.toml: line 3 is wrong",
    )
    decision = next_rung(bare, "TARGET_SILENT", [Action.SLOWER])
    assert decision.rung is None
    assert dict(decision.left_out)[Action.POWER_CYCLE] == "bench.toml: line 3 is wrong"


def test_a_learned_order_comes_first_and_forgets_nothing() -> None:
    order = (Action.POWER_CYCLE, Action.CHECK, Action.HARD_RESET)
    assert full_order(order)[:2] == (Action.POWER_CYCLE, Action.HARD_RESET)
    assert sorted(full_order(order)) == sorted(RUNGS)


@given(
    means=means_of_any_board,
    troubles=st.lists(st.sampled_from(TROUBLES), min_size=20, max_size=20),
    order=st.lists(st.sampled_from(list(Action))),
)
def test_every_climb_ends_and_accounts_for_every_rung(
    means: Means, troubles: list[str], order: list[Action]
) -> None:
    tried: list[Action] = []
    for trouble in troubles:  # each rung may change the trouble
        decision = next_rung(means, trouble, tried, order)
        assert all(why for _, why in decision.left_out)
        if decision.rung is None:
            left_out = [rung for rung, _ in decision.left_out]
            assert sorted([*tried, *left_out]) == sorted(RUNGS)
            return
        assert decision.rung not in tried
        assert not means.missing(decision.rung)
        assert not cannot_help(decision.rung, trouble, means)
        tried.append(decision.rung)
    raise AssertionError("it went on for ever")
