"""Finds the cloud records in a board's console bytes. The bytes are hostile."""

import re

from benchline.cloud_records import CloudRecord, CloudVerb, is_cloud_record, parse_cloud_record
from benchline.scenario.records import MAX_RECORD_BYTES

_MARK = 0x1E
_MARK_OR_NEWLINE = re.compile(rb"[\x1e\n]")


class CloudRecords:
    """Takes bytes in pieces of any size; keeps at most one record.

    `refused` counts what began like a cloud record of a board and is none.
    """

    def __init__(self) -> None:
        self.refused = 0
        self._record: bytearray | None = None
        self._escape = False

    def feed(self, data: bytes) -> list[CloudRecord]:
        """The records that these bytes complete."""
        found: list[CloudRecord] = []
        at = 0
        while at < len(data):
            if self._escape:
                # A doubled mark is a byte that the user printed.
                self._escape = False
                self._record = None if data[at] == _MARK else bytearray()
                at += data[at] == _MARK
                continue
            match = _MARK_OR_NEWLINE.search(data, at)
            stop = match.start() if match else len(data)
            if self._record is not None:
                room = MAX_RECORD_BYTES + 1 - len(self._record)
                self._record += data[at : min(stop, at + max(room, 0))]
            if match is None:
                break
            if data[stop] == _MARK:
                self._escape, self._record = True, None  # an unfinished record was cut by a reset
            elif self._record is not None:
                self._end(found)
            at = stop + 1
        return found

    def reset(self) -> None:
        """Bytes are missing here: what was begun is no record any more."""
        self._record, self._escape = None, False

    def _end(self, found: list[CloudRecord]) -> None:
        text = bytes(self._record or b"").decode("ascii", "replace").rstrip("\r")
        self._record = None
        if not is_cloud_record(text):
            return
        record = parse_cloud_record(text) if len(text) <= MAX_RECORD_BYTES else None
        if record is None or record.verb is CloudVerb.MSG:
            self.refused += 1
            return
        found.append(record)
