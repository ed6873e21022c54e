"""Which record a find belongs to, what a chip's word changes, and the file that keeps it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchagent.board import Chip
from benchagent.discovery.book import FILE, BoardBook, parse_records, records_text
from benchagent.discovery.physical import physical_board
from benchagent.discovery.record import MAX_RECORDS, Record, Records, Told, learn, rename, resolve
from benchagent.discovery.service import UsbTree, look
from benchline.names import BOARD_ID
from tests.unit.agent.usb_tree import TreeWriter

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MAC_A, MAC_B = "aa:00:00:00:00:01", "aa:00:00:00:00:02"


@pytest.fixture
def tree(tmp_path: Path) -> TreeWriter:
    return TreeWriter(tmp_path)


@pytest.fixture
def book(tmp_path: Path) -> BoardBook:
    return BoardBook(tmp_path)


def told(mac: str) -> Told:
    chip = Chip(name="ESP32", identity=mac, flash_bytes=4 << 20, read_time=NOW)
    return Told(chip=chip, part="esp32", family="esp32")


def where(tree: TreeWriter, book: BoardBook) -> dict[str, list[str]]:
    """Sockets of each board that is plugged in."""
    usb = UsbTree(sysfs=tree.sysfs, dev=tree.dev)
    return {seen.record.board_id: sockets(seen.finds) for seen in look(usb, book)}


def sockets(finds: object) -> list[str]:
    assert isinstance(finds, tuple)
    return [find.location for find in finds]


def ask(tree: TreeWriter, book: BoardBook, location: str, mac: str) -> str:
    """Enrol what is in a socket; gives the board that it is then."""
    at = where(tree, book)
    (board_id,) = (name for name, places in at.items() if location in places)
    usb = UsbTree(sysfs=tree.sysfs, dev=tree.dev)
    present = frozenset(key for seen in look(usb, book) for key in seen.record.keys)
    book.change(lambda records: enrolled(learn(records, board_id, told(mac), present=present)))
    return next(name for name, places in where(tree, book).items() if location in places)


def enrolled(records: Records) -> dict[str, Record]:
    return {
        name: replace(one, enrolled_time=NOW) if one.chip is not None else one
        for name, one in records.items()
    }


def test_two_usb_devices_of_one_chip_become_one_board(tree: TreeWriter, book: BoardBook) -> None:
    tree.plug("s3-two-ports")
    assert len(where(tree, book)) == 2
    ask(tree, book, "1-1.1", MAC_A)
    board = ask(tree, book, "1-1.2", MAC_A)
    assert where(tree, book) == {board: ["1-1.1", "1-1.2"]}, "the bridge comes first"
    tree.unplug("1-1.1")
    assert where(tree, book) == {board: ["1-1.2"]}


def test_boards_without_serial_number_that_swapped_sockets_are_found_by_their_chips(
    tree: TreeWriter, book: BoardBook
) -> None:
    tree.plug("two-ch340")
    first, second = ask(tree, book, "2-1", MAC_A), ask(tree, book, "2-2", MAC_B)
    assert first != second
    # Somebody swaps them: USB says nothing, the chips do.
    assert ask(tree, book, "2-1", MAC_B) == second
    assert ask(tree, book, "2-2", MAC_A) == first
    assert where(tree, book) == {second: ["2-1"], first: ["2-2"]}


def test_a_board_without_serial_number_is_found_again_in_a_third_socket(
    tree: TreeWriter, book: BoardBook
) -> None:
    tree.plug("two-ch340")
    first, second = ask(tree, book, "2-1", MAC_A), ask(tree, book, "2-2", MAC_B)
    tree.unplug("2-1")
    tree.plug_text("2-8 1a86:7523\n  0 ff tty=ttyUSB9\n")
    assert first not in where(tree, book)
    assert ask(tree, book, "2-8", MAC_A) == first
    tree.plug_text("2-1 1a86:7523\n  0 ff tty=ttyUSB3\n")
    assert where(tree, book)[second] == ["2-2"]
    assert where(tree, book)[first] == ["2-8"], "its old socket says nothing about it any more"


def test_a_stranger_in_a_known_socket_is_a_board_of_its_own(
    tree: TreeWriter, book: BoardBook
) -> None:
    tree.plug("two-ch340")
    first = ask(tree, book, "2-1", MAC_A)
    stranger = ask(tree, book, "2-1", MAC_B)
    assert stranger != first
    known = book.read()
    assert known[first].chip is not None
    assert known[first].chip.identity == MAC_A
    assert known[first].keys == ()
    assert ask(tree, book, "2-2", MAC_A) == first


def test_a_probe_with_another_chip_behind_it_stays_the_same_board(
    tree: TreeWriter, book: BoardBook
) -> None:
    tree.plug("nucleo-v2-1")
    board = ask(tree, book, "1-4", "0011223344")
    assert ask(tree, book, "1-4", "5566778899") == board
    chip = book.read()[board].chip
    assert chip is not None
    assert chip.identity == "5566778899"


def test_a_pinned_name_is_the_board_from_then_on(tree: TreeWriter, book: BoardBook) -> None:
    tree.plug("esp32c3-usb-jtag")
    (before,) = where(tree, book)
    book.change(lambda records: rename(records, before, "door-lock"))
    assert list(where(tree, book)) == ["door-lock"]
    tree.unplug("1-2")
    tree.plug("esp32c3-usb-jtag", at="3-1", tty="ttyACM7")
    assert where(tree, book) == {"door-lock": ["3-1"]}


def test_a_name_is_given_once(tree: TreeWriter, book: BoardBook) -> None:
    tree.plug("two-ch340")
    first, second = sorted(where(tree, book))
    with pytest.raises(ValueError, match="name of another board"):
        book.change(lambda records: rename(records, first, second))
    with pytest.raises(KeyError):
        book.change(lambda records: rename(records, "nobody", "somebody"))
    assert sorted(book.read()) == [first, second]


def test_pinned_names_win_when_two_records_prove_to_be_one_board(
    tree: TreeWriter, book: BoardBook
) -> None:
    tree.plug("s3-two-ports")
    ask(tree, book, "1-1.1", MAC_A)
    native = next(name for name, places in where(tree, book).items() if places == ["1-1.2"])
    book.change(lambda records: rename(records, native, "radio"))
    assert ask(tree, book, "1-1.2", MAC_A) == "radio"
    assert where(tree, book) == {"radio": ["1-1.1", "1-1.2"]}


def test_an_ignored_device_is_not_listed(tree: TreeWriter, book: BoardBook) -> None:
    tree.plug("two-ch340")
    first, second = sorted(where(tree, book))
    book.change(lambda known: {**known, first: replace(known[first], ignored=True)})
    assert list(where(tree, book)) == [second]


def test_a_bridge_is_the_console_of_an_stm32_and_flashes_nothing(
    tree: TreeWriter, book: BoardBook
) -> None:
    tree.plug("devkitc-cp2102n")
    (board_id,) = where(tree, book)
    stm32 = {"part": "stm32f411ce", "family": "stm32", "enrolled_time": NOW}
    book.change(lambda known: {board_id: replace(known[board_id], **stm32)})
    usb = UsbTree(sysfs=tree.sysfs, dev=tree.dev)
    (board,) = (physical_board(seen, usb.nodes) for seen in look(usb, book))
    assert (board.health, board.flash_tool, board.abilities) == ("ok", "", ())
    assert board.reads_port


def test_a_broken_file_is_kept_aside_and_boards_are_found_again(
    tree: TreeWriter, book: BoardBook
) -> None:
    tree.plug("two-ch340")
    before = where(tree, book)
    book.path.write_text("[board")
    assert where(tree, book) == before
    assert book.path.with_name(f"{FILE}.unreadable").read_text() == "[board"


def test_boards_that_nobody_would_miss_are_forgotten_at_last() -> None:
    many = {f"b{n}": Record(board_id=f"b{n}", keys=(f"usb:{n}",)) for n in range(MAX_RECORDS + 5)}
    many["b0"] = replace(many["b0"], pinned=True)
    _, kept = resolve([], many)
    assert len(kept) == MAX_RECORDS
    assert "b0" in kept


texts = st.text(max_size=30).map(lambda text: "".join(char for char in text if char.isprintable()))
chips = st.builds(
    Chip,
    name=texts,
    revision=texts,
    identity=texts,
    flash_bytes=st.integers(0, 2**40),
    features=st.lists(texts, max_size=3).map(tuple),
    read_time=st.none() | st.just(NOW),
)


@given(
    st.dictionaries(
        st.from_regex(BOARD_ID, fullmatch=True),
        st.tuples(st.lists(texts, max_size=3), st.none() | chips, st.booleans(), texts),
        max_size=4,
    )
)
def test_what_is_written_is_read_again(
    boards: dict[str, tuple[list[str], Chip | None, bool, str]],
) -> None:
    records = {
        name: Record(
            board_id=name,
            keys=tuple(keys),
            chip=chip,
            pinned=flag,
            model=text,
            enrolled_time=NOW if flag else None,
        )
        for name, (keys, chip, flag, text) in boards.items()
    }
    assert parse_records(records_text(records)) == records
