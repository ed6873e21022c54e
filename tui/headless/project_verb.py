"""``project export``: a session's project as files that ``run --from`` takes back."""

import argparse
import re
from pathlib import Path, PurePosixPath

from benchline.errors import InvalidRequestError, NotReadyError
from tui.headless import local
from tui.headless.output import data, talk
from tui.headless.show_verb import Held, hold

_UNSAFE = re.compile(r"[^A-Za-z0-9_]+")
_EXTRA_KINDS = ("platformio.ini", "project.platformio")


async def export(options: argparse.Namespace) -> int:
    """Write sketch, design and scenarios of a session into a directory."""
    folder = Path(options.directory)
    _demand_empty(folder)
    connection = await local.ensure_up(need_boards=False)
    async with connection:
        held = await hold(connection, options.session)
        files = project_files(held)
        for artifact in held.session.artifacts:
            if artifact.kind in _EXTRA_KINDS or artifact.filename == "platformio.ini":
                extra = await connection.download(artifact.sha256)
                files["platformio.ini"] = extra.decode("utf-8", errors="replace")
    for path in _write(folder, files):
        data(str(path))
    talk(f"`benchline run --from {folder}` takes it back")
    return 0


def _demand_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidRequestError(
            "DIRECTORY_NOT_EMPTY", f"{folder} exists and is not empty", path=str(folder)
        )


def _write(folder: Path, files: dict[str, str]) -> list[Path]:
    written = []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
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
