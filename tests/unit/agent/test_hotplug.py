"""When USB is looked at: events wake, a look once a second where there are none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from benchagent.discovery import hotplug
from benchagent.discovery.hotplug import Hotplug, concerns_boards, uevent_socket
from tests.unit.agent.usb_tree import TreeWriter

ADD = b"add@/devices/pci0000:00/usb1/1-2\0ACTION=add\0SUBSYSTEM=usb\0SEQNUM=4711\0"
NET = b"add@/devices/virtual/net/veth0\0ACTION=add\0SUBSYSTEM=net\0SEQNUM=4712\0"


class Woken:
    def __init__(self) -> None:
        self.count = 0
        self.event = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self.event.set()

    async def again(self) -> None:
        async with asyncio.timeout(60):
            await self.event.wait()
        self.event.clear()


@asynccontextmanager
async def watching(
    tree: TreeWriter, source: socket.socket | None
) -> AsyncIterator[tuple[Hotplug, Woken]]:
    woken = Woken()
    watcher = Hotplug(tree.sysfs, source, woken)
    task = asyncio.create_task(watcher.run())
    await asyncio.sleep(0)
    try:
        yield watcher, woken
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def tree(tmp_path: Path) -> TreeWriter:
    return TreeWriter(tmp_path)


def test_only_events_about_devices_and_ports_concern_boards() -> None:
    assert concerns_boards(ADD)
    assert concerns_boards(b"libudev\0\xfe\xed\xca\xfe" + ADD)
    assert concerns_boards(b"remove@/x\0SUBSYSTEM=tty")
    assert not concerns_boards(NET)
    assert not concerns_boards(b"change@/x\0SUBSYSTEM=usbmisc\0")


async def test_a_burst_of_events_is_one_look_and_ends_the_polling(tree: TreeWriter) -> None:
    kernel, source = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kernel:
        async with watching(tree, source) as (watcher, woken):
            assert watcher.polls, "until an event has come nobody knows whether they come"
            for _ in range(20):
                kernel.send(ADD)
            await woken.again()
            assert woken.count == 1
            assert not watcher.polls


async def test_events_about_other_things_wake_nobody(tree: TreeWriter) -> None:
    kernel, source = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kernel:
        async with watching(tree, source) as (_, woken):
            kernel.send(NET)
            kernel.send(ADD)
            await woken.again()
            assert woken.count == 1


async def test_events_without_an_end_are_looked_at_too(tree: TreeWriter) -> None:
    kernel, source = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    async def babble() -> None:
        while True:
            kernel.send(ADD)
            await asyncio.sleep(hotplug.SETTLE_S / 10)

    with kernel:
        async with watching(tree, source) as (_, woken):
            babbler = asyncio.create_task(babble())
            await woken.again()
            await woken.again()
            babbler.cancel()


async def test_without_events_a_look_a_second_finds_what_came_and_went(
    tree: TreeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotplug, "LOOK_S", 0.01)
    async with watching(tree, None) as (watcher, woken):
        tree.plug("esp32c3-usb-jtag")
        await woken.again()
        tree.unplug("1-2")
        await woken.again()
        assert watcher.polls


async def test_a_source_that_ends_is_replaced_by_looking(
    tree: TreeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotplug, "LOOK_S", 0.01)
    kernel, source = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    async with watching(tree, source) as (watcher, woken):
        kernel.send(ADD)
        await woken.again()
        kernel.close()
        async with asyncio.timeout(60):
            while not watcher.polls:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        tree.plug("esp32c3-usb-jtag")
        await woken.again()


def test_the_kernel_gives_a_socket_for_its_events_or_refuses() -> None:
    source = uevent_socket()
    if source is not None:
        with source:
            assert source.getsockname()[1] == 3
