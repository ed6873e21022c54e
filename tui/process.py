"""Ending processes of this machine, each by its identity."""

import os
import signal
import time
from collections.abc import Iterable

from benchline.process_id import ProcessId


def end_all(processes: Iterable[ProcessId], *, grace_s: float) -> list[ProcessId]:
    """TERM, then after ``grace_s`` KILL the groups led by these; gives back those that stayed."""
    left = [one for one in processes if one.alive]
    for sign, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
        for one in left:
            signal_group(one.pid, sign)
        end = time.monotonic() + patience_s
        while left and time.monotonic() < end:
            time.sleep(0.02)
            left = [one for one in left if one.alive]
        if not left:
            break
    return left


def signal_group(pid: int, sign: signal.Signals) -> None:
    """Signal the group that ``pid`` leads, or the process alone when it leads none."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, sign)
        else:
            os.kill(pid, sign)
    except ProcessLookupError:
        return
