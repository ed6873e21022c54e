"""What this instance keeps on its disk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchline.instance import Instance
from controlplane.journal.journal import Journal
from controlplane.ops.identity import installation_secret
from controlplane.storage.answers import AnswerStore
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.board_health import HealthStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.cloud_bindings import CloudBindings
from controlplane.storage.commands import CommandStore
from controlplane.storage.console_log import ConsoleLog
from controlplane.storage.database import Database
from controlplane.storage.deployments import DeploymentStore
from controlplane.storage.designs import DesignStore
from controlplane.storage.live_simulations import LiveSimulationStore
from controlplane.storage.model_calls import ModelCallStore
from controlplane.storage.sessions import SessionStore
from controlplane.storage.stacks import StackStore
from controlplane.storage.work_queue import WorkQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """One database, what is kept in it, the artifacts, and the secret of the installation."""

    database: Database
    journal: Journal
    sessions: SessionStore
    deployments: DeploymentStore
    designs: DesignStore
    stacks: StackStore
    artifacts: ArtifactStore
    console_log: ConsoleLog
    boards: BoardStore
    bindings: CloudBindings
    health: HealthStore
    lives: LiveSimulationStore
    commands: CommandStore
    answers: AnswerStore
    calls: ModelCallStore
    queue: WorkQueue
    secret: bytes


@asynccontextmanager
async def opened_stores(instance: Instance) -> AsyncIterator[Stores]:
    """Open what is kept, of the newest form."""
    database = await Database.open(instance.state_dir / "benchline.db")
    try:
        yield _stores(database, instance)
    finally:
        await database.close()


def _stores(database: Database, instance: Instance) -> Stores:
    journal, boards = Journal(database), BoardStore(database)
    return Stores(
        database=database,
        journal=journal,
        sessions=SessionStore(database, journal),
        deployments=DeploymentStore(database, journal),
        designs=DesignStore(database),
        stacks=StackStore(database, journal),
        artifacts=ArtifactStore(instance.artifact_dir, database),
        console_log=ConsoleLog(database),
        boards=boards,
        bindings=CloudBindings(database, boards),
        health=HealthStore(database, boards),
        lives=LiveSimulationStore(database),
        commands=CommandStore(database),
        answers=AnswerStore(database),
        calls=ModelCallStore(database),
        queue=WorkQueue(database),
        secret=installation_secret(instance.state_dir / "secret"),
    )
