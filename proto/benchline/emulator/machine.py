"""The ESP32-C3 put together: the processor, its peripherals, time, and the console.

Virtual time is the number of executed instructions over a fixed speed, a register access counting
for several, plus the time slept in WFI.
"""

import mmap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchline.emulator.console import Console
from benchline.emulator.devices.adc import SarAdc
from benchline.emulator.devices.device import Device, Storage
from benchline.emulator.devices.flash_controller import FlashController
from benchline.emulator.devices.gpio import Gpio, IoMux
from benchline.emulator.devices.interrupts import InterruptMatrix
from benchline.emulator.devices.system import (
    ResetCause,
    RtcControl,
    SystemRegisters,
    timer_groups,
)
from benchline.emulator.devices.systimer import SystemTimer
from benchline.emulator.devices.uart import Uart
from benchline.emulator.exits import Ending, Exit
from benchline.emulator.image import Boot, ImageError
from benchline.emulator.pacing import LEEWAY_MS, Pacer
from benchline.emulator.processor import PERIPHERAL_PAGES, PERIPHERALS, Processor, Stop
from benchline.emulator.registers import RegisterLog

TICKS_PER_MICROSECOND = 16
DEFAULT_MIPS = 40
ACCESS_COST = 8
"""Instructions that an access to a peripheral takes the time of: 0.2 us at the default speed, the
order of what the peripheral bus takes on the chip (estimated, not measured)."""

MASKED_SLICE, LONGEST_MASKED_SLICE = 8, 512
"""Instructions between looks while an interrupt waits for the firmware to let it in. They grow by
an eighth: firmware that spins on a clock lets interrupts in for a dozen instructions at a time, and
looks of changing length meet one of these moments soon."""

MASKED_WAITS = 64
"""WFI in a row that such an interrupt ended at once: the firmware will not let it in."""

LONGEST_SLICE_MS = 2
FAULTS_IN_A_ROW = 32
"""Faults with nothing printed between them: the handler itself faults."""

MOST_FAULTS = 10_000
IDLE_WAIT_MS = 1000.0
MOST_PER_LOOK_TICKS = 160
"""10 us at the timer's 16 MHz."""

