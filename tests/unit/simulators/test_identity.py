"""What makes two simulations the same run."""

from benchline.scenario import parse_scenario, resolve
from controlplane.simulators.identity import icount_option, run_nonce, simulation_key

SCENARIO = """
scenario: 1
id: reading
title: Reading
duration: 2s
signals:
  level: {kind: analog, pin: PA1, unit: mV, mv_at_zero: 0, mv_per_unit: 1, min: 0, max: 3300}
vars:
  v: {draw: [100, 3000], step: 1}
steps:
  - stimulus: {at: 0ms, signal: level, value: $v}
  - expect: {id: boot, type: READY, within: 1s}
"""
PLAN, OTHER = (resolve(parse_scenario(SCENARIO), seed) for seed in (1, 2))


def key(**changes: object) -> str:
    facts = {
        "image_sha256": "00",
        "plan": PLAN,
        "rung": "r",
        "machine": "m",
        "version": "7.2.0",
        "clock": icount_option(2000),
    }
    return simulation_key(**{**facts, **changes})


def test_every_fact_is_in_the_key() -> None:
    changes = [
        {},
        {"image_sha256": "01"},
        {"plan": OTHER},
        {"rung": "s"},
        {"machine": "n"},
        {"version": "8.0.0"},
        {"clock": icount_option(100_000)},
    ]

    assert len({key(**change) for change in changes}) == len(changes)


def test_the_nonce_comes_from_the_seed_alone() -> None:
    assert run_nonce(PLAN) == run_nonce(PLAN)
    assert run_nonce(PLAN) != run_nonce(OTHER)


def test_long_scenarios_run_with_larger_steps() -> None:
    assert icount_option(60_000) == "shift=3,align=off,sleep=off"
    assert icount_option(60_001).startswith("shift=5")
    assert icount_option(600_000).startswith("shift=6")
