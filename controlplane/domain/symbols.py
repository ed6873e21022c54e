"""Names of addresses from the symbol table of a 32-bit little-endian ELF file."""

import struct

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SECTION = struct.Struct("<IIIIIIIIII")
_SYMBOL = struct.Struct("<IIIBBH")
_SYMTAB = 2
_FUNCTION = 2
_MOST_SYMBOLS = 100_000


def function_at(elf: bytes, address: int) -> str:
    """The function that an address lies in, "" when the file does not tell.

    Bit 0 is ignored: Cortex-M marks its functions by it.
    """
    try:
        return _function_at(elf, address & ~1)
    except (struct.error, IndexError, ValueError):
        return ""


def _function_at(elf: bytes, address: int) -> str:
    head = _HEADER.unpack_from(elf)
    if head[0][:6] != b"\x7fELF\x01\x01":
        return ""
    at, size, count = head[6], head[11], head[12]
    sections = [_SECTION.unpack_from(elf, at + size * number) for number in range(count)]
    for section in sections:
        if section[1] != _SYMTAB:
            continue
        names = sections[section[6]]
        for number in range(min(section[5] // _SYMBOL.size, _MOST_SYMBOLS)):
            name, value, length, info, _, _ = _SYMBOL.unpack_from(
                elf, section[4] + number * _SYMBOL.size
            )
            start = value & ~1
            if info & 15 == _FUNCTION and start <= address < start + max(length, 1):
                first = names[4] + name
                return elf[first : elf.index(b"\0", first)].decode("ascii", "replace")
    return ""
