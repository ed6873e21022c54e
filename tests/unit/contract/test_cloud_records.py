"""Cloud records: what is written is read back, and hostile text is none."""

import re

import pytest
from hypothesis import given, strategies

from benchline.cloud_records import (
    MAX_PAYLOAD_BYTES,
    CloudRecord,
    CloudVerb,
    cloud_record_text,
    is_topic,
    message_line,
    parse_cloud_record,
)
from benchline.scenario import RecordSplitter

TOPICS = strategies.from_regex(r"\A[A-Za-z0-9_./-]{1,64}\Z")
PAYLOADS = strategies.binary(max_size=MAX_PAYLOAD_BYTES)


@given(strategies.sampled_from([CloudVerb.PUB, CloudVerb.MSG]), TOPICS, PAYLOADS)
def test_a_record_is_read_as_it_was_written(verb: CloudVerb, topic: str, payload: bytes) -> None:
    record = CloudRecord(verb=verb, topic=topic, payload=payload)
    text = cloud_record_text(record)

    assert re.fullmatch(r"[ -~]+", text)
    assert parse_cloud_record(text) == record


@given(TOPICS, PAYLOADS, strategies.binary(max_size=40))
def test_a_stream_gives_the_record_back_among_hostile_bytes(
    topic: str, payload: bytes, noise: bytes
) -> None:
    line = message_line(topic, payload)
    splitter = RecordSplitter(expect_boot=False)

    events = splitter.feed(noise.replace(b"\x1e", b"") + line + noise)

    read = [parse_cloud_record(event.text) for event in events if event.type == "CL"]
    assert CloudRecord(verb=CloudVerb.MSG, topic=topic, payload=payload) in read


@given(strategies.text(max_size=400) | strategies.from_regex(r"CL (PUB|SUB|MSG|X) .{0,40}"))
def test_hostile_text_is_none_or_a_record_within_the_limits(text: str) -> None:
    record = parse_cloud_record(text)

    if record is not None:
        assert is_topic(record.topic)
        assert len(record.payload) <= MAX_PAYLOAD_BYTES
        assert parse_cloud_record(cloud_record_text(record)) == record


@pytest.mark.parametrize(
    "text",
    [
        "CL PUB t",
        "CL PUB  x",
        "CL PUB a b%",
        "CL PUB a %4",
        "CL PUB a %gg",
        "CL PUB a \x1e",
        "CL PUB a é",
        "CL PUB bad+topic x",
        "CL PUB # x",
        "CL SUB a b",
        "CL SUB " + "a" * 65,
        "CL PUB a " + "b" * 257,
        "cl PUB a b",
        "CL PUB a b\n",
    ],
)
def test_what_is_no_record_is_told_apart(text: str) -> None:
    assert parse_cloud_record(text) is None


def test_what_cannot_be_sent_says_why() -> None:
    with pytest.raises(ValueError, match="is no topic: 1 to 64 letters"):
        message_line("a b", b"")
    with pytest.raises(ValueError, match="257 bytes is longer than 256"):
        message_line("a", bytes(257))
