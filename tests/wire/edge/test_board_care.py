"""Reset, power, identity, recovery, quarantine: the real services and a scripted agent."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest

from benchline.errors import error_from
from benchline.v1 import (
    agent_link_pb2,
    agent_link_pb2_grpc,
    bench_pb2,
    bench_pb2_grpc,
    recovery_pb2,
    verdict_pb2,
)
from controlplane.domain.verdict import Outcome
from controlplane.fleet.link import HEARTBEAT_S
from tests.wire.edge.conftest import Edge

BOARD = "agents/bench/boards/vf-01"
PASSED = verdict_pb2.OUTCOME_PASSED
BROKEN = verdict_pb2.OUTCOME_BROKEN
Request = agent_link_pb2.ConnectRequest
Answer = Callable[[agent_link_pb2.Command], AsyncIterator[Request]]


def stub(edge: Edge) -> Any:
    return bench_pb2_grpc.BenchServiceStub(edge.channel)


def result(command: agent_link_pb2.Command, **fields: Any) -> Request:
    wanted = {"outcome": PASSED, **fields}
    return Request(
        command_result=agent_link_pb2.CommandResult(command_id=command.command_id, **wanted)
    )


def step(action: str, outcome: int = 0, reason: str = "") -> recovery_pb2.RecoveryStep:
    number = recovery_pb2.RecoveryAction.Value(f"RECOVERY_ACTION_{action}")
    found = recovery_pb2.RecoveryStep(action=number, outcome=outcome, reason=reason)
    found.start_time.GetCurrentTime()
    if outcome:
        found.duration.FromMilliseconds(5)
    return found


class Agent:
    """An agent that does what the test says with each command, and keeps them all."""

    def __init__(self, edge: Edge) -> None:
        self.commands: list[agent_link_pb2.Command] = []
        self.answer: Answer = self.passes
        self._stream: Any = agent_link_pb2_grpc.AgentLinkServiceStub(edge.channel).Connect()
        self._writing = asyncio.Lock()

    async def hello(self) -> None:
        board = bench_pb2.Board(
            name="vf-01",
            model="olimex-stm32-h405",
            part="stm32f405rg",
            kind=bench_pb2.Board.KIND_VIRTUAL,
            health="ok",
        )
        inventory = agent_link_pb2.BoardInventory(boards=[board])
        hello = agent_link_pb2.Hello(agent="bench", version="1", host="lab", boards=inventory)
        await self._stream.write(Request(hello=hello))
        assert (await self._stream.read()).WhichOneof("message") == "welcome"

    async def run(self) -> None:
        while True:
            message = await self._stream.read()
            if message == grpc.aio.EOF:
                return
            if message.WhichOneof("message") == "command":
                self.commands.append(message.command)
                async for said in self.answer(message.command):
                    await self._say(said)

    async def beat(self) -> None:
        """Show that the agent lives while the control plane makes something that takes long."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._say(Request(heartbeat=agent_link_pb2.Heartbeat()))

    async def _say(self, said: Request) -> None:
        async with self._writing:
            await self._stream.write(said)

    async def passes(self, command: agent_link_pb2.Command) -> AsyncIterator[Request]:
        yield result(command)

    def close(self) -> None:
        self._stream.cancel()


@pytest.fixture
async def agent(edge: Edge) -> AsyncIterator[Agent]:
    found, stop = Agent(edge), asyncio.Event()
    await found.hello()
    beating = asyncio.create_task(found.beat())
    tasks = [asyncio.create_task(found.run()), asyncio.create_task(edge.recoveries.run(stop))]
    yield found
    stop.set()
    beating.cancel()
    found.close()
    await asyncio.gather(beating, *tasks, return_exceptions=True)


def request_id() -> str:
    return str(uuid.uuid4())


async def caller(edge: Edge) -> str:
    """Who this test is for the control plane."""
    await edge.boards.link_agent("other", version="1", host="lab")
    await edge.boards.put_inventory("other", [replace(await edge.boards.get(BOARD), name="o-01")])
    lease = (await stub(edge).AcquireLease(bench_pb2.AcquireLeaseRequest(selector="o-01"))).lease
    await edge.book.release(lease.name)
    return str(lease.holder)


