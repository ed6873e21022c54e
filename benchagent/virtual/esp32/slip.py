"""SLIP framing (RFC 1055), as the serial loaders of Espressif's chips use it."""

from __future__ import annotations

_BOUNDARY = b"\xc0"
MAX_FRAME = 128 * 1024
"""Longer frames are dropped; the largest that a tool sends has some 16 KiB."""


def frame(payload: bytes) -> bytes:
    """One payload with its ends, escaped."""
    escaped = payload.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return _BOUNDARY + escaped + _BOUNDARY


class FrameReader:
    """Takes bytes as they arrive and gives the payloads that they complete."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._inside = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes; bytes outside of frames are dropped."""
        found: list[bytes] = []
        pieces = data.split(_BOUNDARY)
        for number, piece in enumerate(pieces):
            if self._inside:
                self._held += piece
                if len(self._held) > MAX_FRAME:
                    self._held.clear()
                    self._inside = False
            if number == len(pieces) - 1:
                break
            if self._inside and self._held:
                found.append(_unescaped(bytes(self._held)))
                self._held.clear()
                self._inside = False
            else:
                self._inside = True  # an empty frame: its second end begins the next one
        return found


def _unescaped(payload: bytes) -> bytes:
    return payload.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
