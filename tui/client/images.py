"""Finished firmware on disk: one file, or the files of a manifest, as a request takes it."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchline.errors import InvalidRequestError
from benchline.v1 import artifact_pb2
from tui.client.connection import Connection
from tui.manifest import MAX_MANIFEST_BYTES, ManifestError, parse_manifest

IMAGE_SUFFIXES = (".elf", ".bin", ".hex")
MANIFEST_SUFFIX = ".json"
MAX_IMAGE_BYTES = 16 * 1024 * 1024
_PART = re.compile(r"(?P<part>[a-z][a-z0-9-]{2,39})=(?P<path>.+)")
_UNNAMEABLE = re.compile(r"[^A-Za-z0-9_. +()=-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image with the bytes of its files, by digest."""

    image: artifact_pb2.FirmwareImage
    contents: dict[str, bytes]


def read_image_option(text: str, *, part: str = "", address: int | None = None) -> LocalImage:
    """Read `PATH` or `PART=PATH`, as `--image` takes it.

    Raises:
        InvalidRequestError: SOURCE_NOT_FOUND, SOURCE_UNUSABLE, SOURCE_TOO_LARGE.
    """
    named = None if Path(text).exists() else _PART.fullmatch(text)
    if named is not None:
        part, text = named["part"], named["path"]
    return read_local_image(Path(text), part=part, address=address)


def read_local_image(path: Path, *, part: str = "", address: int | None = None) -> LocalImage:
    """Read an image or a manifest with its files.

    Raises:
        InvalidRequestError: SOURCE_NOT_FOUND, SOURCE_UNUSABLE, SOURCE_TOO_LARGE.
    """
    if not path.is_file():
        raise InvalidRequestError("SOURCE_NOT_FOUND", f"{path} is not a file", path=str(path))
    if path.suffix.lower() == MANIFEST_SUFFIX:
        if address is not None:
            raise _unusable(path, "a manifest says itself where its files go")
        return _of_manifest(path, part)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        kinds = ", ".join((*IMAGE_SUFFIXES, MANIFEST_SUFFIX))
        raise _unusable(path, f"an image is one of {kinds}")
    return _local(path.name, [(path, address)], part)


async def upload_image(connection: Connection, local: LocalImage) -> None:
    """Store the files of an image."""
    names = {file.sha256: file.filename for file in local.image.files}
    for sha256, content in local.contents.items():
        await connection.upload(content, kind="image", filename=names[sha256], sha256=sha256)


async def upload_options(
    connection: Connection, options: Sequence[str], *, part: str = "", address: int | None = None
) -> list[artifact_pb2.FirmwareImage]:
    """Read and store what `--image` options name.

    Raises:
        InvalidRequestError: SOURCE_NOT_FOUND, SOURCE_UNUSABLE, SOURCE_TOO_LARGE.
    """
    images = []
    for option in options:
        local = await asyncio.to_thread(read_image_option, option, part=part, address=address)
        await upload_image(connection, local)
        images.append(local.image)
    return images


def _of_manifest(path: Path, part: str) -> LocalImage:
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise _too_large(path, MAX_MANIFEST_BYTES)
        manifest = parse_manifest(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ManifestError) as error:
        raise _unusable(path, str(error)) from error
    if part and manifest.chip and part != manifest.chip:
        raise _unusable(path, f"it is for {manifest.chip}, not for {part}")
    folder = path.parent.resolve()
    files: list[tuple[Path, int | None]] = []
    for listed in manifest.files:
        file = folder / listed.path
        if not file.resolve().is_relative_to(folder):
            raise _unusable(path, f"{listed.path} leads out of {folder}")
        if not file.is_file():
            raise InvalidRequestError(
                "SOURCE_NOT_FOUND", f"{file}, which {path.name} lists, is not there", path=str(file)
            )
        files.append((file, listed.offset))
    return _local(path.name, files, part or manifest.chip)


def _local(title: str, files: Sequence[tuple[Path, int | None]], part: str) -> LocalImage:
    image = artifact_pb2.FirmwareImage(title=_nameable(title), part=part)
    contents: dict[str, bytes] = {}
    total = 0
    for path, address in files:
        total += path.stat().st_size
        if total > MAX_IMAGE_BYTES:
            raise _too_large(path, MAX_IMAGE_BYTES)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _unusable(path, str(error)) from error
        digest = hashlib.sha256(content).hexdigest()
        contents[digest] = content
        image.files.add(sha256=digest, filename=_nameable(path.name), address=address)
    return LocalImage(image=image, contents=contents)


def _nameable(name: str) -> str:
    """A file name with the characters that the server takes."""
    return f"{_UNNAMEABLE.sub('_', name)}"[:120].lstrip(" .+()=-") or "image"


def _unusable(path: Path, why: str) -> InvalidRequestError:
    return InvalidRequestError("SOURCE_UNUSABLE", f"{path}: {why}", path=str(path))


def _too_large(path: Path, limit: int) -> InvalidRequestError:
    return InvalidRequestError(
        "SOURCE_TOO_LARGE", f"{path} is larger than {limit} bytes", path=str(path)
    )
