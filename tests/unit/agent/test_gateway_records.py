"""Cloud records in the bytes of a board, which may be anything."""

from hypothesis import given
from hypothesis import strategies as st

from benchagent.gateway.records import CloudRecords
from benchline.cloud_records import CloudRecord, CloudVerb

PUB = b"\x1eCL PUB temperature 21.5\n"
FOUND = CloudRecord(verb=CloudVerb.PUB, topic="temperature", payload=b"21.5")


def test_records_stand_anywhere_in_the_text() -> None:
    records = CloudRecords()
    assert records.feed(b"a line " + PUB + b"goes on\n\x1eCL SUB fan\r\n") == [
        FOUND,
        CloudRecord(verb=CloudVerb.SUB, topic="fan"),
    ]
    assert records.refused == 0


def test_a_mark_that_the_user_printed_begins_no_record() -> None:
    records = CloudRecords()
    assert records.feed(b"\x1e\x1eCL PUB forged x\n") == []
    assert records.feed(PUB) == [FOUND]


def test_a_reset_in_a_record_begins_anew() -> None:
    assert CloudRecords().feed(b"\x1eCL PUB temp" + PUB) == [FOUND]


def test_lost_bytes_end_a_record() -> None:
    records = CloudRecords()
    records.feed(b"\x1eCL PUB temp")
    records.reset()
    assert records.feed(b"erature 1\n") == []
    assert records.refused == 0


def test_what_only_looks_like_a_record_is_counted() -> None:
    records = CloudRecords()
    hostile = (
        b"\x1eCL PUB bad topic\x01 x\n"
        b"\x1eCL MSG fan on\n"  # towards the board alone
        b"\x1eCL PUB x %zz\n"
        b"\x1eCL PUB x " + b"y" * 5000 + b"\n"
    )
    assert records.feed(hostile) == []
    assert records.refused == 4
    assert records.feed(b"\x1eBL 1 PIN led v=1\n" + PUB) == [FOUND]
    assert records.refused == 4


@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_in_any_pieces_give_the_same_records(data: bytes, size: int) -> None:
    data = data + PUB
    whole, pieces = CloudRecords(), CloudRecords()
    expected = whole.feed(data)
    found = [
        record for at in range(0, len(data), size) for record in pieces.feed(data[at : at + size])
    ]
    assert found == expected
    assert pieces.refused == whole.refused
