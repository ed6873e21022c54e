"""What the agent makes of USB devices: trees written from documents, not recorded from hardware."""

from __future__ import annotations

import importlib.util
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchagent.board import Board, BoardKind
from benchagent.discovery.book import BoardBook
from benchagent.discovery.physical import physical_board
from benchagent.discovery.service import UsbTree, look
from benchagent.discovery.sysfs import SysfsDevice, read_devices
from benchagent.discovery.table import FILE, Confidence, parse_table, usb_table
from benchline.names import BOARD_ID
from tests.unit.agent.usb_tree import ALL, TreeWriter


@pytest.fixture
def tree(tmp_path: Path) -> TreeWriter:
    return TreeWriter(tmp_path)


def found(tree: TreeWriter) -> dict[str, Board]:
    """Boards by id, as an agent in the folder above the tree finds them."""
    usb = UsbTree(sysfs=tree.sysfs, dev=tree.dev)
    seen = look(usb, BoardBook(tree.sysfs.parent))
    return {one.record.board_id: physical_board(one, usb.nodes) for one in seen}


def only(tree: TreeWriter) -> Board:
    (board,) = found(tree).values()
    return board


def test_an_esp32_c3_shows_its_family_port_and_mac_without_being_asked(tree: TreeWriter) -> None:
    tree.plug("esp32c3-usb-jtag")
    board = only(tree)
    assert (board.kind, board.family, board.flash_tool) == (BoardKind.PHYSICAL, "esp32", "esptool")
    assert board.port == tree.dev / "ttyACM0"
    assert board.probe_id == str(tree.dev / "ttyACM0")
    assert board.identity == "a0:76:4e:11:22:33"
    assert board.board_id == "esp-a0764e112233"
    assert (board.part, board.chip) == ("", None)
    assert board.experimental
    assert board.clears_lines
    assert board.reads_port
    assert "not enrolled: esp32" in board.health
    assert f"boards enrol {board.board_id}" in board.health
    assert board.usb is not None
    assert (board.usb.location, board.usb.known_as) == ("1-2", "Espressif USB-Serial/JTAG")


def test_a_bridge_is_not_opened_before_somebody_says_that_it_is_a_board(tree: TreeWriter) -> None:
    tree.plug("devkitc-cp2102n")
    board = only(tree)
    assert board.port == tree.dev / "ttyUSB0"
    assert not board.reads_port
    assert board.family == ""
    assert "likely esp32 or stm32, or no board at all" in board.health


def test_both_sockets_of_an_esp32_s3_are_listed_until_a_chip_joins_them(tree: TreeWriter) -> None:
    tree.plug("s3-two-ports")
    boards = found(tree)
    assert {board.usb.location for board in boards.values() if board.usb} == {"1-1.1", "1-1.2"}


def test_probe_and_port_of_a_nucleo_are_one_board(tree: TreeWriter) -> None:
    tree.plug("nucleo-v2-1")
    board = only(tree)
    assert (board.family, board.flash_tool) == ("stm32", "pyocd")
    assert board.probe_id == board.identity == "066DFF515049657187132044"
    assert board.port == tree.dev / "ttyACM3"
    assert not board.clears_lines
    assert "esptool" not in board.health


def test_the_uart_of_a_dual_adapter_is_its_second_port(tree: TreeWriter) -> None:
    tree.plug("esp-prog")
    assert only(tree).port == tree.dev / "ttyUSB2"


def test_the_first_port_of_an_st_link_v3_is_the_console(tree: TreeWriter) -> None:
    tree.plug("st-link-v3-two-vcp")
    board = only(tree)
    assert (board.port, board.flash_tool) == (tree.dev / "ttyACM4", "pyocd")


def test_two_boards_without_a_serial_number_are_told_apart_by_their_socket(
    tree: TreeWriter,
) -> None:
    tree.plug("two-ch340")
    first = found(tree)
    assert sorted(first) == ["ch340-at-2-1", "ch340-at-2-2"]
    assert first["ch340-at-2-2"].port == tree.dev / "ttyUSB4"


