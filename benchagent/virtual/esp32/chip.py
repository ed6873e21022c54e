"""An ESP32 on a virtual board: its loader and its firmware share one serial port."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from benchagent.virtual.esp32.loader import SYNC_PAYLOAD, Exit, Loader
from benchagent.virtual.esp32.part import EspPart, mac_of, mac_text
from benchagent.virtual.esp32.reset_lines import Released, ResetLines
from benchagent.virtual.esp32.rfc2217_port import Rfc2217Port
from benchagent.virtual.machine import RunState
from benchagent.virtual.silicon import BootMode, Socket
from benchagent.virtual.store import BoardDirectoryError

_INVALID_HEADERS = 5
"""A ROM repeats the message for ever; a virtual board says it this often and is silent then."""
_WATCHDOG_S = 0.1
"""From a watchdog that a tool starts to its reset: on a chip some 15 ms."""
_SYNC_FRAME = b"\xc0\x00\x08\x24\x00"
_SYNC_LENGTH = len(_SYNC_FRAME) + 4 + len(SYNC_PAYLOAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class EspOptions:
    """What a test may ask of the chip."""

    part: EspPart
    rfc2217_port: int = 0


class EspChip:
    """The silicon of a virtual ESP32 board. Raises BoardDirectoryError without a TCP port."""

    def __init__(self, socket: Socket, options: EspOptions) -> None:
        self._socket = socket
        self._part = options.part
        self._mac = mac_of(socket.name)
        self._loader = Loader(
            self._part, self._mac, socket.array, socket.faults, self._leave_loader
        )
        self._mode: BootMode | None = None
        """What the chip does; None without power and while EN is low."""
        self._powered = False
        self._leaving: Exit | None = None
        self._tail = b""
        self._watchdog: threading.Timer | None = None
        self._lines = ResetLines()
        self._listener: Callable[[bytes], None] | None = None
        self._port = self._listen(options.rfc2217_port)

    @property
    def probe(self) -> str:
        """Esptool finds it at its one port, the console's."""
        return ""

    @property
    def identity(self) -> str:
        """Its MAC."""
        return mac_text(self._mac)

    @property
    def rfc2217(self) -> str:
        """URL of the port with reset lines."""
        return f"rfc2217://127.0.0.1:{self._port.number}"

    @property
    def wants_firmware(self) -> bool:
        """Whether firmware should run now."""
        return self._mode is BootMode.APP

    def bootable(self) -> bool:
        """Whether the ROM would start what is in flash."""
        return self._part.bootable(self._socket.array.bytes)

    def serve(self) -> None:
        """The console port is served already; the one with reset lines begins."""
        self._port.start()

    def typed(self, data: bytes) -> bytes:
        """Bytes on the console port, which has no reset lines; gives those for the firmware."""
        return self._take(data, self._socket.console.say)

    def received(self, data: bytes, answer: Callable[[bytes], None]) -> None:
        """Bytes on the port with reset lines."""
        if passed := self._take(data, answer):
            self._socket.console.send(passed)

    def listen(self, sink: Callable[[bytes], None] | None) -> None:
        """Let the client of the port with reset lines hear the chip."""
        self._listener = sink
        self._socket.console.copy_to(sink)

    def modem_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """The client of the port with reset lines changed DTR or RTS."""
        with self._socket.lock:
            effect = self._lines.set(dtr=dtr, rts=rts)
            if effect is None or not self._powered or self._socket.faults.is_wedged:
                return
            if isinstance(effect, Released):
                self._enter(effect.mode)
            else:
                self._mode = None
                self._socket.run_side.power_off()

    def power_on(self) -> None:
        """Power comes, with the boot pin high."""
        self._powered = True
        self._enter(BootMode.APP)

    def power_off(self) -> None:
        """Power goes: the loader forgets its session."""
        self._powered = False
        self._mode = None
        self._socket.console.forget()

    def reset(self, mode: BootMode) -> None:
        """The EN pin, with the boot pin low or high."""
        self._enter(mode)

    def blank(self) -> None:
        """What the ROM says of a flash without an image; it would say so for ever."""
        offset = self._part.boot_offset
        word = int.from_bytes(self._socket.array.read(offset, 4), "little")
        self._say(f"invalid header: {word:#010x}\r\n".encode() * _INVALID_HEADERS)

    def plug(self) -> None:
        """The bridge comes back with another TCP port."""
        self._port = Rfc2217Port(0, self)
        self._port.start()

    def unplug(self) -> None:
        """The bridge is gone, with its client."""
        self._port.close()

    def close(self) -> None:
        """End the port with reset lines."""
        self._port.close()

    def _take(self, data: bytes, answer: Callable[[bytes], None]) -> bytes:
        """Bytes for the loader, or for the firmware until somebody asks to flash.

        Without reset lines a tool can only send SYNC. A virtual board takes it at any time for a
        wish to enter the loader; a real one must be reset with its boot pin low.
        """
        with self._socket.lock:
            if self._mode is None:
                return b""
            if self._socket.faults.is_wedged:
                self._socket.faults.count()
                return b""
            if self._mode is BootMode.APP:
                self._tail = (self._tail + data)[-2 * _SYNC_LENGTH :]
                at = self._tail.rfind(_SYNC_FRAME)
                if at < 0 or SYNC_PAYLOAD not in self._tail[at:]:
                    return data
                data = self._tail[at:]
                self._socket.console.forget()
                self._enter_download()
            self._load(data, answer)
            return b""

    def _load(self, data: bytes, answer: Callable[[bytes], None]) -> None:
        """Bytes for the loader. A session may end with them."""
        if data.startswith(_SYNC_FRAME):
            self._socket.console.forget()  # what an earlier session did not read
        answers = self._loader.feed(data)
        if self._loader.looked:
            self._loader.looked = False
            self._socket.save_all()
        answer(answers)
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            self._enter(BootMode.APP if leaving is Exit.RUN_APP else BootMode.DOWNLOAD)
        elif self._loader.registers.watchdog_bites and self._watchdog is None:
            self._watchdog = threading.Timer(_WATCHDOG_S, self._bite)
            self._watchdog.daemon = True
            self._watchdog.start()

    def _bite(self) -> None:
        """The watchdog resets the chip, if nobody stopped it; the boot pin is high by then."""
        with self._socket.lock:
            self._watchdog = None
            if self._mode is BootMode.DOWNLOAD and self._loader.registers.watchdog_bites:
                self._enter(BootMode.APP)

    def _leave_loader(self, how: Exit) -> None:
        self._leaving = how

    def _enter(self, mode: BootMode) -> None:
        """One reset of the chip."""
        self._socket.array.wear.resets += 1
        if mode is BootMode.DOWNLOAD:
            self._enter_download()
            self._say(self._part.download_message)
            return
        self._socket.run_side.power_off()
        self._mode = BootMode.APP
        self._tail = b""
        if not self._socket.has_rom:
            self._say(self._part.app_message)
        self._socket.run_side.boot()

    def _enter_download(self) -> None:
        self._socket.run_side.power_off()
        self._loader.reset()
        self._mode = BootMode.DOWNLOAD
        self._socket.report(RunState.DOWNLOAD)

    def _say(self, data: bytes) -> None:
        """A message of the ROM, to everybody who listens."""
        self._socket.console.say(data)
        listener = self._listener
        if listener is not None:
            listener(data)

    def _listen(self, chosen: int) -> Rfc2217Port:
        store = self._socket.store
        wanted = chosen or store.last_port()
        for port in (wanted, 0) if wanted and not chosen else (wanted,):
            try:
                server = Rfc2217Port(port, self)
            except OSError as error:
                if port == 0 or chosen:
                    raise BoardDirectoryError(f"port {port}: {error.strerror}") from error
            else:
                store.save_port(server.number)
                return server
        raise BoardDirectoryError("no free port")
