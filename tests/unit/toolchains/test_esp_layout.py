"""Where the files of an ESP firmware go, from tables that may be anything."""

import contextlib
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.toolchains.esp_layout import (
    LayoutError,
    app_partition,
    arduino_segments,
    flasher_files,
    partitions,
)

ROWS = [(1, 2, 0x9000, 0x5000), (1, 0, 0xE000, 0x2000), (0, 0x10, 0x10000, 0x1000)]


def table(rows: list[tuple[int, int, int, int]]) -> bytes:
    return b"".join(struct.pack("<2sBBII16sI", b"\xaa\x50", *row, b"x", 0) for row in rows)


def test_a_factory_application_goes_before_updates() -> None:
    rows = [*ROWS, (0, 0x00, 0x20000, 0x1000)]
    assert app_partition(partitions(table(rows))).offset == 0x20000


@pytest.mark.parametrize(("part", "at"), [("esp32", 0x1000), ("esp32s3", 0), ("esp32c3", 0)])
def test_the_boot_loader_is_where_the_part_looks_for_it(part: str, at: int) -> None:
    pieces, room = arduino_segments(part, b"boot", table(ROWS), b"app")
    assert pieces == {
        at: b"boot",
        0x8000: table(ROWS),
        0xE000: b"\xff" * 0x2000,
        0x10000: b"app",
    }
    assert room == 0x1000


def test_an_application_that_is_too_large_is_refused() -> None:
    with pytest.raises(LayoutError, match="its partition has 4096"):
        arduino_segments("esp32", b"boot", table(ROWS), bytes(4097))


@pytest.mark.parametrize(
    "rows", [[], [(1, 2, 0x9000, 0x5000)], [(0, 0x10, 0xFF0000, 0x20000)]], ids=str
)
def test_a_table_without_a_usable_application_is_refused(
    rows: list[tuple[int, int, int, int]],
) -> None:
    with pytest.raises(LayoutError):
        arduino_segments("esp32", b"boot", table(rows), b"app")


@given(st.binary(max_size=4096))
def test_any_bytes_are_a_table_or_refused(data: bytes) -> None:
    with contextlib.suppress(LayoutError):
        partitions(b"\xaa\x50" + data)


@pytest.mark.parametrize(
    "files",
    [{"0x0": "/etc/passwd"}, {"0x0": "../x"}, {"0x2000000": "a"}, {"zz": "a"}, {}, [], {"0": 3}],
    ids=str,
)
def test_a_manifest_that_cannot_be_followed_is_refused(files: object) -> None:
    with pytest.raises(LayoutError):
        flasher_files(json.dumps({"flash_files": files}))
