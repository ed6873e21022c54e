"""PIN records against register writes."""

from benchline.scenario import Event, Outcome, RecordSplitter
from controlplane.simulators.corroboration import corroborate
from controlplane.simulators.qemu_log import QemuLog

OUTPUT_PC12 = "GPIOC: unimplemented device write (size 4, offset 0x000, value 0x01000000)\n"
HIGH = "GPIOC: unimplemented device write (size 4, offset 0x018, value 0x00001000)\n"
LOW = "GPIOC: unimplemented device write (size 4, offset 0x018, value 0x10000000)\n"
ODR_HIGH = "GPIOC: unimplemented device write (size 4, offset 0x014, value 0x00001000)\n"
READ = "RCC: unimplemented device read  (size 4, offset 0x000)\n"


def log_of(*lines: str) -> QemuLog:
    log = QemuLog()
    log.feed("".join(lines).encode())
    return log


def records(*texts: str) -> list[Event]:
    stream = "".join(f"\x1eBL {text}\n" for text in ("0 BOOT core=1", *texts))
    return RecordSplitter().feed(stream.encode())


def failures(events: list[Event], log: QemuLog) -> list[str]:
    return [f.got for f in corroborate(events, log.pads)[0] if f.outcome is Outcome.FAILED]


def test_records_with_their_writes_pass() -> None:
    log = log_of(OUTPUT_PC12, HIGH, LOW, ODR_HIGH)
    events = records("1 PIN PC12 v=1", "2 PIN PC12 v=0", "3 PIN PC12 v=1")

    assert failures(events, log) == []


def test_a_log_in_any_pieces_reads_the_same() -> None:
    text = (OUTPUT_PC12 + HIGH + LOW + READ).encode()
    log = QemuLog()
    for byte in text:
        log.feed(bytes([byte]))

    assert log.pads.levels("PC12") == b"\x01\x00"
    assert log.histogram["RCC read 0x000"] == 1


def test_a_record_without_any_write_fails() -> None:
    assert failures(records("1 PIN PC12 v=1"), log_of(OUTPUT_PC12)) == [
        "the register was never written"
    ]


def test_a_write_to_an_input_does_not_count() -> None:
    assert failures(records("1 PIN PC12 v=1"), log_of(HIGH)) == ["its mode is input"]


def test_a_wrong_level_fails() -> None:
    log = log_of(OUTPUT_PC12, LOW)

    assert failures(records("1 PIN PC12 v=1"), log) == ["the register was set to 0"]


def test_a_level_written_before_the_mode_appears_with_it() -> None:
    log = log_of(HIGH, OUTPUT_PC12)

    assert failures(records("1 PIN PC12 v=1"), log) == []


def test_repeated_writes_of_a_level_are_one_change() -> None:
    log = log_of(OUTPUT_PC12, HIGH, HIGH, LOW)

    assert log.pads.levels("PC12") == b"\x01\x00"


def test_setting_wins_over_resetting() -> None:
    both = "GPIOC: unimplemented device write (size 4, offset 0x018, value 0x10001000)\n"

    assert log_of(OUTPUT_PC12, both).pads.levels("PC12") == b"\x01"


def test_a_summary_counts_its_changes() -> None:
    log = log_of(OUTPUT_PC12, *(3 * (HIGH, LOW)))

    assert failures(records("1 PIN PC12 v=1", "9 PIN PC12 n=5 last=0"), log) == []
    assert failures(records("1 PIN PC12 v=1", "9 PIN PC12 n=7 last=0"), log)


def test_changes_that_no_record_tells_fail_beside_records() -> None:
    log = log_of(OUTPUT_PC12, *(3 * (HIGH, LOW)))

    assert failures(records("1 PIN PC12 v=1"), log) == [
        "the pin changed 5 more times than its records tell"
    ]


def test_one_change_at_the_very_end_may_lack_its_record() -> None:
    assert failures(records("1 PIN PC12 v=1"), log_of(OUTPUT_PC12, HIGH, LOW)) == []


def test_direct_register_use_is_a_note() -> None:
    findings, notes = corroborate(records(), log_of(OUTPUT_PC12, HIGH).pads)

    assert findings == ()
    assert len(notes) == 1


def test_a_polled_register_is_named() -> None:
    log = log_of(*(50 * [READ]), HIGH)

    assert log.polled_register == "RCC+0x000"
    assert log_of(HIGH, HIGH, READ).polled_register is None


def test_lines_of_other_kinds_are_kept_bounded() -> None:
    log = log_of(*(100 * ["Invalid write at addr 0x30000000\n"]))

    assert len(log.guest_errors) == 10
