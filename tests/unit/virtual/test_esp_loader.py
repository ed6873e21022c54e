"""The ROM loader of a virtual ESP32 against clients that mean no good."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchagent.virtual.esp32.loader import SYNC_PAYLOAD, Exit, Loader, Op
from benchagent.virtual.esp32.part import PARTS, mac_of
from benchagent.virtual.esp32.slip import MAX_FRAME, FrameReader, frame
from benchagent.virtual.faults import Faults
from benchagent.virtual.flash_array import FlashArray, Wear

SIZE = 2 * 1024 * 1024
C3 = PARTS["esp32c3"]


class Rig:
    def __init__(self) -> None:
        self.exits: list[Exit] = []
        self.array = FlashArray(b"\xff" * SIZE, C3.sectors(SIZE), Wear())
        self.loader = Loader(C3, mac_of("unit"), self.array, Faults(), self.exits.append)

    def ask(self, op: int, body: bytes = b"", *, checksum: int = 0) -> list[bytes]:
        packet = struct.pack("<BBHI", 0, op, len(body), checksum) + body
        return FrameReader().feed(self.loader.feed(frame(packet)))

    def status(self, op: int, body: bytes = b"", *, checksum: int = 0) -> bytes:
        (answer,) = self.ask(op, body, checksum=checksum)
        return answer[-4:-2]

    def send(self, op: int, data: bytes, sequence: int = 0) -> bytes:
        checksum = 0xEF
        for byte in data:
            checksum ^= byte
        body = struct.pack("<IIII", len(data), sequence, 0, 0) + data
        return self.status(op, body, checksum=checksum)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_rom_answers_sync_eight_times_with_a_value(rig: Rig) -> None:
    answers = rig.ask(Op.SYNC, SYNC_PAYLOAD)
    assert len(answers) == 8
    assert all(answer[4:8] != bytes(4) for answer in answers)


def test_programming_only_clears_bits_until_an_erase(rig: Rig) -> None:
    rig.array.program(0, b"\x0f" * 4)
    rig.status(Op.FLASH_BEGIN, struct.pack("<IIIII", 0, 0, 0x400, 0, 0))
    assert rig.send(Op.FLASH_DATA, b"\xf5" * 4) == b"\0\0"
    assert rig.array.read(0, 4) == b"\x05" * 4
    rig.status(Op.FLASH_BEGIN, struct.pack("<IIIII", 4, 1, 0x400, 0, 0))
    assert rig.send(Op.FLASH_DATA, b"\xf5" * 4) == b"\0\0"
    assert rig.array.read(0, 4) == b"\xf5" * 4
    assert rig.array.wear.sector_erases[:2] == [1, 0]


def test_a_wrong_checksum_programs_nothing(rig: Rig) -> None:
    rig.status(Op.FLASH_BEGIN, struct.pack("<IIIII", 4, 1, 0x400, 0, 0))
    body = struct.pack("<IIII", 4, 0, 0, 0) + b"abcd"
    assert rig.status(Op.FLASH_DATA, body, checksum=1) == b"\x01\x07"
    assert rig.array.read(0, 4) == b"\xff" * 4


def test_data_before_begin_is_refused(rig: Rig) -> None:
    assert rig.send(Op.FLASH_DATA, b"abcd") == b"\x01\x06"
    assert rig.send(Op.DEFL_DATA, b"abcd") == b"\x01\x06"


def test_a_compressed_stream_that_grows_beyond_the_flash_is_refused(rig: Rig) -> None:
    rig.status(Op.DEFL_BEGIN, struct.pack("<IIIII", 4096, 1, 0x4000, SIZE - 4096, 0))
    bomb = zlib.compress(bytes(64 * 1024 * 1024), 9)
    assert rig.send(Op.DEFL_DATA, bomb[:60_000]) == b"\x01\x06"
    assert rig.array.wear.programmed_bytes == 0


def test_a_damaged_compressed_stream_is_an_error(rig: Rig) -> None:
    rig.status(Op.DEFL_BEGIN, struct.pack("<IIIII", 4096, 1, 0x4000, 0, 0))
    assert rig.send(Op.DEFL_DATA, b"\x00" * 64) == b"\x01\x0b"


@pytest.mark.parametrize(
    ("op", "body"),
    [
        (Op.ERASE_FLASH, b""),
        (Op.ERASE_REGION, struct.pack("<II", 0, 0x1000)),
        (Op.READ_FLASH, struct.pack("<IIII", 0, 0x1000, 0x1000, 1)),
    ],
)
def test_commands_of_the_stub_are_unknown_to_the_rom(rig: Rig, op: Op, body: bytes) -> None:
    assert rig.status(op, body) == b"\x01\x05"
    assert rig.array.wear.mass_erases == 0


def test_registers_of_the_efuses_cannot_be_written(rig: Rig) -> None:
    mac = 0x6000_8844
    before = rig.ask(Op.READ_REG, struct.pack("<I", mac))
    rig.ask(Op.WRITE_REG, struct.pack("<IIII", mac, 0, 0xFFFF_FFFF, 0))
    assert rig.ask(Op.READ_REG, struct.pack("<I", mac)) == before


def test_leaving_the_loader_is_told(rig: Rig) -> None:
    rig.ask(Op.FLASH_END, struct.pack("<I", 1))
    rig.ask(Op.FLASH_END, struct.pack("<I", 0))
    assert rig.exits == [Exit.RUN_APP, Exit.RESET]


def test_an_endless_frame_is_dropped(rig: Rig) -> None:
    assert rig.loader.feed(b"\xc0" + b"a" * (MAX_FRAME + 10)) == b""
    assert len(rig.ask(Op.SYNC, SYNC_PAYLOAD)) == 8


@given(st.lists(st.binary(max_size=80), max_size=8))
def test_any_bytes_are_survived(pieces: list[bytes]) -> None:
    rig = Rig()
    for piece in pieces:
        rig.loader.feed(frame(b"\0" + piece))
        rig.loader.feed(piece)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.integers(1, 7))
def test_frames_come_out_as_they_went_in(payloads: list[bytes], step: int) -> None:
    stream = b"noise" + b"".join(map(frame, payloads))
    reader = FrameReader()
    found: list[bytes] = []
    for at in range(0, len(stream), step):
        found += reader.feed(stream[at : at + step])
    assert found == payloads
