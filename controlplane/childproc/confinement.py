"""Choosing and spelling the strongest confinement that this machine allows."""

import asyncio
import math
import os
import shutil
from pathlib import Path

from controlplane.childproc.command import MIB, Command, Confinement, Limits

SYSTEM_DIRECTORIES = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
LOADER_FILES = ("/etc/ld.so.cache", "/etc/alternatives")
SCRATCH_BYTES = 256 * MIB
PROBE_SECONDS = 5.0

_probed: dict[tuple[str | None, str | None], Confinement] = {}


class ConfinementMissingError(Exception):
    """Not even the weakest confinement can be had; the message names what to install."""


async def strongest_confinement() -> Confinement:
    """The strongest level that works here, found by trying; remembered per program found.

    Raises:
        ConfinementMissingError: util-linux is not installed.
    """
    key = (_find("bwrap"), _find("unshare"))
    if key not in _probed:
        _probed[key] = await _probe()
    return _probed[key]


async def _probe() -> Confinement:
    probe = Command(argv=(_required("true"),), cwd=Path("/"))
    for level in (Confinement.BUBBLEWRAP, Confinement.USER_NAMESPACE):
        if _program_of(level) is not None and await _works(confined_argv(probe, Limits(), level)):
            return level
    return Confinement.RLIMITS


async def _works(argv: tuple[str, ...]) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        return await asyncio.wait_for(process.wait(), PROBE_SECONDS) == 0
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def confined_argv(command: Command, limits: Limits, level: Confinement) -> tuple[str, ...]:
    """The argument list that runs `command` at `level`; it reads the file system, changes nothing.

    Raises:
        ConfinementMissingError: a program that the level needs is not installed.
    """
    match level:
        case Confinement.BUBBLEWRAP:
            bounds = _prlimit(limits, own_count=True)
            return (*_bubblewrap(command), *bounds, *_nice(limits), *command.argv)
        case Confinement.USER_NAMESPACE:
            # No process namespace: its first process would ignore the signals of the limits.
            unshare = (_required("unshare"), "--user", "--map-current-user", "--net", "--ipc", "--")
            bounds = _prlimit(limits, own_count=True)
            return (*unshare, *_setpriv(), *bounds, *_nice(limits), *command.argv)
        case Confinement.RLIMITS:
            bounds = _prlimit(limits, own_count=False)
            return (*_setpriv(), *bounds, *_nice(limits), *command.argv)


def _bubblewrap(command: Command) -> tuple[str, ...]:
    argv = [
        _required("bwrap"),
        *("--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr"),
    ]
    for directory in map(Path, SYSTEM_DIRECTORIES):
        if directory.is_symlink():
            argv += ["--symlink", str(directory.readlink()), str(directory)]
        elif directory.is_dir():
            argv += ["--ro-bind", str(directory), str(directory)]
    for name in LOADER_FILES:
        argv += ["--ro-bind-try", name, name]
    argv += ["--proc", "/proc", "--dev", "/dev", "--size", str(SCRATCH_BYTES), "--tmpfs", "/tmp"]  # noqa: S108 - the child's own
    for path in (*command.read_only, *_installation_of(command.argv[0])):
        argv += ["--ro-bind", str(path), str(path)]
    for path in command.writable:
        argv += ["--bind", str(path), str(path)]
    return (*argv, "--chdir", str(command.cwd), "--")


def _installation_of(program: str) -> tuple[Path, ...]:
    """The directories of a program that is installed outside /usr, without the user's home."""
    found: list[Path] = []
    for path in (Path(program), Path(program).resolve()):
        prefix = path.parent.parent if path.parent.name == "bin" else path.parent
        private = {Path("/"), Path.home(), Path("/home"), Path("/root"), Path("/tmp")}  # noqa: S108 - compared, not used
        directory = path.parent if prefix in private else prefix
        if not directory.is_relative_to("/usr") and directory not in private | set(found):
            found.append(directory)
    return tuple(found)


def _setpriv() -> tuple[str, ...]:
    """The child dies with the thread that started it: the event loop's, which ends last."""
    return (_required("setpriv"), "--no-new-privs", "--pdeathsig", "KILL", "--")


def _prlimit(limits: Limits, *, own_count: bool) -> tuple[str, ...]:
    """`prlimit` sets the limits in a program of its own: no Python code runs after a fork here."""
    processes = (f"--nproc={limits.processes}",) if own_count else ()
    return (
        _required("prlimit"),
        # The soft limit ends the child with SIGXCPU, which tells this end from others.
        f"--cpu={math.ceil(limits.cpu_s)}:{math.ceil(limits.cpu_s) + 2}",
        f"--data={limits.memory_bytes}",
        f"--fsize={limits.file_bytes}",
        f"--nofile={limits.open_files}",
        "--core=0",
        *processes,
        "--",
    )


def _nice(limits: Limits) -> tuple[str, ...]:
    """The child yields to others when it has to."""
    return (_required("nice"), "-n", str(limits.niceness)) if limits.niceness else ()


def _program_of(level: Confinement) -> str | None:
    return _find("bwrap" if level is Confinement.BUBBLEWRAP else "unshare")


def _find(name: str) -> str | None:
    """A program of the system; its own directories first, since the child sees those."""
    for path in (f"/usr/bin/{name}", f"/bin/{name}", shutil.which(name)):
        if path is not None and os.access(path, os.X_OK):
            return str(Path(path).absolute())
    return None


def _required(name: str) -> str:
    found = _find(name)
    if found is not None:
        return found
    package = {"bwrap": "bubblewrap", "nice": "coreutils"}.get(name, "util-linux")
    raise ConfinementMissingError(
        f"{name} is not installed; install the package {package} (apt install {package})"
    )
