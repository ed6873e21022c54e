"""The interrupt matrix: which source drives which CPU line, and which line comes first.

Offsets: INTERRUPT_CORE0 of ESP-IDF's interrupt_core0_reg.h. A line interrupts when its priority is
at least the threshold ("priority levels lower than the threshold are masked", ESP-IDF,
esprv_intc_int_set_threshold) and not 0.
"""

from collections.abc import Callable

from benchline.emulator.devices.device import Device
from benchline.emulator.registers import RegisterLog

SOURCES = 62
_LAST_MAP = 4 * (SOURCES - 1)
_STATUS = (0xF8, 0xFC)
_ENABLE, _TYPE, _CLEAR, _PENDING, _PRIORITY, _THRESHOLD = 0x104, 0x108, 0x10C, 0x110, 0x114, 0x194
_LINES = 32


class InterruptMatrix(Device):
    """Levels of sources in, the CPU line to be served out."""

    base = 0x600C_2000
    known = frozenset(range(0, 0x198, 4))

    active_sources: set[int]
    pending: int | None = None
    """The line that interrupts now, if any; kept up to date at every change."""

    def __init__(self, log: RegisterLog, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called when another line than before interrupts."""
        super().__init__(log)
        self._changed = changed
        self.active_sources = set()
        self._latched = 0

    def set_source(self, source: int, level: bool) -> None:
        """A peripheral raises or drops its interrupt."""
        if level == (source in self.active_sources):
            return
        if level:
            self.active_sources.add(source)
            self._latched |= self._edge_bit(source)
        else:
            self.active_sources.discard(source)
        self._decide()

    def read(self, offset: int) -> int:
        """A register."""
        if offset in _STATUS:
            first = 32 * _STATUS.index(offset)
            return sum(1 << s - first for s in self.active_sources if first <= s < first + 32)
        if offset == _PENDING:
            return self._raised_lines()
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        """A register; any change may change what is pending."""
        super().write(offset, value)
        if offset == _CLEAR:
            self._latched &= ~value
        self._decide()

    def _line_of(self, source: int) -> int:
        return self._words.get(4 * source, 0) & 31

    def _edge_bit(self, source: int) -> int:
        bit = 1 << self._line_of(source)
        return bit & self._words.get(_TYPE, 0)

    def _raised_lines(self) -> int:
        edges = self._words.get(_TYPE, 0)
        lines = self._latched & edges
        for source in self.active_sources:
            lines |= 1 << self._line_of(source) & ~edges
        return lines & ~1

    def _decide(self) -> None:
        before, self.pending = self.pending, self._foremost()
        if self.pending not in (before, None):
            self._changed()

    def _foremost(self) -> int | None:
        """The enabled line of the highest priority; of equals the lowest number."""
        if not self.active_sources and not self._latched:
            return None
        lines = self._raised_lines() & self._words.get(_ENABLE, 0)
        best, found = max(1, self._words.get(_THRESHOLD, 0)) - 1, None
        for line in range(1, _LINES):
            if lines >> line & 1:
                priority = self._words.get(_PRIORITY + 4 * line, 0) & 15
                if priority > best:
                    best, found = priority, line
        return found
