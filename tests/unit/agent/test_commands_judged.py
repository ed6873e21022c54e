"""What an agent refuses before it touches anything."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from benchagent.command import (
    MAX_IMAGE_BYTES,
    Command,
    Flash,
    Reason,
    Reset,
    Segment,
    Send,
    joined_digest,
    late,
    malformed,
    stale,
)
from benchagent.wire import command_bytes, command_from_bytes

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DIGEST = "0" * 64


def command(
    action: Flash | Reset | Send | None,
    *,
    command_id: str = "one",
    token: int = 1,
    deadline: datetime | None = None,
) -> Command:
    return Command(
        command_id=command_id,
        board="b1",
        lease="leases/x",
        fencing_token=token,
        deadline=deadline,
        action=action,
    )


def flash(*pieces: tuple[int, int], sha256: str = DIGEST) -> Flash:
    segments = tuple(
        Segment(address=address, sha256=sha256, size_bytes=size) for address, size in pieces
    )
    return Flash(segments=segments, part="stm32f405rg", reset_after=True, image="test")


def is_bad(action: Flash | Reset | Send | None, command_id: str = "one") -> bool:
    refusal = malformed(command(action, command_id=command_id))
    return refusal is not None and refusal.reason == Reason.BAD_COMMAND


def test_sensible_commands_are_taken() -> None:
    assert not is_bad(Reset())
    assert not is_bad(Send(data=b"x" * 4096))
    assert not is_bad(flash((0x0800_0000, 64), (0x0800_0040, 64)))


def test_nonsense_is_refused() -> None:
    assert is_bad(None)
    assert is_bad(Send(data=b""))
    assert is_bad(Send(data=b"x" * 4097))
    assert is_bad(flash())
    assert is_bad(flash((0, 0)))
    assert is_bad(flash((0, 64), (63, 64)))
    assert is_bad(flash((64, 64), (0, 65)))
    assert is_bad(flash((0, MAX_IMAGE_BYTES + 1)))
    assert is_bad(flash((0, 64), sha256="../../etc/passwd"))
    assert is_bad(flash(*((number, 1) for number in range(17))))
    assert is_bad(Reset(), command_id="")
    assert is_bad(Reset(), command_id="x" * 200)
    assert malformed(command(Reset(), token=2**63)) is not None


def test_only_older_tokens_are_stale() -> None:
    assert stale(command(Reset(), token=4), 5) is not None
    assert stale(command(Reset(), token=5), 5) is None
    assert stale(command(Reset(), token=6), 5) is None


def test_a_deadline_is_the_last_moment_to_start() -> None:
    assert late(command(Reset()), NOW) is None
    assert late(command(Reset(), deadline=NOW), NOW) is None
    assert late(command(Reset(), deadline=NOW - timedelta(microseconds=1)), NOW) is not None


def test_the_digest_of_an_image_is_of_its_pieces_joined() -> None:
    assert joined_digest([b"ab", b"c"]) == hashlib.sha256(b"abc").hexdigest()


@given(
    action=st.one_of(
        st.none(),
        st.just(Reset()),
        st.builds(Send, data=st.binary(max_size=50)),
        st.builds(
            Flash,
            segments=st.lists(
                st.builds(
                    Segment,
                    address=st.integers(0, 2**64 - 1),
                    sha256=st.text(max_size=70),
                    size_bytes=st.integers(0, 2**64 - 1),
                ),
                max_size=3,
            ).map(tuple),
            part=st.text(max_size=20),
            reset_after=st.booleans(),
            image=st.text(max_size=20),
        ),
    ),
    token=st.integers(0, 2**64 - 1),
    late_us=st.none() | st.integers(-(10**15), 10**15),
)
def test_a_command_survives_the_journal(
    action: Flash | Reset | Send | None, token: int, late_us: int | None
) -> None:
    deadline = None if late_us is None else NOW + timedelta(microseconds=late_us)
    wanted = command(action, token=token, deadline=deadline)
    assert command_from_bytes(command_bytes(wanted)) == wanted
