"""Assembles what BenchService does to single boards, for tests that need the whole service."""

from pathlib import Path

from controlplane.fleet.commands import Commands
from controlplane.journal.journal import Journal
from controlplane.leasing.book import LeaseBook
from controlplane.leasing.borrowing import Borrowing
from controlplane.ops.identity import new_session_id
from controlplane.pipeline.board_care import BoardCare
from controlplane.pipeline.canary import Canaries
from controlplane.pipeline.recovery import Recoveries, RecoveryParts
from controlplane.pipeline.slots import Slots
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.board_health import HealthStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.database import Database
from controlplane.storage.sessions import SessionStore
from controlplane.storage.work_queue import WorkQueue
from controlplane.toolchains.bare_metal import BareMetalToolchain


def care_of(
    folder: Path,
    cache: Path,
    database: Database,
    boards: BoardStore,
    book: LeaseBook,
    commands: Commands,
) -> tuple[BoardCare, Recoveries, HealthStore]:
    """Everything real; a canary is built by the real compiler when one is needed."""
    health, borrowing = HealthStore(database, boards), Borrowing(book, boards)
    recoveries = Recoveries(
        RecoveryParts(
            boards=boards,
            borrowing=borrowing,
            canaries=Canaries(
                artifacts=ArtifactStore(folder / "artifacts", database),
                store=SessionStore(database, Journal(database)),
                toolchain=BareMetalToolchain(cache),
                slots=Slots(compilers=1, simulators=1),
                work_dir=folder,
            ),
            commands=commands,
            database=database,
            health=health,
            leases=book,
            queue=WorkQueue(database),
            new_id=new_session_id,
        )
    )
    care = BoardCare(boards=boards, borrowing=borrowing, commands=commands, health=health)
    return care, recoveries, health
