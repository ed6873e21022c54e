"""Plans a deployment from stored files and known boards, before anything is touched."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from benchline.errors import InvalidRequestError, NotReadyError
from controlplane.domain.bench import Board
from controlplane.domain.deployment import BoardDeployment, DeploymentRequest
from controlplane.domain.firmware_image import (
    FirmwareContent,
    FirmwareImage,
    complaint,
    read_firmware,
)
from controlplane.domain.image import ImageError
from controlplane.domain.verdict import Outcome
from controlplane.pipeline.project import parsed_scenarios
from controlplane.pipeline.rollout_parts import RolloutParts
from controlplane.planning.leases import why_none_matches
from controlplane.planning.rollout import (
    MOST_BOARDS,
    Candidate,
    RolloutError,
    assign_images,
    check_rollout,
    mixed_order,
    plan_waves,
    wave_sizes,
)

_SEED_BYTES = 8


async def content_of(parts: RolloutParts, image: FirmwareImage) -> FirmwareContent:
    """The bytes of an image, checked against their digests.

    Raises:
        InvalidRequestError: IMAGE_INVALID.
        NotFoundError: ARTIFACT_NOT_FOUND.
        CorruptError: ARTIFACT_CORRUPT.
    """
    files = [(file, await parts.artifacts.read(file.sha256)) for file in image.files]
    try:
        return read_firmware(files, part=image.part)
    except ImageError as error:
        raise InvalidRequestError(
            "IMAGE_INVALID", complaint(image.title, error), filename=image.title
        ) from error


async def described(
    parts: RolloutParts, images: Sequence[FirmwareImage]
) -> tuple[list[FirmwareImage], list[Candidate]]:
    """The images with what their bytes tell, and those bytes.

    Raises:
        InvalidRequestError: IMAGE_INVALID, IMAGE_TWICE.
    """
    titles = Counter(image.title for image in images)
    known: list[FirmwareImage] = []
    candidates: list[Candidate] = []
    for image in images:
        content = await content_of(parts, image)
        title = image.title
        if titles[title] > 1:
            title = f"{title} ({content.target}, {content.sha256[:8]})"
        if any(candidate.title == title for candidate in candidates):
            raise InvalidRequestError("IMAGE_TWICE", f"{title} is given twice", image=title)
        known.append(
            replace(
                image,
                title=title,
                part=image.part or content.target.part,
                family=content.target.family,
                sha256=content.sha256,
                size_bytes=content.size_bytes,
            )
        )
        candidates.append(Candidate(title=title, content=content))
    return known, candidates


def check_request(request: DeploymentRequest) -> None:
    """What can be said of a request by itself.

    Raises:
        InvalidRequestError: INVALID_ROLLOUT, SCENARIO_INVALID.
    """
    try:
        check_rollout(request)
    except RolloutError as error:
        raise InvalidRequestError("INVALID_ROLLOUT", str(error)) from error
    parsed_scenarios(_texts(request))


def _texts(request: DeploymentRequest) -> list[tuple[str, str]]:
    return [(scenario.scenario_id, scenario.yaml) for scenario in request.scenarios]


async def planned_boards(
    parts: RolloutParts, request: DeploymentRequest, candidates: Sequence[Candidate]
) -> tuple[BoardDeployment, ...]:
    """Every board of the deployment with its image and wave.

    Raises:
        NotReadyError: NO_BOARD_MATCHES.
        InvalidRequestError: INVALID_SELECTOR, SELECTOR_NEEDED, TOO_MANY_BOARDS, SCENARIO_INVALID.
        NotFoundError: BOARD_NOT_FOUND.
    """
    bounds = {part.key: part.memory for part in parts.catalogue.parts.values()}
    declared = {image.part for image in request.images if image.part}
    declared_part = next(iter(declared)) if len(declared) == 1 else ""
    boards = await _chosen(parts, request)
    assigned = assign_images(boards, candidates, bounds, declared_part=declared_part)
    if not request.selector and not request.boards:
        assigned = _only_one(assigned)
    to_flash = mixed_order([board for board in assigned if board.wave])
    for key in sorted({board.part for board in to_flash}):
        parsed_scenarios(_texts(request), parts.catalogue.parts.get(key))
    waves = plan_waves([board.board for board in to_flash], wave_sizes(request.waves))
    wave_of = {name: number for number, wave in enumerate(waves, start=1) for name in wave}
    return tuple(replace(board, wave=wave_of.get(board.board, 0)) for board in assigned)


async def _chosen(parts: RolloutParts, request: DeploymentRequest) -> list[Board]:
    found: dict[str, Board] = {}
    if request.selector or not request.boards:
        for board in await parts.boards.boards(request.selector):
            found[board.name] = board
        if not found:
            raise NotReadyError(
                "NO_BOARD_MATCHES",
                why_none_matches(request.selector, await parts.boards.boards()),
                selector=request.selector,
            )
    for name in request.boards:
        board = await parts.boards.get(name)
        found[board.name] = board
    if len(found) > MOST_BOARDS:
        raise InvalidRequestError(
            "TOO_MANY_BOARDS",
            f"{len(found)} boards; a deployment has at most {MOST_BOARDS}",
            limit=str(MOST_BOARDS),
        )
    return [found[name] for name in sorted(found)]


def _only_one(assigned: Sequence[BoardDeployment]) -> tuple[BoardDeployment, ...]:
    """Without a selector: the only board that an image fits, never several unasked."""
    fitting = [board for board in assigned if board.outcome is not Outcome.REFUSED]
    if len(fitting) == 1:
        return tuple(fitting)
    if not fitting:
        return tuple(assigned)
    names = ", ".join(board.board_id for board in fitting[:10])
    raise InvalidRequestError(
        "SELECTOR_NEEDED",
        f"{len(fitting)} boards fit: {names}; say which ones, e.g. part={fitting[0].part}",
        boards=names,
    )


def seed_of(request: DeploymentRequest, images: Sequence[FirmwareImage], secret: bytes) -> int:
    """The seed of the stimulus values: as given, or one that nobody can know beforehand."""
    if request.seed is not None:
        return request.seed
    subject = "/".join([image.sha256 for image in images] + [s.yaml for s in request.scenarios])
    digest = hashlib.blake2b(subject.encode(), key=secret, digest_size=_SEED_BYTES).digest()
    return int.from_bytes(digest, "big")
