"""Waking tasks that wait for something to be stored, without polling."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Bell:
    """One bell per key. All methods belong to the event loop."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def listen(self, key: str) -> Iterator[asyncio.Event]:
        """An event that every ring of the key sets, from now on.

        Listen first and look at the store second: what is stored in between still rings.
        """
        event = asyncio.Event()
        self._listeners.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            listeners = self._listeners[key]
            listeners.discard(event)
            if not listeners:
                del self._listeners[key]

    def ring(self, key: str) -> None:
        """Wake everybody who listens to the key."""
        for event in self._listeners.get(key, ()):
            event.set()
