"""The boards of all benches: who holds one, how it is told what to do, what keeps it healthy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controlplane.composition.stores import Stores
from controlplane.composition.tools import Tools
from controlplane.fleet.commands import Commands
from controlplane.fleet.registry import Registry
from controlplane.leasing.book import LeaseBook
from controlplane.leasing.borrowing import Borrowing
from controlplane.ops.identity import new_session_id
from controlplane.pipeline.board_care import BoardCare
from controlplane.pipeline.canary import Canaries
from controlplane.pipeline.recovery import Recoveries, RecoveryParts


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Leases, the agents that are connected, and what is done to single boards."""

    leases: LeaseBook
    borrowing: Borrowing
    registry: Registry
    commands: Commands
    care: BoardCare
    recoveries: Recoveries


@asynccontextmanager
async def opened_fleet(stores: Stores, tools: Tools) -> AsyncIterator[Fleet]:
    """Take up the leases that were given; agents come by themselves."""
    async with LeaseBook(stores.database, stores.boards) as leases:
        registry, borrowing = Registry(), Borrowing(leases, stores.boards)
        commands = Commands(stores.commands, registry)
        yield Fleet(
            leases=leases,
            borrowing=borrowing,
            registry=registry,
            commands=commands,
            care=BoardCare(
                boards=stores.boards,
                borrowing=borrowing,
                commands=commands,
                health=stores.health,
            ),
            recoveries=Recoveries(
                RecoveryParts(
                    boards=stores.boards,
                    borrowing=borrowing,
                    canaries=Canaries(
                        artifacts=stores.artifacts,
                        store=stores.sessions,
                        toolchain=tools.bench_core,
                        slots=tools.slots,
                        work_dir=tools.work_dir,
                    ),
                    commands=commands,
                    database=stores.database,
                    health=stores.health,
                    leases=leases,
                    queue=stores.queue,
                    new_id=new_session_id,
                )
            ),
        )
