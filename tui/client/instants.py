"""Instants and durations of the wire as numbers."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def milliseconds_of(wire: Timestamp | Duration) -> int:
    """Whole milliseconds, of an instant since 1970; 0 when not set."""
    return wire.seconds * 1000 + wire.nanos // 1_000_000
