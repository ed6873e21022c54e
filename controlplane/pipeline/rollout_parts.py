"""What leading a deployment works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from controlplane.catalog.loader import Catalogue
from controlplane.fleet.commands import Commands
from controlplane.journal.journal import Journal
from controlplane.leasing.book import LeaseBook
from controlplane.pipeline.recovery import Recoveries
from controlplane.storage.artifacts import ArtifactStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.cloud_bindings import CloudBindings
from controlplane.storage.console_log import ConsoleLog
from controlplane.storage.database import Database
from controlplane.storage.deployments import DeploymentStore
from controlplane.storage.work_queue import WorkQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutParts:
    """`owner` is this process; `at_once` boards are flashed at the same time at most."""

    artifacts: ArtifactStore
    bindings: CloudBindings
    boards: BoardStore
    catalogue: Catalogue
    commands: Commands
    console_log: ConsoleLog
    database: Database
    journal: Journal
    leases: LeaseBook
    queue: WorkQueue
    recoveries: Recoveries
    store: DeploymentStore
    board_wait: timedelta
    new_id: Callable[[], str]
    owner: str
    secret: bytes
    at_once: int = 32
