"""Streams of the control plane into the store. Nothing is polled."""

import time
from collections.abc import Callable, Coroutine

from benchline.v1 import event_pb2, session_pb2
from tui.client.connection import Connection
from tui.client.translate import event_of, inventory_of, summary_of
from tui.client.watch import (
    Away,
    Back,
    watch_boards,
    watch_deployment,
    watch_session,
    watch_sessions,
)
from tui.state.model import (
    EventsRead,
    InventorySeen,
    Link,
    LinkChanged,
    RolloutRead,
    RolloutShown,
    SessionSeen,
    SessionsListed,
    Store,
)

NEWEST_SESSIONS = 200
"""How many sessions the console lists at first."""

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
        """Boards, for ever."""
        async for inventory in watch_boards(self._connection, on_away=self._away):
            self._live()
            if not isinstance(inventory, Back):
                self._store.dispatch(InventorySeen(inventory_of(inventory)))

    async def follow_sessions(self) -> None:
        """The list of sessions, for ever; whatever has not ended is followed event by event."""
        whole = True
        watched = watch_sessions(self._connection, newest=NEWEST_SESSIONS, on_away=self._away)
        async for told in watched:
            self._live()
            if isinstance(told, Back):
                whole = True
                continue
            sessions = tuple(summary_of(one) for one in told.sessions)
            if whole:
                self._store.dispatch(SessionsListed(sessions))
                whole = False
            for one in reversed(sessions):  # the newest comes first in a message, and last here
                self._store.dispatch(SessionSeen(one))
                if not one.state.ended:
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
            async for told in watched:
                self._live()
                match told:
                    case Back():
                        pass
                    case session_pb2.Session():
                        self._store.dispatch(SessionSeen(summary_of(told)))
                    case _:
                        self._store.dispatch(EventsRead(name, (event_of(told),)))
        finally:
            self._followed.discard(name)

    def follow_deployment(self, name: str) -> None:
        """Show a deployment and follow it to its end; asking again changes nothing."""
        self._store.dispatch(RolloutShown(name))
        if name not in self._followed:
            self._followed.add(name)
            self._spawn(f"deployment {name}", self._follow_deployment(name))

    async def _follow_deployment(self, name: str) -> None:
        known = self._store.model.rollouts.get(name)
        first = known.last_sequence + 1 if known is not None else 1
        try:
            async for told in watch_deployment(
                self._connection, name, from_sequence=first, on_away=self._away
            ):
                self._live()
                if isinstance(told, event_pb2.Event):
                    self._store.dispatch(RolloutRead(name, (event_of(told),)))
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
