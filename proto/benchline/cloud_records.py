"""Cloud records on a console: what a board without a network publishes, and what it is told.

A record is the byte 0x1E, ``CL PUB <topic> <payload>``, ``CL SUB <topic>`` (from the board) or
``CL MSG <topic> <payload>`` (to the board), and a newline. Topics are relative to the device's own
prefix. In a payload ``%`` and every byte that is not printable ASCII are written ``%hh``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_TOPIC_CHARS = 64
MAX_PAYLOAD_BYTES = 256

_TOPIC = re.compile(rf"[A-Za-z0-9_./-]{{1,{MAX_TOPIC_CHARS}}}")
_RECORD = re.compile(r"CL (?:(PUB|MSG) ([^ ]+) (.*)|(SUB) ([^ ]+))")
_PAYLOAD = re.compile(r"(?:[ -$&-~]|%[0-9A-Fa-f]{2})*")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_ESCAPED = re.compile(rb"[^ -$&-~]")


class CloudVerb(StrEnum):
    """What a record says."""

    PUB = "PUB"
    SUB = "SUB"
    MSG = "MSG"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRecord:
    """One record; ``payload`` is empty for a subscription."""

    verb: CloudVerb
    topic: str
    payload: bytes = b""


def is_topic(text: str) -> bool:
    """Whether a device may use this topic."""
    return _TOPIC.fullmatch(text) is not None


def is_cloud_record(text: str) -> bool:
    """Whether the text of a record (without 0x1E and newline) is meant as a cloud record."""
    return text.startswith("CL ")


def parse_cloud_record(text: str) -> CloudRecord | None:
    """Read the text of one record (without 0x1E and newline); None when it is none."""
    found = _RECORD.fullmatch(text)
    if found is None:
        return None
    verb, topic, escaped = found[1] or found[4], found[2] or found[5], found[3] or ""
    if not is_topic(topic) or _PAYLOAD.fullmatch(escaped) is None:
        return None
    payload = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), escaped.encode("ascii"))
    if len(payload) > MAX_PAYLOAD_BYTES:
        return None
    return CloudRecord(verb=CloudVerb(verb), topic=topic, payload=payload)


def cloud_record_text(record: CloudRecord) -> str:
    """Write the text of a record. Raises ValueError for a bad topic or a payload too long."""
    if not is_topic(record.topic):
        raise ValueError(
            f"{record.topic[:80]!r} is no topic: 1 to {MAX_TOPIC_CHARS} letters, digits and _ . / -"
        )
    if len(record.payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(
            f"a payload of {len(record.payload)} bytes is longer than {MAX_PAYLOAD_BYTES}"
        )
    if record.verb is CloudVerb.SUB:
        return f"CL SUB {record.topic}"
    escaped = _ESCAPED.sub(lambda match: b"%%%02X" % match[0][0], record.payload).decode("ascii")
    return f"CL {record.verb} {record.topic} {escaped}"


def message_line(topic: str, payload: bytes) -> bytes:
    """The line that brings a message to a board. Raises ValueError as ``cloud_record_text``."""
    text = cloud_record_text(CloudRecord(verb=CloudVerb.MSG, topic=topic, payload=payload))
    return b"\x1e" + text.encode("ascii") + b"\n"
