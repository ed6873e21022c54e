"""How long a board is waited for, and what is told before it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from controlplane.domain.bench import Agent, Board, BoardKind, BoardState
from controlplane.planning.benches import AGENT_RETURN, absence, patience, why_offline

WAIT = timedelta(seconds=120)


def agent(*, online: bool) -> Agent:
    now = datetime(2026, 1, 1, 8, 5, tzinfo=UTC)
    return Agent(name="agents/a", version="1", online=online, last_seen_time=now, host="pc")


def board(model: str) -> Board:
    return Board(
        name=f"agents/a/boards/{model}",
        model=model,
        part="p",
        kind=BoardKind.VIRTUAL,
        state=BoardState.OFFLINE,
        probe_id="",
        identity="i",
        port="",
    )


def test_a_board_that_is_known_is_waited_for_whatever_its_agent_does() -> None:
    for agents in ([], [agent(online=True)], [agent(online=False)]):
        assert patience([board("x")], agents, WAIT) == WAIT


def test_nothing_is_waited_for_when_all_benches_have_spoken() -> None:
    assert patience([], [agent(online=True)], WAIT) == timedelta(0)


def test_an_agent_that_is_away_or_the_first_one_may_bring_a_board() -> None:
    assert patience([], [], WAIT) == AGENT_RETURN
    assert patience([], [agent(online=True), agent(online=False)], WAIT) == AGENT_RETURN
    assert patience([], [], timedelta(seconds=2)) == timedelta(seconds=2)


def test_what_is_missing_is_told_with_what_there_is_and_the_way_out() -> None:
    told = absence("model=nucleo-f446re", [board("b"), board("a"), board("b")])

    assert "no bench has a board that fits model=nucleo-f446re (the benches have a, b)" in told
    assert "--until simulate" in told
    assert "no bench is connected yet" in absence("m", [])


def test_boards_that_are_offline_are_named_with_since_when_and_what_to_start() -> None:
    told = why_offline([board("a"), board("b")], [agent(online=False)])

    assert "a, b: agent a on pc is away since 2026-01-01 08:05 UTC" in told
    assert "`benchline agent run`, or `benchline up`" in told
    physical = replace(board("a"), kind=BoardKind.PHYSICAL)
    assert "`benchline up`" not in why_offline([physical], [agent(online=False)])


def test_a_board_that_a_connected_agent_has_no_more_is_started_or_plugged_in() -> None:
    seen = replace(board("x"), last_seen_time=datetime(2026, 1, 2, 9, 0, tzinfo=UTC))
    told = why_offline([seen], [agent(online=True)])

    assert "x: agent a on pc had it last at 2026-01-02 09:00 UTC" in told
    assert '`BENCHLINE_VIRTUAL_BOARDS="x:x" benchline up`' in told
    told = why_offline([replace(seen, kind=BoardKind.PHYSICAL)], [agent(online=True)])
    assert told.endswith("(plug it in there)")


def test_many_boards_that_are_offline_are_counted() -> None:
    many = [board(f"b{number}") for number in range(9)]

    assert "b0, b1, b2, b3, 5 more: agent" in why_offline(many, [agent(online=False)])
    assert why_offline(many, [agent(online=True)]).endswith("; and 6 more")