INPUT_EVERY_SLICES = 16
_UARTS = ((0x6000_0000, 21), (0x6001_0000, 22))
"""Base and interrupt source of UART0 (the console) and UART1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where a run ends at the latest; None is no bound."""

    wall_s: float | None = None
    device_ms: int | None = None
    instructions: int | None = None
    console_bytes: int = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the machine is like and what is connected to it."""

    mips: int = DEFAULT_MIPS
    cause: ResetCause = ResetCause.POWER_ON
    pins: Mapping[int, int] = field(default_factory=dict)
    analog: Mapping[int, int] = field(default_factory=dict)
    flash_written: Callable[[int, int], None] = lambda _start, _end: None
    tell_blocks: bool = False
    """Whether the log says which code ran."""


class Esp32C3:
    """`flash` holds the image; `boot` is what the ROM makes of it."""

    def __init__(
        self,
        flash: mmap.mmap,
        boot: Boot,
        *,
        settings: Settings,
        bounds: Bounds,
        console: Console,
        log: RegisterLog,
        pacer: Pacer,
    ) -> None:
        self._flash = flash
        self._boot = boot
        self._settings = settings
        self._bounds = bounds
        self._console = console
        self._log = log
        self._pacer = pacer
        self._mips = settings.mips
        self._done = 0
        self._faults = self._faults_in_a_row = self._sent_at_fault = 0
        self._slices = 0
        self._masked_slice, self._masked_waits = MASKED_SLICE, 0
        self._told: Ending | None = None
        self._reset_wanted: ResetCause | None = None
        self._deadline = None if bounds.wall_s is None else time.monotonic() + bounds.wall_s
        self._processor = Processor(flash, ACCESS_COST)
        if settings.tell_blocks:
            self._processor.trace_blocks(log.block)
        if boot.flash_mapped:
            self._processor.map_flash()
        self._start(settings.cause)

    def run(self) -> Ending:
        """Run until something ends it."""
        while True:
            ending = self._step()
            if ending is not None:
                self._console.flush()
                return ending

    def stop(self, why: str) -> None:
        """End soon."""
        self._told = Ending(code=Exit.DONE, why=why)

    def thaw(self) -> None:
        """The program was stopped and goes on: time that passed meanwhile is not caught up."""
        self._pacer.rebase(self._ticks())

    @property
    def micros(self) -> int:
        """Virtual time."""
        return self._elapsed() // self._mips

    @property
    def instructions(self) -> int:
        """How many were executed."""
        return self._done

    def _start(self, cause: ResetCause) -> None:
        log, processor = self._log, self._processor
        # A new interrupt, and an alarm that may come before the end of the slice, end it.
        self._matrix = InterruptMatrix(log, processor.ask_to_stop)
        interrupt = self._matrix.set_source
        self._timer = SystemTimer(
            log, self._ticks, self._timer_ticks, interrupt, processor.ask_to_stop
        )
        mux = IoMux(log)
        self._uart = Uart(
            log, *_UARTS[0], interrupt, self._console.send, self._ticks, processor.ask_to_stop
        )
        devices: list[Device] = [
            self._matrix,
            self._timer,
            mux,
            self._uart,
            Uart(log, *_UARTS[1], interrupt, lambda _byte: None),
            Gpio(log, mux, lambda: self.micros, interrupt, self._settings.pins),
            SarAdc(log, self._settings.analog, interrupt),
            FlashController(log, memoryview(self._flash), self._settings.flash_written),
            RtcControl(log, cause, self._want_reset),
            SystemRegisters(log, interrupt),
            *timer_groups(log),
        ]
        known = {device.base: device for device in devices}
        bases = (PERIPHERALS + (page << 12) for page in range(PERIPHERAL_PAGES))
        processor.pages = [known.get(base) or Storage(log, base) for base in bases]
        for address, data in self._boot.segments:
            if not processor.load(address, data):
                raise ImageError(f"no memory at 0x{address:08x} to load a segment into")
        processor.reset(self._boot.entry)

    def _step(self) -> Ending | None:
        processor, matrix = self._processor, self._matrix
        count = self._slice()
        if matrix.pending is not None:
            count = self._interrupt(matrix.pending, count)
        result = processor.run(count)
        self._done += result.executed
        if result.stop is Stop.FAULT:
            ending = self._fault(result.cause, result.value)
        elif result.stop is Stop.WAITING:
            ending = self._wait()
        else:
            ending = None
        if self._reset_wanted is not None:
            cause, self._reset_wanted = self._reset_wanted, None
            self._start(cause)
        self._timer.fire(self._ticks())
        self._uart.fire(self._ticks())
        return ending or self._told or self._look_around()

    def _slice(self) -> int:
        """Instructions until the next thing that must happen at an exact moment."""
        count = LONGEST_SLICE_MS * 1000 * self._mips
        alarm = self._next_alarm
        if alarm is not None:
            count = min(count, max(1, self._instructions_at(alarm) - self._elapsed()))
        if self._bounds.instructions is not None:
            count = min(count, max(1, self._bounds.instructions - self._done))
        return count

    @property
    def _next_alarm(self) -> int | None:
        """The next moment at which the timer or the console interrupts."""
        timer, line = self._timer.next_alarm, self._uart.next_alarm
        return line if timer is None else timer if line is None else min(timer, line)

    def _interrupt(self, line: int, count: int) -> int:
        """Deliver an interrupt if the firmware lets it in; how far to run then."""
        if self._processor.interruptible:
            self._processor.trap(line, interrupt=True)
            self._masked_slice, self._masked_waits = MASKED_SLICE, 0
            return count
        count = min(count, self._masked_slice)
        longer = self._masked_slice + max(1, self._masked_slice // 8)
        self._masked_slice = min(longer, LONGEST_MASKED_SLICE)
        return count

    def _wait(self) -> Ending | None:
        """WFI: sleep, unless an interrupt is pending, which ends it at once."""
        if self._matrix.pending is None:
            return self._sleep()
        self._masked_waits += 1
        return self._sleep() if self._masked_waits > MASKED_WAITS else None

    def _sleep(self) -> Ending | None:
        """Time passes until the next alarm, or until input comes."""
        alarm = self._next_alarm
        if alarm is not None:
            self._sleep_until(alarm)
            return None
        if self._pacer.ticks_now() is None:
            data = self._console.receive()
            if not data:
                return Ending(code=Exit.DONE, why="halted: nothing can wake the processor")
        else:
            self._console.flush()
            data = self._console.receive(IDLE_WAIT_MS)
            self._sleep_until(self._pacer.ticks_now() or 0)
        if data:
            self._uart.receive(data)
        return None

    def _look_around(self) -> Ending | None:
        """After each slice: pace, input, output, bounds."""
        self._slices += 1
        ahead = self._pacer.ahead_ms(self._ticks())
        if ahead > LEEWAY_MS:
            self._console.flush()
            self._log.flush()
            self._take(self._console.receive(ahead))
        else:
            self._console.flush(always=False)
            if self._slices % INPUT_EVERY_SLICES == 0 and not self._console.input_ended:
                self._take(self._console.receive())
        if self._console.reader_gone:
            return Ending(code=Exit.DONE, why="nobody reads the console any more")
        if self._console.input_ended and self._pacer.ticks_now() is not None:
            return Ending(code=Exit.DONE, why="the console's input has ended")
        return self._beyond()

    def _take(self, data: bytes) -> None:
        if data:
            self._uart.receive(data)

    def _beyond(self) -> Ending | None:
        bounds = self._bounds
        if self._console.full:
            why = f"the console has printed more than {bounds.console_bytes} bytes"
            return Ending(code=Exit.CONSOLE_LIMIT, why=why)
        if bounds.device_ms is not None and self.micros >= bounds.device_ms * 1000:
            return Ending(code=Exit.DEVICE_LIMIT, why=f"{bounds.device_ms} ms of device time")
        if bounds.instructions is not None and self._done >= bounds.instructions:
            return Ending(code=Exit.DEVICE_LIMIT, why=f"{bounds.instructions} instructions")
        if self._deadline is not None and time.monotonic() > self._deadline:
            return Ending(code=Exit.WALL_LIMIT, why=f"{bounds.wall_s:g} s of wall time")
        return None

    def _fault(self, cause: int, value: int) -> Ending | None:
        """Take an exception; a handler that only faults again has locked up."""
        self._faults += 1
        if self._console.sent != self._sent_at_fault:
            self._sent_at_fault, self._faults_in_a_row = self._console.sent, 0
        self._faults_in_a_row += 1
        if self._faults_in_a_row == 1:
            where = f"pc=0x{self._processor.pc:08x} value=0x{value:08x}"
            self._log.note(f"exception {cause} {where}")
        if self._faults_in_a_row > FAULTS_IN_A_ROW or self._faults > MOST_FAULTS:
            why = f"lockup: a fault inside the fault handler at 0x{self._processor.pc:08x}"
            return Ending(code=Exit.LOCKUP, why=why)
        self._processor.trap(cause, value)
        return None

    def _want_reset(self, cause: ResetCause) -> None:
        self._reset_wanted = cause
        self._processor.ask_to_stop()

    def _timer_ticks(self) -> int:
        """Time as the timer shows it.

        Paced and late, a look at it takes longer, so that firmware which only waits for the timer
        keeps up with the host's clock. It is a little at each look: a busy host must not make
        firmware late that does something else and looks now and then.
        """
        should = self._pacer.ticks_now()
        if should is not None:
            most = self._ticks() + MOST_PER_LOOK_TICKS
            alarm = self._timer.next_alarm
            self._sleep_until(min(should, most) if alarm is None else min(should, most, alarm))
        return self._ticks()

    def _elapsed(self) -> int:
        """Virtual time in instructions."""
        return self._done + self._processor.charged + self._processor.executed

    def _sleep_until(self, ticks: int) -> None:
        self._processor.charge(max(0, self._instructions_at(ticks) - self._elapsed()))

    def _ticks(self) -> int:
        return self._elapsed() * TICKS_PER_MICROSECOND // self._mips

    def _instructions_at(self, ticks: int) -> int:
        return -(-ticks * self._mips // TICKS_PER_MICROSECOND)
