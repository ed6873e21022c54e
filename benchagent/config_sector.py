"""The sector in which a board finds its cloud, as a piece that is written beside an image."""

import hashlib
from dataclasses import replace

from benchagent.command import Segment, inline_bytes
from benchline.device_config import (
    MAX_CONFIG_BYTES,
    DeviceConfig,
    DeviceConfigError,
    pack_device_config,
    unpack_device_config,
)


def config_segment(address: int, config: DeviceConfig | None) -> Segment:
    """The piece that tells a board its cloud; None erases what it was told.

    A configuration that cannot be written gives a piece without bytes, which no command may have.
    """
    try:
        packed = b"" if config is None else pack_device_config(config)
    except DeviceConfigError:
        return Segment(address=address, sha256="", size_bytes=0, inline="")
    piece = Segment(address=address, sha256="", size_bytes=MAX_CONFIG_BYTES, inline=packed.hex())
    return replace(piece, sha256=hashlib.sha256(inline_bytes(piece)).hexdigest())


def config_of(segment: Segment) -> DeviceConfig | None:
    """What a piece of :func:`config_segment` tells; None when it erases."""
    return unpack_device_config(inline_bytes(segment))
