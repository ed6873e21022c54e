"""Writing the files of a linked image next to each other, with their size report."""

import hashlib
import shutil
from pathlib import Path

from controlplane.bench_core.manifest import CorePort
from controlplane.toolchains.elf import Section, Segment, intel_hex, sections, segments
from controlplane.toolchains.protocol import (
    BuildVariant,
    Image,
    SectionSize,
    SegmentFile,
    SizeReport,
)


def write_image(variant: BuildVariant, elf: Path, out: Path, port: CorePort) -> Image:
    """Copy the ELF and its map to `out` and write HEX and one BIN a segment beside them.

    Raises:
        ElfError: the linker did not make a usable image.
    """
    data = elf.read_bytes()
    pieces = segments(data)
    base = out / variant.value
    paths = {suffix: base.with_suffix(suffix) for suffix in (".elf", ".map", ".hex")}
    paths[".elf"].write_bytes(data)
    shutil.copyfile(elf.with_suffix(".map"), paths[".map"])
    paths[".hex"].write_text(intel_hex(pieces), encoding="ascii")
    return Image(
        variant=variant,
        elf=paths[".elf"],
        elf_sha256=hashlib.sha256(data).hexdigest(),
        hex=paths[".hex"],
        map=paths[".map"],
        segments=tuple(_write_segment(base, piece) for piece in pieces),
        size=size_report(sections(data), pieces, port),
    )


def _write_segment(base: Path, piece: Segment) -> SegmentFile:
    path = base.with_name(f"{base.name}-{piece.address:08x}.bin")
    path.write_bytes(piece.data)
    return SegmentFile(
        address=piece.address,
        size=len(piece.data),
        sha256=hashlib.sha256(piece.data).hexdigest(),
        path=path,
    )


def size_report(
    found: tuple[Section, ...], pieces: tuple[Segment, ...], port: CorePort
) -> SizeReport:
    """What the sections occupy against the memory that the port gives."""
    ram = [region.addresses for region in port.ram_regions]
    in_ram = [part for part in found if any(part.address in region for region in ram)]
    return SizeReport(
        sections=tuple(
            SectionSize(name=part.name, address=part.address, size=part.size) for part in found
        ),
        flash_used=sum(len(piece.data) for piece in pieces),
        flash_limit=sum(region.length for region in port.flash_regions),
        ram_used=sum(part.size for part in in_ram),
        ram_limit=sum(region.length for region in port.ram_regions),
    )
