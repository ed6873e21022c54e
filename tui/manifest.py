"""ESP-IDF's flasher_args.json: which file goes to which flash offset, for which chip. Pure.

The keys are those that `idf.py build` writes (`flash_files`, `extra_esptool_args.chip`, and one
object a partition with `encrypted`); known from use, not checked against ESP-IDF's documentation.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

MAX_MANIFEST_BYTES = 64 * 1024
MAX_FILES = 16
_MAX_OFFSET = 0x0100_0000  # the flash of an ESP part has at most 16 MiB
_OFFSET = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,8}")
_CHIP = re.compile(r"esp32[a-z0-9]{0,8}")


class ManifestError(ValueError):
    """A manifest that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """A file below the manifest's folder, and its flash offset."""

    path: PurePosixPath
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest lists; `chip` is "" when it does not say."""

    chip: str
    files: tuple[ManifestFile, ...]


def parse_manifest(text: str) -> Manifest:
    """Read a manifest. Every byte of it is hostile.

    Raises:
        ManifestError: not JSON, no files, a path that leaves the folder, an offset outside of any
            flash, an offset twice, an encrypted file.
    """
    try:
        document = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"not a manifest: {str(error)[:200]}") from error
    if not isinstance(document, dict):
        raise ManifestError("not a manifest: a JSON object is expected")
    listed = document.get("flash_files")
    if not isinstance(listed, dict) or not listed:
        raise ManifestError("it lists no flash_files")
    if len(listed) > MAX_FILES:
        raise ManifestError(f"it lists {len(listed)} files; at most {MAX_FILES} are taken")
    files = sorted(
        (ManifestFile(path=_path(path), offset=_offset(at)) for at, path in listed.items()),
        key=lambda file: file.offset,
    )
    offsets = [file.offset for file in files]
    if len(set(offsets)) < len(offsets):
        raise ManifestError("two files have the same offset")
    for name, entry in document.items():
        encrypted = entry.get("encrypted") if isinstance(entry, dict) else None
        if encrypted in (True, "true"):
            raise ManifestError(f"{str(name)[:40]} is to be encrypted, which is not supported")
    return Manifest(chip=_chip(document), files=tuple(files))


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError("a key stands twice in one object")
    return dict(pairs)


def _offset(text: str) -> int:
    if not _OFFSET.fullmatch(text):
        raise ManifestError(f"{text[:20]!r} is not a flash offset")
    value = int(text, 0) if text[:2].lower() == "0x" else int(text)
    if value >= _MAX_OFFSET:
        raise ManifestError(f"offset {text} is outside of the flash")
    return value


def _path(value: object) -> PurePosixPath:
    if not isinstance(value, str) or not value or len(value) > 400 or not value.isprintable():
        raise ManifestError(f"{str(value)[:80]!r} is not a path")
    path = PurePosixPath(value.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise ManifestError(f"{value[:80]!r} leads out of the manifest's folder")
    return path


def _chip(document: dict[str, Any]) -> str:
    extra = document.get("extra_esptool_args")
    chip = extra.get("chip", "") if isinstance(extra, dict) else ""
    if not isinstance(chip, str) or (chip and not _CHIP.fullmatch(chip)):
        raise ManifestError(f"{str(chip)[:40]!r} is not a chip")
    return chip
