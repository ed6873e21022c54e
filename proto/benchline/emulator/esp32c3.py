"""`python -m benchline.emulator.esp32c3`: runs the flash of an ESP32-C3; see docs/emulator.md."""

import argparse
import contextlib
import ctypes
import hashlib
import importlib
import mmap
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchline.emulator.exits import Ending, Exit
from benchline.emulator.image import FLASH_SIZES, ImageError, lay_over, read_boot
from benchline.emulator.pacing import HostPaced, Pacer, Unpaced

TABLE_OFFSET = 0x1F_0000
_PR_SET_PDEATHSIG = 1
_MISSING = "Unicorn is not installed: pip install 'benchline[virtual]'"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; its result is the exit code."""
    options = _parser().parse_args(argv)
    try:
        importlib.import_module("unicorn")
    except ImportError:
        return _end(Ending(code=Exit.UNICORN_MISSING, why=_MISSING))
    if options.version:
        print(version())  # noqa: T201 - the answer
        return Exit.DONE
    if options.flash is None:
        _parser().error("the following arguments are required: --flash")
    _die_with_parent()
    try:
        flash = read_flash(options.flash, options.table)
    except (OSError, ImageError) as error:
        return _end(Ending(code=Exit.NO_IMAGE, why=str(error)))
    return _end(_run(options, flash))


def version() -> str:
    """The program's identity: the digest of its own code, and Unicorn's version."""
    unicorn = importlib.import_module("unicorn")
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return f"benchline esp32c3 emulator {digest.hexdigest()[:12]}, unicorn {unicorn.__version__}"


def read_flash(path: Path, table: Path | None) -> bytes:
    """The contents of the flash chip, the stimulus table laid in.

    Raises:
        OSError: a file cannot be read.
        ImageError: it has not the size of a flash chip.
    """
    flash = path.read_bytes()
    if len(flash) not in FLASH_SIZES:
        sizes = ", ".join(str(size >> 20) for size in FLASH_SIZES)
        raise ImageError(f"{path} has {len(flash)} bytes; a flash chip has {sizes} MiB")
    return flash if table is None else lay_over(flash, TABLE_OFFSET, table.read_bytes())


def _run(options: argparse.Namespace, contents: bytes) -> Ending:
    # Only here: these need Unicorn, whose absence is told in words.
    from benchline.emulator.console import Console
    from benchline.emulator.machine import Bounds, Esp32C3, Settings
    from benchline.emulator.processor import UnusableUnicornError
    from benchline.emulator.registers import RegisterLog

    with _log_file(options.log) as descriptor:
        log = RegisterLog(None if descriptor is None else partial(_write_all, descriptor))
        console = Console(options.max_console, log.flush)
        pacer: Pacer = HostPaced(options.clock_scale) if options.clock == "host" else Unpaced()
        flash = mmap.mmap(-1, len(contents))
        flash[:] = contents
        try:
            machine = Esp32C3(
                flash,
                read_boot(contents),
                settings=Settings(
                    mips=options.mips,
                    pins=dict(options.pin),
                    analog=dict(options.adc),
                    flash_written=_keeper(options, flash),
                    tell_blocks=options.blocks,
                ),
                bounds=Bounds(
                    wall_s=options.max_wall,
                    device_ms=options.max_ms,
                    instructions=options.max_instructions,
                    console_bytes=options.max_console,
                ),
                console=console,
                log=log,
                pacer=pacer,
            )
            signal.signal(signal.SIGTERM, lambda *_: machine.stop("told to stop"))
            signal.signal(signal.SIGCONT, lambda *_: machine.thaw())
            ending = machine.run()
        except ImageError as error:
            ending = Ending(code=Exit.NO_IMAGE, why=str(error))
        except UnusableUnicornError as error:
            ending = Ending(code=Exit.UNICORN_BROKEN, why=str(error))
        with contextlib.suppress(OSError):
            log.finish(ending.why)
    return ending


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchline.emulator.esp32c3", description=__doc__, allow_abbrev=False
    )
    add = parser.add_argument
    add("--flash", type=Path, metavar="FILE", help="the flash chip: 2, 4, 8 or 16 MiB")
    add("--table", type=Path, metavar="FILE", help=f"laid over flash at {TABLE_OFFSET:#x}")
    add("--write-back", action="store_true", help="keep in FILE what the firmware writes to flash")
    add("--clock", choices=("virtual", "host"), default="virtual", help="(default: virtual)")
    add("--clock-scale", type=_scale, default=1.0, metavar="X", help="host clock times X")
    add("--mips", type=_count, default=40, metavar="N", help="instructions per us (default: 40)")
    add("--pin", type=_assignment(21, 1), action="append", default=[], metavar="N=LEVEL")
    add("--adc", type=_assignment(4, 4095), action="append", default=[], metavar="CHANNEL=RAW")
    add("--log", type=Path, metavar="FILE", help="register writes of the pins, as text")
    add("--blocks", action="store_true", help="tell in the log which blocks of code ran")
    add("--max-wall", type=_scale, metavar="S", help="end after this much wall time")
    add("--max-ms", type=_count, metavar="MS", help="end after this much device time")
    add("--max-instructions", type=_count, metavar="N", help="end after this many instructions")
    add("--max-console", type=_count, default=1 << 40, metavar="BYTES", help="end after this much")
    add("--version", action="store_true", help="tell the versions and end")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _scale(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _assignment(last: int, most: int) -> Callable[[str], tuple[int, int]]:
    def parse(text: str) -> tuple[int, int]:
        name, _, value = text.removeprefix("GPIO").partition("=")
        if not (name.isdecimal() and value.isdecimal() and int(name) <= last):
            raise argparse.ArgumentTypeError(f"{text} is not N=VALUE with N up to {last}")
        if int(value) > most:
            raise argparse.ArgumentTypeError(f"{value} is above {most}")
        return int(name), int(value)

    return parse


def _keeper(options: argparse.Namespace, flash: mmap.mmap) -> Callable[[int, int], None]:
    """What to do with changes that the firmware makes to its flash."""

    def write_back(start: int, end: int) -> None:
        with options.flash.open("r+b") as file:
            file.seek(start)
            file.write(flash[start:end])

    return write_back if options.write_back else lambda _start, _end: None


@contextlib.contextmanager
def _log_file(path: Path | None) -> Iterator[int | None]:
    if path is None:
        yield None
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _die_with_parent() -> None:
    """A killed parent takes the machine with it."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(Exit.DONE)


def _end(ending: Ending) -> int:
    sys.stderr.write(f"{ending.why}\n")
    return ending.code


if __name__ == "__main__":
    sys.exit(main())
