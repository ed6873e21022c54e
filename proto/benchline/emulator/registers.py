"""The log of register writes: what really happened at the pins, as text lines.

A line is `gpio <us> <register> 0x<value> [of 0x<mask>]`, `unmodelled read|write 0x<address>
n=<count>`, `block 0x<address> n=<bytes>` or `note <text>`. Times are virtual microseconds.
Accesses to registers that are not modelled are counted; a count is told when it reaches a power of
two, and all counts at the end.
"""

from collections import Counter
from collections.abc import Callable

MAX_KINDS = 1024
"""Registers counted apart; the accesses to further ones are counted together."""

BUFFER_CHARACTERS = 4096


class RegisterLog:
    """Writes lines through `write`, in pieces; `write` may be None for no log at all."""

    def __init__(self, write: Callable[[bytes], None] | None) -> None:
        self._write = write
        self._lines: list[str] = []
        self._pending = 0
        self._unmodelled: Counter[tuple[str, int]] = Counter()

    def gpio(self, micros: int, register: str, value: int, mask: int | None = None) -> None:
        """A register of the pins was written; `mask` says which bits ever were."""
        of = "" if mask is None else f" of 0x{mask:08x}"
        self._add(f"gpio {micros} {register} 0x{value:08x}{of}")

    def block(self, address: int, size: int) -> None:
        """A block of code is about to run for the first time."""
        self._add(f"block 0x{address:08x} n={size}")

    def note(self, text: str) -> None:
        """Something that the reader should know."""
        self._add(f"note {text}")

    def unmodelled(self, kind: str, address: int) -> None:
        """Count an access that has no effect in this machine."""
        key = (kind, address)
        if key not in self._unmodelled and len(self._unmodelled) >= MAX_KINDS:
            key = (kind, 0)
        self._unmodelled[key] += 1
        count = self._unmodelled[key]
        if not count & (count - 1):
            self._count(key, count)

    def finish(self, why: str) -> None:
        """Tell the final counts, most frequent first, and why the machine stopped."""
        ranked = sorted(self._unmodelled.items(), key=lambda item: (-item[1], item[0]))
        for key, count in ranked:
            self._count(key, count)
        self.note(f"stopped: {why}")
        self.flush()

    def flush(self) -> None:
        """Hand over what is waiting."""
        if self._lines and self._write is not None:
            self._write("".join(self._lines).encode("ascii", "replace"))
        self._lines.clear()
        self._pending = 0

    def _count(self, key: tuple[str, int], count: int) -> None:
        kind, address = key
        self._add(f"unmodelled {kind} 0x{address:08x} n={count}")

    def _add(self, line: str) -> None:
        if self._write is None:
            return
        self._lines.append(line + "\n")
        self._pending += len(line) + 1
        if self._pending >= BUFFER_CHARACTERS:
            self.flush()
