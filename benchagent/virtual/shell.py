"""A virtual board: the shell that every family shares around its chip."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchagent.virtual.console import Console
from benchagent.virtual.control import ControlError, ControlServer
from benchagent.virtual.faults import FaultError, FaultKind, FaultOrder, Faults, parse_fault
from benchagent.virtual.flash_array import FlashArray, Sector
from benchagent.virtual.machine import Fault, RunState
from benchagent.virtual.run_side import FirmwareRun, RunOptions
from benchagent.virtual.saver import FlashSaver
from benchagent.virtual.silicon import BootMode, Silicon, Socket
from benchagent.virtual.store import CONSOLE_LINK, BoardEntry, BoardStore, Ports

IDLE_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellOptions:
    """How a board of any family is started."""

    directory: Path
    sectors: tuple[Sector, ...]
    run: RunOptions
    no_runner: str = ""
    """Why there is no runner."""
    stuck_low: int | None = None
    """Offset of a flash byte whose bits all read 0 once programmed (a worn cell)."""
    flash_start: int = 0
    """Address of the flash, as people write addresses of this family."""
    faults: tuple[FaultOrder, ...] = ()
    """Armed when the board is up."""


class VirtualBoard:
    """Keeps flash, console, firmware and files of one board, around the chip of its family.

    Raises BoardDirectoryError or MissingExtraError when the board cannot exist.
    """

    def __init__(
        self, options: ShellOptions, faults: Faults, silicon: Callable[[Socket], Silicon]
    ) -> None:
        self._options = options
        self._name, self._model = options.run.name, options.run.model
        self._faults = faults
        faults.vanish, faults.wedge = self._unplug, self._wedge
        self._store = BoardStore(options.directory, self._name)
        self._lock = threading.RLock()
        self._wear = self._store.load_wear(len(options.sectors))
        size = sum(sector.size for sector in options.sectors)
        self._array = FlashArray(self._store.load_flash(size), options.sectors, self._wear)
        if options.stuck_low is not None:
            self._array.stuck_low[options.stuck_low] = 0xFF
        self._state = RunState.OFF
        self._fault: Fault | None = None
        self._powered = True
        self._plugged = True
        self._plugs = 1
        self._replug: threading.Timer | None = None
        self._swapped_with = ""
        self._entry_lock = threading.Lock()
        self._tty = self._store.path / CONSOLE_LINK
        self._console = Console(self._typed, self._reopen_console)
        self._saver = FlashSaver(self._store, self._array, lambda: self._console.dropped_bytes)
        self._firmware = FirmwareRun(
            options.run,
            saver=self._saver,
            console=self._console,
            lock=self._lock,
            report=self._run_state_changed,
        )
        self._boot_time = datetime.now(UTC).isoformat(timespec="milliseconds")
        runner = options.run.runner
        self._silicon = silicon(
            Socket(
                name=self._name,
                model=self._model,
                store=self._store,
                array=self._array,
                console=self._console,
                lock=self._lock,
                run_side=self._firmware,
                faults=faults,
                has_rom=runner is not None and runner.has_rom,
                report=lambda state: self._run_state_changed(state, None),
                save=self._saver.save_wear,
                save_all=self._saver.save,
            )
        )
        self._control = ControlServer(self._store.path, self._obey)

    def start(self) -> BoardEntry:
        """Boot what is in flash, publish the board and serve its tools."""
        self._tty = self._store.link_console(self._console.path)
        with self._lock:
            self._fault = self._firmware.serve(self._silicon)
            self._silicon.power_on()
        self._silicon.serve()
        self._control.start()
        entry = self._publish()
        for order in self._options.faults:
            self._arm(order)
        return entry

    def tick(self) -> None:
        """Save what changed, and see whether a faulty tool is good again."""
        with self._lock:
            self._saver.tick()
            if self._fault is not None and self._firmware.heal():
                with self._entry_lock:
                    self._fault = None
                self._publish()
        if self._swapped_with:
            self._publish()

    def stop(self) -> None:
        """End the firmware, save everything, withdraw the board."""
        self._control.close()
        self._silicon.close()
        with self._lock:
            self._forget_replug()
            self._saver.save()
        self._firmware.close()
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
                    self._saver.save_wear()
                self._publish()
                return {"name": self._name, "identity": self._silicon.identity}
            case "fault":
                try:
                    self._arm(parse_fault(str(order.get("fault", ""))))
                except FaultError as error:
                    raise ControlError(str(error)) from error
            case other:
                raise ControlError(f"no operation {other!r}: reset, power, identify, fault")
        return {}

    def _reset(self, mode: str) -> None:
        with self._lock:
            self._check_plugged()
            if not self._powered:
                raise ControlError("the board has no power")
            if not self._faults.is_wedged:  # a wedged chip does not feel its reset pin
                self._silicon.reset(BootMode(mode))
            self._saver.save_wear()

    def _power(self, state: str) -> None:
        with self._lock:
            self._check_plugged()
            if state != "on" and self._powered:
                self._power_off()
            if state != "off" and not self._powered:
                self._power_on()

    def _check_plugged(self) -> None:
        if not self._plugged:
            raise ControlError("the board is unplugged; clear the fault to plug it in")

    def _power_off(self) -> None:
        self._powered = False
        self._silicon.power_off()
        self._firmware.power_off()
        self._faults.power_cycled()
        self._run_state_changed(RunState.OFF, None)

    def _power_on(self) -> None:
        self._powered = True
        self._silicon.power_on()

    def _arm(self, order: FaultOrder) -> None:
        """Let something go wrong, now or when a tool has talked enough. Raises FaultError."""
        match order.kind:
            case FaultKind.CLEAR:
                self._clear_faults()
            case FaultKind.REPLUG:
                self._unplug()
                self._plug_after(order.seconds)
            case FaultKind.EIO:
                self._console.break_after(order.count)
            case FaultKind.READBACK:
                offset = order.count
                if offset >= self._options.flash_start:
                    offset -= self._options.flash_start
                if offset >= len(self._array):
                    raise FaultError(f"{order.count:#x} is no address of the flash")
                self._array.flipped[offset] = 1
            case FaultKind.SWAPPED:
                self._swapped_with = order.name
                self._publish()
            case FaultKind.UNPLUG if order.count == 0:
                self._unplug()
            case FaultKind.WEDGED if order.count == 0:
                self._faults.is_wedged = True
                self._wedge()
            case _:
                self._faults.arm(order)

    def _clear_faults(self) -> None:
        with self._lock:
            self._faults.clear()
            self._array.flipped.clear()
            self._console.break_after(None)
            self._swapped_with = ""
            if not self._plugged:
                self._plug()
            elif self._state is RunState.WEDGED:
                self._power_off()
                self._power_on()
        self._publish()

    def _wedge(self) -> None:
        with self._lock:
            self._firmware.power_off()
            self._run_state_changed(RunState.WEDGED, None)

    def _unplug(self) -> None:
        with self._lock:
            self._forget_replug()
            if not self._plugged:
                return
            self._plugged = False
            self._power_off()
            self._silicon.unplug()
            self._console.unplug()
            self._store.unlink_consoles()
        self._publish()

    def _plug_after(self, seconds: float) -> None:
        self._replug = timer = threading.Timer(seconds, self._plug)
        timer.daemon = True
        timer.start()

    def _plug(self) -> None:
        """The board comes back, on other ports than before."""
        with self._lock:
            self._forget_replug()
            if self._plugged:
                return
            self._plugged = True
            self._plugs += 1
            self._faults.unplug_after = None
            link = f"{CONSOLE_LINK}-{self._plugs}"
            self._tty = self._store.link_console(self._console.plug(), link)
            self._silicon.plug()
            self._power_on()
        self._publish()

    def _forget_replug(self) -> None:
        if self._replug is not None:
            self._replug.cancel()
            self._replug = None

    def _reopen_console(self) -> None:
        """The PTY broke: the link leads to a fresh one at once."""
        with self._lock:
            if self._plugged:
                self._store.link_console(self._console.plug(), self._tty.name)

    def _run_state_changed(self, state: RunState, fault: Fault | None) -> None:
        with self._entry_lock:
            self._state = state
            if fault is not None or state is RunState.RUNNING:
                self._fault = fault
        self._publish()

    def _publish(self) -> BoardEntry:
        with self._entry_lock:
            tty = str(self._tty)
            own = Ports(
                probe=self._silicon.probe or tty,
                tty=tty,
                tty_pid=os.getpid(),
                control=str(self._control.path),
                rfc2217=self._silicon.rfc2217,
            )
            self._store.save_ports(own)
            ports = self._store.ports_of(self._swapped_with) if self._swapped_with else None
            shown = ports or own
            entry = BoardEntry(
                name=self._name,
                kind="VIRTUAL",
                board_model=self._model.name,
                part=self._model.part,
                family=self._model.family,
                flash_tool=self._model.flash_tool,
                probe=shown.probe,
                probe_uid=self._silicon.identity,
                tty=shown.tty,
                tty_pid=shown.tty_pid,
                control=shown.control,
                rfc2217=shown.rfc2217,
                personality=self._options.run.personality.words,
                identified=self._wear.identified,
                pid=os.getpid(),
                boot_time=self._boot_time,
                run_state=self._state,
                note=self._options.no_runner if self._state is RunState.NO_RUNNER else "",
                fault=self._fault,
            )
            if self._plugged:
                self._store.publish(entry)
            else:
                self._store.hide()
        return entry


def _word(order: dict[str, object], key: str, allowed: tuple[str, ...]) -> str:
    word = order.get(key, allowed[0])
    if word not in allowed:
        raise ControlError(f"{key} is one of {', '.join(allowed)}")
    return str(word)
