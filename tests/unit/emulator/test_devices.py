"""The ESP32-C3's peripherals as register models, without a processor."""

import pytest

from benchline.emulator.devices.adc import SarAdc
from benchline.emulator.devices.device import Storage
from benchline.emulator.devices.flash_controller import FlashController
from benchline.emulator.devices.gpio import Gpio, IoMux
from benchline.emulator.devices.interrupts import InterruptMatrix
from benchline.emulator.devices.systimer import SystemTimer
from benchline.emulator.devices.uart import Uart
from benchline.emulator.registers import RegisterLog

MS = 16_000


class Lines:
    """Interrupt sources that are raised now."""

    def __init__(self) -> None:
        self.raised: set[int] = set()

    def __call__(self, source: int, level: bool) -> None:
        (self.raised.add if level else self.raised.discard)(source)


class Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def log() -> RegisterLog:
    return RegisterLog(None)


class TestSystemTimer:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def timer(self, log: RegisterLog, lines: Lines, clock: Clock) -> SystemTimer:
        return SystemTimer(log, clock, clock, lines, lambda: None)

    def at(self, timer: SystemTimer, clock: Clock, now: int) -> None:
        clock.now = now
        timer.fire(now)

    def test_it_runs_from_reset_and_is_read_by_update(
        self, timer: SystemTimer, clock: Clock
    ) -> None:
        clock.now = (5 << 32) + 7
        assert timer.read(0x44) == 0
        timer.write(0x04, 1 << 30)

        assert timer.read(0x04) == 1 << 29
        assert (timer.read(0x40), timer.read(0x44)) == (5, 7)

    def test_a_stopped_unit_keeps_its_value(self, timer: SystemTimer, clock: Clock) -> None:
        clock.now = 100
        timer.write(0x00, 0)
        clock.now = 900
        timer.write(0x04, 1 << 30)
        assert timer.read(0x44) == 100

    def test_a_unit_is_loaded(self, timer: SystemTimer, clock: Clock) -> None:
        timer.write(0x0C, 1)
        timer.write(0x10, 50)
        clock.now = 10
        timer.write(0x5C, 1)
        clock.now = 15
        timer.write(0x04, 1 << 30)
        assert (timer.read(0x40), timer.read(0x44)) == (1, 55)

    def test_a_period_keeps_its_grid_when_served_late(
        self, timer: SystemTimer, clock: Clock, lines: Lines
    ) -> None:
        timer.write(0x34, 1 << 30 | MS)
        timer.write(0x64, 1)
        timer.write(0x00, 1 << 30 | 1 << 24)
        self.at(timer, clock, MS - 1)
        assert lines.raised == set()
        self.at(timer, clock, 3 * MS + 5)

        assert lines.raised == {37}
        assert timer.next_alarm == 4 * MS
        timer.write(0x6C, 1)
        assert lines.raised == set()

    def test_a_moment_fires_once(self, timer: SystemTimer, clock: Clock, lines: Lines) -> None:
        timer.write(0x24, 0)
        timer.write(0x28, 500)
        timer.write(0x64, 2)
        timer.write(0x00, 1 << 30 | 1 << 23)
        timer.write(0x54, 1)
        self.at(timer, clock, 500)
        assert lines.raised == {38}
        timer.write(0x6C, 2)
        self.at(timer, clock, 100 * MS)

        assert lines.raised == set()
        assert timer.next_alarm is None

    def test_other_bits_of_conf_arm_nothing_again(self, timer: SystemTimer, clock: Clock) -> None:
        timer.write(0x28, 500)
        timer.write(0x00, 1 << 30 | 1 << 23)
        self.at(timer, clock, 500)
        timer.write(0x00, 1 << 31 | 1 << 30 | 1 << 23)

        assert timer.next_alarm is None

    def test_a_moment_that_has_passed_fires_at_once(self, timer: SystemTimer, clock: Clock) -> None:
        clock.now = 1000
        timer.write(0x28, 500)
        timer.write(0x00, 1 << 30 | 1 << 23)
        timer.write(0x54, 1)

        assert timer.next_alarm == 1000

    def test_an_alarm_without_its_enable_only_shows_in_raw(
        self, timer: SystemTimer, clock: Clock, lines: Lines
    ) -> None:
        timer.write(0x28, 5)
        timer.write(0x00, 1 << 30 | 1 << 23)
        timer.write(0x54, 1)
        self.at(timer, clock, 5)

        assert (timer.read(0x68), timer.read(0x70)) == (2, 0)
        assert lines.raised == set()


