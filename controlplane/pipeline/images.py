"""The images of a session: what is simulated, what is flashed, and where it goes."""

from dataclasses import dataclass

from benchline.errors import InvalidRequestError
from controlplane.domain.artifact import Artifact
from controlplane.domain.image import ImageError, ImageSegment, leave_out, read_image
from controlplane.domain.session import Session
from controlplane.storage.artifacts import ArtifactStore

TEST_ELF = "firmware.test.elf"
RELEASE_ELF = "firmware.release.elf"
UPLOADED_IMAGE = "firmware.image"
VENDOR_HEX = "firmware.vendor.hex"
"""What a vendor's toolchain made: all pieces at their places, and no test build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Digests of the image that is judged and of the one that is left on the board."""

    test: Artifact
    release: Artifact


def images_of(session: Session) -> Images:
    """The images that BUILD made, or the one that the operator brought.

    Raises:
        InvalidRequestError: IMAGE_MISSING when the session has none.
    """
    by_kind = {artifact.kind: artifact for artifact in session.artifacts}
    only = by_kind.get(UPLOADED_IMAGE) or by_kind.get(VENDOR_HEX)
    test, release = by_kind.get(TEST_ELF, only), by_kind.get(RELEASE_ELF, only)
    if test is None or release is None:
        raise InvalidRequestError(
            "IMAGE_MISSING", f"{session.name} has no firmware image", session=session.name
        )
    return Images(test=test, release=release)


async def segments_of(
    artifacts: ArtifactStore, image: Artifact, *, base: int, table: range
) -> tuple[ImageSegment, ...]:
    """Read an image's bytes, checked against their digest, as address ranges.

    `table` holds the addresses of the stimulus table: a raw binary spans them, erased.

    Raises:
        CorruptError: ARTIFACT_CORRUPT.
        InvalidRequestError: IMAGE_INVALID.
    """
    data = await artifacts.read(image.sha256)
    return without_table(data, image, base=base, table=table)


def without_table(
    data: bytes, image: Artifact, *, base: int, table: range
) -> tuple[ImageSegment, ...]:
    """The bytes of an image as address ranges, as `segments_of` gives them.

    Raises:
        InvalidRequestError: IMAGE_INVALID.
    """
    try:
        segments = read_image(data, image.filename, base=base)
        return leave_out(segments, table.start, table.stop)
    except ImageError as error:
        raise _invalid(image, error) from error


async def all_segments_of(artifacts: ArtifactStore, image: Artifact) -> tuple[ImageSegment, ...]:
    """Read the bytes of an image that says itself where they go.

    Raises:
        CorruptError: ARTIFACT_CORRUPT.
        InvalidRequestError: IMAGE_INVALID.
    """
    data = await artifacts.read(image.sha256)
    try:
        return read_image(data, image.filename, base=0)
    except ImageError as error:
        raise _invalid(image, error) from error


def _invalid(image: Artifact, error: ImageError) -> InvalidRequestError:
    return InvalidRequestError(
        "IMAGE_INVALID", f"{image.filename}: {error}", filename=image.filename
    )
