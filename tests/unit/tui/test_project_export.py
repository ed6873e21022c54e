"""What `project export` makes of the stored project files."""

import json

import pytest

from benchline.errors import InvalidRequestError
from tui.headless.project_verb import read_project_files


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
