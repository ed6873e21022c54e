"""Which board is which device of which cloud."""

from dataclasses import replace

from controlplane.domain.bench import Board, BoardKind, BoardState
from controlplane.domain.stack import CloudBinding
from controlplane.fleet.orders import ConfigSector, FlashPiece, ImageRole
from controlplane.pipeline.cloud_writes import CloudWrites
from controlplane.storage.boards import BoardStore
from controlplane.storage.cloud_bindings import BoundBoard, CloudBindings
from controlplane.storage.database import Database

ONE, TWO = "agents/bench/boards/b1", "agents/bench/boards/b2"
SECTOR = 0x0800_C000
CLOUD = CloudBinding(
    stack="lab",
    device="d1",
    endpoint="127.0.0.1:18883",
    client_id="d1",
    topic_prefix="devices/d1",
    credential_ref="local:lab/d1",
    ca_ref="local:lab/ca",
)
CODE = (FlashPiece(address=0x0800_0000, sha256="a" * 64, size_bytes=0x4000),)


def told(board: str = ONE, *, active: bool = True, device: str = "d1") -> BoundBoard:
    binding = replace(CLOUD, device=device, credential_ref=f"local:lab/{device}")
    return BoundBoard(board=board, address=SECTOR, from_epoch=3, active=active, binding=binding)


def board_of(kind: BoardKind) -> Board:
    return Board(
        name=ONE,
        model="m",
        part="p",
        kind=kind,
        state=BoardState.ACTIVE,
        probe_id="",
        identity="",
        port="",
    )


SILICON = board_of(BoardKind.PHYSICAL)


def bindings_in(database: Database) -> CloudBindings:
    return CloudBindings(database, BoardStore(database))


async def test_a_device_that_moves_to_another_board_leaves_its_first_one(
    database: Database,
) -> None:
    bindings = bindings_in(database)
    await bindings.put(told(ONE))
    await bindings.put(told(TWO))

    assert await bindings.active_of("bench") == [told(TWO)]
    assert await bindings.find(ONE) == told(ONE, active=False)


async def test_bindings_outlive_the_process_that_made_them(database: Database) -> None:
    await bindings_in(database).put(told(ONE))

    assert await bindings_in(database).active() == [told(ONE)]


async def test_a_stack_that_gives_a_device_no_longer_ends_its_binding(database: Database) -> None:
    bindings = bindings_in(database)
    await bindings.put(told(ONE))
    await bindings.put(told(TWO, device="d2"))
    moved = replace(CLOUD, endpoint="127.0.0.1:18884")

    with bindings.listen("bench") as changed:
        await bindings.follow("lab", {"d1": moved})
        assert changed.is_set()
    (left,) = await bindings.active()
    assert (left.board, left.binding) == (ONE, moved)

    await bindings.follow("another", {})
    assert len(await bindings.active()) == 1
    await bindings.follow("lab", {})
    assert await bindings.active() == []
    assert await bindings.find(ONE) is not None  # its flash still says so


async def test_the_board_shows_the_device_that_it_is(database: Database) -> None:
    boards = BoardStore(database)
    await boards.link_agent("bench", version="1", host="pc")
    await boards.put_inventory("bench", [board_of(BoardKind.VIRTUAL)])
    before = boards.version

    await CloudBindings(database, boards).put(told(ONE))
    found = (await boards.get(ONE)).cloud
    assert found is not None
    assert (found.stack, found.device) == ("lab", "d1")
    assert boards.version > before


async def test_messages_are_carried_once_the_release_image_is_written(database: Database) -> None:
    bindings = bindings_in(database)
    writes = CloudWrites(bindings, SILICON, binding=CLOUD, address=SECTOR)
    sector = ConfigSector(address=SECTOR, binding=CLOUD)

    assert await writes.before(ImageRole.TEST, CODE, 3) == sector
    await writes.after(CODE, sector)
    assert await bindings.active() == []
    assert await writes.before(ImageRole.TABLE, CODE, 3) is None
    assert await writes.before(ImageRole.RELEASE, CODE, 3) == sector
    await writes.after(CODE, sector)
    assert await bindings.active() == [told(ONE)]
    await writes.failed()
    assert await bindings.active() == []


async def test_messages_of_a_virtual_board_are_carried_from_its_first_image_on(
    database: Database,
) -> None:
    bindings = bindings_in(database)
    virtual = board_of(BoardKind.VIRTUAL)
    writes = CloudWrites(bindings, virtual, binding=CLOUD, address=SECTOR)

    for epoch, role in enumerate((ImageRole.TEST, ImageRole.TABLE, ImageRole.RELEASE), 3):
        await writes.before(role, CODE, epoch)
        assert await bindings.active() == [told(ONE)]  # and of the first boot, all along


async def test_a_board_is_told_that_it_has_no_cloud_any_more_and_once(database: Database) -> None:
    bindings = bindings_in(database)
    plain = CloudWrites(bindings, SILICON)
    assert await plain.before(ImageRole.RELEASE, CODE, 3) is None
    await bindings.put(told(ONE))

    erased = await plain.before(ImageRole.TEST, CODE, 3)
    assert erased == ConfigSector(address=SECTOR, binding=None)
    assert await bindings.active() == []
    await plain.failed()
    assert await plain.before(ImageRole.TEST, CODE, 3) == erased  # it was not proved
    await plain.after(CODE, erased)
    assert await bindings.find(ONE) is None
    assert await plain.before(ImageRole.RELEASE, CODE, 3) is None


async def test_an_image_with_bytes_of_its_own_there_is_not_written_over(database: Database) -> None:
    bindings = bindings_in(database)
    await bindings.put(told(ONE))
    whole = (FlashPiece(address=0x0800_0000, sha256="a" * 64, size_bytes=0x20000),)
    plain = CloudWrites(bindings, SILICON)

    assert await plain.before(ImageRole.IMAGE, whole, 3) is None
    await plain.after(whole, None)
    assert await bindings.find(ONE) is None
