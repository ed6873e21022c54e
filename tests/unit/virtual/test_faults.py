"""Faults as people write them, and when they strike."""

from __future__ import annotations

import pytest

from benchagent.virtual.faults import (
    FaultError,
    FaultKind,
    FaultOrder,
    Faults,
    Trouble,
    parse_fault,
)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("silent", FaultOrder(kind=FaultKind.SILENT)),
        ("silent=40", FaultOrder(kind=FaultKind.SILENT, count=40)),
        ("unplug=7", FaultOrder(kind=FaultKind.UNPLUG, count=7)),
        ("replug", FaultOrder(kind=FaultKind.REPLUG, seconds=1.0)),
        ("replug=2.5s", FaultOrder(kind=FaultKind.REPLUG, seconds=2.5)),
        ("eio=100", FaultOrder(kind=FaultKind.EIO, count=100)),
        ("readback=0x08010000", FaultOrder(kind=FaultKind.READBACK, count=0x0801_0000)),
        ("wedged", FaultOrder(kind=FaultKind.WEDGED)),
        ("swapped=vc3-02", FaultOrder(kind=FaultKind.SWAPPED, name="vc3-02")),
        ("clear", FaultOrder(kind=FaultKind.CLEAR)),
    ],
)
def test_faults_are_read(text: str, order: FaultOrder) -> None:
    assert parse_fault(text) == order


@pytest.mark.parametrize(
    "text",
    [
        *("", "fire", "silent=x", "silent=-1", "readback", "readback=0x100000000"),
        *("replug=nan", "replug=1e9", "swapped", "swapped=../../etc", "clear=all"),
    ],
)
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(FaultError):
        parse_fault(text)


def test_faults_strike_after_so_many_requests_from_now() -> None:
    faults = Faults()
    assert faults.count() is Trouble.NONE
    faults.arm(parse_fault("silent=2"))
    assert [faults.count() for _ in range(4)] == [Trouble.NONE] * 2 + [Trouble.HANG] * 2
    faults.clear()
    assert faults.count() is Trouble.NONE


def test_a_wedged_board_is_told_once_and_stays_so_until_power() -> None:
    told: list[str] = []
    faults = Faults(wedge=lambda: told.append("wedged"))
    faults.arm(parse_fault("wedged=1"))
    assert [faults.count() for _ in range(4)] == [Trouble.NONE, *[Trouble.WEDGED] * 3]
    assert told == ["wedged"]
    faults.power_cycled()
    assert faults.count() is Trouble.NONE
