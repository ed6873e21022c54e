"""Domain values as JSON text."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.event import FACT_NAMES
from controlplane.domain.session import Session, StageRecord
from controlplane.domain.simulation import Simulation
from controlplane.storage.codec import CodecError, from_json, to_json


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    text: str
    colour: Colour | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    number: int
    real: float
    flag: bool
    when: datetime
    span: timedelta
    inner: Inner | None
    many: tuple[Inner, ...] = ()
    words: tuple[str, ...] = ()


inners = st.builds(Inner, text=st.text(), colour=st.sampled_from(Colour) | st.none())
outers = st.builds(
    Outer,
    number=st.integers(),
    real=st.floats(allow_nan=False, allow_infinity=False),
    flag=st.booleans(),
    when=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])),
    span=st.timedeltas(),
    inner=inners | st.none(),
    many=st.lists(inners).map(tuple),
    words=st.lists(st.text()).map(tuple),
)


@given(outers)
def test_what_is_written_is_read_back(value: Outer) -> None:
    assert from_json(Outer, to_json(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "null",
        '{"text": 1}',
        '{"text": "a", "colour": "green"}',
        '{"text": "a", "colour": ["red"]}',
        '{"text": "a", "size": 1}',
        "{}",
        "[" * 100_000,
    ],
)
def test_a_document_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(CodecError):
        from_json(Inner, text)


def test_a_truth_value_is_not_a_number() -> None:
    document = json.loads(to_json(StageRecord(stage="BUILD")))
    document["runs"] = True
    with pytest.raises(CodecError, match="expected int"):
        from_json(StageRecord, json.dumps(document))


def test_a_missing_field_takes_its_default() -> None:
    assert from_json(Inner, '{"text": "a"}') == Inner(text="a")


def test_an_instant_without_a_time_zone_is_refused() -> None:
    value = Outer(
        number=1,
        real=1.0,
        flag=True,
        when=datetime(2026, 1, 1),  # noqa: DTZ001 - to be refused
        span=timedelta(0),
        inner=None,
    )
    with pytest.raises(CodecError, match="time zone"):
        to_json(value)


@pytest.mark.parametrize("kind", [*FACT_NAMES, Session, Simulation])
def test_every_stored_class_has_a_reader(kind: type) -> None:
    with pytest.raises(CodecError):
        from_json(kind, '{"no such field": 1}')
