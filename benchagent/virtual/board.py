"""A virtual board as a process: `python -m benchagent.virtual.board --dir DIR --name NAME`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchagent.virtual import f405
from benchagent.virtual.bus import MemoryBus
from benchagent.virtual.console import Console
from benchagent.virtual.debug_core import DebugCore
from benchagent.virtual.executor import Executor, MissingExtraError
from benchagent.virtual.flash_memory import FlashArray, FlashController
from benchagent.virtual.machine import QEMU, TOOL_ANSWER_S, Fault, Machine, RunState
from benchagent.virtual.probe_server import Faults, ProbeServer
from benchagent.virtual.store import BoardDirectoryError, BoardEntry, BoardStore, probe_uid

log = logging.getLogger(__name__)

EXIT_OK = 0
EXIT_BROKEN = 3
_IDLE_S = 0.25
_STOP_POLL_S = 0.05
_HEAL_DELAY_MAX_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardOptions:
    """How one board process is started."""

    directory: Path
    name: str
    probe_port: int = 0
    """0 = the port of the last run if it is free, else any."""
    qemu: str = QEMU
    tool_answer_s: float = TOOL_ANSWER_S
    device_id: int = f405.DEVICE_ID
    optcr: int = f405.OPTCR_RESET
    stuck_low: int | None = None
    """Flash address whose bits all read 0 once programmed (a worn cell)."""
    parent_pid: int | None = None
    """End when this process ends."""


class VirtualBoard:
    """Wires flash, debug core, probe, machine and console of one board, and keeps its files.

    Raises BoardDirectoryError or MissingExtraError when the board cannot exist.
    """

    def __init__(self, options: BoardOptions, faults: Faults) -> None:
        self._options = options
        self._faults = faults
        self._store = BoardStore(options.directory, options.name)
        self._core_lock = threading.RLock()
        self._wear = self._store.load_wear()
        self._dropped_before = self._wear.console_dropped_bytes
        self._saved_wear: dict[str, object] = {}
        self._array = FlashArray(self._store.load_flash(), self._wear)
        if options.stuck_low is not None:
            self._array.stuck_low[options.stuck_low - f405.FLASH_START] = 0xFF
        controller = FlashController(self._array, self._save_wear)
        controller.optcr = options.optcr
        bus = MemoryBus(self._array, controller, board_name=options.name)
        executor = Executor(bus)
        self._saved_version = -1
        self._seen_version = self._array.version
        self._state = RunState.OFF
        self._fault: Fault | None = None
        self._checking: Future[Fault | None] | None = None
        self._heal_delay_s = _IDLE_S
        self._next_check = 0.0
        self._entry_lock = threading.Lock()
        self._console = Console()
        self._machine = Machine(
            qemu=options.qemu,
            image=self._store.flash_path,
            console=self._console,
            on_state=self._run_state_changed,
            answer_s=options.tool_answer_s,
        )
        self._core = DebugCore(
            bus=bus,
            executor=executor,
            run_side=self,
            wear=self._wear,
            device_id=options.device_id,
        )
        self._boot_time = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._server = self._listen()

    def _listen(self) -> ProbeServer:
        wanted = self._options.probe_port or self._store.last_port()
        for port in (wanted, 0) if wanted and not self._options.probe_port else (wanted,):
            try:
                server = ProbeServer(
                    port=port,
                    core=self._core,
                    core_lock=self._core_lock,
                    uid=probe_uid(self._options.name),
                    product=f"virtual {f405.BOARD_MODEL} {self._options.name}",
                    faults=self._faults,
                )
            except OSError as error:
                if port == 0 or self._options.probe_port:
                    raise BoardDirectoryError(f"port {port}: {error.strerror}") from error
            else:
                self._store.save_port(server.port)
                return server
        raise BoardDirectoryError("no free port for the probe")

    def start(self) -> BoardEntry:
        """Boot what is in flash, publish the board and serve its probe."""
        self._store.link_console(self._console.path)
        self._fault = self._machine.check().result()
        with self._core_lock:
            self.boot()
        threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_S,), name="probe", daemon=True
        ).start()
        return self._publish()

    def boot(self) -> None:
        """Run side: start the firmware in flash, from a saved image, when there is one."""
        self._save_flash()
        if not f405.bootable(self._array.bytes):
            self.power_off()
            self._run_state_changed(RunState.BLANK, self._fault)
            return
        self._wear.boots += 1
        self._save_wear()
        self._machine.boot()

    def freeze(self) -> None:
        """Run side: stop time for the firmware."""
        self._machine.freeze()

    def thaw(self) -> None:
        """Run side: let the firmware go on."""
        self._machine.thaw()

    def power_off(self) -> None:
        """Run side: end the firmware."""
        self._machine.power_off()
        self._save_wear()

    def tick(self) -> None:
        """Save what changed, once it has been quiet for a tick."""
        with self._core_lock:
            if self._array.version != self._seen_version:
                self._seen_version = self._array.version
            else:
                self._save_flash()
                self._save_wear()
        if self._fault is not None:
            self._try_to_heal()

    def _try_to_heal(self) -> None:
        """Look at a faulty tool again after 0.5 s, 1 s … 60 s; boot when it is good by then."""
        now = time.monotonic()
        if self._checking is None:
            if now >= self._next_check:
                self._checking = self._machine.check()
        elif self._checking.done():
            fault, self._checking = self._checking.result(), None
            self._heal_delay_s = min(2 * self._heal_delay_s, _HEAL_DELAY_MAX_S)
            self._next_check = now + self._heal_delay_s
            if fault is None:
                self._boot_again()

    def _boot_again(self) -> None:
        """The tool is good now; the fault goes when firmware runs, or none has to."""
        with self._core_lock:
            if not self._core.is_halted and f405.bootable(self._array.bytes):
                self.boot()
                return
        with self._entry_lock:
            self._fault = None
        self._publish()

    def stop(self) -> None:
        """End the firmware, save everything, withdraw the board."""
        self._server.shutdown()
        self._server.server_close()
        with self._core_lock:
            self._save_flash()
            self._save_wear()
        self._machine.close()
        self._console.close()
        self._store.withdraw()

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
            entry = BoardEntry(
                name=self._options.name,
                kind="VIRTUAL",
                board_model=f405.BOARD_MODEL,
                part=f405.PART,
                probe=f"remote:127.0.0.1:{self._server.port}",
                probe_uid=probe_uid(self._options.name),
                tty=str((self._store.path / "console").absolute()),
                pid=os.getpid(),
                boot_time=self._boot_time,
                run_state=self._state,
                fault=self._fault,
            )
            self._store.publish(entry)
        return entry


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one board until SIGTERM or SIGINT; gives the exit code.

    Prints the registry entry as one JSON line when the board is ready.
    """
    options, faults = _parse(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        board = VirtualBoard(options, faults)
    except (BoardDirectoryError, MissingExtraError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BROKEN
    sys.stdout.write(json.dumps(asdict(board.start())) + "\n")
    sys.stdout.flush()
    try:
        _run_until_told(board, reader, options.parent_pid)
    finally:
        board.stop()
    return EXIT_OK


def _run_until_told(board: VirtualBoard, reader: int, parent_pid: int | None) -> None:
    watched = [reader]
    if parent_pid is not None:
        try:
            watched.append(os.pidfd_open(parent_pid))
        except ProcessLookupError:
            return
    while not select.select(watched, [], [], _IDLE_S)[0]:
        board.tick()


def _number(text: str) -> int:
    return int(text, 0)


def _parse(arguments: Sequence[str] | None) -> tuple[BoardOptions, Faults]:
    parser = argparse.ArgumentParser(
        prog="python -m benchagent.virtual.board", description="A virtual STM32F405 board."
    )
    parser.add_argument("--dir", type=Path, required=True, help="directory of the boards")
    parser.add_argument("--name", required=True, help="name of this board")
    parser.add_argument("--probe-port", type=int, default=0, help="TCP port, 0 = as last time")
    parser.add_argument("--qemu", default=QEMU, help="QEMU program")
    parser.add_argument(
        "--tool-answer", type=float, default=TOOL_ANSWER_S, help="seconds until QEMU is hung"
    )
    parser.add_argument("--parent-pid", type=int, help="end when this process ends")
    faults = parser.add_argument_group("faults, for tests")
    faults.add_argument("--hang-after", type=int, help="requests until the probe never answers")
    faults.add_argument("--unplug-after", type=int, help="requests until the probe is gone")
    faults.add_argument(
        "--device-id", default=f405.DEVICE_ID, help="DBGMCU device id", type=_number
    )
    faults.add_argument("--optcr", default=f405.OPTCR_RESET, help="option bytes", type=_number)
    faults.add_argument("--stuck-low", help="flash address of a worn byte", type=_number)
    parsed = parser.parse_args(arguments)
    options = BoardOptions(
        directory=parsed.dir,
        name=parsed.name,
        probe_port=parsed.probe_port,
        qemu=parsed.qemu,
        tool_answer_s=parsed.tool_answer,
        device_id=parsed.device_id,
        optcr=parsed.optcr,
        stuck_low=parsed.stuck_low,
        parent_pid=parsed.parent_pid,
    )
    return options, Faults(hang_after=parsed.hang_after, unplug_after=parsed.unplug_after)


if __name__ == "__main__":
    sys.exit(main())
