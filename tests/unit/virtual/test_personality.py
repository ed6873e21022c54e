"""What personalities do to stimuli, records and words."""

from __future__ import annotations

import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchagent.virtual.personality import (
    LedInverter,
    Personality,
    PersonalityError,
    parse_personality,
    pin_number,
    table_seen,
)
from benchline.scenario.table import (
    TABLE_BYTES_MAX,
    StimulusTable,
    analog_row,
    console_rows,
    digital_row,
    echo_row,
    end_row,
    pack_rows,
    unpack_table,
)

PA1, PC12 = 1, 44


def packed(*rows: object) -> bytes:
    return pack_rows(rows, 0x1234).ljust(TABLE_BYTES_MAX, b"\xff")


def seen(table: bytes, *words: str) -> StimulusTable:
    changed = table_seen(table, parse_personality(words), "vc3-01")
    assert len(changed) == len(table)
    return unpack_table(changed)


def test_words_are_read_and_said_again() -> None:
    words = (
        "clock=-2%",
        "adc-gain=1.03",
        "adc-offset=12",
        "adc-noise=4",
        "inverted-led=PC12",
        "slow-boot=1.5s",
        "missing-sensor=PA1",
        "missing-sensor=GPIO4",
    )
    found = parse_personality([",".join(words[:3]), *words[3:]])
    assert found.words == words
    assert parse_personality(found.words) == found
    assert parse_personality([]).words == ()


def test_the_led_of_the_model_is_inverted_when_no_pin_is_named() -> None:
    assert parse_personality(["inverted-led"], led="PA5").inverted_led == "PA5"
    with pytest.raises(PersonalityError, match="inverted-led=PIN"):
        parse_personality(["inverted-led"])


@pytest.mark.parametrize(
    "word",
    [
        "nervous",
        "clock",
        "clock=fast",
        "clock=90%",
        "adc-gain=-1",
        "adc-gain=nan",
        "adc-offset=1e9",
        "adc-noise=-1",
        "slow-boot=1h",
        "slow-boot=600s",
        "missing-sensor=",
        "missing-sensor=PZ1",
        "inverted-led=/etc/passwd",
    ],
)
def test_a_word_that_means_nothing_is_refused(word: str) -> None:
    with pytest.raises(PersonalityError):
        parse_personality([word])


def test_gain_and_offset_reach_analog_rows_alone() -> None:
    table = packed(
        digital_row(0, PC12, 1), analog_row(5, PA1, 1000), *console_rows(7, b"hello"), end_row(9)
    )
    found = seen(table, "adc-gain=1.1", "adc-offset=-50")
    assert found.rows[1] == analog_row(5, PA1, 1050)
    assert [found.rows[0], *found.rows[2:]] == [
        digital_row(0, PC12, 1),
        *console_rows(7, b"hello"),
        end_row(9),
    ]
    assert found.nonce == 0x1234


@pytest.mark.parametrize(("counts", "word"), [(4095, "adc-offset=100"), (3, "adc-offset=-100")])
def test_a_converter_saturates(counts: int, word: str) -> None:
    (row, _) = seen(packed(analog_row(0, PA1, counts), end_row(1)), word).rows
    assert row.value == (4095 if counts == 4095 else 0)


def test_noise_is_repeatable_and_of_its_size() -> None:
    table = packed(*(analog_row(ms, PA1, 2000) for ms in range(500)), end_row(600))
    found = seen(table, "adc-noise=10")
    assert found == seen(table, "adc-noise=10")
    values = [row.value for row in found.rows[:-1]]
    assert 8 < statistics.stdev(values) < 12
    assert 1998 < statistics.mean(values) < 2002
    other = unpack_table(table_seen(table, Personality(adc_noise=10), "vc3-02"))
    assert other != found


def test_a_missing_sensor_gives_nothing_to_its_pin() -> None:
    table = packed(
        digital_row(0, PA1, 1), analog_row(5, PA1, 1000), analog_row(6, PC12, 7), end_row(9)
    )
    assert seen(table, "missing-sensor=PA1").rows == (analog_row(6, PC12, 7), end_row(9))


@pytest.mark.parametrize("blank", [b"\xff" * TABLE_BYTES_MAX, b"BTL1" + bytes(60), b""])
def test_what_is_no_table_stays_as_it_is(blank: bytes) -> None:
    assert table_seen(blank, Personality(adc_gain=2), "x") == blank


def test_pins_have_the_numbers_of_records_and_tables() -> None:
    assert [pin_number(pin) for pin in ("PA1", "PC12", "GPIO8")] == [1, 44, 8]


RECORDS = (
    b"hello \x1e\x1e \x1eBL 10 PIN PC12 v=1\nworld\n\x1eBL 20 PIN PC12 v=0\n"
    b"\x1eBL 21 PIN PC1 v=1\n\x1eBL 22 PIN PC12 n=312 last=1\n\x1eBL 23 PIN PC12 pwm=12\n"
    b"\x1eBL 9 VAL PC12 v=1\n"
)
SEEN = (
    b"hello \x1e\x1e \x1eBL 10 PIN PC12 v=0\nworld\n\x1eBL 20 PIN PC12 v=1\n"
    b"\x1eBL 21 PIN PC1 v=1\n\x1eBL 22 PIN PC12 n=312 last=0\n\x1eBL 23 PIN PC12 pwm=12\n"
    b"\x1eBL 9 VAL PC12 v=1\n"
)


@given(st.lists(st.integers(1, len(RECORDS)), max_size=12))
def test_levels_of_the_led_are_turned_round_however_the_bytes_arrive(cuts: list[int]) -> None:
    inverter = LedInverter("PC12")
    edges = [0, *sorted(cuts), len(RECORDS)]
    pieces = [RECORDS[start:end] for start, end in pairwise(edges)]
    assert b"".join(map(inverter, pieces)) == SEEN


@given(st.binary(max_size=2000))
def test_other_bytes_pass_and_no_record_is_held_for_ever(data: bytes) -> None:
    assert b"PIN" in data or LedInverter("PC12")(data + b"\n" * 3)[: len(data)] == data


def test_a_missing_sensor_answers_no_trigger() -> None:
    rows = (echo_row(0, PA1, PC12, 1160), echo_row(5, PC12, PA1, 580), end_row(9))

    assert seen(packed(*rows), "missing-sensor=PA1").rows == rows[1:]
