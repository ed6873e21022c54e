"""Domain values to messages and back."""

from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from benchline.errors import InvalidRequestError
from benchline.v1 import (
    artifact_pb2,
    bench_pb2,
    build_pb2,
    deployment_pb2,
    event_pb2,
    session_pb2,
    simulation_pb2,
    verdict_pb2,
)
from controlplane.domain.artifact import Artifact
from controlplane.domain.bench import Agent, Board, Lease
from controlplane.domain.build import Build
from controlplane.domain.deployment import SessionDeployment
from controlplane.domain.event import FACT_NAMES, Event
from controlplane.domain.session import Session, SessionRequest, StageRecord
from controlplane.domain.simulation import Simulation
from controlplane.domain.verdict import Outcome, ScenarioResult, Stage, StageFinding, State
from controlplane.edge.render import event_message, session_message
from controlplane.edge.translate import from_wire, to_wire

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PLAIN: dict[object, st.SearchStrategy[Any]] = {
    int: st.integers(0, 2**32 - 1),
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    float: st.floats(0, 1),
    bool: st.booleans(),
    datetime: st.integers(0, 2**51).map(lambda us: EPOCH + timedelta(microseconds=us)),
    timedelta: st.timedeltas(timedelta(0), timedelta(days=9)),
}

PAIRS: list[tuple[type, type[Message]]] = [
    (Artifact, artifact_pb2.Artifact),
    (Agent, bench_pb2.Agent),
    (Board, bench_pb2.Board),
    (Lease, bench_pb2.Lease),
    (Build, build_pb2.Build),
    (SessionDeployment, deployment_pb2.SessionDeployment),
    (Simulation, simulation_pb2.Simulation),
    (StageRecord, session_pb2.StageRecord),
    (StageFinding, verdict_pb2.Finding),
    (ScenarioResult, verdict_pb2.ScenarioResult),
]


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type of the domain that the wire can carry."""
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=2).map(tuple)
    if type(None) in get_args(hint):
        return st.none() | values(get_args(hint)[0])
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{name: values(inner) for name, inner in hints.items()})
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    return PLAIN[hint]


@pytest.mark.parametrize(("kind", "message"), PAIRS, ids=lambda item: item.__name__)
@given(data=st.data())
def test_a_value_survives_the_wire(kind: type, message: type[Message], data: st.DataObject) -> None:
    value = data.draw(values(kind))
    sent = to_wire(value, message).SerializeToString()
    assert from_wire(kind, message.FromString(sent)) == value


@pytest.mark.parametrize("kind", FACT_NAMES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_fact_has_its_place_in_an_event(kind: type, data: st.DataObject) -> None:
    event = Event(
        sequence=2**40,
        session="sessions/abc",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        fact=data.draw(values(kind)),
        stage=Stage.BUILD,
    )
    message = event_message(event)
    name = message.WhichOneof("fact")
    assert name == FACT_NAMES[kind]
    assert from_wire(kind, getattr(message, name)) == event.fact
    assert (message.sequence, message.stage) == (2**40, verdict_pb2.STAGE_BUILD)


def test_every_fact_of_the_wire_has_a_class() -> None:
    oneof = event_pb2.Event.DESCRIPTOR.oneofs_by_name["fact"]
    assert {field.name for field in oneof.fields} == set(FACT_NAMES.values())


@given(values(Session))
def test_every_field_of_a_session_is_told(session: Session) -> None:
    message = session_message(session)
    told = {name.name for name in session_pb2.Session.DESCRIPTOR.fields}
    kept = {field.name for field in fields(Session)} | {f.name for f in fields(SessionRequest)}
    assert told - kept == {"etag", "design"}  # the design's name is in the request's source
    assert message.prompt == session.request.prompt
    assert message.seed == session.seed
    assert len(message.stages) == len(session.stages)
    assert message.HasField("end_time") == (session.end_time is not None)


def test_an_enum_value_that_is_not_known_is_refused() -> None:
    message = session_pb2.StageRecord(stage=verdict_pb2.STAGE_BUILD)
    message.state = 99
    with pytest.raises(InvalidRequestError, match="99"):
        from_wire(StageRecord, message)


def test_a_field_that_is_needed_and_unset_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="stage"):
        from_wire(StageRecord, session_pb2.StageRecord())


def test_what_is_unset_is_none_or_its_default() -> None:
    message = session_pb2.StageRecord(stage=verdict_pb2.STAGE_BUILD)
    assert from_wire(StageRecord, message) == StageRecord(stage=Stage.BUILD)


def test_a_field_that_the_domain_does_not_have_is_a_programming_error() -> None:
    @dataclass(frozen=True)
    class Poor:
        state: State
        outcome: Outcome

    with pytest.raises(TypeError, match="has no field evidence"):
        to_wire(Poor(State.DONE, Outcome.PASSED), event_pb2.SessionChanged)
