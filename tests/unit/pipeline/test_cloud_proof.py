"""Who is to blame when nothing of a flashed board arrives in its cloud."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.domain.bench import Board, BoardCloud, BoardKind, BoardState, GatewayState
from controlplane.domain.stack import CloudBinding
from controlplane.domain.verdict import Outcome
from controlplane.pipeline.cloud_proof import CloudMark, CloudProof, CloudVerdict
from controlplane.provisioning.localcloud.clouds import LocalClouds
from controlplane.provisioning.localcloud.telemetry import Telemetry
from controlplane.storage.boards import BoardStore
from controlplane.storage.cloud_bindings import BoundBoard, CloudBindings
from controlplane.storage.database import Database

BOARD = "agents/bench/boards/b1"
CLOUD = CloudBinding(
    stack="lab",
    device="d1",
    endpoint="cloud.example:8883",
    client_id="d1",
    topic_prefix="devices/d1",
    credential_ref="custody:lab/d1",
    ca_ref="system",
)


@pytest.fixture
async def boards(tmp_path: Path) -> AsyncIterator[BoardStore]:
    database = await Database.open(tmp_path / "x.db")
    store = BoardStore(database)
    await store.link_agent("bench", version="1", host="pc")
    board = Board(
        name=BOARD,
        model="m",
        part="p",
        kind=BoardKind.VIRTUAL,
        state=BoardState.ACTIVE,
        probe_id="",
        identity="",
        port="",
    )
    await store.put_inventory("bench", [board])
    bound = BoundBoard(board=BOARD, address=0, from_epoch=1, active=True, binding=CLOUD)
    await CloudBindings(database, store).put(bound)
    yield store
    await database.close()


async def judged(
    boards: BoardStore, tmp_path: Path, cloud: BoardCloud | None, *, published: int = 0
) -> CloudVerdict:
    if cloud is not None:
        boards.tell_gateway(BOARD, cloud)
    proof = CloudProof(Telemetry(LocalClouds(tmp_path / "stacks")), boards, least_s=0)
    return await proof.verdict(CLOUD, BOARD, None, CloudMark(published=published))


async def test_what_the_broker_acknowledged_is_evidence_where_nobody_reads(
    boards: BoardStore, tmp_path: Path
) -> None:
    cloud = BoardCloud(stack="lab", device="d1", state=GatewayState.CONNECTED, published=3)
    found = await judged(boards, tmp_path, cloud)
    assert found.outcome is Outcome.PASSED
    assert "3 acknowledged by the broker" in found.message


async def test_a_gateway_that_is_not_let_in_is_no_fault_of_the_firmware(
    boards: BoardStore, tmp_path: Path
) -> None:
    cloud = BoardCloud(
        stack="lab", device="d1", state=GatewayState.REFUSED, message="its certificate is revoked"
    )
    found = await judged(boards, tmp_path, cloud)
    assert found.outcome is Outcome.BROKEN
    assert "refused: its certificate is revoked" in found.message


async def test_an_agent_that_tells_nothing_is_no_fault_of_the_firmware(
    boards: BoardStore, tmp_path: Path
) -> None:
    found = await judged(boards, tmp_path, None)
    assert found.outcome is Outcome.BROKEN
    assert "does not say how it is" in found.message


async def test_firmware_of_which_nothing_is_due_has_to_be_connected(
    boards: BoardStore, tmp_path: Path
) -> None:
    cloud = BoardCloud(stack="lab", device="d1", state=GatewayState.CONNECTED)
    found = await judged(boards, tmp_path, cloud)
    assert found.outcome is Outcome.PASSED
    assert "no telemetry is due" in found.message


async def test_what_was_acknowledged_before_is_no_evidence_of_another_image(
    boards: BoardStore, tmp_path: Path
) -> None:
    cloud = BoardCloud(stack="lab", device="d1", state=GatewayState.CONNECTED, published=3)
    boards.tell_gateway(BOARD, cloud)
    proof = CloudProof(Telemetry(LocalClouds(tmp_path / "stacks")), boards)
    assert await proof.mark(CLOUD, BOARD) == CloudMark(number=0, published=3)

    found = await judged(boards, tmp_path, cloud, published=3)
    assert "acknowledged" not in found.message
