"""Drawn values, table rows and their packing."""

import zlib

import pytest
from hypothesis import given, strategies

from benchline.scenario import (
    ScenarioError,
    TableError,
    TableRow,
    derive_seed,
    pack_table,
    parse_scenario,
    resolve,
    unpack_table,
)
from benchline.scenario.table import MAX_ROWS, TABLE_BYTES_MAX, pack_rows
from tests.unit.scenario.device import plan_of, text_of

U32 = strategies.integers(0, 2**32 - 1)
ROWS = strategies.lists(
    strategies.builds(
        TableRow,
        ms=U32,
        signal=strategies.integers(0, 0xFFFF),
        n=strategies.integers(0, 4),
        value=U32,
    ),
    max_size=40,
)
READY = "expect: {type: READY, within: 1s}"


@given(strategies.integers(0, 2**64 - 1))
def test_drawn_values_are_in_bounds_on_the_grid_and_repeatable(seed: int) -> None:
    plan = plan_of(READY, seed=seed)
    below, above = float(plan.shown["below"]), float(plan.shown["above"])
    assert 15.0 <= below <= 24.0
    assert (below * 2).is_integer()
    assert 31.5 <= above <= 45.0
    assert plan == plan_of(READY, seed=seed)
    assert plan.values["limit"] == 30.0


def test_a_seed_is_the_same_as_bytes_and_as_a_number() -> None:
    scenario = parse_scenario(text_of(READY))
    seed = derive_seed(b"secret", "d" * 12, "demo")
    assert resolve(scenario, seed) == resolve(scenario, int.from_bytes(seed, "big"))
    assert derive_seed(b"other", "d" * 12, "demo") != seed


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        plan_of(READY, seed=seed)


def test_all_values_of_a_range_can_be_drawn() -> None:
    drawn = {plan_of(READY, seed=seed).shown["below"] for seed in range(400)}
    assert len(drawn) == 19


def test_constraints_and_distinct_values_hold() -> None:
    extra = "  near: {draw: [1, 3], distinct_from: [far]}\n  far: {choice: [1, 2]}\n"
    text = text_of(READY).replace("steps:\n", f"{extra}constraints: ['near < far']\nsteps:\n")
    for seed in range(20):
        assert resolve(parse_scenario(text), seed).shown["near"] == "1"


def test_constraints_that_cannot_hold_are_a_finding() -> None:
    text = text_of(READY).replace("steps:\n", "constraints: ['below > above']\nsteps:\n")
    with pytest.raises(ScenarioError, match="unsatisfiable"):
        resolve(parse_scenario(text), 1)


def test_an_analog_value_becomes_rounded_counts() -> None:
    plan = plan_of("stimulus: {at: 10ms, signal: temperature, value: 25}", READY)
    assert plan.rows[0] == TableRow(ms=10, signal=0x0101, value=round(750 * 4095 / 3300))
    read_back = plan.moments[0].read_back
    assert read_back is not None
    assert abs(read_back - 25) < 0.05


def test_counts_follow_the_full_scale_of_the_signal() -> None:
    step = "stimulus: {at: 10ms, signal: temperature, value: 25}"
    text = text_of(step).replace("mv_per_unit: 10,", "mv_per_unit: 10, full_scale_mv: 2500,")
    plan = resolve(parse_scenario(text), 42)

    assert plan.rows[0].value == round(750 * 4095 / 2500)
    assert plan.moments[0].read_back == pytest.approx(25, abs=0.05)


def test_a_value_beyond_the_full_scale_is_refused() -> None:
    step = "stimulus: {at: 10ms, signal: temperature, value: 125}"
    text = text_of(step).replace("mv_per_unit: 10,", "mv_per_unit: 10, full_scale_mv: 1500,")
    with pytest.raises(ScenarioError, match="the input takes 0 to 1500 mV"):
        resolve(parse_scenario(text), 42)


def test_a_formula_over_variables_is_worked_out() -> None:
    plan = plan_of("stimulus: {at: 0ms, signal: temperature, value: $below + 0.5}", READY)
    expected = 500 + 10 * (float(plan.shown["below"]) + 0.5)
    assert plan.rows[0].value == round(expected * 4095 / 3300)


@pytest.mark.parametrize(
    "step",
    [
        "stimulus: {at: 0ms, signal: temperature, value: 126}",
        "stimulus: {at: 0ms, signal: button, value: 2}",
        "stimulus: {at: 9s, signal: button, value: on}",
        "press: {at: 8950ms, signal: button}",
        "stimulus: {at: $below - 100, signal: button, value: on}",
        "ramp: {at: 0ms, signal: temperature, from: 0, to: 200, over: 1s}",
    ],
)
def test_a_stimulus_that_does_not_fit_is_a_finding(step: str) -> None:
    with pytest.raises(ScenarioError, match="bad-value"):
        plan_of(step, READY)


