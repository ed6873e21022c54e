"""When another way of connecting is tried."""

from __future__ import annotations

import itertools

import pytest

from benchagent.flashers.fallback import Attempt, next_rung, swd_ladder, worth_another
from benchagent.flashers.protocol import REFUSALS, Reason


def attempt(reason: Reason | None, *, connected: bool = True, message: str = "") -> Attempt:
    return Attempt(rung="attach", reason=reason, connected=connected, message=message)


def test_every_rung_is_slower_or_harsher_than_the_one_before() -> None:
    for rungs in (swd_ladder(), swd_ladder(under_reset=True)):
        for before, after in itertools.pairwise(rungs):
            assert after.frequency_hz <= before.frequency_hz
            assert (after.frequency_hz, after.under_reset) != (
                before.frequency_hz,
                before.under_reset,
            )
            assert after.under_reset
    assert [rung.words for rung in swd_ladder()] == [
        "attach at 4 MHz",
        "under reset at 4 MHz",
        "under reset at 1 MHz",
        "under reset at 400 kHz",
    ]
    assert all(rung.under_reset for rung in swd_ladder(under_reset=True))


@pytest.mark.parametrize("reason", sorted(REFUSALS))
@pytest.mark.parametrize("connected", [False, True])
def test_a_refusal_stays_a_refusal(reason: Reason, connected: bool) -> None:
    assert not worth_another([attempt(reason, connected=connected)])


@pytest.mark.parametrize(
    ("reason", "connected", "another"),
    [
        (None, True, False),
        (Reason.PROBE_LOST, False, True),
        (Reason.PROBE_LOST, True, False),
        (Reason.TARGET_SILENT, False, True),
        (Reason.TARGET_SILENT, True, True),
        (Reason.WRITE_FAILED, True, True),
        (Reason.VERIFY_FAILED, True, True),
        (Reason.CANCELLED, True, False),
        (Reason.TOOL_HUNG, False, False),
        (Reason.TOOL_CRASHED, True, False),
        (Reason.PROBE_NOT_FOUND, False, False),
        (Reason.DIGEST_MISMATCH, False, False),
    ],
)
def test_only_what_a_connection_can_cure_is_tried_again(
    reason: Reason | None, connected: bool, another: bool
) -> None:
    assert worth_another([attempt(reason, connected=connected)]) is another


def test_a_cell_that_is_wrong_twice_in_the_same_way_is_worn() -> None:
    wrong = attempt(Reason.VERIFY_FAILED, message="0x08010123 reads 0x00 instead of 0x5a")
    elsewhere = attempt(Reason.VERIFY_FAILED, message="0x08010200 reads 0x00 instead of 0x5a")
    assert worth_another([wrong])
    assert worth_another([wrong, elsewhere])
    assert not worth_another([wrong, wrong])


def test_nothing_is_repeated_once_the_firmware_is_being_started() -> None:
    failed = Attempt(
        rung="attach", reason=Reason.TARGET_SILENT, connected=True, committed=True, message="gone"
    )
    assert not worth_another([failed])
    assert failed.words == "attach: TARGET_SILENT: gone"


def test_a_held_reset_line_helps_to_connect_and_a_slower_clock_helps_afterwards() -> None:
    rungs = swd_ladder()
    unconnected = [attempt(Reason.TARGET_SILENT, connected=False)]
    connected = [attempt(Reason.VERIFY_FAILED, connected=True)]
    assert next_rung(rungs, rungs[0], unconnected) == rungs[1]
    assert next_rung(rungs, rungs[0], connected) == rungs[2]
    assert next_rung(rungs, rungs[3], unconnected) is None
    assert next_rung(rungs, rungs[0], [attempt(Reason.TARGET_LOCKED)]) is None
