"""A chip behind a serial port, through esptool; imported by the flasher's child process only."""

from __future__ import annotations

import contextlib
import errno
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import serial
from esptool import cmds
from esptool.logger import TemplateLogger, log
from esptool.util import FatalError, flash_size_bytes

from benchagent import control_socket
from benchagent.flashers import esptool_plan as plan
from benchagent.flashers.child_talk import OperationError
from benchagent.flashers.protocol import Reason

_GONE = frozenset((errno.EIO, errno.ENODEV, errno.ENXIO, errno.EBADF))
# Errors that the ROM or the stub report of the flash itself; all others are of the transfer
# (esptool 5.6.0, util.py, FatalError.WithResult).
_FLASH_FAULT = re.compile(r"result was (0106|0108|0109|010[aA]|[cC]400|[cC]500)")
_PROVED_OTHERWISE = ("MD5 of file does not match", "the written flash region is empty")

ANSWER_S = 3.0
"""How long an answer is waited for where the tool would wait for ever: a stub's greeting."""

OnBytes = Callable[[int, int], None]
"""Told how many of how many bytes are done."""


class TransferError(Exception):
    """The chip or the line to it did not do its part; a slower way may work."""

    def __init__(self, message: str, *, stub_failed: bool = False) -> None:
        super().__init__(message)
        self.stub_failed = stub_failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """How to reach a chip: a port, and what brings it into its bootloader."""

    path: str
    exclusive: bool
    """Claim the port; not when it is lent by somebody who holds the claim."""
    control: str = ""
    native_usb: bool = False

    @property
    def resets(self) -> tuple[str, ...]:
        """Ways into the bootloader, in the order in which they are tried."""
        if self.control:
            return ("control-reset", "no-reset")
        return ("usb-reset", "no-reset") if self.native_usb else ("default-reset", "no-reset")


_ATTEMPTS = {"default-reset": 4, "usb-reset": 3, "control-reset": 2, "no-reset": 2}
"""Of the tool, for each way; the four sequences for a bridge are one attempt each."""


class _Progress(TemplateLogger):  # type: ignore[misc]  # the tool has no types
    """Takes what the tool says: bars go to whoever listens, complaints to stderr."""

    def __init__(self) -> None:
        self.on_bytes: OnBytes | None = None

    def progress_bar(
        self,
        cur_iter: int,
        total_iters: int,
        prefix: str = "",
        suffix: str = "",
        bar_length: int = 30,
    ) -> None:
        """One bar for each piece that is written, in bytes as they are sent."""
        if self.on_bytes is not None:
            self.on_bytes(cur_iter, total_iters)

    def print(self, *args: object, **kwargs: object) -> None:
        """Talk for people at a terminal."""

    def stage(self, finish: bool = False) -> None:
        """Talk for people at a terminal."""

    def set_verbosity(self, verbosity: str) -> None:
        """It says everything, and what is of use is kept."""

    def note(self, message: str) -> None:
        """Of no consequence."""

    def warning(self, message: str) -> None:
        """Maybe the cause of what comes next."""
        sys.stderr.write(f"warning: {message}\n")

    def error(self, message: str) -> None:
        """Maybe the cause of what comes next."""
        sys.stderr.write(f"error: {message}\n")


_LISTENER = _Progress()
log.set_logger(_LISTENER)  # the tool has one logger a process, and takes another one only once


@contextlib.contextmanager
def connected(
    entrance: Entrance, said: Callable[[str], None], check: Callable[[], None]
) -> Iterator[Chip]:
    """A chip in its bootloader. `said` is told each way into it and how it went, `check` is
    called between them and may raise. Raises OperationError."""
    faults: list[str] = []
    for reset in entrance.resets:
        check()
        port = _opened(entrance)
        try:
            esp = _brought(port, entrance, reset)
        except (FatalError, control_socket.ControlError) as error:
            fault = _first_line(error)
            said(f"{reset}: NO_SYNC: {fault}")
            faults.append(f"{reset}: {fault}")
            port.close()
            continue
        except BaseException:
            port.close()
            raise
        said(f"{reset}: ok")
        try:
            yield Chip(esp)
        finally:
            with contextlib.suppress(OSError):
                port.close()
        return
    raise OperationError(
        Reason.NO_SYNC, f"no chip answers on {entrance.path} ({'; '.join(faults)})"
    )


def _opened(entrance: Entrance) -> serial.Serial:
    try:
        port = serial.serial_for_url(
            entrance.path, exclusive=entrance.exclusive or None, do_not_open=True
        )
        port.timeout = ANSWER_S
        port.open()
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        if number in (errno.EAGAIN, errno.EBUSY):
            message = f"{entrance.path} is used by another program; close it"
            raise OperationError(Reason.PORT_BUSY, message) from error
        if number == errno.EACCES:
            message = f"{entrance.path} may not be opened; add your user to group dialout"
            raise OperationError(Reason.PROBE_NOT_FOUND, message) from error
        raise OperationError(Reason.PROBE_NOT_FOUND, f"{entrance.path}: {error}") from error
    return port


def _brought(port: serial.Serial, entrance: Entrance, reset: str) -> Any:
    mode = reset
    if reset == "control-reset":
        control_socket.reset(entrance.control, "download")
        mode = "no-reset"
    return cmds.detect_chip(
        port, plan.ROM_BAUD, connect_mode=mode, connect_attempts=_ATTEMPTS[reset]
    )


