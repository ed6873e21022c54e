"""What an operator may bring along: sizes, names, shapes. Everything uploaded is hostile."""

import re
from collections.abc import Sequence

from benchline.errors import InvalidRequestError
from benchline.v1 import artifact_pb2, design_pb2, session_pb2
from controlplane.domain.build import SourceFile
from controlplane.domain.firmware_image import MAX_FILES, FirmwareImage, ImageFile
from controlplane.domain.session import Source, SourceScenario
from controlplane.storage.artifacts import check_digest

LONGEST_PROMPT = 4_000
LONGEST_WISH = 400
CLAUDE = "claude"
DESIGNERS = ("offline", CLAUDE)
MOST_CEILING = 10_000_000_000
"""Ten thousand dollars, in millionths."""
LONGEST_TITLE = 200
MOST_FILES = 40
LARGEST_FILE_BYTES = 256 * 1024
MOST_IMAGES = 16
MOST_SCENARIOS = 50
LARGEST_SCENARIO_BYTES = 64 * 1024
LARGEST_DESIGN_BYTES = 1024 * 1024
_FOLDER = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
_PATH = re.compile(rf"(?:{_FOLDER}/){{0,4}}{_FOLDER}\.(?:ino|h|hpp|cpp|c)")
_IMAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}\.(?:elf|bin|hex)", re.IGNORECASE)
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. +()=-]{0,119}")
_PART = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SCENARIO_ID = re.compile(r"[a-z][a-z0-9_]{0,47}")


def read_prompt(prompt: str) -> str:
    """A sentence of an operator.

    Raises:
        InvalidRequestError: PROMPT_EMPTY, PROMPT_TOO_LONG, PROMPT_UNREADABLE.
    """
    if not prompt.strip():
        raise InvalidRequestError("PROMPT_EMPTY", "say in words what the device should do")
    if len(prompt) > LONGEST_PROMPT:
        raise InvalidRequestError(
            "PROMPT_TOO_LONG",
            f"the prompt has {len(prompt)} characters; at most {LONGEST_PROMPT} are read",
            limit=str(LONGEST_PROMPT),
        )
    if any(ord(character) < 32 and character not in "\t\r\n" for character in prompt):
        raise InvalidRequestError("PROMPT_UNREADABLE", "the prompt holds control characters")
    return prompt


def read_source(message: session_pb2.Source) -> Source:
    """A project of an operator.

    Raises:
        InvalidRequestError: INVALID_SOURCE, SOURCE_TOO_LARGE, INVALID_DIGEST.
    """
    files = tuple(SourceFile(path=item.path, content=item.content) for item in message.files)
    _check_files(files)
    has_other = bool(files) or message.HasField("image")
    _check_image(message.image_sha256, message.image_filename, has_files=has_other)
    image = read_images([message.image])[0] if message.HasField("image") else None
    if image is not None and files:
        raise _invalid("a source has files or an image, not both")
    if not (files or message.image_sha256 or image or message.design_json):
        raise _invalid("a source has files, an image or a design")
    _check_size("design.json", message.design_json, LARGEST_DESIGN_BYTES)
    if len(message.title) > LONGEST_TITLE:
        raise _invalid(f"a title has at most {LONGEST_TITLE} characters")
    return Source(
        files=files,
        image_sha256=message.image_sha256,
        image_filename=message.image_filename,
        scenarios=read_scenarios(message.scenarios),
        design_json=message.design_json,
        title=message.title,
        image=image,
    )


def read_images(messages: Sequence[artifact_pb2.FirmwareImage]) -> tuple[FirmwareImage, ...]:
    """Finished firmware of an operator; whether its bytes make sense is seen when they are read.

    Raises:
        InvalidRequestError: INVALID_SOURCE, SOURCE_TOO_LARGE, INVALID_DIGEST.
    """
    if len(messages) > MOST_IMAGES:
        raise _too_large(f"{len(messages)} images; at most {MOST_IMAGES}")
    return tuple(_image(message) for message in messages)


def _image(message: artifact_pb2.FirmwareImage) -> FirmwareImage:
    if not _FILE_NAME.fullmatch(message.title):
        raise _invalid(f"{message.title[:100]!r} is not a title of an image")
    if message.part and not _PART.fullmatch(message.part):
        raise _invalid(f"{message.part[:40]!r} is not a part")
    if not 0 < len(message.files) <= MAX_FILES:
        raise _invalid(f"an image has 1 to {MAX_FILES} files, not {len(message.files)}")
    return FirmwareImage(
        title=message.title,
        files=tuple(_image_file(file) for file in message.files),
        part=message.part,
    )