def test_digital_levels_use_the_active_level() -> None:
    text = text_of("press: {at: 1s, signal: button, for: 50ms}", READY)
    high = resolve(parse_scenario(text), 1).rows
    low = resolve(parse_scenario(text.replace("PA0, active: high", "PA0, active: low")), 1).rows
    assert [(row.ms, row.value) for row in high[:2]] == [(1000, 1), (1050, 0)]
    assert [row.value for row in low[:2]] == [0, 1]


def test_a_bounce_settles_at_its_level() -> None:
    plan = plan_of("bounce: {at: 1s, signal: button, to: on, times: 2, every: 3ms}", READY)
    assert [(row.ms, row.value) for row in plan.rows[:-1]] == [
        (1000, 1), (1003, 0), (1006, 1), (1009, 0), (1012, 1),
    ]  # fmt: skip
    assert plan.moments[0].at_ms == 1012


def test_sent_text_is_split_into_rows_of_four_bytes() -> None:
    plan = plan_of(r'send: {at: 2s, text: "at ${below}\n"}', READY)
    sent = b"".join(row.value.to_bytes(4, "little")[: row.n] for row in plan.rows[:-1])
    assert sent.decode() == f"at {plan.shown['below']}\n"
    assert plan.send_ms == (2000,)


def test_a_repeat_is_unrolled_with_offsets_and_suffixed_ids() -> None:
    plan = plan_of(
        "repeat: {times: 2, every: 1s, steps: [{press: {id: push, at: 500ms, signal: button}},"
        " {expect: {id: seen, line: hit, after: 500ms, within: 90ms}}]}"
    )
    assert [moment.at_ms for moment in plan.moments] == [500, 1500]
    assert [step.id for step in plan.assertions] == ["seen_1", "seen_2"]
    assert plan.assertions[1].after == 1500


def test_the_rows_end_with_the_end_row() -> None:
    assert plan_of(READY).rows == (TableRow(ms=9000, signal=0x0400),)


def test_a_value_in_a_regex_is_escaped() -> None:
    plan = plan_of("expect: {line: '^t ${below}$', within: 1s}")
    assert plan.assertions[0].selector.regex == f"^t {plan.shown['below']}$".replace(".", r"\.")


@given(ROWS, U32)
def test_a_table_survives_packing(rows: list[TableRow], nonce: int) -> None:
    ordered = sorted(rows, key=lambda row: row.ms)
    table = unpack_table(pack_rows(ordered, nonce) + b"\xff" * 9)
    assert (table.nonce, table.flags, list(table.rows)) == (nonce, 1, ordered)


@given(ROWS, strategies.integers(0, 10_000), strategies.integers(0, 7))
def test_a_flipped_bit_is_noticed(rows: list[TableRow], place: int, bit: int) -> None:
    data = bytearray(pack_rows(sorted(rows, key=lambda row: row.ms), 7))
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(TableError):
        unpack_table(bytes(data))


def test_the_header_is_laid_out_as_documented() -> None:
    data = pack_table(plan_of(READY), 0x11223344)
    assert data[:16].hex() == "42544c3101000100" + "44332211" + "01000000"
    assert int.from_bytes(data[16:20], "little") == zlib.crc32(data[:16] + data[20:])
    assert data[20:].hex() == "2823000000040000" + "00000000"


@pytest.mark.parametrize(
    "rows",
    [
        [TableRow(ms=2, signal=0), TableRow(ms=1, signal=0)],
        [TableRow(ms=0, signal=0)] * (MAX_ROWS + 1),
        [TableRow(ms=2**32, signal=0)],
        [TableRow(ms=0, signal=-1)],
    ],
)
def test_rows_that_cannot_be_packed_are_refused(rows: list[TableRow]) -> None:
    with pytest.raises(TableError):
        pack_rows(rows, 1)


def test_the_fullest_table_fits_into_its_sector() -> None:
    assert len(pack_rows([TableRow(ms=0, signal=0)] * MAX_ROWS, 1)) <= TABLE_BYTES_MAX


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 64, b"BTL2" + bytes(60), b"BTL1" + b"\x01\x00\xff\x00"]
)
def test_what_is_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(TableError):
        unpack_table(data.ljust(20, b"\x00") if data else data)
