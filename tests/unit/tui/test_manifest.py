"""flasher_args.json and image files on disk: read right, or refused with the reason."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchline.errors import InvalidRequestError
from tui.client.images import read_image_option, read_local_image
from tui.manifest import ManifestError, parse_manifest

GOOD = {
    "write_flash_args": ["--flash_mode", "dio", "--flash_size", "2MB", "--flash_freq", "80m"],
    "flash_settings": {"flash_mode": "dio", "flash_size": "2MB", "flash_freq": "80m"},
    "flash_files": {
        "0x0": "bootloader/bootloader.bin",
        "0x10000": "hello_world.bin",
        "0x8000": "partition_table/partition-table.bin",
    },
    "bootloader": {"offset": "0x0", "file": "bootloader/bootloader.bin", "encrypted": "false"},
    "extra_esptool_args": {"after": "hard_reset", "stub": True, "chip": "esp32c3"},
}


def test_files_come_by_offset_with_their_chip() -> None:
    manifest = parse_manifest(json.dumps(GOOD))
    assert manifest.chip == "esp32c3"
    assert [(hex(f.offset), f.path.name) for f in manifest.files] == [
        ("0x0", "bootloader.bin"),
        ("0x8000", "partition-table.bin"),
        ("0x10000", "hello_world.bin"),
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"flash_files": {}}, "no flash_files"),
        ({"flash_files": []}, "no flash_files"),
        ({"flash_files": {"0x0": "../../etc/passwd"}}, "leads out"),
        ({"flash_files": {"0x0": "/etc/passwd"}}, "leads out"),
        ({"flash_files": {"0x0": "..\\secret"}}, "leads out"),
        ({"flash_files": {"0x0": "C:\\secret"}}, "leads out"),
        ({"flash_files": {"0x0": "a\0b"}}, "not a path"),
        ({"flash_files": {"0x0": 7}}, "not a path"),
        ({"flash_files": {"zero": "a.bin"}}, "not a flash offset"),
        ({"flash_files": {"-1": "a.bin"}}, "not a flash offset"),
        ({"flash_files": {"0x1000000": "a.bin"}}, "outside of the flash"),
        ({"flash_files": {"0x10": "a.bin", "16": "b.bin"}}, "same offset"),
        ({"flash_files": {hex(n): "a.bin" for n in range(17)}}, "at most 16"),
        ({"extra_esptool_args": {"chip": "../x"}}, "not a chip"),
        ({"app": {"encrypted": "true"}}, "encrypted"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(change: dict[str, object], words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        parse_manifest(json.dumps(GOOD | change))


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 5000, '{"flash_files": {"0x0": "a", "0x0": "b"}}', "null"]
)
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ManifestError):
        parse_manifest(text)


@given(st.recursive(st.none() | st.booleans() | st.text(max_size=9), st.lists, max_leaves=5))
def test_any_value_in_any_place_is_read_or_refused(value: object) -> None:
    for key in GOOD:
        try:
            parse_manifest(json.dumps({**GOOD, key: value}))
        except ManifestError:
            continue


def written(folder: Path, document: dict[str, object] | None = None) -> Path:
    for name in (
        "bootloader/bootloader.bin",
        "hello_world.bin",
        "partition_table/partition-table.bin",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    path = folder / "flasher_args.json"
    path.write_text(json.dumps(document or GOOD))
    return path


def test_a_manifest_is_read_with_its_files(tmp_path: Path) -> None:
    local = read_local_image(written(tmp_path))
    assert local.image.part == "esp32c3"
    assert [file.address for file in local.image.files] == [0, 0x8000, 0x10000]
    assert set(local.contents) == {file.sha256 for file in local.image.files}


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "build"
    inside.mkdir()
    path = written(inside)
    secret = tmp_path / "secret"
    secret.write_bytes(b"key")
    (inside / "hello_world.bin").unlink()
    (inside / "hello_world.bin").symlink_to(secret)
    with pytest.raises(InvalidRequestError, match="leads out"):
        read_local_image(path)


def test_a_missing_file_and_another_chip_are_told(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.raises(InvalidRequestError, match="for esp32c3, not for esp32"):
        read_local_image(path, part="esp32")
    (tmp_path / "hello_world.bin").unlink()
    with pytest.raises(InvalidRequestError, match="is not there"):
        read_local_image(path)


def test_a_part_may_stand_before_the_path(tmp_path: Path) -> None:
    path = tmp_path / "fw=1.bin"
    path.write_bytes(b"bytes")
    assert read_image_option(f"esp32c3={path}").image.part == "esp32c3"
    plain = read_image_option(str(path), address=0x10000).image
    assert (plain.part, plain.files[0].address) == ("", 0x10000)
