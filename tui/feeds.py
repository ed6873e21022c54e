"""Streams of the control plane into the store. Nothing is polled."""

from collections.abc import Callable, Coroutine

import grpc

from benchline.v1 import event_pb2, session_pb2
from tui.client.bench_facts import inventory_of
from tui.client.connection import Connection, is_absent, is_away
from tui.client.stack_facts import plan_of, stack_of
from tui.client.stacks import (
    all_stacks,
    newest_plan,
    stack_if_any,
    watch_stack,
    watch_stacks,
)
from tui.client.translate import event_of, summary_of
from tui.client.watch import (
    Away,
    Back,
    watch_boards,
    watch_deployment,
    watch_session,
    watch_sessions,
)
from tui.clock import now_ms
from tui.state.cloud import moves, waits_for_approval
from tui.state.model import (
    EventsRead,
    InventorySeen,
    Link,
    LinkChanged,
    PlanReviewed,
    RolloutRead,
    RolloutShown,
    SessionSeen,
    SessionsListed,
    StackGone,
    StackRead,
    StackSeen,
    StacksListed,
    Store,
    run_of,
    summary_of_run,
)

NEWEST_SESSIONS = 200
"""How many sessions the console lists at first."""

_STACKS = "stacks"
"""The list of stacks, among the names of what is followed."""

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
                if waits_for_approval(one):
                    self.follow_stack(one.stack)

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
                        self._follow_plan_of(name)
        finally:
            self._followed.discard(name)

    def _follow_plan_of(self, session: str) -> None:
        """A session that waits for approval is shown with the plan that it waits for."""
        stack = summary_of_run(self._store.model, session).stack
        if stack and waits_for_approval(run_of(self._store.model, session)):
            self.follow_stack(stack)

    def follow_stacks(self) -> None:
        """Follow the list of stacks, and each in it; asking again changes nothing."""
        if _STACKS not in self._followed:
            self._followed.add(_STACKS)
            self._spawn("stacks", self._follow_stacks())

    async def _follow_stacks(self) -> None:
        try:
            async for _ in watch_stacks(self._connection, on_away=self._away):
                self._live()
                await self._read_stacks()
        finally:
            self._followed.discard(_STACKS)

    async def _read_stacks(self) -> None:
        """The list of stacks; each is followed from then on."""
        try:
            found = tuple(stack_of(one) for one in await all_stacks(self._connection))
        except grpc.aio.AioRpcError as error:
            if not is_away(error):
                raise
            return  # read again when the watch is back
        self._store.dispatch(StacksListed(found))
        for one in found:
            self.follow_stack(one.name)

    def follow_stack(self, name: str) -> None:
        """Follow a stack until it is forgotten; asking again changes nothing."""
        if name not in self._followed:
            self._followed.add(name)
            self._spawn(f"stack {name}", self._follow_stack(name))

    async def _follow_stack(self, name: str) -> None:
        try:
            await self._read_stack(name)
            known = self._store.model.stacks.get(name)
            if known is None:
                return
            async for told in watch_stack(
                self._connection, name, from_sequence=known.last_sequence + 1, on_away=self._away
            ):
                self._live()
                if isinstance(told, Back):
                    await self._read_stack(name)
                    continue
                event = event_of(told)
                self._store.dispatch(StackRead(name, (event,)))
                known = self._store.model.stacks.get(name)
                new = known is not None and event.sequence > known.fact.last_sequence
                if new and moves(event.fact):
                    await self._read_stack(name)
            self._store.dispatch(StackGone(name))
        except grpc.aio.AioRpcError as error:
            if not is_absent(error):
                raise
            self._store.dispatch(StackGone(name))
        finally:
            self._followed.discard(name)

    async def _read_stack(self, name: str) -> None:
        """The stack as it stands, with the changes of a plan that is open."""
        try:
            found = await stack_if_any(self._connection, name)
            if found is None:
                self._store.dispatch(StackGone(name))
                return
            self._store.dispatch(StackSeen(stack_of(found)))
            if self._store.model.stacks[name].unread_plan:
                plan = plan_of(await newest_plan(self._connection, name))
                self._store.dispatch(PlanReviewed(name, plan))
        except grpc.aio.AioRpcError as error:
            if not (is_away(error) or is_absent(error)):  # the watch tells of both
                raise

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
            self._store.dispatch(LinkChanged(Link.LIVE, "", now_ms()))

    async def _away(self, reason: str) -> None:
        self._store.dispatch(LinkChanged(Link.AWAY, "reconnecting", now_ms()))
        await self._bring_back(reason)
