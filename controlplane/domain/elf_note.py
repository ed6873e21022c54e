"""What an ELF file of ours says of itself: a note that no loader puts into flash.

The note names the part that the firmware was built for; the machine of the ELF header tells no more
than a family of parts. A linker elsewhere adds none, so that its files say nothing here.
"""

import re
import struct

from controlplane.domain.image import ELF32_HEADER, ImageError, elf_machine

NOTE_SECTION = ".note.benchline"
NOTE_OWNER = "Benchline"
NOTE_PART = 1
"""Type of the note whose text is a part."""

_MAX_SECTIONS = 4096
_MAX_NOTE_BYTES = 4096
_SHT_NOTE = 7
_SECTION_HEADER = struct.Struct("<IIIIIIIIII")
_NOTE_HEADER = struct.Struct("<III")
_PART = re.compile(r"[a-z0-9]{1,32}")


def part_note(part: str) -> str:
    """Assembler text of the note, for a unit of C++ that is linked with the firmware."""
    lines = (
        f'.pushsection {NOTE_SECTION}, "", %note',
        ".balign 4",
        f".4byte {len(NOTE_OWNER) + 1}, {len(part) + 1}, {NOTE_PART}",
        f'.asciz "{NOTE_OWNER}"',
        ".balign 4",
        f'.asciz "{part}"',
        ".balign 4",
        ".popsection",
    )
    return "\n".join(lines)


def noted_part(data: bytes) -> str:
    """The part that an ELF file says it was built for; "" when it says nothing of it.

    Raises:
        ImageError: the section table or the note is damaged.
    """
    elf_machine(data)
    fields = ELF32_HEADER.unpack_from(data)
    table, width, count = fields[6], fields[11], fields[12]
    if not table or not count:
        return ""
    if width != _SECTION_HEADER.size or count > _MAX_SECTIONS:
        raise ImageError("the section table of the ELF file is damaged")
    if table + width * count > len(data):
        raise ImageError("the ELF file is truncated")
    for index in range(count):
        row = _SECTION_HEADER.unpack_from(data, table + index * width)
        if row[1] == _SHT_NOTE and row[5] <= _MAX_NOTE_BYTES:
            part = _part_in(data[row[4] : row[4] + row[5]])
            if part:
                return part
    return ""


def _part_in(notes: bytes) -> str:
    at = 0
    while at + _NOTE_HEADER.size <= len(notes):
        owner_size, text_size, kind = _NOTE_HEADER.unpack_from(notes, at)
        owner_at = at + _NOTE_HEADER.size
        text_at = owner_at + (owner_size + 3) // 4 * 4
        owner = notes[owner_at : owner_at + owner_size].rstrip(b"\0")
        if owner == NOTE_OWNER.encode() and kind == NOTE_PART:
            text = notes[text_at : text_at + text_size].rstrip(b"\0").decode("ascii", "replace")
            if not _PART.fullmatch(text):
                raise ImageError("the note of the ELF file names no part")
            return text
        at = text_at + (text_size + 3) // 4 * 4
    return ""
