"""A virtual board: the shell that every family shares around its chip."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchagent.virtual.console import Console
from benchagent.virtual.control import ControlError, ControlServer
from benchagent.virtual.faults import Faults
from benchagent.virtual.flash_array import FlashArray, Sector
from benchagent.virtual.machine import TOOL_ANSWER_S, Fault, Machine, Runner, RunState
from benchagent.virtual.models import BoardModel
from benchagent.virtual.personality import LedInverter, Personality, table_seen
from benchagent.virtual.silicon import BootMode, Silicon, Socket
from benchagent.virtual.store import BoardEntry, BoardStore
from benchline.scenario.table import TABLE_BYTES_MAX

log = logging.getLogger(__name__)

IDLE_S = 0.25
_HEAL_DELAY_MAX_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellOptions:
    """How a board of any family is started."""

    directory: Path
    name: str
    model: BoardModel
    sectors: tuple[Sector, ...]
    runner: Runner | None
    """What executes firmware; None when nothing here can."""
    no_runner: str = ""
    """Why there is no runner."""
    tool_answer_s: float = TOOL_ANSWER_S
    personality: Personality = field(default_factory=Personality)
    slow: float = 0.0
    """The part of its time that the runner loses, where it cannot be slow by itself."""
    stuck_low: int | None = None
    """Offset of a flash byte whose bits all read 0 once programmed (a worn cell)."""


class VirtualBoard:
    """Keeps flash, console, machine and files of one board, around the chip of its family.

    Raises BoardDirectoryError or MissingExtraError when the board cannot exist.
    """

    def __init__(
        self, options: ShellOptions, faults: Faults, silicon: Callable[[Socket], Silicon]
    ) -> None:
        self._options = options
        self._faults = faults
        self._store = BoardStore(options.directory, options.name)
        self._lock = threading.RLock()
        self._wear = self._store.load_wear(len(options.sectors))
        self._dropped_before = self._wear.console_dropped_bytes
        self._saved_wear: dict[str, object] = {}
        size = sum(sector.size for sector in options.sectors)
        self._array = FlashArray(self._store.load_flash(size), options.sectors, self._wear)
        if options.stuck_low is not None:
            self._array.stuck_low[options.stuck_low] = 0xFF
        self._saved_version = -1
        self._seen_version = self._array.version
        self._state = RunState.OFF
        self._fault: Fault | None = None
        self._checking: Future[Fault | None] | None = None
        self._heal_delay_s = IDLE_S
        self._next_check = 0.0
        self._powered = True
        self._starting: threading.Timer | None = None
        self._start_held = False
        changed = options.personality.changes_table
        self._run_image = self._store.run_path if changed else self._store.flash_path
        self._entry_lock = threading.Lock()
        self._tty = self._store.path / "console"
        self._console = Console(self._typed)
        self._machine = self._machine_of(options)
        self._boot_time = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._silicon = silicon(
            Socket(
                name=options.name,
                model=options.model,
                store=self._store,
                array=self._array,
                console=self._console,
                lock=self._lock,
                run_side=self,
                faults=faults,
                has_rom=options.runner is not None and options.runner.has_rom,
                report=lambda state: self._run_state_changed(state, self._fault),
                save=self._save_wear,
            )
        )
        self._control = ControlServer(self._store.path, self._obey)

    def _machine_of(self, options: ShellOptions) -> Machine | None:
        if options.runner is None:
            return None
        return Machine(
            runner=options.runner,
            image=self._run_image,
            console=self._console,
            on_state=self._run_state_changed,
            answer_s=options.tool_answer_s,
            slow=options.slow,
        )

    def start(self) -> BoardEntry:
        """Boot what is in flash, publish the board and serve its tools."""
        self._tty = self._store.link_console(self._console.path)
        if self._machine is not None:
            self._fault = self._machine.check().result()
        with self._lock:
            self._silicon.power_on()
        self._silicon.serve()
        self._control.start()
        return self._publish()

    def boot(self) -> None:
        """Run side: start the firmware in flash, from a saved image, when there is one."""
        self._forget_start()
        self._save_flash()
        if not self._silicon.bootable():
            self.power_off()
            self._run_state_changed(RunState.BLANK, self._fault)
            self._silicon.blank()
            return
        self._wear.boots += 1
        self._save_wear()
        if self._machine is None:
            self._run_state_changed(RunState.NO_RUNNER, self._fault)
            return
        delay_s = self._options.personality.slow_boot_s
        if delay_s:
            self.power_off()
            self._start_after(delay_s)
        else:
            self._start_firmware(self._machine)

    def _start_after(self, delay_s: float) -> None:
        self._run_state_changed(RunState.STARTING, self._fault)
        self._starting = timer = threading.Timer(delay_s, lambda: self._start_late(timer))
        timer.daemon = True
        timer.start()

    def _start_late(self, timer: threading.Timer) -> None:
        with self._lock:
            if self._starting is timer and self._machine is not None:
                self._starting = None
                self._start_firmware(self._machine)

    def _start_firmware(self, machine: Machine) -> None:
        """Start it from the flash, or from what this board's personality makes of it."""
        personality, table = self._options.personality, self._options.model.table
        if personality.changes_table:
            image = bytearray(self._array.bytes)
            seen = table_seen(
                bytes(image[table : table + TABLE_BYTES_MAX]), personality, self._options.name
            )
            image[table : table + len(seen)] = seen
            self._store.save_run_image(bytes(image))
        led = personality.inverted_led
        machine.boot(LedInverter(led) if led else bytes)

    def freeze(self) -> None:
        """Run side: stop time for the firmware."""
        if self._starting is not None:
            self._forget_start()
            self._start_held = True
            self._run_state_changed(RunState.HALTED, self._fault)
        elif self._machine is not None:
            self._machine.freeze()

    def thaw(self) -> None:
        """Run side: let the firmware go on."""
        if self._start_held and self._machine is not None:
            self._start_held = False
            self._start_firmware(self._machine)
        elif self._machine is not None:
            self._machine.thaw()

    def _forget_start(self) -> None:
        self._start_held = False
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None

    def power_off(self) -> None:
        """Run side: end the firmware."""
        self._forget_start()
        if self._machine is not None:
            self._machine.power_off()
        self._save_wear()

    def tick(self) -> None:
        """Save what changed, once it has been quiet for a tick."""
        with self._lock:
            if self._array.version != self._seen_version:
                self._seen_version = self._array.version
            else:
                self._save_flash()
                self._save_wear()
        if self._fault is not None and self._machine is not None:
            self._try_to_heal(self._machine)

    def _try_to_heal(self, machine: Machine) -> None:
        """Look at a faulty tool again after 0.5 s, 1 s … 60 s; boot when it is good by then."""
        now = time.monotonic()
        if self._checking is None:
            if now >= self._next_check:
                self._checking = machine.check()
        elif self._checking.done():
            fault, self._checking = self._checking.result(), None
            self._heal_delay_s = min(2 * self._heal_delay_s, _HEAL_DELAY_MAX_S)
            self._next_check = now + self._heal_delay_s
            if fault is None:
                self._boot_again()

    def _boot_again(self) -> None:
        """The tool is good now; the fault goes when firmware runs, or none has to."""
        with self._lock:
            if self._silicon.wants_firmware and self._silicon.bootable():
                self.boot()
                return
        with self._entry_lock:
            self._fault = None
        self._publish()

    def stop(self) -> None:
        """End the firmware, save everything, withdraw the board."""
        self._control.close()
        self._silicon.close()
        with self._lock:
            self._forget_start()
            self._save_flash()
            self._save_wear()
        if self._machine is not None:
            self._machine.close()
        self._console.close()
        self._store.withdraw()

    def _typed(self, data: bytes) -> bytes:
        return self._silicon.typed(data)

    def _obey(self, order: dict[str, object]) -> dict[str, object]:
        """Carry out one order of the control socket. Raises ControlError."""
        match order.get("op"):
            case "reset":
                self._reset(_word(order, "mode", tuple(BootMode)))
            case "power":
                self._power(_word(order, "state", ("on", "off", "cycle")))
            case "identify":
                with self._lock:
                    self._wear.identified += 1
                    self._save_wear()
                self._publish()
                return {"name": self._options.name, "identity": self._silicon.identity}
            case other:
                raise ControlError(f"no operation {other!r}: reset, power, identify, fault")
        return {}

    def _reset(self, mode: str) -> None:
        with self._lock:
            if not self._powered:
                raise ControlError("the board has no power")
            self._silicon.reset(BootMode(mode))
            self._save_wear()

    def _power(self, state: str) -> None:
        with self._lock:
            if state != "on" and self._powered:
                self._powered = False
                self._silicon.power_off()
                self.power_off()
                self._run_state_changed(RunState.OFF, self._fault)
            if state != "off" and not self._powered:
                self._powered = True
                self._silicon.power_on()

    def _save_flash(self) -> None:
        if self._array.version != self._saved_version:
            self._store.save_flash(bytes(self._array.bytes))
            self._saved_version = self._array.version

    def _save_wear(self) -> None:
        dropped = self._dropped_before + self._console.dropped_bytes
        self._wear.console_dropped_bytes = dropped
        counters = asdict(self._wear)
        if counters != self._saved_wear:
            self._store.save_wear(self._wear)
            self._saved_wear = counters

    def _run_state_changed(self, state: RunState, fault: Fault | None) -> None:
        with self._entry_lock:
            self._state = state
            if fault is not None or state is RunState.RUNNING:
                self._fault = fault
        self._publish()

    def _publish(self) -> BoardEntry:
        with self._entry_lock:
            model = self._options.model
            entry = BoardEntry(
                name=self._options.name,
                kind="VIRTUAL",
                board_model=model.name,
                part=model.part,
                family=model.family,
                flash_tool=model.flash_tool,
                probe=self._silicon.probe,
                probe_uid=self._silicon.identity,
                tty=str(self._tty),
                control=str(self._control.path),
                rfc2217=self._silicon.rfc2217,
                personality=self._options.personality.words,
                identified=self._wear.identified,
                pid=os.getpid(),
                boot_time=self._boot_time,
                run_state=self._state,
                note=self._options.no_runner if self._state is RunState.NO_RUNNER else "",
                fault=self._fault,
            )
            self._store.publish(entry)
        return entry


def _word(order: dict[str, object], key: str, allowed: tuple[str, ...]) -> str:
    word = order.get(key, allowed[0])
    if word not in allowed:
        raise ControlError(f"{key} is one of {', '.join(allowed)}")
    return str(word)