class TestInterruptMatrix:
    @pytest.fixture
    def matrix(self, log: RegisterLog) -> InterruptMatrix:
        matrix = InterruptMatrix(log)
        matrix.write(4 * 37, 7)
        matrix.write(4 * 21, 9)
        matrix.write(0x104, 1 << 7 | 1 << 9)
        matrix.write(0x114 + 4 * 7, 2)
        matrix.write(0x114 + 4 * 9, 5)
        return matrix

    def test_the_higher_priority_comes_first(self, matrix: InterruptMatrix) -> None:
        matrix.set_source(37, True)
        assert matrix.pending == 7
        matrix.set_source(21, True)
        assert matrix.pending == 9
        matrix.set_source(21, False)
        assert matrix.pending == 7

    @pytest.mark.parametrize(("threshold", "pending"), [(2, 7), (3, None), (0, 7)])
    def test_priorities_below_the_threshold_are_masked(
        self, matrix: InterruptMatrix, threshold: int, pending: int | None
    ) -> None:
        matrix.write(0x194, threshold)
        matrix.set_source(37, True)

        assert matrix.pending == pending

    def test_a_disabled_line_waits(self, matrix: InterruptMatrix) -> None:
        matrix.write(0x104, 0)
        matrix.set_source(37, True)
        assert matrix.pending is None
        assert matrix.read(0x110) == 1 << 7
        matrix.write(0x104, 1 << 7)
        assert matrix.pending == 7

    def test_an_edge_stays_until_it_is_cleared(self, matrix: InterruptMatrix) -> None:
        matrix.write(0x108, 1 << 7)
        matrix.set_source(37, True)
        matrix.set_source(37, False)
        assert matrix.pending == 7
        matrix.write(0x10C, 1 << 7)
        assert matrix.pending is None

    def test_sources_show_in_the_status(self, matrix: InterruptMatrix) -> None:
        matrix.set_source(37, True)
        matrix.set_source(3, True)

        assert (matrix.read(0xF8), matrix.read(0xFC)) == (1 << 3, 1 << 5)


class TestUart:
    @pytest.fixture
    def sent(self) -> bytearray:
        return bytearray()

    @pytest.fixture
    def uart(self, log: RegisterLog, lines: Lines, sent: bytearray) -> Uart:
        return Uart(log, 0x6000_0000, 21, lines, sent.append)

    def test_bytes_go_out_at_once(self, uart: Uart, sent: bytearray) -> None:
        uart.write(0, 0x141)
        assert sent == b"A"
        assert uart.read(0x1C) == 0

    def test_the_fifo_shows_128_and_loses_nothing(self, uart: Uart) -> None:
        uart.receive(bytes(range(200)))
        assert uart.read(0x1C) == 128
        assert bytes(uart.read(0) for _ in range(200)) == bytes(range(200))
        assert uart.read(0x1C) == 0

    def test_the_full_interrupt_follows_its_threshold(self, uart: Uart, lines: Lines) -> None:
        uart.write(0x24, 2)
        uart.write(0x0C, 1)
        uart.receive(b"a")
        assert lines.raised == set()
        uart.receive(b"b")
        assert lines.raised == {21}
        uart.read(0)
        assert lines.raised == set()

    def test_the_empty_interrupt_is_always_due(self, uart: Uart, lines: Lines) -> None:
        uart.write(0x0C, 2)
        assert lines.raised == {21}
        uart.write(0x10, 2)
        assert lines.raised == {21}
        uart.write(0x0C, 0)
        assert lines.raised == set()

    def test_firmware_that_prints_more_than_the_line_carries_sees_a_full_fifo(
        self, log: RegisterLog, lines: Lines, sent: bytearray
    ) -> None:
        ticks = 0
        uart = Uart(log, 0x6000_0000, 21, lines, sent.append, lambda: ticks)
        uart.write(0x14, 347 | 4 << 20)  # 115,200 baud of 40 MHz
        uart.write(0x24, 1 | 32 << 9)
        for _ in range(128):
            uart.write(0, 0x41)
        assert uart.read(0x1C) >> 16 == 0
        for _ in range(128):
            uart.write(0, 0x41)
        assert uart.read(0x1C) >> 16 == 128
        assert len(sent) == 256
        uart.write(0x0C, 2)
        assert lines.raised == set()
        assert uart.next_alarm is not None
        assert uart.next_alarm / 16_000 == pytest.approx(97 * 10 / 115.2, rel=0.001)
        ticks = uart.next_alarm
        uart.fire(ticks)
        assert lines.raised == {21}
        assert uart.read(0x1C) >> 16 == 31

    def test_the_fifo_can_be_emptied(self, uart: Uart) -> None:
        uart.receive(b"abc")
        uart.write(0x20, 1 << 17)
        assert uart.read(0x1C) == 0


