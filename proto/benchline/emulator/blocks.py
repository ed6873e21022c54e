"""Which code ran: every translated block is told once.

Unicorn translates a block when it is about to run for the first time, so this costs nothing per
instruction; a hook on every block would slow firmware down several times.
"""

from collections.abc import Callable

from unicorn import UC_HOOK_EDGE_GENERATED, Uc, UcError


class BlockTrace:
    """Tells `(address, bytes)` of each block through `tell`, in the order of their first run."""

    def __init__(self, uc: Uc, tell: Callable[[int, int], None]) -> None:
        self._uc = uc
        self._tell = tell
        self._told: set[tuple[int, int]] = set()
        self._begun: set[int] = set()
        uc.hook_add(UC_HOOK_EDGE_GENERATED, self._edge)

    def begun_at(self, pc: int) -> None:
        """A slice that has run began there: nothing led to its first block, so no edge tells it."""
        if pc in self._begun:
            return
        self._begun.add(pc)
        try:
            address, _, size = self._uc.ctl_request_cache(pc)
        except UcError:
            return
        self._add(address, size)

    def _edge(self, _uc: Uc, block: object, before: object, _: object) -> None:
        for one in (before, block):
            self._add(one.pc, one.size)  # type: ignore[attr-defined] # Unicorn does not type them

    def _add(self, address: int, size: int) -> None:
        if (address, size) not in self._told:
            self._told.add((address, size))
            self._tell(address, size)
