"""The process from which a flasher's children are forked: `… -m benchagent.flashers.nursery_process
MODULE IDLE_S`.

It imports MODULE, calls its `warm()`, and then forks a child for each message on its control
socket (fd 0), which runs MODULE's `main()`. Each message brings descriptors: the child's talk
socket, its stderr, a status socket, and what the child has to keep open, which `main` is given.
The status socket says the child's pid and, when it ended, its exit code, a line each. The process
ends when its parent does and after IDLE_S seconds without a child; children go on without it.

Forking is safe here: nothing in this process starts a thread.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_MAX_FDS = 8
_TALK, _ERRORS, _STATUS = range(3)


@dataclass(slots=True)
class _Nursery:
    control: socket.socket
    run: Callable[[Sequence[int]], int]
    idle_s: float
    children: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By pidfd: the pid and the status socket."""

    def serve(self) -> None:
        """Fork and reap until nobody needs it."""
        while True:
            patience_s = None if self.children else self.idle_s
            control = self.control.fileno()
            ready = select.select([control, *self.children], [], [], patience_s)[0]
            if not ready:
                return
            for pidfd in set(ready) - {control}:
                self._reap(pidfd)
            if control in ready:
                message, handed, _, _ = socket.recv_fds(self.control, 1, _MAX_FDS)
                if not message:
                    return
                self._fork(handed)

    def _fork(self, handed: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self._be_the_child(handed)
        status = handed.pop(_STATUS)
        for descriptor in handed:
            os.close(descriptor)
        self.children[os.pidfd_open(pid)] = (pid, status)
        _tell(status, pid)

    def _be_the_child(self, handed: list[int]) -> None:
        """Run the operation and end; never returns."""
        code = 1
        try:
            os.setsid()
            self.control.close()
            for pidfd, (_, status) in self.children.items():
                os.close(pidfd)
                os.close(status)
            for descriptor, numbers in ((_TALK, (0, 1)), (_ERRORS, (2,))):
                for number in numbers:
                    os.dup2(handed[descriptor], number)
            for descriptor in handed[: _STATUS + 1]:
                os.close(descriptor)
            code = self.run(handed[_STATUS + 1 :])
            sys.stdout.flush()
        except BaseException:  # the root of a process; its parent reads stderr
            with contextlib.suppress(OSError):
                traceback.print_exc()
        finally:
            os._exit(code)

    def _reap(self, pidfd: int) -> None:
        pid, status = self.children.pop(pidfd)
        os.close(pidfd)
        _, waited = os.waitpid(pid, 0)
        _tell(status, os.waitstatus_to_exitcode(waited))
        os.close(status)


def _tell(status: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.write(status, b"%d\n" % number)


def main() -> int:
    """Serve until nobody needs it."""
    module = importlib.import_module(sys.argv[1])
    module.warm()
    control = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    gc.freeze()
    with control:
        _Nursery(control, module.main, float(sys.argv[2])).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
