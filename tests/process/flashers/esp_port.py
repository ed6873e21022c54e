"""The loader of a chip on a terminal of the test's own, with the wire between it and the tool in
the test's hands: a real protocol and a real port, and no board around them."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import termios
import threading
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchagent.virtual.esp32.loader import Loader, Op
from benchagent.virtual.esp32.part import PARTS, SECTOR, mac_text
from benchagent.virtual.esp32.slip import frame
from benchagent.virtual.faults import Faults
from benchagent.virtual.flash_array import FlashArray, Wear, sectors_of

MAC = bytes.fromhex("7cdfa1000001")
FLASH_SIZE = 2 * 1024 * 1024
_SPEEDS = {
    termios.B115200: 115_200,
    termios.B230400: 230_400,
    termios.B460800: 460_800,
    termios.B921600: 921_600,
}


class _Listening(Loader):
    """A loader that tells which commands it was given."""

    heard: list[int]
    rots: int | None = None

    def _perform(self, number: int, length: int, body: bytes, checksum: int) -> bytes:
        self.heard.append(number)
        if number == Op.READ_FLASH and self.rots is not None:
            self._array.flipped[self.rots] = 0x10
        return super()._perform(number, length, body, checksum)


@dataclass(slots=True)
class EspPort:
    """A port with a chip behind it.

    `fastest` is the baud above which the wire carries nothing, `stub_starts` whether the tool's
    own loader comes up; `loader.rots` is a byte of flash that changes when flash is read.
    """

    path: str
    array: FlashArray
    loader: _Listening
    fastest: int = 10_000_000
    stub_starts: bool = True
    is_silent: bool = False
    speeds: list[int] = field(default_factory=list)

    @property
    def mac(self) -> str:
        return mac_text(MAC)

    def heard(self, op: Op) -> int:
        """How often a command came."""
        return self.loader.heard.count(op)

    def answer(self, data: bytes, speed: int) -> bytes:
        if not self.speeds or self.speeds[-1] != speed:
            self.speeds.append(speed)
        if self.is_silent or speed > self.fastest:
            return b""
        answers = self.loader.feed(data)
        if not self.stub_starts:
            answers = answers.replace(frame(b"OHAI"), b"")
        return answers


@contextlib.contextmanager
def esp_port(part: str = "esp32c3", *, flash_size: int = FLASH_SIZE) -> Iterator[EspPort]:
    """A chip in its loader; a SYNC at the ROM's speed is a reset, as no lines lead here."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    array = FlashArray(b"\xff" * flash_size, sectors_of((SECTOR,) * (flash_size // SECTOR)), Wear())
    loader = _Listening(PARTS[part], MAC, array, Faults(), lambda _: None)
    loader.heard = []
    port = EspPort(path=os.ttyname(slave), array=array, loader=loader)
    ending, end = os.pipe()
    pump = threading.Thread(target=_pump, args=(port, master, slave, ending), daemon=True)
    pump.start()
    try:
        yield port
    finally:
        os.close(end)
        pump.join(timeout=60)
        for descriptor in (ending, master, slave):
            os.close(descriptor)


def _pump(port: EspPort, master: int, slave: int, ending: int) -> None:
    sync = b"\xc0\x00" + bytes((Op.SYNC,))
    while True:
        ready = select.select([master, ending], [], [])[0]
        if ending in ready:
            return
        data = os.read(master, 65536)
        speed = _SPEEDS.get(termios.tcgetattr(slave)[4], 0)
        if data.startswith(sync) and speed == _SPEEDS[termios.B115200]:
            port.loader.reset()
        left = memoryview(port.answer(data, speed))
        while left:
            if select.select([], [master], [], 10)[1]:
                left = left[os.write(master, left[:2048]) :]
