"""What every peripheral has in common, and peripherals that only keep what is written."""

from collections.abc import Callable, Iterable

from benchline.emulator.registers import RegisterLog


class Device:
    """A page of registers: words that keep their values unless a subclass says otherwise.

    Accesses outside `known` offsets are counted in the log as unmodelled.
    """

    base = 0
    known: frozenset[int] = frozenset()

    def __init__(self, log: RegisterLog) -> None:
        self._log = log
        self._words: dict[int, int] = {}

    def read(self, offset: int) -> int:
        """The word at `offset`, a multiple of 4."""
        if offset not in self.known:
            self._log.unmodelled("read", self.base + offset)
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Store a word."""
        if offset not in self.known:
            self._log.unmodelled("write", self.base + offset)
        self._words[offset] = value


class Storage(Device):
    """Registers that are set up once and whose effects this machine does not need."""

    def __init__(self, log: RegisterLog, base: int, known: Iterable[int] = ()) -> None:
        super().__init__(log)
        self.base = base
        self.known = frozenset(known)


Raise = Callable[[int, bool], None]
"""Set the level of an interrupt source."""
