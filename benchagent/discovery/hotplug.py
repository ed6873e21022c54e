"""Tells when something was plugged or unplugged: the kernel's uevents, or a look once a second.

Events only wake: what is there is always read from sysfs afterwards, so that a lost, doubled or
forged event does no harm. Group 1 of NETLINK_KOBJECT_UEVENT are the kernel's own messages, group 2
those of udev, which come when it has set the permissions of the device nodes.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from benchagent.discovery.sysfs import DEVICES, device_names

log = logging.getLogger(__name__)

NETLINK_KOBJECT_UEVENT = 15
_GROUPS = 1 | 2
_MAX_BYTES = 64 * 1024
_READS_AT_ONCE = 64
_SUBSYSTEMS = (b"SUBSYSTEM=usb\0", b"SUBSYSTEM=tty\0", b"SUBSYSTEM=hidraw\0")
LOOK_S = 1.0
# A board that is plugged in gives some ten events within 100 ms: one look after the last of them,
# and one at the latest after a second of events that never end.
SETTLE_S = 0.15
SETTLE_LAST_S = 1.0


def uevent_socket() -> socket.socket | None:
    """The kernel's events; None where they are refused, as in some containers."""
    try:
        found = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            NETLINK_KOBJECT_UEVENT,
        )
    except OSError as error:
        log.info("no hot-plug events; looking once a second", extra={"why": str(error)})
        return None
    try:
        found.bind((0, _GROUPS))
    except OSError as error:
        found.close()
        log.info("no hot-plug events; looking once a second", extra={"why": str(error)})
        return None
    return found


def concerns_boards(message: bytes) -> bool:
    """Whether an event may be about a board."""
    return any(name in message + b"\0" for name in _SUBSYSTEMS)


class Hotplug:
    """Calls `on_change` soon after something changed on USB.

    A socket that opens may still be silent, as in a network namespace of its own. So a look of
    once a second goes on until an event has come; from then on nothing is polled.
    """

    def __init__(
        self, sysfs: Path, source: socket.socket | None, on_change: Callable[[], None]
    ) -> None:
        self._sysfs = sysfs
        self._source = source
        self._on_change = on_change
        self._events_come = False
        self._settling: asyncio.TimerHandle | None = None
        self._first_s = 0.0

    @property
    def polls(self) -> bool:
        """Whether it looks once a second."""
        return self._source is None or not self._events_come

    async def run(self) -> None:
        """Watch for ever; end it by cancelling."""
        loop = asyncio.get_running_loop()
        if self._source is not None:
            self._source.setblocking(False)
            loop.add_reader(self._source, self._readable)
        try:
            await self._look()
        finally:
            if self._settling is not None:
                self._settling.cancel()
            if self._source is not None:
                loop.remove_reader(self._source)
                self._source.close()

    async def _look(self) -> None:
        before = self._glance()
        while True:
            await asyncio.sleep(LOOK_S)
            if not self.polls:
                continue
            now = self._glance()
            if now != before:
                before = now
                self._on_change()

    def _glance(self) -> frozenset[tuple[str, int]]:
        """Sockets and inodes: an inode is new when a device came back into its socket."""
        found: set[tuple[str, int]] = set()
        folder = self._sysfs / DEVICES
        for name in device_names(self._sysfs):
            with contextlib.suppress(OSError):
                place = folder / name
                found.add((name, place.stat().st_ino))
                found.update((tty.name, 0) for tty in place.glob("*/tty*"))
                found.update((tty.name, 0) for tty in place.glob("*/tty/tty*"))
        return frozenset(found)

    def _readable(self) -> None:
        if self._source is None:
            return
        concerned = False
        for _ in range(_READS_AT_ONCE):
            try:
                message = self._source.recv(_MAX_BYTES)
            except BlockingIOError:
                break
            except OSError:
                concerned = True  # ENOBUFS: events were lost, so look
                break
            if not message:  # the other end of a socket that is not the kernel's is gone
                asyncio.get_running_loop().remove_reader(self._source)
                self._source.close()
                self._source = None
                break
            concerned |= concerns_boards(message)
        if concerned:
            self._events_come = True
            self._settle()

    def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._settling is None:
            self._first_s = now
        else:
            self._settling.cancel()
        due = min(now + SETTLE_S, self._first_s + SETTLE_LAST_S)
        self._settling = loop.call_at(due, self._settled)

    def _settled(self) -> None:
        self._settling = None
        self._on_change()
