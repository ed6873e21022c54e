"""Serial ports as raw, non-blocking descriptors: USB serial ports and pseudo-terminals alike."""

import contextlib
import errno
import fcntl
import os
import struct
import termios
from collections.abc import Sequence
from pathlib import Path

from benchagent.holders import Holder, holders_of, is_ours

BAUD = termios.B115200
READ_BYTES = 64 * 1024
_LINES = struct.Struct("I")


class PortError(Exception):
    """The port cannot be used now; the message says why and what to do."""


def open_port(path: Path, owner: int | None = None, *, clears_lines: bool = False) -> int:
    """Open a port raw at 115200 8N1 without flow control, claimed for this process.

    With `owner` it must be a pseudo-terminal that this process holds open.

    The claim is an advisory flock, as pyserial's `exclusive=True` takes it, so that two
    well-behaved readers never share the bytes of one board. A port that somebody else has open
    without it is not even opened.

    Linux raises DTR and RTS together while it opens a serial port, which no program can prevent;
    the reset circuit of ESP32 boards does nothing while both are equal. `clears_lines` releases
    both in one step afterwards, and they stay as they are when the port is closed (no HUPCL).
    Not tried on hardware.

    Raises:
        PortError: missing, not permitted, in use, or no terminal.
    """
    if owner is None:
        _refuse_sharing(path)
    flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        port = os.open(path, flags)
    except FileNotFoundError as error:
        raise PortError(f"{path} is not there") from error
    except PermissionError as error:
        raise PortError(
            f"{path} may not be opened: sudo usermod -aG dialout $USER, then log in again"
        ) from error
    except OSError as error:
        raise PortError(_open_fault(path, error)) from error
    try:
        _claim(port, path, owner)
        if clears_lines:
            _clear_lines(port)
    except PortError:
        os.close(port)
        raise
    return port


def _claim(port: int, path: Path, owner: int | None) -> None:
    try:
        if owner is not None and not holds(owner, os.ttyname(port)):
            raise PortError(f"{path} leads to the terminal of another program")
        fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _make_raw(port)
    except BlockingIOError as error:
        raise PortError(_used_by(path, holders_of(path))) from error
    except (OSError, termios.error) as error:
        raise PortError(f"{path} is not a usable serial port: {error}") from error


def holds(pid: int, terminal: str) -> bool:
    """Whether a process has this terminal open; False when that cannot be seen."""
    folder = Path(f"/proc/{pid}/fd")
    try:
        descriptors = list(folder.iterdir())
    except OSError:
        return False
    for descriptor in descriptors:
        try:
            if str(descriptor.readlink()) == terminal:
                return True
        except OSError:
            continue
    return False


def _open_fault(path: Path, error: OSError) -> str:
    match error.errno:
        case errno.EBUSY:
            return _used_by(path, holders_of(path))
        case errno.EIO | errno.ENODEV | errno.ENXIO | errno.EPROTO:
            return (
                f"{path} does not answer ({error.strerror}): plug the board in again, and try "
                "another cable or a port of the PC itself"
            )
    return f"{path}: {error.strerror}"


def _used_by(path: Path, holders: Sequence[Holder]) -> str:
    if not holders:
        return f"{path} is used by another program; close it"
    told = ", ".join(f"{holder.program} (process {holder.pid})" for holder in holders[:3])
    return f"{path} is used by {told}; close it"


def _refuse_sharing(path: Path) -> None:
    """Two readers would each get half of a board's bytes. Raises PortError."""
    if not os.access(path, os.R_OK | os.W_OK):
        return  # opening it says why
    others = [holder for holder in holders_of(path) if not is_ours(holder.pid)]
    if others:
        raise PortError(_used_by(path, others))


def _clear_lines(port: int) -> None:
    """Release DTR and RTS in one step. A pseudo-terminal has no such lines."""
    with contextlib.suppress(OSError):
        lines = struct.pack("I", termios.TIOCM_DTR | termios.TIOCM_RTS)
        fcntl.ioctl(port, termios.TIOCMBIC, lines)


def _make_raw(port: int) -> None:
    attributes = termios.tcgetattr(port)
    attributes[0] = 0  # input: nothing is translated, no XON/XOFF
    attributes[1] = 0  # output: nothing is translated
    attributes[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
    attributes[3] = 0  # local: no echo, no lines, no signals
    attributes[4] = attributes[5] = BAUD
    attributes[6][termios.VMIN] = 1
    attributes[6][termios.VTIME] = 0
    termios.tcsetattr(port, termios.TCSANOW, attributes)


def restore_port(port: int) -> None:
    """Make a port ours again that a tool has used: raw at 115200, and nothing left to read.

    Raises:
        PortError: it was hung up.
    """
    try:
        _make_raw(port)
        termios.tcflush(port, termios.TCIFLUSH)
    except (OSError, termios.error) as error:
        raise PortError(f"the port is gone: {error}") from error


def set_lines(port: int, *, dtr: bool, rts: bool) -> None:
    """Set both modem lines at once; True is asserted.

    Raises:
        PortError: the port has no such lines, or was hung up.
    """
    wanted = {termios.TIOCM_DTR: dtr, termios.TIOCM_RTS: rts}
    try:
        (state,) = _LINES.unpack(fcntl.ioctl(port, termios.TIOCMGET, _LINES.pack(0)))
        for line, asserted in wanted.items():
            state = state | line if asserted else state & ~line
        fcntl.ioctl(port, termios.TIOCMSET, _LINES.pack(state))
    except OSError as error:
        raise PortError(f"its serial port has no reset lines: {error.strerror}") from error


def read_port(port: int) -> bytes | None:
    """What the port has now: b"" when nothing is there, None when it was hung up."""
    try:
        return os.read(port, READ_BYTES) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None
