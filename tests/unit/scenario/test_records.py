"""The record splitter: any chunking, hostile bytes, lines around records."""

import itertools

from hypothesis import given, strategies

from benchline.scenario import Event, EventKind, RecordSplitter
from benchline.scenario.records import MAX_LINE_BYTES, MAX_RECORD_BYTES

BOOT = b"\x1eBL 0 BOOT core=1 nonce=none\n"
PIECES = strategies.sampled_from(
    [
        BOOT,
        b"\x1eBL 5 OUT S0\n",
        b"hello\r\n",
        b"half",
        b"\n",
        b"\x1e\x1e",
        b"\x1e",
        b"\x1eBL 7 PIN PC12 v=1\n",
        b"\x1eBL x\n",
        b"\x1eCL PUB t 20%25\n",
        b"\x1eCL SUB +\n",
        b"\xff\xfe",
        b"\x1eBL 9 END dropped=0\n",
    ]
)


def split(data: bytes, *, expect_boot: bool = True) -> list[Event]:
    splitter = RecordSplitter(expect_boot=expect_boot)
    return splitter.feed(data) + splitter.finish()


@given(
    strategies.lists(PIECES | strategies.binary(max_size=20), max_size=30),
    strategies.lists(strategies.integers(0, 400), max_size=12),
    strategies.booleans(),
)
def test_any_chunking_gives_the_same_events(
    pieces: list[bytes], cuts: list[int], expect_boot: bool
) -> None:
    data = b"".join(pieces)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    splitter = RecordSplitter(expect_boot=expect_boot)
    events = []
    for start, end in itertools.pairwise(edges):
        events += splitter.feed(data[start:end])
    events += splitter.finish()
    assert events == split(data, expect_boot=expect_boot)
    assert splitter.position == len(data)


@given(strategies.binary(max_size=300))
def test_hostile_bytes_never_raise_and_ranges_stay_inside(data: bytes) -> None:
    for event in split(BOOT + data):
        assert 0 <= event.start < event.end <= len(BOOT) + len(data)


@given(strategies.binary(max_size=200))
def test_user_bytes_survive_the_doubling_of_the_record_byte(user: bytes) -> None:
    wire = BOOT + user.replace(b"\x1e", b"\x1e\x1e") + b"\n"
    lines = [event.text for event in split(wire) if event.is_line]
    expected = (user + b"\n").split(b"\n")[:-1]
    assert lines == [line.rstrip(b"\r").decode("utf-8", "replace") for line in expected]


def test_everything_before_the_first_boot_is_noise() -> None:
    events = split(b"rom chatter\n\x1eBL 3 READY\nhalf" + BOOT + b"real\n")
    assert [(event.type, event.text) for event in events if event.is_line] == [("", "real")]
    assert [event.type for event in events if not event.is_line] == ["BOOT"]


def test_a_reader_that_joins_a_running_device_sees_all() -> None:
    assert [event.text for event in split(b"hi\n", expect_boot=False)] == ["hi"]


def test_a_record_in_the_middle_of_a_line_does_not_break_it() -> None:
    events = split(BOOT + b"\x1eBL 10 OUT S0\ntem\x1eBL 12 PIN PC12 v=0\nperature\r\n")
    line = events[-1]
    assert line.text == "temperature"
    assert line.at_ms == 10
    assert line.timed
    assert events[-2].name == "PC12"


def test_offsets_point_at_the_bytes() -> None:
    data = BOOT + b"\x1eBL 10 OUT S0\nhello\r\n\x1eBL 11 VAL t v=2.5\n"
    line, val = split(data)[2:]
    assert data[line.start : line.end] == b"hello\r\n"
    assert data[val.start : val.end] == b"\x1eBL 11 VAL t v=2.5\n"
    assert val.value == "2.5"


def test_a_line_without_an_out_record_has_the_latest_time_and_says_so() -> None:
    line = split(BOOT + b"\x1eBL 44 READY\nplain\n")[-1]
    assert (line.at_ms, line.timed) == (44, False)


def test_an_endless_line_is_cut_and_flagged() -> None:
    line = split(BOOT + b"a" * 100_000 + b"\n")[-1]
    assert line.truncated
    assert len(line.text) == MAX_LINE_BYTES


def test_an_endless_record_is_malformed_and_bounded() -> None:
    event = split(BOOT + b"\x1eBL 1 EVT " + b"a" * 100_000 + b"\nnext\n")[1]
    assert event.malformed
    assert len(event.text) <= MAX_RECORD_BYTES


def test_invalid_utf8_is_replaced() -> None:
    assert split(BOOT + b"a\xffb\n")[-1].text == "a\ufffdb"


def test_a_second_boot_is_an_event_and_closes_the_open_line() -> None:
    events = split(BOOT + b"unfinished" + BOOT)
    assert [event.type or event.text for event in events] == ["BOOT", "unfinished", "BOOT"]
    assert events[1].partial


def test_a_record_cut_by_a_reset_does_not_swallow_the_next() -> None:
    events = split(BOOT + b"\x1eBL 5 PIN PC\x1eBL 0 BOOT nonce=none\n")
    assert [event.malformed for event in events] == [False, True, False]
    assert events[-1].type == "BOOT"


def test_event_text_may_have_spaces_and_signs() -> None:
    event = split(BOOT + b"\x1eBL 8 EVT door t=open = yes no\n")[-1]
    assert (event.name, event.value) == ("door", "open = yes no")


def test_the_error_fault_and_end_records_are_read() -> None:
    events = split(BOOT + b"\x1eBL 1 ERR bad-pin pin=200\n\x1eBL 2 FAULT hard pc=08010abc\n")
    assert [(e.name, dict(e.fields)) for e in events[1:]] == [
        ("bad-pin", {"pin": "200"}),
        ("hard", {"pc": "08010abc"}),
    ]
    assert all(event.kind is EventKind.RECORD for event in events)
