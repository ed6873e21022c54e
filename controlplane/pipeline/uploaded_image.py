"""A finished image that an operator brought: read, placed on a board model, kept as one file."""

from dataclasses import dataclass, replace
from pathlib import PurePath

from benchline.errors import InvalidRequestError
from controlplane.catalog.loader import Catalogue
from controlplane.domain.artifact import Artifact
from controlplane.domain.finding import Finding
from controlplane.domain.firmware_image import (
    FirmwareContent,
    FirmwareImage,
    ImageFile,
    ImageTarget,
    complaint,
    is_test_build,
    read_firmware,
)
from controlplane.domain.image import ImageError, is_elf, is_hex
from controlplane.domain.image_memory import lacking
from controlplane.domain.part import Part
from controlplane.domain.session import Source
from controlplane.pipeline.images import UPLOADED_IMAGE
from controlplane.pipeline.stage import SessionRecord, StageRun, with_artifact
from controlplane.planning.boards import DEFAULT_MODEL, choose_model
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.codec import from_json, to_json

_KEY = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedImage:
    """What is known of the image: where it runs, and whether it prints BL records."""

    board_model: str
    test_build: bool


async def known_image(run: SessionRecord) -> UploadedImage | None:
    """What :func:`take_uploaded_image` found; None for a session without an image."""
    text = await run.kept(_KEY)
    return None if text is None else from_json(UploadedImage, text)


async def take_uploaded_image(
    run: StageRun, artifacts: ArtifactStore, catalogue: Catalogue, boards: BoardStore
) -> UploadedImage | None:
    """Make the image the session's firmware, once; None for a session without one.

    Raises:
        InvalidRequestError: IMAGE_INVALID, IMAGE_FOR_OTHER_PART, IMAGE_TOO_LARGE, BOARD_UNKNOWN.
        NotFoundError: ARTIFACT_NOT_FOUND.
        CorruptError: ARTIFACT_CORRUPT.
    """
    source = run.session.request.source
    if source is None or not source.has_image:
        return None
    known = await known_image(run)
    if known is not None and any(a.kind == UPLOADED_IMAGE for a in run.session.artifacts):
        return known
    image = _described(source)
    wish = run.session.request.board_wish
    wished = ""
    if wish:
        choice = choose_model(catalogue, wish, (), await boards.boards())
        if isinstance(choice, Finding):
            raise InvalidRequestError(
                "BOARD_UNKNOWN", f"{choice.message} {choice.fix}", board=choice.subject
            )
        wished = choice.model
    part = image.part or (catalogue.boards[wished].part if wished else "")
    content = await _content(artifacts, image, part)
    model = wished or _model_for(content.target, catalogue)
    if not content.target.fits(catalogue.boards[model].part):
        raise InvalidRequestError(
            "IMAGE_FOR_OTHER_PART",
            f"{image.title} is for {content.target}; a {model} has a "
            f"{catalogue.boards[model].part}: build it for that part, or take another board",
            board=model,
        )
    _check_memory(image, content, catalogue.parts[catalogue.boards[model].part])
    uploaded = UploadedImage(board_model=model, test_build=is_test_build(content.segments))
    artifact = await _as_one_file(artifacts, image, content)
    await run.record(
        artifact, change=lambda s: replace(with_artifact(s, artifact), board_model=model)
    )
    await run.keep(_KEY, to_json(uploaded))
    return uploaded


def _check_memory(image: FirmwareImage, content: FirmwareContent, part: Part) -> None:
    """Whether the part has the flash and the RAM that the image takes.

    Raises:
        InvalidRequestError: IMAGE_TOO_LARGE.
    """
    flash = part.memory.flash
    first, last = content.segments[0].address, content.segments[-1].end
    lacks = lacking(content.memory, part.memory)
    if not flash.start <= first < last <= flash.stop:
        lacks = (
            f"its bytes are at {first:#x}..{last:#x}, the flash at "
            f"{flash.start:#x}..{flash.stop:#x}"
        )
    if lacks:
        raise InvalidRequestError(
            "IMAGE_TOO_LARGE",
            f"{image.title} does not fit a {part.key}: {lacks}; build it for that part",
            part=part.key,
        )


def _described(source: Source) -> FirmwareImage:
    if source.image is not None:
        return source.image
    name = source.image_filename
    file = ImageFile(sha256=source.image_sha256, filename=name)
    return FirmwareImage(title=name, files=(file,))


async def _content(artifacts: ArtifactStore, image: FirmwareImage, part: str) -> FirmwareContent:
    files = [(file, await artifacts.read(file.sha256)) for file in image.files]
    try:
        return read_firmware(files, part=part)
    except ImageError as error:
        raise InvalidRequestError(
            "IMAGE_INVALID", complaint(image.title, error), filename=image.title
        ) from error


def _model_for(target: ImageTarget, catalogue: Catalogue) -> str:
    """The board model that an image without a wish is run on.

    Raises:
        InvalidRequestError: BOARD_UNKNOWN, several could be meant, or none.
    """
    if target.fits(catalogue.boards[DEFAULT_MODEL].part):
        return DEFAULT_MODEL
    fitting = [part for part in catalogue.parts.values() if target.fits(part.key)]
    if len(fitting) == 1:
        return fitting[0].default_model
    listed = ", ".join(sorted(part.key for part in fitting)) or "none that is known"
    raise InvalidRequestError(
        "BOARD_UNKNOWN",
        f"the image is for {target}, which may be {listed}; name the board with --board",
        board=str(target),
    )


async def _as_one_file(
    artifacts: ArtifactStore, image: FirmwareImage, content: FirmwareContent
) -> Artifact:
    """The image as one file that says itself where its bytes go."""
    first = image.files[0]
    if len(image.files) == 1:
        stored = await artifacts.get(first.sha256)
        data = await artifacts.read(first.sha256)
        if is_elf(data) or is_hex(first.filename):
            return replace(stored, kind=UPLOADED_IMAGE, filename=first.filename)
    name = f"{PurePath(image.title).stem}.elf"
    return await artifacts.put(content.as_elf(), kind=UPLOADED_IMAGE, filename=name)
