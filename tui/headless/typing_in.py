"""What a person, or a pipe, puts into standard input."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator

_STDIN = 0
_READ_BYTES = 4096
_MOST_WAITING = 16


async def typed() -> AsyncIterator[bytes]:
    """Standard input in pieces of at most 4 KiB, a terminal's line by line; ends with it.

    A thread of its own reads it: a terminal, a pipe and a file are read alike, and one that says
    nothing more does not hold up the end of the program.
    """
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    room = threading.Semaphore(_MOST_WAITING)
    loop = asyncio.get_running_loop()

    def read() -> None:
        piece = b"?"
        while piece:
            room.acquire()
            try:
                piece = os.read(_STDIN, _READ_BYTES)
            except OSError:
                piece = b""
            try:
                loop.call_soon_threadsafe(pieces.put_nowait, piece)
            except RuntimeError:  # the program is ending
                return

    threading.Thread(target=read, name="typed", daemon=True).start()
    while piece := await pieces.get():
        yield piece
        room.release()
