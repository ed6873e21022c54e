"""What `project export` makes of the stored project files."""

import json
from pathlib import Path

import pytest

from benchline.errors import InvalidRequestError
from tui.headless.project_verb import read_project_files
from tui.headless.source import read_source


def test_texts_and_notes_are_taken_apart() -> None:
    document = json.dumps({"files": {"wokwi/a.test.yaml": "x"}, "notes": ["n"]}).encode()
    assert read_project_files(document) == ({"wokwi/a.test.yaml": "x"}, ["n"])


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a\\b", ""])
def test_a_path_that_leaves_the_directory_is_refused(path: str) -> None:
    document = json.dumps({"files": {path: "x"}, "notes": []}).encode()
    with pytest.raises(InvalidRequestError) as refused:
        read_project_files(document)
    assert refused.value.reason == "UNSAFE_PATH"


@pytest.mark.parametrize("document", [b"", b"[]", b'{"files": []}', b"\xff", b"[" * 100_000])
def test_garbage_is_told(document: bytes) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read_project_files(document)
    assert refused.value.reason == "PROJECT_FILES_INVALID"


def test_what_was_exported_is_taken_back_without_the_keys_of_its_cloud(tmp_path: Path) -> None:
    for name in ("s.ino", "lib/own.h", "lib/Cloud/Cloud.cpp", "lib/Cloud/cloud_secrets.h"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("// text\n")

    source, _ = read_source(tmp_path)

    assert [file.path for file in source.files] == ["lib/own.h", "s.ino"]
