"""Which memory an instruction wants: told by its bits and by the registers.

Unicorn says of an access that memory protection forbids no more than that the instruction could
not be executed. Formats: RISC-V unprivileged ISA, loads and stores of RV32I, and C.LW, C.SW,
C.LWSP, C.SWSP.
"""

from collections.abc import Callable
from dataclasses import dataclass

_LOAD, _STORE = 0x03, 0x23
_LOAD_WIDTHS, _STORE_WIDTHS = frozenset({0, 1, 2, 4, 5}), frozenset({0, 1, 2})
_COMPRESSED_LOAD, _COMPRESSED_STORE = 2, 6
_STACK_POINTER = 2


@dataclass(frozen=True, slots=True)
class Access:
    """One load or store and its address."""

    store: bool
    address: int


def access_of(word: int, register: Callable[[int], int]) -> Access | None:
    """What an instruction loads or stores; None for every other one.

    `register` gives the value of a general register by its number.
    """
    found = _compressed(word) if word & 3 != 3 else _full(word)
    if found is None:
        return None
    store, base, offset = found
    return Access(store, (register(base) + offset) & 0xFFFF_FFFF)


def _full(word: int) -> tuple[bool, int, int] | None:
    opcode, width, base = word & 0x7F, word >> 12 & 7, word >> 15 & 31
    if opcode == _LOAD and width in _LOAD_WIDTHS:
        return False, base, _signed(word >> 20)
    if opcode == _STORE and width in _STORE_WIDTHS:
        return True, base, _signed((word >> 25) << 5 | word >> 7 & 31)
    return None


def _signed(twelve: int) -> int:
    return twelve - 0x1000 if twelve & 0x800 else twelve


def _compressed(word: int) -> tuple[bool, int, int] | None:
    quadrant, kind = word & 3, word >> 13 & 7
    store = kind == _COMPRESSED_STORE
    if not store and kind != _COMPRESSED_LOAD:
        return None
    if quadrant == 0:
        offset = (word >> 10 & 7) << 3 | (word >> 6 & 1) << 2 | (word >> 5 & 1) << 6
        return store, 8 + (word >> 7 & 7), offset
    if quadrant == 2 and store:
        return True, _STACK_POINTER, (word >> 9 & 15) << 2 | (word >> 7 & 3) << 6
    if quadrant == 2:
        offset = (word >> 12 & 1) << 5 | (word >> 4 & 7) << 2 | (word >> 2 & 3) << 6
        return False, _STACK_POINTER, offset
    return None
