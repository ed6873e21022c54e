"""What an operator may bring along."""

from typing import Any

import pytest

from benchline.errors import InvalidRequestError
from benchline.v1 import build_pb2, design_pb2, session_pb2
from controlplane.edge.upload_rules import MOST_CEILING, read_ceiling, read_prompt, read_source

SKETCH = build_pb2.SourceFile(path="blink/blink.ino", content="void setup(){}")


def file(path: str, content: str = "int x;") -> build_pb2.SourceFile:
    return build_pb2.SourceFile(path=path, content=content)


def scenario(identity: str, yaml: str = "scenario: 1") -> design_pb2.Scenario:
    return design_pb2.Scenario(scenario_id=identity, yaml=yaml)


def test_a_project_is_taken_as_it_is() -> None:
    source = read_source(
        session_pb2.Source(
            files=[SKETCH, file("blink/src/filter.hpp")],
            scenarios=[scenario("main")],
            title="Blink",
        )
    )
    assert [item.path for item in source.files] == ["blink/blink.ino", "blink/src/filter.hpp"]
    assert source.scenarios[0].scenario_id == "main"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd.c",
        "../up.ino",
        "a/../b.ino",
        "a//b.ino",
        ".hidden.ino",
        "a/.hidden/b.ino",
        "a.ino/",
        "a.ino\n",
        "a b.ino",
        "-o.c",
        "a.py",
        "a",
        "",
        "a\\b.ino",
        "x" * 70 + ".ino",
        "a/b/c/d/e/f.ino",
        "ü.ino",
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_source(session_pb2.Source(files=[SKETCH, file(path)]))
    assert caught.value.reason == "INVALID_SOURCE"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "INVALID_SOURCE"),
        ({"files": [file("a.h")]}, "INVALID_SOURCE"),
        ({"files": [SKETCH, file("Blink/Blink.ino")]}, "INVALID_SOURCE"),
        ({"files": [file("a.ino", "\0")]}, "INVALID_SOURCE"),
        ({"files": [file("a.ino", "ü" * 131_073)]}, "SOURCE_TOO_LARGE"),
        ({"files": [file(f"f{n}.ino") for n in range(41)]}, "SOURCE_TOO_LARGE"),
        ({"files": [SKETCH], "image_sha256": "0" * 64}, "INVALID_SOURCE"),
        ({"image_sha256": "xyz", "image_filename": "a.elf"}, "INVALID_DIGEST"),
        ({"image_sha256": "0" * 64, "image_filename": "a.exe"}, "INVALID_SOURCE"),
        ({"image_sha256": "0" * 64, "image_filename": "../a.elf"}, "INVALID_SOURCE"),
        ({"image_filename": "a.elf"}, "INVALID_SOURCE"),
        ({"files": [SKETCH], "scenarios": [scenario("Main")]}, "INVALID_SOURCE"),
        ({"files": [SKETCH], "scenarios": [scenario("m"), scenario("m")]}, "INVALID_SOURCE"),
        ({"files": [SKETCH], "scenarios": [scenario("m", "x" * 65_537)]}, "SOURCE_TOO_LARGE"),
        ({"design_json": "x" * (1024 * 1024 + 1)}, "SOURCE_TOO_LARGE"),
        ({"files": [SKETCH], "title": "x" * 201}, "INVALID_SOURCE"),
    ],
)
def test_a_source_outside_the_rules_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_source(session_pb2.Source(**fields))
    assert caught.value.reason == reason


def test_a_prompt_may_have_lines_and_any_script() -> None:
    text = "Blink.\n\tDann 30 °C: 继电器 🙂"
    assert read_prompt(text) == text


def test_without_a_servers_ceiling_one_of_a_session_still_has_an_end() -> None:
    assert read_ceiling(None, 0, costs=True) == 0
    assert read_ceiling(MOST_CEILING, 0, costs=True) == MOST_CEILING
    with pytest.raises(InvalidRequestError, match=r"at most \$10,000\.00"):
        read_ceiling(MOST_CEILING + 1, 0, costs=True)
