"""SIGKILL of a process that writes: what it was told is stored is there, and in order."""

import random
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from controlplane.domain.event import Note
from controlplane.journal.journal import Journal
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.console_log import ConsoleLog
from controlplane.storage.database import Database
from controlplane.storage.sessions import SessionStore

WRITER = Path(__file__).with_name("writer.py")
ROOT = Path(__file__).parents[3]


def write_until_killed(folder: Path, generation: int, lines: int) -> list[list[str]]:
    """Acknowledgements of a writer that is killed after about so many of them."""
    with subprocess.Popen(
        [sys.executable, str(WRITER), str(folder), str(generation)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}"},
        text=True,
    ) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(lines)]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    # The last line may be cut off in the middle.
    return [line.split() for line in said if line.endswith("\n")]


class Told:
    """The newest of everything that was acknowledged."""

    def __init__(self) -> None:
        self.events: dict[str, int] = {}
        self.consoles: dict[str, int] = {}
        self.artifacts: set[str] = set()
        self.tokens: dict[str, list[int]] = defaultdict(list)

    def add(self, lines: list[list[str]]) -> None:
        for line in lines:
            match line:
                case ["event", name, sequence, _token]:
                    self.events[name] = int(sequence)
                case ["console", name, head]:
                    self.consoles[name] = int(head)
                case ["artifact", sha256, digest]:
                    assert sha256 == digest
                    self.artifacts.add(sha256)
                case ["lease", board, token, _name]:
                    self.tokens[board].append(int(token))


async def check_sessions(store: SessionStore, journal: Journal, told: Told) -> None:
    for name, acknowledged in told.events.items():
        events = await journal.read(name, 1, 1_000_000)
        session = await store.get(name)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert acknowledged <= len(events) == session.last_sequence
        texts = [event.fact.text for event in events if isinstance(event.fact, Note)]
        assert texts == ["begin", *map(str, range(1, len(texts)))]


async def check_consoles(log: ConsoleLog, told: Told) -> None:
    for name, acknowledged in told.consoles.items():
        head = await log.head(name)
        assert head.offset >= acknowledged
        data = b"".join(chunk.data for chunk in await log.read(name, 0, head.offset, 1 << 40))
        assert data == bytes(n % 251 for n in range(head.offset))


async def test_nothing_that_was_acknowledged_is_lost_by_a_kill(tmp_path: Path) -> None:
    dice = random.Random(20261122)
    told = Told()
    for generation in range(8):
        told.add(write_until_killed(tmp_path, generation, dice.randrange(1, 400)))
        database = await Database.open(tmp_path / "state.db")
        journal = Journal(database)
        await check_sessions(SessionStore(database, journal), journal, told)
        await check_consoles(ConsoleLog(database), told)
        artifacts = ArtifactStore(tmp_path / "artifacts", database)
        for sha256 in told.artifacts:
            await artifacts.read(sha256)
        damage = await database.read(
            lambda connection: connection.execute("PRAGMA integrity_check").fetchone()[0]
        )
        assert damage == "ok"
        await database.close()
    assert len(told.events) >= 3
    for tokens in told.tokens.values():
        assert tokens == sorted(set(tokens))
