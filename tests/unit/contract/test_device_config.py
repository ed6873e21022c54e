"""The device configuration: packed, read back, and refused when it is damaged."""

import struct
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, strategies

from benchline.device_config import (
    MAX_CONFIG_BYTES,
    DeviceConfig,
    DeviceConfigError,
    pack_device_config,
    unpack_device_config,
)

CONFIG = DeviceConfig(
    endpoint="127.0.0.1:8883",
    device_id="lab-1",
    topic_prefix="devices/lab-1",
    credential_ref="local:lab/lab-1",
)


def test_a_configuration_is_read_back_from_a_sector() -> None:
    packed = pack_device_config(CONFIG)

    assert packed[:8] == b"BLDC\x01\x00" + struct.pack("<H", len(packed) - 12)
    assert unpack_device_config(packed) == CONFIG
    assert unpack_device_config(packed + b"\xff" * 4000) == CONFIG


def test_an_erased_sector_is_no_configuration() -> None:
    assert unpack_device_config(b"\xff" * 64) is None
    assert unpack_device_config(b"") is None


@given(strategies.binary(max_size=80))
def test_hostile_bytes_are_refused_or_erased(data: bytes) -> None:
    try:
        assert unpack_device_config(data) is None
    except DeviceConfigError:
        return


@given(strategies.integers(0, 200), strategies.integers(1, 255))
def test_a_changed_byte_is_noticed(at: int, change: int) -> None:
    packed = bytearray(pack_device_config(CONFIG))
    packed[at % len(packed)] ^= change

    with pytest.raises(DeviceConfigError):
        unpack_device_config(bytes(packed))


@pytest.mark.parametrize("value", ["", "two\nlines", "nul\0"])
def test_a_value_that_is_no_line_is_refused(value: str) -> None:
    with pytest.raises(DeviceConfigError, match="device_id must be one line"):
        pack_device_config(replace(CONFIG, device_id=value))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DeviceConfigError, match="do not fit"):
        pack_device_config(replace(CONFIG, endpoint="x" * MAX_CONFIG_BYTES))


def test_a_missing_key_is_named() -> None:
    text = b"endpoint=a:1\n"
    head = b"BLDC" + struct.pack("<HH", 1, len(text))
    data = head + struct.pack("<I", zlib.crc32(head + text)) + text

    with pytest.raises(DeviceConfigError, match="device_id, topic_prefix, credential_ref"):
        unpack_device_config(data)
