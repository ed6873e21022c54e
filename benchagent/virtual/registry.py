"""What a virtual board has in its folder for others to see: its entry, and the lock on its life."""

import fcntl
import os
from pathlib import Path

BOARD_FILE = "board.json"
LOCK_FILE = "lock"


def is_locked(folder: Path) -> bool:
    """Whether a board's process holds the lock of its folder, which it does while it lives.

    Raises OSError where that cannot be seen.
    """
    lock = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
