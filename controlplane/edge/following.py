"""Journals and changes of lists on a stream, with heartbeats in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from benchline.v1 import event_pb2
from controlplane.edge.render import event_message
from controlplane.journal.journal import Journal
from controlplane.storage.list_changes import ListChanges

_EVENTS_A_READ = 500
_EVENT_BYTES_A_MESSAGE = 512 * 1024


async def follow_journal(
    journal: Journal,
    subject: str,
    from_sequence: int,
    *,
    ended: Callable[[], Awaitable[int | None]],
    heartbeat_s: float,
) -> AsyncIterator[tuple[list[event_pb2.Event], int]]:
    """Events with the newest sequence number; no events in a heartbeat.

    `ended` tells the last sequence number once nothing will follow.

    Raises:
        HistoryGoneError: HISTORY_COMPACTED.
    """
    cursor = max(1, from_sequence)
    while True:
        events = [event_message(e) for e in await journal.read(subject, cursor, _EVENTS_A_READ)]
        if events:
            batch = _batch(events)
            cursor += len(batch)
            yield batch, max(cursor - 1, await journal.head(subject))
            continue
        last = await ended()
        if last is not None and cursor > last:
            return
        try:
            async with asyncio.timeout(heartbeat_s):
                await journal.wait(subject, cursor - 1)
        except TimeoutError:
            yield [], await journal.head(subject)


async def follow_list(changes: ListChanges, *, heartbeat_s: float) -> AsyncIterator[int]:
    """How often a list changed: at once, after each change, and again in a heartbeat."""
    count = changes.count
    while True:
        yield count
        count = await changes.after(count, within_s=heartbeat_s)


def _batch(events: list[event_pb2.Event]) -> list[event_pb2.Event]:
    """As many of the first events as one message takes; at least one."""
    size, count = 0, 0
    for event in events:
        size += event.ByteSize()
        if count and size > _EVENT_BYTES_A_MESSAGE:
            break
        count += 1
    return events[:count]