async def refusal(call: Any) -> tuple[str, str, dict[str, str]]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = error_from(caught.value)
    return caught.value.code().name, error.reason, error.facts


async def test_a_reset_takes_the_lease_for_its_time_and_gives_it_back(
    edge: Edge, agent: Agent
) -> None:
    async def answer(command: agent_link_pb2.Command) -> AsyncIterator[Request]:
        held = (await stub(edge).ListLeases(bench_pb2.ListLeasesRequest())).leases
        assert [one.name for one in held] == [command.lease]
        console = agent_link_pb2.ConsoleHead(board="vf-01", offset=70, epoch=3)
        yield result(command, console=console)

    agent.answer = answer
    boot = recovery_pb2.RESET_MODE_BOOTLOADER
    request = bench_pb2.ResetBoardRequest(request_id=request_id(), board="vf-01", mode=boot)
    answered = await stub(edge).ResetBoard(request)
    assert (answered.console_offset, answered.console_epoch) == (70, 3)
    assert agent.commands[0].reset.mode == boot
    assert not (await stub(edge).ListLeases(bench_pb2.ListLeasesRequest())).leases
    # The same request once more gets the same answer, and nothing is done again.
    await stub(edge).ResetBoard(request)
    assert len(agent.commands) == 1


async def test_a_board_that_somebody_holds_is_refused_with_who_and_until_when(
    edge: Edge, agent: Agent
) -> None:
    lease, _ = await edge.book.acquire("vf-01", "ana", timedelta(seconds=600))
    state = recovery_pb2.POWER_STATE_CYCLE
    for call in (
        stub(edge).ResetBoard(bench_pb2.ResetBoardRequest(request_id=request_id(), board="vf-01")),
        stub(edge).PowerBoard(
            bench_pb2.PowerBoardRequest(request_id=request_id(), board="vf-01", state=state)
        ),
        stub(edge).IdentifyBoard(
            bench_pb2.IdentifyBoardRequest(request_id=request_id(), board="vf-01")
        ),
    ):
        code, reason, facts = await refusal(call)
        assert (code, reason) == ("FAILED_PRECONDITION", "BOARD_BUSY")
        assert facts["holder"] == "ana"
        assert facts["expire_time"].startswith(lease.expire_time.isoformat()[:16])
    recover = bench_pb2.RecoverBoardRequest(request_id=request_id(), board="vf-01")
    code, reason, _ = await refusal(anext(aiter(stub(edge).RecoverBoard(recover))))
    assert (code, reason) == ("FAILED_PRECONDITION", "BOARD_BUSY")
    assert not agent.commands


async def test_a_lease_of_the_callers_is_used_and_another_ones_is_refused(
    edge: Edge, agent: Agent
) -> None:
    foreign, _ = await edge.book.acquire("vf-01", "ana", timedelta(seconds=600))
    request = bench_pb2.ResetBoardRequest(
        request_id=request_id(), board="vf-01", lease=foreign.name
    )
    assert (await refusal(stub(edge).ResetBoard(request)))[:2] == ("ABORTED", "STALE_LEASE")
    await edge.book.release(foreign.name)
    mine = await stub(edge).AcquireLease(bench_pb2.AcquireLeaseRequest(selector="vf-01"))
    request.lease = mine.lease.name
    await stub(edge).ResetBoard(request)
    assert agent.commands[0].fencing_token == mine.lease.fencing_token
    assert (await stub(edge).ListLeases(bench_pb2.ListLeasesRequest())).leases
    await edge.book.release(mine.lease.name)
    request.request_id = request_id()
    assert (await refusal(stub(edge).ResetBoard(request)))[:2] == ("ABORTED", "STALE_LEASE")


