"""Writes the flash and the counters of a virtual board down, when they changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from benchagent.virtual.flash_array import FlashArray
from benchagent.virtual.store import BoardStore


class FlashSaver:
    """Keeps what is on disk the same as what is in the chip, one step behind."""

    def __init__(
        self, store: BoardStore, array: FlashArray, dropped_bytes: Callable[[], int]
    ) -> None:
        self.store = store
        self.array = array
        self._dropped_bytes = dropped_bytes
        self._dropped_before = array.wear.console_dropped_bytes
        self._saved_version = -1
        self._seen_version = array.version
        self._saved_wear: dict[str, object] = {}

    def tick(self) -> None:
        """Save what changed, once it has been quiet for a tick."""
        if self.array.version != self._seen_version:
            self._seen_version = self.array.version
        else:
            self.save()

    def save(self) -> None:
        """Save everything that changed, now."""
        self.save_flash()
        self.save_wear()

    def save_flash(self) -> None:
        """Save the flash, if it changed."""
        if self.array.version != self._saved_version:
            self.store.save_flash(bytes(self.array.bytes))
            self._saved_version = self.array.version

    def save_wear(self) -> None:
        """Save the counters, if one changed."""
        self.array.wear.console_dropped_bytes = self._dropped_before + self._dropped_bytes()
        counters = asdict(self.array.wear)
        if counters != self._saved_wear:
            self.store.save_wear(self.array.wear)
            self._saved_wear = counters