def test_two_devices_with_one_serial_number_are_told_apart_by_their_socket(
    tree: TreeWriter,
) -> None:
    tree.plug("same-serial")
    boards = {board.usb.location: name for name, board in found(tree).items() if board.usb}
    assert len(set(boards.values())) == 2
    tree.unplug("2-4")
    ((left, board),) = found(tree).items()
    assert left == boards["2-5"], "the other one keeps its id when it is alone"
    assert board.port == tree.dev / "ttyUSB6"


def test_a_serial_number_that_proves_to_be_shared_leaves_its_board_where_it_was(
    tree: TreeWriter,
) -> None:
    tree.plug_text("2-9 10c4:ea60 serial=AB12 product=one\n  0 ff tty=ttyUSB0\n")
    ((before, _),) = found(tree).items()
    tree.plug_text("2-8 10c4:ea60 serial=AB12 product=two\n  0 ff tty=ttyUSB1\n")
    boards = {board.usb.location: name for name, board in found(tree).items() if board.usb}
    assert boards["2-9"] == before
    assert boards["2-8"] != before


def test_two_probes_with_one_serial_number_cannot_be_used_together(tree: TreeWriter) -> None:
    for location, tty in (("1-6", "ttyACM0"), ("1-7", "ttyACM1")):
        tree.plug("nucleo-v2-1", at=location, tty=tty)
    boards = found(tree).values()
    assert all("another probe here says that it is" in board.health for board in boards)


def test_a_board_in_another_socket_under_another_name_is_the_same_board(tree: TreeWriter) -> None:
    tree.plug("esp32c3-usb-jtag")
    tree.plug("nucleo-v2-1")
    before = set(found(tree))
    tree.unplug("1-2")
    tree.unplug("1-4")
    assert found(tree) == {}
    tree.plug("esp32c3-usb-jtag", at="1-4", tty="ttyACM3")
    tree.plug("nucleo-v2-1", at="1-2", tty="ttyACM0")
    after = found(tree)
    assert set(after) == before
    assert after["esp-a0764e112233"].port == tree.dev / "ttyACM3"


def test_what_cannot_be_flashed_says_why_and_what_to_do(tree: TreeWriter) -> None:
    tree.plug("dfu")
    board = only(tree)
    assert (board.family, board.flash_tool, board.port) == ("stm32", "", None)
    assert "system bootloader" in board.health
    assert "BOOT0" in board.health


def test_a_probe_of_an_unknown_vendor_is_known_by_its_words(tree: TreeWriter) -> None:
    tree.plug("cmsis-dap")
    board = only(tree)
    assert (board.family, board.flash_tool) == ("", "pyocd")
    assert board.port == tree.dev / "ttyACM6"


def test_what_is_no_board_is_not_listed(tree: TreeWriter) -> None:
    tree.plug("no-board")
    assert found(tree) == {}


def test_every_board_of_a_full_bench_is_found_once(tree: TreeWriter) -> None:
    for name in ALL:
        tree.plug(name)
    boards = found(tree)
    assert len(boards) == 13
    assert all(BOARD_ID.fullmatch(name) for name in boards)
    assert found(tree) == boards, "a second look finds the same"


