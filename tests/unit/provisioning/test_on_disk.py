"""Work on the disk of a local cloud is never left half done behind its caller's back."""

import asyncio
import threading

import pytest

from controlplane.provisioning.localcloud.cloud import _on_disk


async def test_work_is_waited_for_however_often_its_caller_is_cancelled() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(30)
        done.set()

    calling = asyncio.create_task(_on_disk(work))
    await asyncio.to_thread(begun.wait, 30)
    for _ in range(3):
        calling.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert not calling.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert done.is_set()