class TestGpio:
    @pytest.fixture
    def written(self) -> list[bytes]:
        return []

    @pytest.fixture
    def pins(self, lines: Lines, written: list[bytes]) -> tuple[Gpio, IoMux, RegisterLog]:
        log = RegisterLog(written.append)
        mux = IoMux(log)
        return Gpio(log, mux, lambda: 42, lines, {}), mux, log

    def lines_of(self, log: RegisterLog, written: list[bytes]) -> list[str]:
        log.flush()
        return b"".join(written).decode().splitlines()

    def test_writes_are_told_with_their_bits(
        self, pins: tuple[Gpio, IoMux, RegisterLog], written: list[bytes]
    ) -> None:
        gpio, _, log = pins
        gpio.write(0x24, 1 << 8)
        gpio.write(0x0C, 1 << 8)
        gpio.write(0x08, 1 << 8)
        gpio.write(0x08, 1 << 8)
        gpio.write(0x28, 1 << 8)

        assert self.lines_of(log, written) == [
            "gpio 42 reset 0x00000000",
            "gpio 42 enable 0x00000100",
            "gpio 42 out 0x00000000 of 0x00000100",
            "gpio 42 out 0x00000100 of 0x00000100",
            "gpio 42 enable 0x00000000",
        ]

    def test_an_output_is_read_back_where_its_input_is_on(
        self, pins: tuple[Gpio, IoMux, RegisterLog]
    ) -> None:
        gpio, mux, _ = pins
        mux.write(4 + 4 * 8, 1 << 9)
        gpio.write(0x24, 3 << 8)
        gpio.write(0x04, 3 << 8)

        assert gpio.read(0x3C) == 1 << 8

    @pytest.mark.parametrize(
        ("kind", "levels", "interrupts"),
        [
            (1, (0, 1), True),
            (1, (1, 0), False),
            (2, (1, 0), True),
            (3, (0, 1), True),
            (5, (1,), True),
        ],
    )
    def test_pins_interrupt_by_their_kind(
        self,
        pins: tuple[Gpio, IoMux, RegisterLog],
        lines: Lines,
        kind: int,
        levels: tuple[int, ...],
        interrupts: bool,
    ) -> None:
        gpio, mux, _ = pins
        mux.write(4 + 4 * 3, 1 << 9)
        gpio.write(0x24, 1 << 3)
        gpio.write(0x04, levels[0] << 3)
        gpio.write(0x74 + 4 * 3, kind << 7 | 1 << 13)
        for level in levels[1:]:
            gpio.write(0x04, level << 3)

        assert lines.raised == ({16} if interrupts else set())
        assert gpio.read(0x5C) == (1 << 3 if interrupts else 0)
        if interrupts and kind != 5:
            gpio.write(0x4C, 1 << 3)
            assert lines.raised == set()


def test_the_adc_converts_at_a_rising_start(log: RegisterLog, lines: Lines) -> None:
    adc = SarAdc(log, {2: 1234}, lines)
    setting = 1 << 31 | 2 << 25
    adc.write(0x40, 1 << 31)
    adc.write(0x20, setting)
    assert adc.read(0x44) == 0
    adc.write(0x20, setting | 1 << 29)

    assert adc.read(0x2C) == 1234
    assert lines.raised == {43}
    adc.write(0x4C, 1 << 31)
    assert lines.raised == set()


class TestFlashController:
    @pytest.fixture
    def flash(self) -> bytearray:
        return bytearray(b"\xff" * (2 << 20))

    @pytest.fixture
    def changes(self) -> list[tuple[int, int]]:
        return []

    @pytest.fixture
    def controller(
        self, log: RegisterLog, flash: bytearray, changes: list[tuple[int, int]]
    ) -> FlashController:
        return FlashController(
            log, memoryview(flash), lambda start, end: changes.append((start, end))
        )

    def run(self, controller: FlashController, command: int, address: int = 0) -> None:
        controller.write(0x20, 7 << 28 | command)
        controller.write(0x04, address)
        controller.write(0x00, 1 << 18)
        assert controller.read(0x00) == 0

    def test_programming_clears_bits_only_and_needs_the_enable(
        self, controller: FlashController, flash: bytearray, changes: list[tuple[int, int]]
    ) -> None:
        flash[0x100] = 0x0F
        controller.write(0x58, 0x3C)
        controller.write(0x24, 7)
        self.run(controller, 0x02, 0x100)
        assert flash[0x100] == 0x0F
        self.run(controller, 0x06)
        self.run(controller, 0x02, 0x100)
        assert flash[0x100] == 0x0C
        self.run(controller, 0x02, 0x101)
        assert flash[0x101] == 0xFF
        assert changes == [(0x100, 0x101)]

    def test_erasing_takes_the_whole_sector(
        self, controller: FlashController, flash: bytearray
    ) -> None:
        flash[0x1000:0x3000] = bytes(0x2000)
        self.run(controller, 0x06)
        self.run(controller, 0x20, 0x1234)

        assert flash[0x1000:0x2000] == b"\xff" * 0x1000
        assert flash[0x2000] == 0

    def test_reading_beyond_the_end_gives_nothing(self, controller: FlashController) -> None:
        controller.write(0x28, 511)
        self.run(controller, 0x03, 0xFF_FFFF)


def test_registers_without_a_model_keep_their_value_and_are_counted() -> None:
    written: list[bytes] = []
    log = RegisterLog(written.append)
    device = Storage(log, 0x6002_6000, {0x00})
    device.write(0x00, 5)
    device.write(0x10, 6)
    for _ in range(3):
        assert device.read(0x10) == 6
    log.finish("over")

    assert b"".join(written).decode().splitlines() == [
        "unmodelled write 0x60026010 n=1",
        "unmodelled read 0x60026010 n=1",
        "unmodelled read 0x60026010 n=2",
        "unmodelled read 0x60026010 n=3",
        "unmodelled write 0x60026010 n=1",
        "note stopped: over",
    ]
