"""Waves, stop rules and which image goes onto which board."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.bench import Board, BoardKind, BoardState, Chip
from controlplane.domain.deployment import BoardDeployment, DeploymentRequest, StopRule
from controlplane.domain.firmware_image import FirmwareContent, ImageTarget
from controlplane.domain.health import Quarantine
from controlplane.domain.image import ImageSegment
from controlplane.domain.image_memory import MemoryUse, PartMemory
from controlplane.domain.session import SourceScenario
from controlplane.domain.verdict import Outcome, State
from controlplane.planning.rollout import (
    Candidate,
    RolloutError,
    assign_images,
    check_rollout,
    counts_of,
    mixed_order,
    next_action,
    plan_waves,
    reason_to_stop,
    summary_of,
    wave_sizes,
)

SIZES = st.lists(
    st.one_of(st.integers(1, 9).map(str), st.integers(1, 100).map(lambda n: f"{n}%")), max_size=4
)


def board(name: str, part: str) -> Board:
    return Board(
        name=f"agents/bench/boards/{name}",
        model="",
        part=part,
        kind=BoardKind.VIRTUAL,
        state=BoardState.ACTIVE,
        probe_id="",
        identity="",
        port="",
    )


def candidate(title: str, target: ImageTarget, *, address: int = 0, size: int = 16) -> Candidate:
    segments = (ImageSegment(address, bytes(size)),)
    return Candidate(title=title, content=FirmwareContent(segments=segments, target=target))


C3 = candidate("c3.json", ImageTarget(family="esp32", parts=frozenset({"esp32c3"})))
STM = candidate("stm.elf", ImageTarget(family="stm32"), address=0x0800_0000)
BOUNDS = {
    "stm32f405rg": PartMemory(
        flash=range(0x0800_0000, 0x0810_0000), ram=range(0x2000_0000, 0x2002_0000)
    )
}


def test_a_board_out_of_service_is_left_out_unless_it_is_being_recovered() -> None:
    kept = Quarantine(
        reason="MANUAL",
        message="loose cable",
        principal="ana",
        automatic=False,
        create_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    out = replace(board("a", "esp32c3"), quarantine=kept)
    busy = replace(out, name="agents/bench/boards/b", recovering="power cycle")
    refused, placed = assign_images([out, busy], [C3], {})
    assert (refused.reason, refused.wave) == ("BOARD_QUARANTINED", 0)
    assert "loose cable" in refused.message
    assert "boards recover" in refused.next_action
    assert placed.wave == 1


@given(st.integers(0, 60), SIZES, st.booleans())
def test_every_board_is_in_exactly_one_wave_in_order(
    number: int, sizes: list[str], rest: bool
) -> None:
    words = wave_sizes(",".join([*sizes, *(["rest"] if rest or not sizes else [])]))
    names = [f"b{n:02}" for n in range(number)]
    waves = plan_waves(names, words)
    assert [name for wave in waves for name in wave] == names
    assert all(waves)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", [8]),
        ("4", [4, 4]),
        ("1,25%,rest", [1, 2, 5]),
        ("1,2", [1, 2, 2, 2, 1]),
        ("3", [3, 3, 2]),
        ("1%,rest", [1, 7]),
        ("100%", [8]),
    ],
)
def test_waves_have_the_sizes_that_were_asked_for(text: str, sizes: list[int]) -> None:
    waves = plan_waves([str(n) for n in range(8)], wave_sizes(text))
    assert [len(wave) for wave in waves] == sizes


@pytest.mark.parametrize(
    "text", ["0", "0%", "101%", "rest,1", "1,,2", "-1", "x", "1.5", "9" * 7, ",".join(["1"] * 51)]
)
def test_sizes_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(RolloutError):
        wave_sizes(text)


@given(st.text(max_size=30))
def test_any_text_is_sizes_or_refused(text: str) -> None:
    try:
        words = wave_sizes(text)
    except RolloutError:
        return
    assert sum(map(len, plan_waves(["a", "b", "c"], words))) == 3


@pytest.mark.parametrize(
    ("rule", "begun", "bad", "stops"),
    [
        (StopRule(), 4, 1, False),
        (StopRule(), 4, 2, True),
        (StopRule(), 1, 1, True),
        (StopRule(), 8, 0, False),
        (StopRule(stop_after=2, max_failed_percent=100), 8, 1, False),
        (StopRule(stop_after=2, max_failed_percent=100), 8, 2, True),
        (StopRule(max_failed_percent=0), 8, 0, False),
        (StopRule(max_failed_percent=0), 8, 1, True),
        (StopRule(max_failed_percent=100), 8, 8, False),
    ],
)
def test_a_wave_is_begun_only_while_the_rule_allows_it(
    rule: StopRule, begun: int, bad: int, stops: bool
) -> None:
    assert bool(reason_to_stop(rule, begun, bad)) is stops


def test_each_board_gets_the_image_for_its_part() -> None:
    boards = [board("a", "stm32f405rg"), board("b", "esp32c3"), board("c", "stm32f411ce")]
    given_to = assign_images(boards, [C3, STM], BOUNDS)
    assert [(b.image, b.wave) for b in given_to] == [
        ("stm.elf", 1),
        ("c3.json", 1),
        ("stm.elf", 1),
    ]


def test_a_board_that_no_image_is_for_is_refused_with_what_to_do() -> None:
    refused = assign_images([board("a", "esp32s3")], [C3, STM], BOUNDS)[0]
    assert (refused.outcome, refused.reason, refused.wave) == (
        Outcome.REFUSED,
        "NO_IMAGE_FOR_PART",
        0,
    )
    assert "a is an esp32s3; c3.json is for esp32c3, stm.elf is for stm32" in refused.message
    assert refused.next_action


def test_an_exact_part_is_preferred_and_two_equals_are_refused() -> None:
    other = replace(STM, title="other.elf")
    exact = candidate(
        "exact.elf", ImageTarget(family="stm32", parts=frozenset({"stm32f405rg"})), address=1 << 27
    )
    boards = [board("a", "stm32f405rg")]
    assert assign_images(boards, [STM, exact], BOUNDS)[0].image == "exact.elf"
    assert assign_images(boards, [STM, other], BOUNDS)[0].reason == "SEVERAL_IMAGES_FIT"


def test_an_unknown_part_needs_to_be_named() -> None:
    unknown = board("a", "")
    assert assign_images([unknown], [C3], {})[0].reason == "PART_UNKNOWN"
    named = assign_images([unknown], [C3], {}, declared_part="esp32c3")[0]
    assert (named.image, named.part) == ("c3.json", "esp32c3")


def test_an_image_beyond_the_flash_is_refused_before_anything_is_touched() -> None:
    large = candidate("large.elf", ImageTarget(family="stm32"), address=0x0800_0000, size=1 << 21)
    refused = assign_images([board("a", "stm32f405rg")], [large], BOUNDS)[0]
    assert refused.reason == "IMAGE_TOO_LARGE"
    small = replace(board("b", "esp32c3"), chip=Chip(name="ESP32-C3", flash_bytes=8))
    assert assign_images([small], [C3], {})[0].reason == "IMAGE_TOO_LARGE"


def test_an_image_that_needs_more_ram_is_refused_before_anything_is_touched() -> None:
    greedy = candidate("greedy.elf", ImageTarget(family="stm32"), address=0x0800_0000)
    stack = MemoryUse("its first stack", range(0x2002_FFFC, 0x2003_0000))
    greedy = replace(greedy, content=replace(greedy.content, memory=(stack,)))
    refused = assign_images([board("a", "stm32f405rg")], [greedy], BOUNDS)[0]
    assert (refused.reason, refused.wave) == ("IMAGE_TOO_LARGE", 0)
    assert "its first stack is at 0x2002fffc..0x20030000" in refused.message


def test_images_take_turns_so_that_the_first_wave_meets_each() -> None:
    boards = [
        BoardDeployment(board=f"agents/x/boards/{name}", part="", wave=1, image=image)
        for name, image in (("a", "s"), ("b", "s"), ("c", "s"), ("d", "c"), ("e", "c"), ("f", "x"))
    ]
    assert "".join(b.board_id for b in mixed_order(boards)) == "dafebc"


def test_counts_and_summary_tell_every_outcome() -> None:
    def ended(name: str, outcome: Outcome | None) -> BoardDeployment:
        state = State.CANCELLED if outcome is None else State.DONE
        return BoardDeployment(board=name, part="", wave=1, state=state, outcome=outcome)

    boards = [
        ended("a", Outcome.PASSED),
        ended("b", Outcome.FAILED),
        ended("c", Outcome.BROKEN),
        ended("d", Outcome.REFUSED),
        ended("e", None),
        BoardDeployment(board="f", part="", wave=2),
    ]
    counts = counts_of(boards)
    assert (counts.boards, counts.passed, counts.failed, counts.broken) == (6, 1, 1, 1)
    assert (counts.refused, counts.skipped) == (1, 1)
    assert summary_of(boards) == "1 of 6 boards passed; 1 FAILED, 1 BROKEN, 1 REFUSED, 1 SKIPPED"


def test_options_that_exclude_one_another_are_refused() -> None:
    scenario = SourceScenario(scenario_id="main", yaml="")
    with pytest.raises(RolloutError, match="not reset"):
        check_rollout(DeploymentRequest(no_reset=True, scenarios=(scenario,)))
    with pytest.raises(RolloutError, match="100 percent"):
        check_rollout(DeploymentRequest(stop_rule=StopRule(max_failed_percent=101)))


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.BROKEN, Outcome.REFUSED])
def test_whoever_did_not_pass_is_told_what_to_do(outcome: Outcome) -> None:
    assert next_action(outcome, "SOMETHING_NEW", scenario="main")
    assert not next_action(Outcome.PASSED, "")