class Chip:
    """A connected chip; first in its ROM loader, after `prepare` ready to be written."""

    def __init__(self, esp: Any) -> None:
        self._esp = esp
        self._compress = True

    @property
    def has_stub(self) -> bool:
        """Whether the tool's own loader runs, not the ROM's."""
        return bool(self._esp.IS_STUB)

    def found(self) -> plan.Found:
        """Who it is. A chip in secure download mode does not say more than its type."""
        with _transfer():
            esp = self._esp
            closed = bool(esp.secure_download_mode)
            return plan.Found(
                chip=str(esp.CHIP_NAME),
                image_id=int(esp.IMAGE_CHIP_ID or 0),
                revision=0 if closed else int(esp.get_chip_revision()),
                mac="" if closed else ":".join(f"{byte:02x}" for byte in esp.read_mac()),
                protections=tuple(_protections(esp)),
            )

    def description(self) -> dict[str, Any]:
        """What else it says about itself, for people."""
        if self._esp.secure_download_mode:
            return {"chip": str(self._esp.CHIP_NAME), "features": [], "crystal_mhz": 0}
        with _transfer():
            return {
                "chip": str(self._esp.get_chip_description())[:200],
                "features": [str(word)[:100] for word in self._esp.get_chip_features()[:16]],
                "crystal_mhz": int(self._esp.get_crystal_freq()),
            }

    def prepare(self, way: plan.Way) -> tuple[int, int]:
        """Start the stub, change the speed, reach the flash; gives its size and its JEDEC id.

        Raises TransferError, or OperationError TARGET_SILENT when the flash does not answer.
        """
        if way.stub:
            try:
                with _transfer():
                    self._esp = cmds.run_stub(self._esp)
            except TransferError as error:
                raise TransferError(str(error), stub_failed=True) from error
        with _transfer():
            # A disconnected port is for the caller: the tool would go on with whatever is there.
            self._esp.WRITE_FLASH_ATTEMPTS = 1
            self._compress = way.compress
            if way.baud != plan.ROM_BAUD:
                self._esp.change_baud(way.baud)
            cmds.attach_flash(self._esp)
            size = cmds.detect_flash_size(self._esp)
            flash_id = int(self._esp.flash_id())
            if size is None:
                raise OperationError(
                    Reason.TARGET_SILENT, f"the flash answers with an unknown id, {flash_id:#08x}"
                )
            size_bytes = int(flash_size_bytes(size))
            self._esp.flash_set_parameters(size_bytes)
        return size_bytes, flash_id

    def md5(self, address: int, length: int) -> str:
        """MD5 of flash as the chip computes it. Raises TransferError."""
        with _transfer():
            return str(self._esp.flash_md5sum(address, length)).lower()

    def write(self, address: int, data: bytes, on_bytes: OnBytes) -> None:
        """Erase and write whole sectors; the chip's MD5 must agree.

        Raises TransferError, or OperationError VERIFY_FAILED or WRITE_FAILED.
        """
        _LISTENER.on_bytes = on_bytes
        try:
            with _transfer():
                cmds.write_flash(
                    self._esp,
                    [(address, data)],
                    compress=self._compress,
                    no_compress=not self._compress,
                    force=True,  # the plan was checked against this chip already
                )
        finally:
            _LISTENER.on_bytes = None

    def read(self, address: int, length: int, on_bytes: OnBytes) -> bytes:
        """Read flash. Raises TransferError."""
        with _transfer():
            return bytes(
                self._esp.read_flash(address, length, lambda done, total, _: on_bytes(done, total))
            )

    def restart(self, entrance: Entrance) -> None:
        """Start the firmware, for want of anybody else who would."""
        if entrance.control:
            control_socket.reset(entrance.control, "app")
        else:
            self._esp.hard_reset(uses_usb=entrance.native_usb)


def _protections(esp: Any) -> Iterator[str]:
    if esp.secure_download_mode:
        yield "secure download mode"
    with contextlib.suppress(FatalError):  # the ESP32 has no such command
        info = esp.get_security_info()
        if info["parsed_flags"]["SECURE_BOOT_EN"]:
            yield "secure boot"
        if info["flash_crypt_cnt"].bit_count() % 2:
            yield "flash encryption"
        return
    if esp.get_secure_boot_enabled():
        yield "secure boot"
    if esp.get_flash_encryption_enabled():
        yield "flash encryption"


@contextlib.contextmanager
def _transfer() -> Iterator[None]:
    """Gives failures of the tool their meaning."""
    try:
        yield
    except FatalError as error:
        text = _first_line(error)
        if any(words in text for words in _PROVED_OTHERWISE):
            raise OperationError(Reason.VERIFY_FAILED, text) from error
        if _FLASH_FAULT.search(text):
            raise OperationError(Reason.WRITE_FAILED, text) from error
        raise TransferError(text) from error
    except serial.SerialTimeoutException as error:
        raise TransferError(f"the port takes nothing: {error}") from error
    except OSError as error:  # SerialException is one, often without a number
        number = error.errno
        if number is None or number in _GONE:
            raise OperationError(Reason.PROBE_LOST, f"the port is gone: {error}") from error
        raise


def _first_line(error: BaseException) -> str:
    lines: Sequence[str] = str(error).strip().splitlines()
    return (lines or [type(error).__name__])[0][:300]