async def test_what_an_agent_cannot_do_is_told_with_its_reason(edge: Edge, agent: Agent) -> None:
    async def refuses(command: agent_link_pb2.Command) -> AsyncIterator[Request]:
        yield result(
            command,
            outcome=verdict_pb2.OUTCOME_REFUSED,
            reason="POWER_FAILED",
            message="nothing here switches the power of vf-01",
        )

    agent.answer = refuses
    state = recovery_pb2.POWER_STATE_OFF
    request = bench_pb2.PowerBoardRequest(request_id=request_id(), board="vf-01", state=state)
    code, reason, facts = await refusal(stub(edge).PowerBoard(request))
    assert (code, reason, facts["why"]) == ("FAILED_PRECONDITION", "CANNOT", "POWER_FAILED")
    request = bench_pb2.PowerBoardRequest(request_id=request_id(), board="vf-01")
    assert (await refusal(stub(edge).PowerBoard(request)))[1] == "INVALID_MODE"


async def test_the_chip_comes_back(edge: Edge, agent: Agent) -> None:
    async def tells(command: agent_link_pb2.Command) -> AsyncIterator[Request]:
        chip = bench_pb2.Chip(name="STM32F405", identity="00ff", flash_bytes=1 << 20)
        yield result(command, chip=chip)

    agent.answer = tells
    request = bench_pb2.IdentifyBoardRequest(request_id=request_id(), board=BOARD)
    chip = (await stub(edge).IdentifyBoard(request)).chip
    assert (chip.name, chip.identity, chip.flash_bytes) == ("STM32F405", "00ff", 1 << 20)


async def test_a_quarantined_board_is_not_lent_until_it_is_returned(
    edge: Edge, agent: Agent
) -> None:
    quarantine = bench_pb2.QuarantineBoardRequest(board="vf-01", reason="  smells\tburnt ")
    board = (await stub(edge).QuarantineBoard(quarantine)).board
    assert board.state == bench_pb2.Board.STATE_QUARANTINED
    assert (board.quarantine.reason, board.quarantine.message) == ("MANUAL", "smells burnt")
    assert board.quarantine.principal == await caller(edge)
    code, reason, facts = await refusal(
        stub(edge).AcquireLease(bench_pb2.AcquireLeaseRequest(selector="vf-01"))
    )
    assert (code, reason, facts["quarantined"]) == ("FAILED_PRECONDITION", "BOARD_BUSY", "1")
    # It can still be looked after.
    await stub(edge).ResetBoard(bench_pb2.ResetBoardRequest(request_id=request_id(), board="vf-01"))
    back = (await stub(edge).ReturnBoard(bench_pb2.ReturnBoardRequest(board="vf-01"))).board
    assert back.state == bench_pb2.Board.STATE_ACTIVE
    assert not back.HasField("quarantine")
    nameless = bench_pb2.QuarantineBoardRequest(board="vf-01", reason=" ")
    assert (await refusal(stub(edge).QuarantineBoard(nameless)))[1] == "REASON_NEEDED"


def recovers(outcome: int, reason: str = "") -> Answer:
    async def answer(command: agent_link_pb2.Command) -> AsyncIterator[Request]:
        rung = step("POWER_CYCLE", PASSED)
        for told in (step("POWER_CYCLE"), rung):
            progress = agent_link_pb2.RecoveryProgress(
                command_id=command.command_id, board="vf-01", step=told
            )
            yield Request(recovery_progress=progress)
        recovery = recovery_pb2.Recovery(
            steps=[step("CHECK", BROKEN, "TOOL_HUNG"), rung], left_image="release"
        )
        yield result(command, outcome=outcome, reason=reason, message="so", recovery=recovery)

    return answer


