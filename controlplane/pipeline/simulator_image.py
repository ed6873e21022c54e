"""An image as simulators take it."""

from pathlib import Path

from controlplane.bench_core.manifest import CorePort
from controlplane.domain.artifact import Artifact
from controlplane.domain.firmware_image import ELF_ARM, ELF_RISCV
from controlplane.domain.image import compose_elf, is_elf, read_image
from controlplane.pipeline.flashing import FlashMemory
from controlplane.pipeline.images import without_table
from controlplane.storage.artifacts import ArtifactStore


async def simulated_bytes(
    artifacts: ArtifactStore, image: Artifact, port: CorePort | None
) -> bytes:
    """The image as an ELF file that leaves out the stimulus table's place.

    A raw binary spans that, and no simulator loads two things to one place. Without a bench core
    the file is taken as it is.

    Raises:
        CorruptError: ARTIFACT_CORRUPT.
        InvalidRequestError: IMAGE_INVALID.
    """
    data = await artifacts.read(image.sha256)
    if port is None:
        return data
    memory = FlashMemory.of(port)
    kept = without_table(data, image, base=memory.base, table=memory.table)
    if is_elf(data) and kept == read_image(data, image.filename, base=memory.base):
        return data
    return compose_elf(kept, ELF_RISCV if port.family == "esp32" else ELF_ARM)


def written_for_simulator(data: bytes, folder: Path) -> Path:
    """The image as a file whose name says what it is."""
    path = folder / f"firmware{'.elf' if is_elf(data) else '.hex'}"
    path.write_bytes(data)
    return path
