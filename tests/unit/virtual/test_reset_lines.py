"""How the modem lines of a bridge reset an ESP32."""

from __future__ import annotations

from benchagent.virtual.esp32.reset_lines import Held, Released, ResetLines
from benchagent.virtual.silicon import BootMode


def effects(*steps: dict[str, bool]) -> list[object]:
    lines = ResetLines()
    return [effect for step in steps if (effect := lines.set(**step)) is not None]


def test_the_classic_sequence_enters_the_loader() -> None:
    assert effects(
        {"dtr": False},
        {"rts": True},
        {"dtr": True},
        {"rts": False},
        {"dtr": False},
    ) == [Held(), Released(BootMode.DOWNLOAD)]


def test_a_pulse_of_rts_alone_starts_the_firmware() -> None:
    assert effects({"rts": True}, {"rts": False}) == [Held(), Released(BootMode.APP)]


def test_opening_a_port_asserts_both_lines_and_resets_nothing() -> None:
    assert effects({"dtr": True}, {"rts": True}, {"dtr": True}) == []


def test_releasing_dtr_first_on_close_is_a_reset_as_on_a_board() -> None:
    assert effects({"dtr": True}, {"rts": True}, {"dtr": False}, {"rts": False}) == [
        Held(),
        Released(BootMode.APP),
    ]


def test_both_lines_changed_at_once_pass_no_state_between() -> None:
    assert effects({"dtr": True, "rts": True}, {"dtr": False, "rts": False}) == []