def _image_file(file: artifact_pb2.ImageFile) -> ImageFile:
    check_digest(file.sha256)
    if not _FILE_NAME.fullmatch(file.filename):
        raise _invalid(f"{file.filename[:100]!r} is not a file name")
    address = file.address if file.HasField("address") else None
    if address is not None and address >= 1 << 32:
        raise _invalid(f"{address:#x} is not a 32-bit address")
    return ImageFile(sha256=file.sha256, filename=file.filename, address=address)


def _check_files(files: Sequence[SourceFile]) -> None:
    if len(files) > MOST_FILES:
        raise _too_large(f"{len(files)} files; at most {MOST_FILES}")
    seen: set[str] = set()
    for file in files:
        if not _PATH.fullmatch(file.path):
            raise _invalid(
                f"{file.path[:100]!r} is not a relative path of a .ino, .h, .hpp, .cpp or .c file"
            )
        # Two names that differ in case alone are one file on some systems.
        if file.path.lower() in seen:
            raise _invalid(f"{file.path!r} is there twice")
        seen.add(file.path.lower())
        _check_size(file.path, file.content, LARGEST_FILE_BYTES)
    if files and not any(file.path.lower().endswith((".ino", ".cpp", ".c")) for file in files):
        raise _invalid("no file can be compiled; a sketch is a .ino file")


def _check_image(sha256: str, filename: str, *, has_files: bool) -> None:
    if not sha256:
        if filename:
            raise _invalid("an image needs its digest; upload it first")
        return
    if has_files:
        raise _invalid("a source has files or an image, not both")
    check_digest(sha256)
    if not _IMAGE.fullmatch(filename):
        raise _invalid("the name of an image ends in .elf, .bin or .hex")


def read_scenarios(messages: Sequence[design_pb2.Scenario]) -> tuple[SourceScenario, ...]:
    """Scenario files of an operator, not parsed yet.

    Raises:
        InvalidRequestError: INVALID_SOURCE, SOURCE_TOO_LARGE.
    """
    if len(messages) > MOST_SCENARIOS:
        raise _too_large(f"{len(messages)} scenarios; at most {MOST_SCENARIOS}")
    found: dict[str, SourceScenario] = {}
    for item in messages:
        if not _SCENARIO_ID.fullmatch(item.scenario_id):
            raise _invalid(f"{item.scenario_id[:100]!r} is not a scenario id")
        if item.scenario_id in found:
            raise _invalid(f"scenario {item.scenario_id} is there twice")
        _check_size(item.scenario_id, item.yaml, LARGEST_SCENARIO_BYTES)
        found[item.scenario_id] = SourceScenario(scenario_id=item.scenario_id, yaml=item.yaml)
    return tuple(found.values())


def _check_size(what: str, text: str, limit: int) -> None:
    size = len(text.encode())
    if size > limit:
        raise _too_large(f"{what} has {size} bytes; at most {limit}")
    if "\0" in text:
        raise _invalid(f"{what} is not text")


def _invalid(message: str) -> InvalidRequestError:
    return InvalidRequestError("INVALID_SOURCE", message)


def _too_large(message: str) -> InvalidRequestError:
    return InvalidRequestError("SOURCE_TOO_LARGE", message)


def read_designer(name: str) -> str:
    """The designer of a request; "" is the default one.

    Raises:
        InvalidRequestError: UNKNOWN_DESIGNER.
    """
    if name and name not in DESIGNERS:
        known = ", ".join(DESIGNERS)
        raise InvalidRequestError(
            "UNKNOWN_DESIGNER", f"there is no designer {name[:40]!r}; there is: {known}"
        )
    return name


def read_ceiling(wished: int | None, servers: int, *, costs: bool) -> int:
    """What a session may cost at most, in millionths of a dollar; 0 is no limit.

    ``wished`` is None when the request names none; ``servers`` is the ceiling of every session.

    Raises:
        InvalidRequestError: CEILING_INVALID.
    """
    if wished is None:
        return servers if costs else 0
    if not costs:
        raise InvalidRequestError(
            "CEILING_INVALID", "a cost ceiling goes with a designer that costs money: claude"
        )
    if not 0 < wished <= (servers or MOST_CEILING):
        most = (servers or MOST_CEILING) / 1_000_000
        raise InvalidRequestError(
            "CEILING_INVALID",
            f"a cost ceiling is more than $0 and at most ${most:,.2f}, which "
            "[claude] session_ceiling_usd in benchline.toml sets for every session",
            most=str(servers or MOST_CEILING),
        )
    return wished
