"""The device configuration: what a board is told of its cloud, in a sector of its flash.

Little endian: ``BLDC``, u16 version, u16 length of the text in bytes, u32 CRC-32 (as zlib) over the
8 bytes before it and the text; then the text, UTF-8 lines ``key=value``. Erased means: no cloud.
The text names a credential and holds none.
"""

import struct
import zlib
from dataclasses import dataclass, fields

CONFIG_MAGIC = b"BLDC"
CONFIG_VERSION = 1
MAX_CONFIG_BYTES = 4096
"""Header and text; the smallest sector that holds it is one of 4 KiB."""

_HEAD = struct.Struct("<4sHH")
_HEADER_BYTES = _HEAD.size + 4


class DeviceConfigError(ValueError):
    """A configuration that cannot be written or read; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConfig:
    """What a board is told. ``endpoint`` is host:port, ``credential_ref`` names a credential."""

    endpoint: str
    device_id: str
    topic_prefix: str
    credential_ref: str


def pack_device_config(config: DeviceConfig) -> bytes:
    """Pack a configuration. Raises DeviceConfigError for what a line cannot hold."""
    lines = []
    for field in fields(config):
        value: str = getattr(config, field.name)
        if not value or not value.isprintable():
            raise DeviceConfigError(f"{field.name} must be one line of printable text")
        lines.append(f"{field.name}={value}\n")
    text = "".join(lines).encode("utf-8")
    if _HEADER_BYTES + len(text) > MAX_CONFIG_BYTES:
        raise DeviceConfigError(f"{len(text)} bytes do not fit into {MAX_CONFIG_BYTES}")
    head = _HEAD.pack(CONFIG_MAGIC, CONFIG_VERSION, len(text))
    return head + struct.pack("<I", zlib.crc32(head + text)) + text


def unpack_device_config(data: bytes) -> DeviceConfig | None:
    """Read a sector back; None when it is erased, bytes behind the text are ignored.

    Raises DeviceConfigError when it is damaged, of another version, or lacks a key. Keys that are
    not known are passed over.
    """
    head = data[: _HEAD.size]
    if not head.strip(b"\xff"):
        return None
    if len(data) < _HEADER_BYTES:
        raise DeviceConfigError("shorter than its header")
    magic, version, length = _HEAD.unpack(head)
    if magic != CONFIG_MAGIC or version != CONFIG_VERSION:
        raise DeviceConfigError(f"not a device configuration of version {CONFIG_VERSION}")
    text = data[_HEADER_BYTES : _HEADER_BYTES + length]
    (crc,) = struct.unpack_from("<I", data, _HEAD.size)
    if len(text) < length or zlib.crc32(head + text) != crc:
        raise DeviceConfigError("the checksum is wrong")
    try:
        lines = text.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DeviceConfigError("the text is not UTF-8") from error
    values = {
        key: value for key, equals, value in (line.partition("=") for line in lines) if equals
    }
    missing = [field.name for field in fields(DeviceConfig) if not values.get(field.name)]
    if missing:
        raise DeviceConfigError(f"{', '.join(missing)} is missing")
    return DeviceConfig(**{field.name: values[field.name] for field in fields(DeviceConfig)})