def test_a_port_that_may_not_be_opened_says_how_to_get_the_right(
    tree: TreeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.plug("devkitc-cp2102n")
    tree.plug("nucleo-v2-1")
    monkeypatch.setattr("os.access", lambda *_args, **_more: False)
    health = {board.flash_tool: board.health for board in found(tree).values()}
    assert "usermod -aG dialout" in health["esptool"]
    assert "doctor --udev-rules" in health["pyocd"]


def test_a_chip_in_its_rom_loader_is_named_by_its_product_id(tree: TreeWriter) -> None:
    tree.plug_text('1-9 303a:0009 serial=0 product="ESP32-S3"\n  0 02 tty=ttyACM9\n  1 0a\n')
    board = only(tree)
    assert "ESP32-S3, says its product id" in board.health
    assert board.board_id == "esp-at-1-9", "a serial number that all of them have is none"


def test_an_old_st_link_is_known_by_the_number_that_pyocd_gives_it(tree: TreeWriter) -> None:
    raw = 'W\u00ffn\u0006PPu"T\u0017\u0081?'
    assert len(raw) == 12
    tree.plug_text("1-9 0483:3748 product=ST-LINK\n  0 ff\n")
    (tree.sysfs / "bus/usb/devices/1-9/serial").write_text(raw + "\n")
    board = only(tree)
    assert board.probe_id == raw.encode("latin-1").hex().upper()


def test_each_port_of_a_port_multiplier_is_a_board(tree: TreeWriter) -> None:
    tree.plug_text(
        "1-9 10c4:ea70 serial=00ABCDEF product=CP2105\n  0 ff tty=ttyUSB7\n  1 ff tty=ttyUSB8\n"
    )
    boards = found(tree)
    assert [board.usb.location for board in boards.values() if board.usb] == ["1-9:0", "1-9:1"]
    assert len(boards) == 2


def test_hubs_and_broken_entries_are_passed_over(tree: TreeWriter) -> None:
    tree.plug("s3-two-ports")
    (tree.sysfs / "bus/usb/devices/1-1.1/idVendor").write_text("nonsense\n")
    (tree.sysfs / "bus/usb/devices/usb1").mkdir()
    assert [device.location for device in read_devices(tree.sysfs)] == ["1-1.2"]
    assert read_devices(tree.sysfs / "missing") == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    serial=st.text(max_size=80),
    product=st.text(max_size=200),
    vendor=st.sampled_from([0x303A, 0x10C4, 0x0483, 0x1A86, 0x0403, 1]),
    number=st.integers(0, 0xFFFF),
)
def test_no_device_breaks_the_agent(
    serial: str, product: str, vendor: int, number: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tree = TreeWriter(tmp_path_factory.mktemp("tree"))
    tree.plug_text(f"1-1 {vendor:04x}:{number:04x}\n  0 ff tty=ttyUSB0\n")
    device = tree.sysfs / "bus/usb/devices/1-1"
    (device / "serial").write_bytes(serial.encode("utf-8", "surrogatepass"))
    (device / "product").write_bytes(product.encode("utf-8", "surrogatepass"))
    first = found(tree)
    assert found(tree) == first
    assert all(BOARD_ID.fullmatch(name) for name in first)
    assert all(len(board.health) < 500 for board in first.values())


def test_every_row_has_a_source_and_what_is_useless_says_what_to_do() -> None:
    rows = usb_table().rows
    assert len({row.row_id for row in rows}) == len(rows)
    for row in rows:
        assert row.source
        assert row.ids or row.product
        assert row.usable == bool(row.flash_tool)
        if not row.usable:
            assert row.reason
            assert row.fix
        if row.confidence is Confidence.HIGH:
            assert len(row.families) == 1


def test_nothing_of_st_is_ever_asked_by_esptool() -> None:
    for product in range(0x10000):
        row = usb_table().row_of(SysfsDevice(location="1-1", vendor_id=0x0483, product_id=product))
        assert row is None or row.flash_tool != "esptool"


def test_a_row_without_a_source_is_refused() -> None:
    text = resources.files("benchagent.discovery").joinpath(FILE).read_text()
    with pytest.raises(ValueError, match="pico-probe"):
        parse_table(text.replace('source = "from memory"', 'source = ""'))


def test_the_page_of_the_agent_has_the_table_as_it_is() -> None:
    docs = Path(__file__).resolve().parents[3] / "docs"
    spec = importlib.util.spec_from_file_location("generate_devices", docs / "generate_devices.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    page = (docs / "agent.md").read_text()
    assert page == generator.page_with_devices(page), "run: python docs/generate_devices.py"
