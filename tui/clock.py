"""The clock of this machine, for what shows how long ago something was."""

import time


def now_ms() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)
