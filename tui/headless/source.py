"""Reads a project or an image from disk, as a session takes it."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from benchline.errors import InvalidRequestError
from benchline.v1 import build_pb2, design_pb2, session_pb2
from tui.client.connection import Connection
from tui.client.images import (
    IMAGE_SUFFIXES,
    MANIFEST_SUFFIX,
    LocalImage,
    read_local_image,
    upload_image,
)
from tui.wording import why_unread

_CLOUD_LIBRARY = Path("lib") / "Cloud"
"""Of an exported project: the cloud over Wi-Fi. Its keys must not travel, and builds need none."""

SKETCH_SUFFIXES = (".ino", ".h", ".hpp", ".cpp", ".c")
DESIGN_SUFFIXES = (".json", ".yaml", ".yml")
MAX_FILES = 40
MAX_FILE_BYTES = 256 * 1024


async def load_source(
    connection: Connection, path: Path, scenarios: Sequence[Path] = ()
) -> session_pb2.Source:
    """A directory, a sketch or an image as the source of a session; images are uploaded.

    Raises:
        InvalidRequestError: as `read_source`.
    """
    source, image = await asyncio.to_thread(read_source, path, scenarios)
    if image is not None:
        await upload_image(connection, image)
    return source


def read_source(
    path: Path, scenarios: Sequence[Path] = ()
) -> tuple[session_pb2.Source, LocalImage | None]:
    """A source as it is on disk, with the files of its image if it is one.

    Raises:
        InvalidRequestError: SOURCE_NOT_FOUND, SOURCE_UNUSABLE or SOURCE_TOO_LARGE.
    """
    image = None
    suffix = path.suffix.lower()
    if path.is_dir():
        source = _project(path)
    elif suffix in SKETCH_SUFFIXES and path.is_file():
        source = session_pb2.Source(title=path.stem, files=[_file(path, path.name)])
    elif suffix in DESIGN_SUFFIXES and path.is_file() and is_design(path):
        source = session_pb2.Source(title=path.stem, design_json=_text(path))
    elif suffix in (*IMAGE_SUFFIXES, MANIFEST_SUFFIX) and path.is_file():
        image = read_local_image(path)
        source = session_pb2.Source(title=path.stem, image=image.image)
    elif not path.exists():
        raise InvalidRequestError("SOURCE_NOT_FOUND", f"{path} does not exist", path=str(path))
    else:
        kinds = ", ".join((*SKETCH_SUFFIXES, *IMAGE_SUFFIXES, *DESIGN_SUFFIXES))
        raise InvalidRequestError(
            "SOURCE_UNUSABLE", f"{path} is neither a directory nor one of {kinds}", path=str(path)
        )
    source.scenarios.extend(load_scenario(one) for one in scenarios)
    return source, image


def is_design(path: Path) -> bool:
    """Whether a file is a design and not, say, a flasher_args.json: it names behaviours."""
    if path.suffix.lower() in (".yaml", ".yml"):
        return True
    try:
        document = json.loads(_text(path))
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "behaviours" in document and "board" in document


def load_scenario(path: Path) -> design_pb2.Scenario:
    """A scenario file with its digest. Its id is the file's stem; the server reads the file."""
    text = _text(path)
    return design_pb2.Scenario(
        scenario_id=path.stem,
        yaml=text,
        sha256=hashlib.sha256(text.encode("utf-8")).hexdigest(),
    )


def _project(folder: Path) -> session_pb2.Source:
    source = session_pb2.Source(title=folder.resolve().name)
    found = sorted(
        one
        for one in folder.rglob("*")
        if one.suffix.lower() in SKETCH_SUFFIXES
        and one.is_file()
        and not one.is_relative_to(folder / _CLOUD_LIBRARY)
        and not any(part.startswith(".") for part in one.relative_to(folder).parts)
    )
    if not found:
        raise InvalidRequestError(
            "SOURCE_UNUSABLE", f"{folder} holds no sketch (.ino)", path=str(folder)
        )
    if len(found) > MAX_FILES:
        raise InvalidRequestError(
            "SOURCE_TOO_LARGE", f"{folder} holds {len(found)} files; {MAX_FILES} are allowed"
        )
    source.files.extend(_file(one, one.relative_to(folder).as_posix()) for one in found)
    design = folder / "design.json"
    if design.is_file():
        source.design_json = _text(design)
    scenarios = sorted((folder / "scenarios").glob("*.y*ml"))
    source.scenarios.extend(load_scenario(one) for one in scenarios)
    return source


def _file(path: Path, name: str) -> build_pb2.SourceFile:
    return build_pb2.SourceFile(path=name, content=_text(path))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidRequestError(
                "SOURCE_TOO_LARGE", f"{path} is larger than {MAX_FILE_BYTES} bytes", path=str(path)
            )
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(
            "SOURCE_UNUSABLE", f"{path} cannot be read as text: {why_unread(error)}", path=str(path)
        ) from error
