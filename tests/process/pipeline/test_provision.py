"""Sessions that provision: they wait for whoever approves, and go on by themselves."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from controlplane.domain.event import Note, StageChanged
from controlplane.domain.session import Session, SessionRequest
from controlplane.domain.stack import CloudBinding, PlanState, Setting, Stack, StackState
from controlplane.domain.verdict import Outcome, Stage, State
from controlplane.journal.journal import Journal
from controlplane.ops.identity import new_session_id
from controlplane.pipeline.engine import Engine, EngineParts
from controlplane.pipeline.provision_stage import CLOUD_KEY, ProvisionStage, read_binding
from controlplane.pipeline.stacks import Asker, StackChange, Stacks
from controlplane.pipeline.stage import StageResult, StageRun
from controlplane.storage.database import Database
from controlplane.storage.sessions import SessionStore
from controlplane.storage.stacks import StackStore
from controlplane.storage.work_queue import WorkQueue
from tests.stacks import stacks_of

ANN = "local:ann"


class PassingStage:
    """A stage of no interest here."""

    async def run(self, run: StageRun) -> StageResult:
        return StageResult(outcome=Outcome.PASSED, message="fine")


@dataclass
class Rig:
    engine: Engine
    store: SessionStore
    journal: Journal
    stacks: Stacks
    stack_store: StackStore

    async def start(self, **fields: object) -> Session:
        request = SessionRequest(
            prompt="Blink.",
            source=None,
            board_wish="",
            until=Stage.DEPLOY,
            designer="",
            seed=None,
            stack="local",
        )
        wanted = replace(request, **fields)
        return await self.engine.start(wanted, "local:me", "")

    async def reached(self, session: Session, *states: State) -> Session:
        while (now := await self.store.get(session.session_id)).state not in states:
            await self.journal.wait(session.session_id, now.last_sequence)
        return now

    async def ended(self, session: Session) -> Session:
        return await self.reached(session, State.DONE, State.CANCELLED)

    async def waits(self, session: Session, *, again: str = "") -> Stack:
        """The stack, once the session waits for a plan (another one than `again`)."""
        while True:
            await self.reached(session, State.WAITING)
            stack = await self.stack_store.get("local")
            if stack.plan is not None and stack.plan.digest != again:
                return stack
            now = await self.store.get(session.session_id)
            await self.journal.wait(session.session_id, now.last_sequence)

    async def binding(self, session: Session) -> CloudBinding | None:
        return read_binding(await self.store.get_checkpoint(session.session_id, CLOUD_KEY))


@asynccontextmanager
async def rig(folder: Path, *, terraform: Path | None = None) -> AsyncIterator[Rig]:
    database = await Database.open(folder / "state.db")
    journal = Journal(database)
    store, stack_store = SessionStore(database, journal), StackStore(database, journal)
    stacks, _ = stacks_of(folder, journal, stack_store, terraform=terraform)
    await stacks.recover()
    engine = Engine(
        EngineParts(
            database=database,
            store=store,
            queue=WorkQueue(database),
            stages={
                **{stage: PassingStage() for stage in Stage},
                Stage.PROVISION: ProvisionStage(stacks, auto_approve=False),
            },
            new_session_id=new_session_id,
            owner=uuid.uuid4().hex,
            session_slots=1,
        )
    )
    stop = asyncio.Event()
    work = asyncio.create_task(engine.run(stop))
    try:
        async with asyncio.timeout(120):
            yield Rig(engine, store, journal, stacks, stack_store)
    finally:
        stop.set()
        await work
        await stacks.close()
        await database.close()


async def approve(r: Rig, stack: Stack) -> None:
    assert stack.plan is not None
    await r.stacks.approve("local", stack.plan.digest, ANN)


async def test_a_session_waits_for_its_approval_over_a_restart_and_holds_no_slot(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as r:
        session = await r.start(device="lamp")
        stack = await r.waits(session)
        assert (stack.devices, stack.state) == (("lamp",), StackState.PLANNED)
        waiting = await r.store.get(session.session_id)
        assert stack.plan is not None
        assert f"benchline stack approve local {stack.plan.digest[:12]}" in waiting.message
        # The only slot is free: another session runs meanwhile.
        other = await r.ended(await r.start(stack="", until=Stage.BUILD))
        assert other.outcome is Outcome.PASSED

    async with rig(tmp_path) as r:
        stack = await r.waits(session)
        await approve(r, stack)
        done = await r.ended(session)
        assert done.outcome is Outcome.PASSED, done.message
        bound = await r.binding(session)
        assert bound is not None
        assert (bound.stack, bound.device, bound.topic_prefix, bound.credential_ref) == (
            "local",
            "lamp",
            "devices/lamp",
            "local:local/lamp",
        )
        events = await r.journal.read(session.session_id, 1, 200)
        states = [
            e.fact.state
            for e in events
            if isinstance(e.fact, StageChanged) and e.fact.stage is Stage.PROVISION
        ]
        assert states[0] is State.RUNNING
        assert states[-1] is State.DONE
        assert State.WAITING in states
        assert not [e for e in events if isinstance(e.fact, Note)], "waiting is no interruption"
        assert [record.stage for record in done.stages] == list(Stage)
        held = await r.stack_store.get("local")
        assert held.plan is not None
        assert held.plan.decided_by == ANN
        assert held.operation is not None
        assert held.operation.session == session.session_id


async def test_a_rejected_plan_refuses_the_session_and_its_device_is_wished_no_longer(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as r:
        session = await r.start(device="lamp")
        stack = await r.waits(session)
        assert stack.plan is not None
        await r.stacks.reject("local", stack.plan.digest, ANN)
        done = await r.ended(session)
        assert done.outcome is Outcome.REFUSED
        assert "local:ann rejected plan" in done.message
        left = await r.stack_store.get("local")
        assert (left.devices, left.state) == ((), StackState.DRAFT)


async def test_what_takes_nothing_away_is_approved_where_that_is_allowed(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        first = await r.ended(await r.start(device="lamp", auto_approve=True))
        assert first.outcome is Outcome.PASSED, first.message
        stack = await r.stack_store.get("local")
        assert stack.plan is not None
        assert (stack.plan.auto_approved, stack.plan.decided_by) == (True, "local:me")
        # Again: nothing has to be changed, so there is nothing to approve.
        again = await r.ended(await r.start(device="lamp"))
        assert again.outcome is Outcome.PASSED
        # What replaces something waits for a person, although the rule is allowed.
        planning = await r.stacks.plan(
            "local",
            StackChange(settings=(Setting(name="port", value="9000"),)),
            Asker(principal=ANN),
        )
        assert planning.operation is not None
        await r.stacks.end_of("local", planning.operation.operation_id)
        careful = await r.start(device="lamp", auto_approve=True)
        waits = await r.waits(careful)
        assert waits.plan is not None
        assert waits.plan.confirmation_needed
        told = (await r.store.get(careful.session_id)).message
        assert "takes something away" in told
        assert "--confirm local" in told


async def test_two_sessions_share_a_stack_and_one_approval(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        one = await r.start(device="lamp")
        before = await r.waits(one)
        two = await r.start(device="fan")
        assert before.plan is not None
        stack = await r.waits(two, again=before.plan.digest)
        assert stack.devices == ("fan", "lamp")
        await approve(r, stack)
        for session in (one, two):
            done = await r.ended(session)
            assert done.outcome is Outcome.PASSED, done.message
            assert await r.binding(session) is not None


async def test_a_cancelled_session_leaves_its_plan_to_whoever_wants_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        session = await r.start(device="lamp")
        stack = await r.waits(session)
        await r.engine.cancel(session.session_id)
        assert (await r.ended(session)).state is State.CANCELLED
        await approve(r, stack)
        kept = await r.stack_store.get("local")
        assert kept.plan is not None
        assert kept.plan.state is PlanState.APPROVED


async def test_without_terraform_the_other_stages_go_on(tmp_path: Path) -> None:
    async with rig(tmp_path, terraform=tmp_path / "none") as r:
        done = await r.ended(await r.start(device="lamp"))
        provision = done.stage_record(Stage.PROVISION)
        assert provision is not None
        assert provision.outcome is Outcome.SKIPPED
        assert "install terraform" in provision.message
        assert done.stage_record(Stage.DEPLOY) is not None
        assert done.outcome is Outcome.PASSED
        only = await r.ended(await r.start(device="lamp", until=Stage.PROVISION))
        assert only.outcome is Outcome.SKIPPED, "what was asked for was not done"
        assert [f.code for f in done.findings] in (["TERRAFORM_NOT_FOUND"], ["TERRAFORM_UNUSABLE"])
