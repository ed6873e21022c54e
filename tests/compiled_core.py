"""The bench core's objects, compiled once for all instances of a run of the tests.

An instance finds its objects by the hash of everything that made them, and never changes one: what
another instance has compiled is what this one would. Without it each instance spends ten seconds.
The folder is a toolchain's cache, which tests without an instance use as it is.
"""

from contextlib import suppress
from pathlib import Path

_OBJECTS = Path("cache", "toolchain", "objects")
_shared: Path | None = None


def share_in(folder: Path) -> None:
    """From now on instances share their objects through this cache of a toolchain."""
    global _shared
    _shared = folder / "objects"
    _shared.mkdir(parents=True, exist_ok=True)


def lend_objects(data_dir: Path) -> None:
    """Give an instance that was never started what the others have compiled."""
    own = data_dir / _OBJECTS
    if _shared is not None and not own.exists():
        for folder in (*reversed(_OBJECTS.parents), _OBJECTS):
            (data_dir / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        _link_new(_shared, own)


def keep_objects(data_dir: Path) -> None:
    """Keep for others what an instance has compiled."""
    if _shared is not None:
        _link_new(data_dir / _OBJECTS, _shared)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _link_new(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    missing = _names(source) - _names(target)
    # What a compiler said of an object must be there before the object.
    for name in sorted(missing, key=lambda name: name.endswith(".o")):
        if name.endswith((".o", ".txt")):
            with suppress(FileExistsError, FileNotFoundError):
                (target / name).hardlink_to(source / name)
