"""An ESP32 on a virtual board: its loader and its firmware share one serial port."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from benchagent.virtual.control import ControlError
from benchagent.virtual.esp32.loader import SYNC_PAYLOAD, Exit, Loader
from benchagent.virtual.esp32.part import EspPart, mac_of, mac_text
from benchagent.virtual.machine import RunState
from benchagent.virtual.silicon import BootMode, Socket

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
    """The silicon of a virtual ESP32 board."""

    def __init__(self, socket: Socket, options: EspOptions) -> None:
        self._socket = socket
        self._part = options.part
        self._mac = mac_of(socket.name)
        self._loader = Loader(
            self._part, self._mac, socket.array, socket.faults, self._leave_loader
        )
        self._mode: BootMode | None = None
        """What the chip does; None without power."""
        self._leaving: Exit | None = None
        self._tail = b""
        self._watchdog: threading.Timer | None = None

    @property
    def probe(self) -> str:
        """How esptool finds it: its one port."""
        return str(self._socket.store.console_link)

    @property
    def identity(self) -> str:
        """Its MAC."""
        return mac_text(self._mac)

    @property
    def rfc2217(self) -> str:
        """URL of the port with reset lines."""
        return ""

    @property
    def wants_firmware(self) -> bool:
        """Whether firmware should run now."""
        return self._mode is BootMode.APP

    def bootable(self) -> bool:
        """Whether the ROM would start what is in flash."""
        return self._part.bootable(self._socket.array.bytes)

    def serve(self) -> None:
        """The console port is served already."""

    def typed(self, data: bytes) -> bytes:
        """Bytes on the port: for the loader, or for the firmware until somebody asks to flash.

        Without reset lines a tool can only send SYNC. A virtual board takes it at any time for a
        wish to enter the loader; a real one must be reset with its boot pin low.
        """
        with self._socket.lock:
            if self._mode is None:
                return b""
            if self._mode is BootMode.DOWNLOAD:
                self._socket.console.say(self.load(data))
                return b""
            self._tail = (self._tail + data)[-2 * _SYNC_LENGTH :]
            at = self._tail.rfind(_SYNC_FRAME)
            if at < 0 or SYNC_PAYLOAD not in self._tail[at:]:
                return data
            sync = self._tail[at:]
            self._enter_download()
            self._socket.console.say(self.load(sync))
            return b""

    def load(self, data: bytes) -> bytes:
        """Bytes for the loader; gives its answers. A session may end with them."""
        if data.startswith(_SYNC_FRAME):
            self._socket.console.forget()  # what an earlier session did not read
        answers = self._loader.feed(data)
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            self._socket.console.say(answers)
            self._enter(BootMode.APP if leaving is Exit.RUN_APP else BootMode.DOWNLOAD)
            return b""
        if self._loader.registers.watchdog_bites and self._watchdog is None:
            self._watchdog = threading.Timer(_WATCHDOG_S, self._bite)
            self._watchdog.daemon = True
            self._watchdog.start()
        return answers

    def _bite(self) -> None:
        """The watchdog resets the chip, if nobody stopped it; the boot pin is high by then."""
        with self._socket.lock:
            self._watchdog = None
            if self._mode is BootMode.DOWNLOAD and self._loader.registers.watchdog_bites:
                self._enter(BootMode.APP)

    def power_on(self) -> None:
        """Power comes, with the boot pin high."""
        self._enter(BootMode.APP)

    def power_off(self) -> None:
        """Power goes: the loader forgets its session."""
        self._mode = None
        self._socket.console.forget()

    def reset(self, mode: BootMode) -> None:
        """The EN pin, with the boot pin low or high. Raises ControlError."""
        if self._mode is None:
            raise ControlError("the board has no power")
        self._enter(mode)

    def blank(self) -> None:
        """What the ROM says of a flash without an image; it would say so for ever."""
        offset = self._part.boot_offset
        word = int.from_bytes(self._socket.array.read(offset, 4), "little")
        self._socket.console.say(f"invalid header: {word:#010x}\r\n".encode() * _INVALID_HEADERS)

    def plug(self) -> None:
        """Nothing yet."""

    def unplug(self) -> None:
        """Nothing yet."""

    def close(self) -> None:
        """Nothing of its own to end."""

    def _leave_loader(self, how: Exit) -> None:
        self._leaving = how

    def _enter(self, mode: BootMode) -> None:
        """One reset of the chip."""
        self._socket.array.wear.resets += 1
        if mode is BootMode.DOWNLOAD:
            self._enter_download()
            self._socket.console.say(self._part.download_message)
            return
        self._socket.run_side.power_off()
        self._mode = BootMode.APP
        self._tail = b""
        if not self._socket.has_rom:
            self._socket.console.say(self._part.app_message)
        self._socket.run_side.boot()

    def _enter_download(self) -> None:
        self._socket.run_side.power_off()
        self._socket.console.forget()
        self._loader.reset()
        self._mode = BootMode.DOWNLOAD
        self._socket.report(RunState.DOWNLOAD)