async def test_a_recovery_streams_its_steps_and_gives_the_agent_a_canary(
    edge: Edge, agent: Agent
) -> None:
    agent.answer = recovers(PASSED)
    request = bench_pb2.RecoverBoardRequest(request_id=request_id(), board="vf-01")
    told = [message async for message in stub(edge).RecoverBoard(request)]
    steps = [message.step for message in told if message.HasField("step")]
    assert [one.outcome for one in steps] == [0, PASSED]
    ended = told[-1].recovery
    assert (ended.outcome, ended.left_image) == (PASSED, "release")
    assert [one.reason for one in ended.steps] == ["TOOL_HUNG", ""]
    assert ended.principal == await caller(edge)
    sent = agent.commands[0].recover
    assert sent.expect.startswith("nonce=")
    assert (sent.canary.part, sent.canary.image) == ("stm32f405rg", "canary")
    stored = [await edge.artifacts.read(piece.sha256) for piece in sent.canary.segments]
    assert any(data.startswith(b"BTL1") for data in stored)
    left = [await edge.artifacts.read(piece.sha256) for piece in sent.left.segments]
    assert not any(data.startswith(b"BTL1") for data in left)
    health = (
        await stub(edge).GetBoardHealth(bench_pb2.GetBoardHealthRequest(board="vf-01"))
    ).health
    assert [(r.action, r.tried, r.cured) for r in health.cure_rates] == [
        (recovery_pb2.RECOVERY_ACTION_POWER_CYCLE, 1, 1)
    ]
    assert health.outcomes[0].action == "recovery"
    assert health.score == 90
    assert health.recoveries[0] == ended
    assert not (await stub(edge).ListLeases(bench_pb2.ListLeasesRequest())).leases
    # Asked again with the same id, the same recovery is told, and nothing is done again.
    again = [message async for message in stub(edge).RecoverBoard(request)]
    assert again[-1].recovery == ended
    assert len(agent.commands) == 1


async def test_a_recovery_that_nothing_helped_ends_in_quarantine(edge: Edge, agent: Agent) -> None:
    agent.answer = recovers(BROKEN, "VERIFY_FAILED")
    request = bench_pb2.RecoverBoardRequest(request_id=request_id(), board="vf-01")
    told = [message async for message in stub(edge).RecoverBoard(request)]
    assert told[-1].recovery.reason == "VERIFY_FAILED"
    board = (await stub(edge).GetBoard(bench_pb2.GetBoardRequest(name="vf-01"))).board
    assert board.state == bench_pb2.Board.STATE_QUARANTINED
    assert (board.quarantine.reason, board.quarantine.automatic) == ("VERIFY_FAILED", True)
    assert board.score == 50


async def test_a_board_at_fault_is_recovered_by_itself_once_it_is_free(
    edge: Edge, agent: Agent
) -> None:
    agent.answer = recovers(PASSED)
    lease, board = await edge.book.acquire("vf-01", "sessions/s", timedelta(seconds=600))
    assert await edge.recoveries.blame(board, Outcome.BROKEN, "TOOL_HUNG", "it hung")
    assert not await edge.recoveries.blame(board, Outcome.BROKEN, "INTERRUPTED", "killed")
    watch = stub(edge).WatchBoards(bench_pb2.WatchBoardsRequest())
    async with asyncio.timeout(60), contextlib.aclosing(_inventories(watch)) as inventories:
        async for found in inventories:
            if found.state == bench_pb2.Board.STATE_QUARANTINED:
                assert "it hung; it is being recovered" in found.quarantine.message
                break
        assert not agent.commands
        await edge.book.release(lease.name)
        async for found in inventories:
            if found.state == bench_pb2.Board.STATE_ACTIVE:
                break
    watch.cancel()
    assert agent.commands[0].recover.trouble == "TOOL_HUNG"


async def _inventories(watch: Any) -> AsyncIterator[bench_pb2.Board]:
    async for message in watch:
        if message.boards:
            yield message.boards[0]


async def test_a_score_follows_from_what_the_agent_answers_once(edge: Edge, agent: Agent) -> None:
    async def hangs(command: agent_link_pb2.Command) -> AsyncIterator[Request]:
        for _ in range(3):  # an agent repeats an answer until it is acknowledged
            yield result(command, outcome=BROKEN, reason="TOOL_HUNG", message="no progress")

    agent.answer = hangs
    reset = bench_pb2.ResetBoardRequest(request_id=request_id(), board="vf-01")
    assert (await refusal(stub(edge).ResetBoard(reset)))[1] == "CARE_FAILED"
    agent.answer = agent.passes
    reset.request_id = request_id()
    await stub(edge).ResetBoard(reset)
    health = (
        await stub(edge).GetBoardHealth(bench_pb2.GetBoardHealthRequest(board="vf-01"))
    ).health
    assert [(o.action, o.reason, o.score) for o in health.outcomes] == [
        ("reset", "", 64),
        ("reset", "TOOL_HUNG", 60),
    ]
