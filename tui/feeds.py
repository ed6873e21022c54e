"""Streams of the control plane into the store. No polling: lists follow from announcements."""

import time
from collections.abc import Callable, Coroutine

from tui.client.connection import Connection
from tui.client.operations import newest_sessions
from tui.client.translate import event_of, inventory_of
from tui.client.watch import Away, Back, watch_boards, watch_session
from tui.state.model import (
    EventsRead,
    InventorySeen,
    Link,
    LinkChanged,
    SessionsListed,
    Store,
    current_summary,
)

Spawn = Callable[[str, Coroutine[None, None, None]], None]
"""Runs a feed as a task of the app, one of each name."""


class Feeds:
    """Keeps the store in step with one control plane."""

    def __init__(self, connection: Connection, store: Store, spawn: Spawn, away: Away) -> None:
        self._connection = connection
        self._store = store
        self._spawn = spawn
        self._bring_back = away
        self._followed: set[str] = set()

    async def follow_bench(self) -> None:
        """Boards for ever; each announcement is also a reason to look at the list of sessions."""
        async for inventory in watch_boards(self._connection, on_away=self._away):
            self._live()
            if isinstance(inventory, Back):
                continue
            self._store.dispatch(InventorySeen(inventory_of(inventory)))
            await self.list_sessions()

    async def list_sessions(self) -> None:
        """Read the list, and follow whatever has not ended."""
        sessions = await newest_sessions(self._connection)
        self._store.dispatch(SessionsListed(sessions))
        for one in sessions:
            if not current_summary(self._store.model, one).state.ended:
                self.follow(one.name)

    def follow(self, name: str) -> None:
        """Follow a session to its end; asking again changes nothing."""
        if name not in self._followed:
            self._followed.add(name)
            self._spawn(f"run {name}", self._follow_session(name))

    async def _follow_session(self, name: str) -> None:
        known = self._store.model.runs.get(name)
        first = known.last_sequence + 1 if known is not None else 1
        try:
            watched = watch_session(self._connection, name, from_sequence=first, on_away=self._away)
            async for event in watched:
                self._live()
                if not isinstance(event, Back):
                    self._store.dispatch(EventsRead(name, (event_of(event),)))
        finally:
            self._followed.discard(name)

    def _live(self) -> None:
        if self._store.model.link is not Link.LIVE:
            self._store.dispatch(LinkChanged(Link.LIVE, "", _now_ms()))

    async def _away(self, reason: str) -> None:
        self._store.dispatch(LinkChanged(Link.AWAY, "reconnecting", _now_ms()))
        await self._bring_back(reason)


def _now_ms() -> int:
    return int(time.time() * 1000)
