"""What works in the background: sessions, deployments, recoveries, stacks, live simulations."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from controlplane.composition.parts import Parts
from controlplane.composition.stages import all_stages
from controlplane.ops.identity import new_session_id
from controlplane.pipeline.coverage import CoverageMeter, CoverageParts
from controlplane.pipeline.engine import Engine, EngineParts
from controlplane.pipeline.live_simulations import LiveParts, LiveSimulations
from controlplane.pipeline.recovery import Recoveries
from controlplane.pipeline.repair import RepairParts, Repairs
from controlplane.pipeline.rollout import Rollouts
from controlplane.pipeline.rollout_parts import RolloutParts
from controlplane.pipeline.stacks import Stacks


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Each leads one kind of work that is stored, and resumes it after a restart."""

    engine: Engine
    rollouts: Rollouts
    recoveries: Recoveries
    stacks: Stacks
    lives: LiveSimulations

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; a fault of one ends all."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.engine.run(stop), name="engine")
            group.create_task(self.rollouts.run(stop), name="rollouts")
            group.create_task(self.recoveries.run(stop), name="recoveries")
            group.create_task(self.stacks.run(stop), name="stacks")


@asynccontextmanager
async def opened_workers(parts: Parts) -> AsyncIterator[Workers]:
    """The workers, before they work. Live simulations that a dead control plane left are ended."""
    engine, rollouts = _engine(parts), _rollouts(parts)
    async with _live_simulations(parts) as lives:
        yield Workers(
            engine=engine,
            rollouts=rollouts,
            recoveries=parts.fleet.recoveries,
            stacks=parts.cloud.stacks,
            lives=lives,
        )


def _engine(parts: Parts) -> Engine:
    stores = parts.stores
    return Engine(
        EngineParts(
            database=stores.database,
            store=stores.sessions,
            queue=stores.queue,
            stages=all_stages(parts),
            new_session_id=new_session_id,
            owner=uuid.uuid4().hex,
            session_slots=parts.config.session_slots,
            repairs=Repairs(
                RepairParts(
                    artifacts=stores.artifacts,
                    authors=parts.designing.authors,
                    calls=stores.calls,
                    console_log=stores.console_log,
                    coverage=_coverage(parts),
                    database=stores.database,
                    store=stores.sessions,
                )
            ),
        )
    )


def _coverage(parts: Parts) -> CoverageMeter:
    stores, tools = parts.stores, parts.tools
    return CoverageMeter(
        CoverageParts(
            artifacts=stores.artifacts,
            boards=stores.boards,
            catalogue=parts.designing.catalogue,
            ladder=tools.simulators,
            slots=tools.slots,
            store=stores.sessions,
            secret=stores.secret,
            work_dir=tools.work_dir,
        )
    )


def _rollouts(parts: Parts) -> Rollouts:
    stores, fleet = parts.stores, parts.fleet
    return Rollouts(
        RolloutParts(
            artifacts=stores.artifacts,
            bindings=stores.bindings,
            boards=stores.boards,
            catalogue=parts.designing.catalogue,
            commands=fleet.commands,
            console_log=stores.console_log,
            database=stores.database,
            journal=stores.journal,
            leases=fleet.leases,
            queue=stores.queue,
            recoveries=fleet.recoveries,
            store=stores.deployments,
            board_wait=timedelta(seconds=parts.config.board_wait_s),
            new_id=new_session_id,
            owner=uuid.uuid4().hex,
            secret=stores.secret,
        )
    )


def _live_simulations(parts: Parts) -> LiveSimulations:
    stores = parts.stores
    return LiveSimulations(
        LiveParts(
            artifacts=stores.artifacts,
            boards=stores.boards,
            catalogue=parts.designing.catalogue,
            console_log=stores.console_log,
            ladder=parts.tools.simulators,
            limits=parts.config.live,
            new_id=new_session_id,
            sessions=stores.sessions,
            store=stores.lives,
            work_dir=parts.tools.work_dir,
        )
    )
