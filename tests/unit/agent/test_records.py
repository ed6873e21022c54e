"""What a record that a flash tool left behind proves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchagent.command import Flash, Segment
from benchagent.flash import proof_in

IMAGE = "c" * 64
FLASH = Flash(
    segments=(
        Segment(address=0x0801_0000, sha256="b" * 64, size_bytes=8),
        Segment(address=0x0800_0000, sha256="a" * 64, size_bytes=4),
    ),
    part="stm32f405rg",
    reset_after=True,
    image="test",
)


def record(**changes: Any) -> dict[str, Any]:
    verified = [
        {"address": 0x0800_0000, "length": 4, "sha256": "a" * 64},
        {"address": 0x0801_0000, "length": 8, "sha256": "b" * 64},
    ]
    found: dict[str, Any] = {"reason": None, "message": "", "verified": verified, "erased": [0]}
    found |= {"skipped": [4], "programmed_bytes": 4, "start_s": 1000.0, "end_s": 1001.5}
    return found | changes


def test_a_record_of_the_same_bytes_is_a_proof(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(record()))
    report = proof_in(path, FLASH, IMAGE)
    assert report is not None
    assert (report.image, report.image_sha256, report.read_back_sha256) == ("test", IMAGE, IMAGE)
    assert (report.sectors_erased, report.sectors_skipped, report.bytes_programmed) == (1, 1, 4)
    assert report.start_time is not None
    assert report.end_time is not None
    assert (report.end_time - report.start_time).total_seconds() == 1.5


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(record(reason="VERIFY_FAILED")),
        json.dumps(record(verified=record()["verified"][:1])),
        json.dumps(record(verified=[*record()["verified"], record()["verified"][0]])),
        json.dumps(record(verified=[{"address": 0, "length": 4, "sha256": "a" * 64}])),
        json.dumps({"reason": None, "message": ""}),
        json.dumps(record(start_s="yesterday")),
        json.dumps(record())[:-20],
        "[]",
        "",
    ],
)
def test_any_other_record_proves_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "one.json"
    path.write_text(text)
    assert proof_in(path, FLASH, IMAGE) is None


def test_no_record_proves_nothing(tmp_path: Path) -> None:
    assert proof_in(tmp_path / "none.json", FLASH, IMAGE) is None
