"""Serial ports as raw, non-blocking descriptors: USB serial ports and pseudo-terminals alike."""

import fcntl
import os
import termios
from pathlib import Path

BAUD = termios.B115200
READ_BYTES = 64 * 1024


class PortError(Exception):
    """The port cannot be used now; the message says why and what to do."""


def open_port(path: Path, owner: int | None = None) -> int:
    """Open a port raw at 115200 8N1 without flow control, claimed for this process.

    With `owner` it must be a pseudo-terminal that this process holds open.

    The claim is an advisory flock, as pyserial's `exclusive=True` takes it, so that two
    well-behaved readers never share the bytes of one board. Modem lines are left alone: on
    boards that reset by DTR or RTS opening must not reset them.

    Raises:
        PortError: missing, not permitted, in use, or no terminal.
    """
    flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        port = os.open(path, flags)
    except FileNotFoundError as error:
        raise PortError(f"{path} is not there") from error
    except PermissionError as error:
        raise PortError(f"{path} may not be opened; add your user to group dialout") from error
    except OSError as error:
        raise PortError(f"{path}: {error.strerror}") from error
    try:
        _claim(port, path, owner)
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
        raise PortError(f"{path} is used by another program; close it") from error
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


def read_port(port: int) -> bytes | None:
    """What the port has now: b"" when nothing is there, None when it was hung up."""
    try:
        return os.read(port, READ_BYTES) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None
