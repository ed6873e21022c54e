"""The checks of a lab PC."""

from __future__ import annotations

import io
import json

import pytest

from benchagent.doctor import checks, report


def test_every_check_that_fails_says_what_to_do() -> None:
    found = list(checks(virtual=True))
    assert {check.name for check in found} >= {"pyocd", "pyserial", "qemu-system-arm"}
    assert all(check.fix for check in found if not check.good)


def test_json_is_one_object_a_line() -> None:
    out = io.StringIO()
    report(out, as_json=True, virtual=False)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["name"] for line in lines] == [check.name for check in checks(virtual=False)]


def test_a_missing_qemu_fails_only_where_virtual_boards_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    wanted, unwanted = io.StringIO(), io.StringIO()
    assert report(wanted, as_json=False, virtual=True) == 1
    report(unwanted, as_json=False, virtual=False)
    assert "MISSING qemu-system-arm" in wanted.getvalue()
    assert "apt install qemu-system-arm" in wanted.getvalue()
    assert "note    qemu-system-arm" in unwanted.getvalue()
