"""``run/instance.json``: what the supervisor of an instance runs, for everybody to read."""

import dataclasses
import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from benchline.errors import InvalidRequestError
from benchline.instance import Instance
from benchline.process_id import ProcessId


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRecord:
    """One supervised program. ``pid`` is 0 while it is down; ``last_exit`` is a wait status."""

    name: str
    pid: int = 0
    started: int = 0
    starts: int = 0
    last_exit: int | None = None

    @property
    def process(self) -> ProcessId | None:
        """Its process, when it has one."""
        return ProcessId(pid=self.pid, started=self.started) if self.pid else None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecord:
    """A supervisor and its programs. ``phase`` is ``running`` or ``stopping``."""

    supervisor: ProgramRecord
    target: str
    data_dir: str
    phase: str = "running"
    boards: tuple[str, ...] = ()
    """The virtual boards that should come up."""
    programs: tuple[ProgramRecord, ...] = field(default=())


def record_path(instance: Instance) -> Path:
    """Where the record is."""
    return instance.run_dir / "instance.json"


def lock_path(instance: Instance) -> Path:
    """What a running supervisor holds locked; contains its pid."""
    return instance.run_dir / "supervisor.lock"


def write_record(instance: Instance, record: InstanceRecord) -> None:
    """Replace the record in one step."""
    path = record_path(instance)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(dataclasses.asdict(record), indent=1) + "\n", encoding="utf-8")
    fresh.chmod(0o600)
    fresh.replace(path)


def read_record(instance: Instance) -> InstanceRecord | None:
    """The last record, or None when there is none that can be read."""
    try:
        held = json.loads(record_path(instance).read_text(encoding="utf-8"))
        return InstanceRecord(
            supervisor=ProgramRecord(**held["supervisor"]),
            target=held["target"],
            data_dir=held["data_dir"],
            phase=held["phase"],
            boards=tuple(held["boards"]),
            programs=tuple(ProgramRecord(**one) for one in held["programs"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def processes_of(record: InstanceRecord) -> list[ProcessId]:
    """The processes of its programs, last started first: agent, control plane, boards."""
    return [one.process for one in reversed(record.programs) if one.process is not None]


def data_dir_unusable(instance: Instance, error: OSError) -> InvalidRequestError:
    """DATA_DIR_UNUSABLE: the directory is no directory, somebody else's, full, read only …"""
    return InvalidRequestError(
        "DATA_DIR_UNUSABLE",
        f"{instance.data_dir} cannot hold the data of an instance: {error.strerror or error}; "
        "name a directory of yours in BENCHLINE_DATA_DIR",
        directory=str(instance.data_dir),
    )


def supervisor_pid(instance: Instance) -> int | None:
    """Pid of the running supervisor; None when nobody holds the lock.

    Raises:
        InvalidRequestError: DATA_DIR_UNUSABLE.
    """
    try:
        handle = os.open(lock_path(instance), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise data_dir_unusable(instance, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(handle, 32).decode("ascii", errors="replace").strip()
        return int(text) if text.isdigit() else 0
    else:
        return None
    finally:
        os.close(handle)
