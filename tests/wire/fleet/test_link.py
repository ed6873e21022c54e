"""The server end of the agent link, spoken to by a scripted agent over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from benchline.channel import open_channel
from benchline.errors import UnreachableError, error_from
from benchline.v1 import agent_link_pb2, agent_link_pb2_grpc, bench_pb2, console_pb2, verdict_pb2
from controlplane.domain.bench import BoardCloud, BoardState, GatewayState
from controlplane.domain.event import FlashProgress
from controlplane.domain.stack import CloudBinding, DeviceCredential
from controlplane.domain.verdict import Outcome
from controlplane.edge.interceptors import EdgeInterceptor
from controlplane.fleet.commands import Commands
from controlplane.fleet.device_clouds import DeviceClouds
from controlplane.fleet.link import AgentLink
from controlplane.fleet.orders import CommandTicket, ConfigSector, FlashOrder, FlashPiece, ImageRole
from controlplane.fleet.registry import Registry
from controlplane.fleet.wire import decode_command, encode_command
from controlplane.storage.board_health import HealthStore
from controlplane.storage.boards import BoardStore
from controlplane.storage.cloud_bindings import BoundBoard, CloudBindings
from controlplane.storage.commands import CommandStore
from controlplane.storage.console_log import ConsoleLog
from controlplane.storage.database import Database

BOARD = "agents/bench/boards/vf405-01"
Request = agent_link_pb2.ConnectRequest


@dataclass
class Link:
    target: str
    boards: BoardStore
    bindings: CloudBindings
    commands: Commands
    console_log: ConsoleLog


@pytest.fixture
async def link(tmp_path: Path) -> AsyncIterator[Link]:
    database = await Database.open(tmp_path / "x.db")
    registry, boards = Registry(), BoardStore(database)
    store, console_log = CommandStore(database), ConsoleLog(database)
    bindings = CloudBindings(database, boards)

    async def find(binding: CloudBinding, principal: str) -> DeviceCredential:
        assert principal == "agents/bench"
        return DeviceCredential(certificate_pem=b"cert", key_pem=b"key", ca_pem=b"ca")

    server = grpc.aio.server(interceptors=[EdgeInterceptor()])
    agent_link_pb2_grpc.add_AgentLinkServiceServicer_to_server(
        AgentLink(
            registry=registry,
            boards=boards,
            commands=store,
            console_log=console_log,
            health=HealthStore(database, boards),
            clouds=DeviceClouds(bindings, boards, find),
        ),
        server,
    )
    target = f"unix:{tmp_path / 'link.sock'}"
    server.add_insecure_port(target)
    await server.start()
    yield Link(target, boards, bindings, Commands(store, registry), console_log)
    await server.stop(None)
    await database.close()


class Agent:
    """An agent that says what the test says."""

    def __init__(self, link: Link, name: str = "bench") -> None:
        self.channel = open_channel(link.target)
        self.stub = agent_link_pb2_grpc.AgentLinkServiceStub(self.channel)
        self.stream: Any = self.stub.Connect()
        self.name = name

    async def hello(self, **fields: Any) -> agent_link_pb2.Welcome:
        inventory = agent_link_pb2.BoardInventory(
            boards=[
                bench_pb2.Board(
                    name="vf405-01",
                    model="olimex-stm32-h405",
                    part="stm32f405rg",
                    kind=bench_pb2.Board.KIND_VIRTUAL,
                    health="ok",
                )
            ]
        )
        hello = agent_link_pb2.Hello(
            **({"agent": self.name, "boot_id": "1", "boards": inventory} | fields)
        )
        await self.stream.write(Request(hello=hello))
        return (await self.read("welcome")).welcome

    async def read(self, kind: str) -> agent_link_pb2.ConnectResponse:
        async with asyncio.timeout(60):
            while True:
                answer = await self.stream.read()
                assert answer is not grpc.aio.EOF
                if answer.WhichOneof("message") == kind:
                    return answer

    async def leave(self) -> None:
        self.stream.cancel()
        await self.channel.close()


def ticket(command_id: str = "c1") -> CommandTicket:
    return CommandTicket(
        command_id=command_id,
        agent="bench",
        board=BOARD,
        lease="leases/1",
        fencing_token=7,
        deadline=datetime.now(UTC) + timedelta(minutes=1),
        order=FlashOrder(
            pieces=(FlashPiece(address=0x0800_0000, sha256="ab" * 32, size_bytes=4),),
            part="stm32f405rg",
            reset_after=True,
            image=ImageRole.TEST,
        ),
    )


def passed(command_id: str) -> Request:
    result = agent_link_pb2.CommandResult(
        command_id=command_id,
        outcome=verdict_pb2.OUTCOME_PASSED,
        console=agent_link_pb2.ConsoleHead(board="vf405-01", offset=120, epoch=3),
    )
    result.flash.sectors_erased = 2
    result.flash.image_sha256 = "cd" * 32
    return Request(command_result=result)


async def reason_of(agent: Agent) -> str:
    async def to_the_end() -> None:
        while await agent.stream.read() is not grpc.aio.EOF:
            pass

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await to_the_end()
    return error_from(caught.value).reason


async def test_an_agent_that_says_hello_is_online_with_its_boards(link: Link) -> None:
    agent = Agent(link)
    welcome = await agent.hello(
        console_heads=[agent_link_pb2.ConsoleHead(board="vf405-01", offset=5, epoch=1)]
    )

    assert welcome.link_epoch == 1
    assert [(h.board, h.offset) for h in welcome.console_acked] == [("vf405-01", 0)]
    assert (await link.boards.get(BOARD)).state is BoardState.ACTIVE

    version = link.boards.version
    await agent.leave()
    async with asyncio.timeout(60):
        while (await link.boards.get(BOARD)).state is not BoardState.OFFLINE:
            version = await link.boards.wait(version)


async def test_a_command_goes_out_and_its_result_comes_back_with_progress(link: Link) -> None:
    agent = Agent(link)
    await agent.hello()
    heard: list[FlashProgress] = []
    waiting = asyncio.create_task(
        link.commands.run(ticket(), timeout=timedelta(seconds=60), on_progress=heard.append)
    )
    command = (await agent.read("command")).command
    await agent.stream.write(
        Request(
            flash_progress={
                "command_id": "c1",
                "board": "vf405-01",
                "phase": "program",
                "fraction": 0.5,
                "image": "test",
            }
        )
    )
    await agent.stream.write(passed("c1"))

    answer = await waiting
    acknowledged = await agent.read("result_acknowledged")

    assert (command.board, command.fencing_token) == ("vf405-01", 7)
    assert command.flash.segments[0].sha256 == "ab" * 32
    assert answer.outcome is Outcome.PASSED
    assert (answer.console_offset, answer.console_epoch) == (120, 3)
    assert [p.board for p in heard] == [BOARD]
    assert acknowledged.result_acknowledged.command_id == "c1"
    assert (await link.boards.get(BOARD)).proven_image_sha256 == "cd" * 32
    await agent.leave()


async def test_a_command_given_again_gets_the_first_answer_and_is_not_sent_again(
    link: Link,
) -> None:
    agent = Agent(link)
    await agent.hello()
    first = asyncio.create_task(link.commands.run(ticket(), timeout=timedelta(seconds=60)))
    await agent.read("command")
    await agent.stream.write(passed("c1"))

    assert await link.commands.run(ticket(), timeout=timedelta(seconds=60)) == await first
    await agent.leave()


async def test_what_was_not_answered_is_sent_again_after_a_reconnect(link: Link) -> None:
    agent = Agent(link)
    await agent.hello()
    waiting = asyncio.create_task(link.commands.run(ticket(), timeout=timedelta(seconds=60)))
    await agent.read("command")
    await agent.leave()

    back = Agent(link)
    welcome = await back.hello()
    again = (await back.read("command")).command
    await back.stream.write(passed(again.command_id))

    assert welcome.link_epoch == 2
    assert (await waiting).outcome is Outcome.PASSED
    await back.leave()


async def test_a_newer_stream_of_an_agent_ends_the_older(link: Link) -> None:
    old, new = Agent(link), Agent(link)
    await old.hello()
    await new.hello()

    assert await reason_of(old) == "SUPERSEDED"
    assert (await link.boards.get(BOARD)).state is BoardState.ACTIVE
    await new.leave()


async def test_a_board_that_an_agent_says_has_left_is_listed_no_more(link: Link) -> None:
    agent = Agent(link)
    await agent.hello()
    version = link.boards.version
    await agent.stream.write(Request(boards={"left": ["vf405-01"]}))

    async with asyncio.timeout(20):
        while await link.boards.boards():
            version = await link.boards.wait(version)
    assert (await link.boards.get(BOARD)).state is BoardState.OFFLINE
    await agent.leave()


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (Request(heartbeat={}), "HELLO_EXPECTED"),
        (Request(hello={"agent": "../x"}), "INVALID_NAME"),
        (
            Request(hello={"agent": "bench", "boards": {"boards": [{"name": "a b"}]}}),
            "INVENTORY_INVALID",
        ),
        (Request(hello={"agent": "bench", "boards": {"left": ["../x"]}}), "INVENTORY_INVALID"),
    ],
)
async def test_what_is_no_proper_hello_is_refused(link: Link, first: Request, reason: str) -> None:
    agent = Agent(link)
    await agent.stream.write(first)

    assert await reason_of(agent) == reason
    await agent.leave()


async def test_no_agent_means_no_answer_and_says_so(link: Link) -> None:
    with pytest.raises(UnreachableError, match="is away"):
        await link.commands.run(ticket("never"), timeout=timedelta(milliseconds=50))


async def test_an_agent_cannot_answer_for_another(link: Link) -> None:
    agent, other = Agent(link), Agent(link, "other")
    await agent.hello()
    await other.hello(boards=agent_link_pb2.BoardInventory())
    waiting = asyncio.create_task(link.commands.run(ticket(), timeout=timedelta(seconds=60)))
    await agent.read("command")
    await other.stream.write(passed("c1"))
    await other.read("result_acknowledged")

    assert not waiting.done()
    await agent.stream.write(passed("c1"))
    assert (await waiting).outcome is Outcome.PASSED
    await agent.leave()
    await other.leave()


async def test_console_bytes_are_stored_once_and_acknowledged(link: Link) -> None:
    agent = Agent(link)
    welcome = await agent.hello()
    upload: Any = agent.stub.UploadConsole()

    def message(offset: int, data: bytes) -> agent_link_pb2.UploadConsoleRequest:
        chunk = console_pb2.ConsoleChunk(offset=offset, data=data, epoch=1)
        return agent_link_pb2.UploadConsoleRequest(
            agent="bench",
            link_epoch=welcome.link_epoch,
            chunks=[agent_link_pb2.BoardConsoleChunk(board="vf405-01", chunk=chunk)],
        )

    for offset, data in ((0, b"hello "), (0, b"hello "), (3, b"lo world")):
        await upload.write(message(offset, data))
        acked = (await upload.read()).acked[0].offset
    stored = await link.console_log.read(f"consoles/{BOARD}", 0, 100, 100)

    assert acked == 11
    assert b"".join(chunk.data for chunk in stored) == b"hello world"
    upload.cancel()
    await agent.leave()


async def test_a_console_stream_of_an_old_connection_is_refused(link: Link) -> None:
    agent = Agent(link)
    await agent.hello()
    upload: Any = agent.stub.UploadConsole()
    await upload.write(agent_link_pb2.UploadConsoleRequest(agent="bench", link_epoch=99))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await upload.read()

    assert error_from(caught.value).reason == "SUPERSEDED"
    await agent.leave()


CLOUD = CloudBinding(
    stack="lab",
    device="d1",
    endpoint="127.0.0.1:18883",
    client_id="d1",
    topic_prefix="devices/d1",
    credential_ref="local:lab/d1",
    ca_ref="local:lab/ca",
)


def bound(*, active: bool = True) -> BoundBoard:
    return BoundBoard(board=BOARD, address=0x0800_C000, from_epoch=3, active=active, binding=CLOUD)


async def fetch(agent: Agent, epoch: int, **fields: str) -> bytes:
    request = agent_link_pb2.FetchDeviceCredentialRequest(
        **({"agent": agent.name, "board": "vf405-01", "credential_ref": "local:lab/d1"} | fields),
        link_epoch=epoch,
    )
    try:
        return bytes((await agent.stub.FetchDeviceCredential(request)).key_pem)
    except grpc.aio.AioRpcError as error:
        return error_from(error).reason.encode()


async def test_a_flash_order_carries_what_the_board_is_told_and_no_digest_of_it() -> None:
    order = ticket().order
    assert isinstance(order, FlashOrder)
    told = replace(ticket(), order=replace(order, config=ConfigSector(address=64, binding=CLOUD)))
    erased = replace(told, order=replace(order, config=ConfigSector(address=64, binding=None)))

    sent = decode_command(encode_command(told)).flash

    assert [one.address for one in sent.segments] == [0x0800_0000]
    assert sent.device_config.address == 64
    assert sent.device_config.config.credential_ref == "local:lab/d1"
    assert sent.device_config.config.endpoint == "127.0.0.1:18883"
    assert not decode_command(encode_command(erased)).flash.device_config.HasField("config")
    assert not decode_command(encode_command(ticket())).flash.HasField("device_config")


async def test_an_agent_hears_its_bindings_after_the_welcome_and_at_each_change(
    link: Link,
) -> None:
    agent = Agent(link)
    await agent.hello()
    assert not (await agent.read("cloud_bindings")).cloud_bindings.bindings

    await link.bindings.put(bound())
    (one,) = (await agent.read("cloud_bindings")).cloud_bindings.bindings
    assert (one.board, one.stack, one.device) == ("vf405-01", "lab", "d1")
    assert one.from_epoch == 3
    assert (one.endpoint, one.credential_ref) == ("127.0.0.1:18883", "local:lab/d1")
    board = await link.boards.get(BOARD)
    assert board.cloud == BoardCloud(stack="lab", device="d1")

    await link.bindings.end(BOARD)
    assert not (await agent.read("cloud_bindings")).cloud_bindings.bindings
    assert (await link.boards.get(BOARD)).cloud is None


async def test_a_credential_is_given_to_the_agent_of_the_bound_board_alone(link: Link) -> None:
    agent, other = Agent(link), Agent(link, "other")
    epoch = (await agent.hello()).link_epoch
    others = (await other.hello()).link_epoch
    assert await fetch(agent, epoch) == b"CREDENTIAL_NOT_YOURS"

    await link.bindings.put(bound())
    assert await fetch(agent, epoch) == b"key"
    assert await fetch(other, others) == b"CREDENTIAL_NOT_YOURS"
    assert await fetch(agent, epoch, credential_ref="local:lab/d2") == b"CREDENTIAL_NOT_YOURS"
    assert await fetch(agent, epoch, board="vf405-02") == b"CREDENTIAL_NOT_YOURS"
    assert await fetch(agent, epoch + 1) == b"SUPERSEDED"

    await link.bindings.put(bound(active=False))
    assert await fetch(agent, epoch) == b"CREDENTIAL_NOT_YOURS"


async def test_how_a_gateway_is_shows_on_its_board_until_the_agent_leaves(link: Link) -> None:
    agent = Agent(link)
    await agent.hello()
    await link.bindings.put(bound())
    cloud = bench_pb2.BoardCloud(
        stack="lab",
        device="d1",
        state=bench_pb2.BoardCloud.STATE_CONNECTED,
        published=3,
        message="x" * 9_000,
    )
    report = agent_link_pb2.GatewayReport(
        gateways=[agent_link_pb2.GatewayOfBoard(board="vf405-01", cloud=cloud)]
    )
    await agent.stream.write(Request(gateways=report))

    async with asyncio.timeout(60):
        version = 0
        while (found := (await link.boards.get(BOARD)).cloud) is None or not found.published:
            version = await link.boards.wait(version)
    assert (found.state, found.published) == (GatewayState.CONNECTED, 3)
    assert len(found.message) == 500

    await agent.leave()
    async with asyncio.timeout(60):
        while (await link.boards.get(BOARD)).cloud != BoardCloud(stack="lab", device="d1"):
            version = await link.boards.wait(version)
