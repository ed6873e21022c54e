"""PIN records of an ESP32-C3 against the emulator's log."""

from benchline.scenario import Event, Outcome, RecordSplitter
from controlplane.simulators.corroboration import corroborate
from controlplane.simulators.emulator_log import EmulatorLog

RESET = "gpio 0 reset 0x00000000\n"
ENABLE = "gpio 5 enable 0x00000100\n"
HIGH = "gpio 6 out 0x00000100 of 0x00000100\n"
LOW = "gpio 7 out 0x00000000 of 0x00000100\n"


def log_of(*lines: str) -> EmulatorLog:
    log = EmulatorLog()
    log.feed("".join(lines).encode())
    return log


def failures(log: EmulatorLog, *records: str) -> list[str]:
    stream = "".join(f"\x1eBL {text}\n" for text in ("0 BOOT core=1", *records))
    events: list[Event] = RecordSplitter().feed(stream.encode())
    return [f.got for f in corroborate(events, log.pads)[0] if f.outcome is Outcome.FAILED]


def test_records_with_their_writes_pass() -> None:
    log = log_of(RESET, ENABLE, HIGH, LOW)

    assert failures(log, "1 PIN GPIO8 v=1", "2 PIN GPIO8 v=0") == []
    assert log.guest_errors == []


def test_the_first_write_of_a_low_level_counts() -> None:
    assert failures(log_of(RESET, ENABLE, LOW), "1 PIN GPIO8 v=0") == []


def test_a_record_without_any_write_fails() -> None:
    assert failures(log_of(RESET, ENABLE), "1 PIN GPIO8 v=1") == ["the register was never written"]


def test_a_write_to_an_input_does_not_count() -> None:
    assert failures(log_of(RESET, HIGH), "1 PIN GPIO8 v=1") == ["its mode is input"]


def test_a_pad_that_shows_a_peripheral_does_not_count() -> None:
    log = log_of(RESET, "gpio 4 func8 0x00000006\n", ENABLE, HIGH)

    assert failures(log, "1 PIN GPIO8 v=1") == ["its mode is input"]


def test_routing_the_pad_back_shows_the_level() -> None:
    log = log_of(RESET, "gpio 4 func8 0x00000006\n", ENABLE, HIGH, "gpio 9 func8 0x00000280\n")

    assert failures(log, "1 PIN GPIO8 v=1") == []


def test_other_bits_of_the_register_are_other_pins() -> None:
    log = log_of(RESET, ENABLE, "gpio 6 out 0x00000010 of 0x00000010\n", HIGH)

    assert log.pads.levels("GPIO8") == b"\x01"
    assert log.pads.levels("GPIO4") == b""


def test_a_reset_forgets_levels_and_directions() -> None:
    log = log_of(RESET, ENABLE, HIGH, RESET, ENABLE, HIGH)

    assert log.pads.levels("GPIO8") == b"\x01\x01"


def test_a_log_in_any_pieces_reads_the_same() -> None:
    log = EmulatorLog()
    for byte in (RESET + ENABLE + HIGH + LOW + "unmodelled read 0x60026010 n=4\n").encode():
        log.feed(bytes([byte]))

    assert log.pads.levels("GPIO8") == b"\x01\x00"
    assert log.histogram == {"read 0x60026010": 4}
    assert log.polled_register == "0x60026010"


def test_lines_of_other_kinds_are_kept_bounded() -> None:
    log = log_of(*(100 * ["note exception 7 pc=0x420000c0 value=0x30000000\n"]), "\x00garbage\n")

    assert len(log.guest_errors) == 10
