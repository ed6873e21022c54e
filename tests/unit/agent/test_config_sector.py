"""What a board is told of its cloud, as a piece beside an image."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from benchagent.command import Command, Flash, malformed
from benchagent.config_sector import config_of, config_segment
from benchagent.flash import fetch_image
from benchagent.images import ImageCache
from benchagent.proven import proven_after
from benchagent.wire import command_bytes, command_from, command_from_bytes
from benchline.device_config import DeviceConfig, unpack_device_config
from benchline.errors import NotFoundError
from benchline.v1 import agent_link_pb2

CONFIG = DeviceConfig(
    endpoint="127.0.0.1:18883",
    device_id="d1",
    topic_prefix="devices/d1",
    credential_ref="local:lab/d1",
)
SECTOR = 0x0800_C000
CODE = b"code"


class OneArtifact:
    async def read(self, sha256: str, offset: int) -> AsyncIterator[bytes]:
        if sha256 != hashlib.sha256(CODE).hexdigest():
            raise NotFoundError("ARTIFACT_NOT_FOUND", sha256)
        yield CODE[offset:]


def order(config: DeviceConfig | None, **more: int) -> agent_link_pb2.Command:
    flash = agent_link_pb2.FlashCommand(part="stm32f405rg", image="release", reset_after=True)
    sha256 = hashlib.sha256(CODE).hexdigest()
    flash.segments.add(address=0x0800_0000, sha256=sha256, size_bytes=len(CODE))
    flash.device_config.address = more.get("address", SECTOR)
    if config is not None:
        flash.device_config.config.CopyFrom(
            agent_link_pb2.DeviceConfig(
                endpoint=config.endpoint,
                device_id=config.device_id,
                topic_prefix=config.topic_prefix,
                credential_ref=config.credential_ref,
            )
        )
    message = agent_link_pb2.Command(command_id="c1", board="b1", fencing_token=1, flash=flash)
    message.deadline.FromDatetime(datetime(2030, 1, 1, tzinfo=UTC))
    return message


def flash_of(command: Command) -> Flash:
    assert isinstance(command.action, Flash)
    return command.action


async def test_it_is_written_beside_the_image_and_counts_in_no_digest(tmp_path: Path) -> None:
    flash = flash_of(command_from(order(CONFIG)))
    image = await fetch_image(flash, ImageCache(tmp_path, OneArtifact()))

    assert image.sha256 == hashlib.sha256(CODE).hexdigest()
    code, sector = image.segments
    assert code.path.read_bytes() == CODE
    data = sector.path.read_bytes()
    assert (sector.address, len(data)) == (SECTOR, 4096)
    assert hashlib.sha256(data).hexdigest() == sector.sha256
    assert unpack_device_config(data) == CONFIG


async def test_without_a_cloud_the_sector_is_erased(tmp_path: Path) -> None:
    flash = flash_of(command_from(order(None)))
    image = await fetch_image(flash, ImageCache(tmp_path, OneArtifact()))

    assert image.segments[1].path.read_bytes() == b"\xff" * 4096


def test_a_journaled_command_gives_the_same_piece_again() -> None:
    for config in (CONFIG, None):
        command = command_from(order(config))
        assert command_from_bytes(command_bytes(command)) == command
        assert config_of(flash_of(command).segments[1]) == config


def test_another_configuration_is_another_piece_for_a_differential_write() -> None:
    code, first = flash_of(command_from(order(CONFIG))).segments
    second = config_segment(SECTOR, None)
    held = proven_after("1" * 64, (code, first))

    assert first.sha256 != second.sha256
    assert first in held.segments
    assert proven_after("1" * 64, (second,), held).segments == (second, code)


def test_a_configuration_that_cannot_be_written_refuses_the_flash() -> None:
    hostile = DeviceConfig(
        endpoint="a:1\nkey=1", device_id="d", topic_prefix="p", credential_ref="c"
    )
    refused = malformed(command_from(order(hostile)))
    assert refused is not None
    assert refused.reason == "BAD_COMMAND"
    assert malformed(command_from(order(CONFIG))) is None


def test_a_sector_inside_the_image_refuses_the_flash() -> None:
    refused = malformed(command_from(order(CONFIG, address=0x0800_0000)))
    assert refused is not None
    assert "overlaps" in refused.message
