"""Telemetry over several streams: each message once, and what is missing between two."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tui.stack_wording import missed_line
from tui.state.stack import TelemetryTold
from tui.state.telemetry import Heard, Missed

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def message(count: int, second: int, device: str = "lamp") -> TelemetryTold:
    return TelemetryTold(
        device=device,
        topic="t",
        payload="1",
        receive_time=NOON + timedelta(seconds=second),
        count=count,
    )


def test_what_a_new_stream_repeats_is_known() -> None:
    heard = Heard().after(message(1, 1)).after(message(2, 2))

    assert heard.knows(message(1, 1))
    assert heard.knows(message(2, 2))
    assert not heard.knows(message(3, 2))
    assert not heard.knows(message(1, 1, "attic"))


def test_messages_that_the_server_kept_no_longer_are_counted() -> None:
    heard = Heard().after(message(2, 2))

    assert heard.missed_before(message(3, 3)) is None
    assert heard.missed_before(message(9, 9)) == Missed(device="lamp", count=6)
    assert heard.missed_before(message(9, 9, "attic")) is None
    assert missed_line(Missed(device="lamp", count=6)) == "6 messages of lamp were missed"


def test_a_server_that_began_anew_counts_anew() -> None:
    heard = Heard().after(message(2, 2))
    first = message(1, 5)

    assert not heard.knows(first)
    assert heard.missed_before(first) == Missed(device="lamp")
    assert heard.after(first).missed_before(message(2, 6)) is None
    assert "counted anew" in missed_line(replace(Missed(device="lamp")))
