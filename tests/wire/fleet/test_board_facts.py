"""What an agent knows of a board arrives at the control plane and at its clients unchanged."""

from datetime import UTC, datetime
from pathlib import Path

from benchagent.board import Board, BoardKind, Chip, UsbDevice
from benchagent.wire import inventory_message
from benchline.v1 import agent_link_pb2, bench_pb2
from controlplane.edge.translate import to_wire
from controlplane.fleet.wire import decode_boards
from controlplane.storage.codec import from_json, to_json

BOARD = Board(
    board_id="c3-04",
    kind=BoardKind.PHYSICAL,
    model="esp32-c3-devkitm-1",
    part="esp32c3",
    family="esp32",
    flash_tool="esptool",
    probe_id="/dev/ttyACM0",
    identity="60:55:f9:00:00:01",
    port=Path("/dev/ttyACM0"),
    experimental=True,
    usb=UsbDevice(
        vendor_id=0x303A,
        product_id=0x1001,
        serial_number="60:55:F9:00:00:01",
        location="1-2.3",
        product="USB JTAG/serial debug unit",
        manufacturer="Espressif",
        known_as="Espressif USB-Serial/JTAG",
    ),
    chip=Chip(
        name="ESP32-C3 (QFN32)",
        revision="v0.4",
        identity="60:55:f9:00:00:01",
        flash_bytes=4 << 20,
        features=("Wi-Fi", "BT 5 (LE)"),
        protections=("secure boot",),
        read_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    ),
    abilities=("reset", "bootloader"),
    personality=("clock=-2%",),
)


def told(board: Board) -> bench_pb2.Board:
    """The board as a client of the control plane sees it."""
    sent = inventory_message([board], "bench", ()).SerializeToString()
    (known,) = decode_boards("bench", agent_link_pb2.BoardInventory.FromString(sent))
    return to_wire(from_json(type(known), to_json(known)), bench_pb2.Board)


def test_every_fact_of_a_board_arrives() -> None:
    board = told(BOARD)

    assert (board.family, board.flash_tool) == ("esp32", "esptool")
    assert (board.usb.vendor_id, board.usb.location) == (0x303A, "1-2.3")
    assert board.usb.known_as == "Espressif USB-Serial/JTAG"
    assert board.chip.identity == "60:55:f9:00:00:01"
    assert board.chip.flash_bytes == 4 << 20
    assert list(board.chip.protections) == ["secure boot"]
    assert board.chip.read_time.ToDatetime(UTC) == BOARD.chip.read_time
    assert list(board.abilities) == ["reset", "bootloader"]
    assert list(board.personality) == ["clock=-2%"]


def test_a_board_without_usb_and_unasked_says_nothing_of_them() -> None:
    board = told(Board(board_id="vf405-01", kind=BoardKind.VIRTUAL))

    assert not board.HasField("usb")
    assert not board.HasField("chip")


def test_endless_words_of_an_agent_are_cut() -> None:
    inventory = agent_link_pb2.BoardInventory(
        boards=[
            bench_pb2.Board(
                name="agents/x/boards/b",
                family="f" * 10_000,
                abilities=["a" * 10_000] * 1_000,
                chip=bench_pb2.Chip(name="n" * 10_000, flash_bytes=2**63),
            )
        ]
    )
    inventory.boards[0].chip.read_time.seconds = 2**62

    (known,) = decode_boards("bench", inventory)

    assert len(known.family) == 200
    assert len(known.abilities) == 16
    assert len(known.abilities[0]) == 200
    assert known.chip is not None
    assert known.chip.flash_bytes == 1 << 32
    assert known.chip.read_time is None
