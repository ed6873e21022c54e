"""``project export``: a session's project as files that ``run --from`` takes back."""

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import grpc

from benchline.errors import InvalidRequestError, NotReadyError
from tui.client.connection import Connection, failure_of
from tui.client.designs import Given, draw
from tui.headless import local
from tui.headless.output import data, talk
from tui.headless.show_verb import Held, hold

_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")
_PROJECT_FILES = "project.files"
# Where the project's other files say that the image is.
_IMAGES = {
    "firmware.release.bin": "firmware/firmware.bin",
    "firmware.release.elf": "firmware/firmware.elf",
    "firmware.vendor.bin": "firmware/firmware.bin",
    "firmware.vendor.elf": "firmware/firmware.elf",
}


async def export(options: argparse.Namespace) -> int:
    """Write a session's project, with what other tools need to open it, into a directory."""
    folder = Path(options.directory)
    _demand_empty(folder)
    connection = await local.ensure_up(need_boards=False)
    async with connection:
        held = await hold(connection, options.session)
        files: dict[str, str | bytes] = {**project_files(held)}
        if held.design is not None:
            files |= await _drawings(connection, held.session.name)
        notes: list[str] = []
        for artifact in held.session.artifacts:
            if artifact.kind == _PROJECT_FILES:
                extra, notes = read_project_files(await connection.download(artifact.sha256))
                # What the session itself holds is never replaced.
                files = {**extra, **files}
            elif artifact.kind in _IMAGES:
                files[_IMAGES[artifact.kind]] = await connection.download(artifact.sha256)
    for path in _write(folder, files):
        data(str(path))
    for note in notes:
        talk(note)
    talk(f"`benchline run --from {folder}` takes it back")
    return 0


async def _drawings(connection: Connection, session: str) -> dict[str, str | bytes]:
    """The wiring and the bill of materials beside the sketch."""
    names = {"wiring.svg": "svg", "wiring.mmd": "mermaid", "bom.csv": "bom"}
    given = Given(name=session)
    try:
        return {name: await draw(connection, given, how) for name, how in names.items()}
    except grpc.aio.AioRpcError as error:
        raise failure_of(error) from error


def _demand_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidRequestError(
            "DIRECTORY_NOT_EMPTY", f"{folder} exists and is not empty", path=str(folder)
        )


def read_project_files(document: bytes) -> tuple[dict[str, str], list[str]]:
    """Texts by relative path and notes, of the artifact that holds them. Pure.

    Raises:
        InvalidRequestError: PROJECT_FILES_INVALID or UNSAFE_PATH.
    """
    try:
        found = json.loads(document)
        files = {_inside(str(path)): str(text) for path, text in found["files"].items()}
        return files, [str(note) for note in found["notes"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidRequestError(
            "PROJECT_FILES_INVALID", f"the session's project files cannot be read: {error!r}"
        ) from error


def _write(folder: Path, files: Mapping[str, str | bytes]) -> list[Path]:
    written = []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        written.append(path)
    return written


def project_files(held: Held) -> dict[str, str]:
    """Relative path -> text of everything that makes up the project. Pure.

    Raises:
        NotReadyError: NO_SKETCH, when the session has not written one.
    """
    if not held.sources:
        raise NotReadyError("NO_SKETCH", "this session has no sketch (yet)")
    files = {_inside(one.path): one.content for one in held.sources}
    if held.design is not None:
        if held.design.json:
            files["design.json"] = held.design.json
        for scenario in held.design.scenarios:
            stem = _UNSAFE.sub("_", scenario.scenario_id) or "scenario"
            files[f"scenarios/{stem}.yaml"] = scenario.yaml
    return files


def _inside(path: str) -> str:
    """A relative path that stays inside the directory, or a refusal."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\\" in path:
        raise InvalidRequestError("UNSAFE_PATH", f"the project holds the path {path!r}", path=path)
    return pure.as_posix()
