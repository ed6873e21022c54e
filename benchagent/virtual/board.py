"""A virtual board as a process: `python -m benchagent.virtual.board --dir DIR --name NAME`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from benchagent.virtual.esp32.chip import EspChip, EspOptions
from benchagent.virtual.esp32.part import PARTS as ESP_PARTS
from benchagent.virtual.faults import FaultError, FaultKind, FaultOrder, Faults, parse_fault
from benchagent.virtual.machine import TOOL_ANSWER_S
from benchagent.virtual.models import DEFAULT_MODEL, MODELS, BoardModel
from benchagent.virtual.personality import Personality, PersonalityError, parse_personality
from benchagent.virtual.run_side import RunOptions
from benchagent.virtual.runners import QEMU, QemuStm32, esp_runner
from benchagent.virtual.shell import IDLE_S, ShellOptions, VirtualBoard
from benchagent.virtual.silicon import Silicon, Socket
from benchagent.virtual.stm32 import part as f4
from benchagent.virtual.stm32.chip import Stm32Chip, Stm32Options
from benchagent.virtual.stm32.executor import MissingExtraError
from benchagent.virtual.store import BoardDirectoryError

EXIT_OK = 0
EXIT_BROKEN = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one board until SIGTERM or SIGINT; gives the exit code.

    Prints the registry entry as one JSON line when the board is ready.
    """
    parsed = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    try:
        board = board_of(parsed)
    except (BoardDirectoryError, MissingExtraError, PersonalityError, FaultError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_BROKEN
    sys.stdout.write(json.dumps(asdict(board.start())) + "\n")
    sys.stdout.flush()
    try:
        _run_until_told(board, reader, parsed.parent_pid)
    finally:
        board.stop()
    return EXIT_OK


def board_of(parsed: argparse.Namespace) -> VirtualBoard:
    """The board that the arguments describe.

    Raises BoardDirectoryError, MissingExtraError, PersonalityError or FaultError.
    """
    options, silicon = _made_of(parsed)
    faults = Faults(hang_after=parsed.hang_after, unplug_after=parsed.unplug_after)
    return VirtualBoard(options, faults, silicon)


def why_not(arguments: Sequence[str]) -> str:
    """What is wrong with the arguments of a board; "" when nothing is. Nothing is made or started.

    They are those of `main` without `--dir`.
    """
    try:
        _made_of(_parser(exit_on_error=False).parse_args(["--dir", ".", *arguments]))
    except argparse.ArgumentError as error:
        return error.message
    except (PersonalityError, FaultError) as error:
        return str(error)
    return ""


def _made_of(
    parsed: argparse.Namespace,
) -> tuple[ShellOptions, Callable[[Socket], Silicon]]:
    model = MODELS[parsed.model]
    personality = parse_personality(parsed.personality, led=model.led)
    return (_esp32 if model.family == "esp32" else _stm32)(parsed, model, personality)


def _stm32(
    parsed: argparse.Namespace, model: BoardModel, personality: Personality
) -> tuple[ShellOptions, Callable[[Socket], Silicon]]:
    part = f4.PARTS[model.part]
    chip = Stm32Options(
        part=part,
        probe_port=parsed.probe_port,
        device_id=parsed.device_id,
        optcr=parsed.optcr,
    )
    options = ShellOptions(
        directory=parsed.dir,
        sectors=part.sectors,
        run=RunOptions(
            name=parsed.name,
            model=model,
            runner=QemuStm32(tool=parsed.qemu or QEMU, console_serial=model.console_serial),
            personality=personality,
            slow=_qemu_slowness(personality),
            tool_answer_s=parsed.tool_answer,
        ),
        flash_start=f4.FLASH_START,
        faults=_faults(parsed),
        stuck_low=None if parsed.stuck_low is None else parsed.stuck_low - f4.FLASH_START,
    )
    return options, partial(Stm32Chip, options=chip)


def _esp32(
    parsed: argparse.Namespace, model: BoardModel, personality: Personality
) -> tuple[ShellOptions, Callable[[Socket], Silicon]]:
    part = ESP_PARTS[model.part]
    runner = esp_runner(
        part.name,
        parsed.qemu or part.qemu,
        clock_scale=1 + personality.clock,
        answer_s=parsed.tool_answer,
    )
    options = ShellOptions(
        directory=parsed.dir,
        sectors=part.sectors(model.flash_size),
        run=RunOptions(
            name=parsed.name,
            model=model,
            runner=runner,
            personality=personality,
            slow=_qemu_slowness(personality) if runner is not None and runner.speaks_qmp else 0.0,
            tool_answer_s=parsed.tool_answer,
        ),
        no_runner=part.no_runner,
        faults=_faults(parsed),
        stuck_low=parsed.stuck_low,
    )
    return options, partial(EspChip, options=EspOptions(part=part, rfc2217_port=parsed.probe_port))


def _faults(parsed: argparse.Namespace) -> tuple[FaultOrder, ...]:
    return tuple(parse_fault(text) for text in parsed.fault)


def _qemu_slowness(personality: Personality) -> float:
    """QEMU loses time when it is stopped for moments; nothing makes its clock run fast."""
    if personality.clock > 0:
        raise PersonalityError(
            f"clock={personality.clock * 100:+g}%: QEMU's clock can be slowed by stopping it for "
            "moments, but not be made fast"
        )
    return -personality.clock


def _run_until_told(board: VirtualBoard, reader: int, parent_pid: int | None) -> None:
    watched = [reader]
    if parent_pid is not None:
        try:
            watched.append(os.pidfd_open(parent_pid))
        except ProcessLookupError:
            return
    while not select.select(watched, [], [], IDLE_S)[0]:
        board.tick()


def _number(text: str) -> int:
    return int(text, 0)


def _model(text: str) -> str:
    if text in MODELS:
        return text
    near = get_close_matches(text, MODELS, cutoff=0.5)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    known = ", ".join(sorted(MODELS))
    raise argparse.ArgumentTypeError(
        f"no virtual board of model {text!r} (there are {known}){meant}"
    )


def _parser(*, exit_on_error: bool = True) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchagent.virtual.board",
        description="A virtual STM32F4 or ESP32 board.",
        exit_on_error=exit_on_error,
    )
    parser.add_argument("--dir", type=Path, required=True, help="directory of the boards")
    parser.add_argument("--name", required=True, help="name of this board")
    parser.add_argument(
        "--model",
        type=_model,
        default=DEFAULT_MODEL,
        help=f"board model: {', '.join(sorted(MODELS))}",
    )
    parser.add_argument(
        "--probe-port",
        type=int,
        default=0,
        help="TCP port of the probe, or of the serial port with reset lines; 0 = as last time",
    )
    parser.add_argument("--qemu", default="", help="QEMU program")
    parser.add_argument(
        "--tool-answer", type=float, default=TOOL_ANSWER_S, help="seconds until QEMU is hung"
    )
    parser.add_argument(
        "--personality",
        action="append",
        default=[],
        metavar="WORDS",
        help="how it differs from a perfect board, e.g. clock=-2%%,adc-gain=1.03; repeatable",
    )
    parser.add_argument("--parent-pid", type=int, help="end when this process ends")
    faults = parser.add_argument_group("faults, for tests")
    faults.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[=VALUE]",
        help=f"{', '.join(kind for kind in FaultKind)}; repeatable",
    )
    faults.add_argument("--hang-after", type=int, help="requests until the probe never answers")
    faults.add_argument("--unplug-after", type=int, help="requests until the probe is gone")
    faults.add_argument("--device-id", help="DBGMCU device id", type=_number)
    faults.add_argument("--optcr", default=f4.OPTCR_RESET, help="option bytes", type=_number)
    faults.add_argument("--stuck-low", help="flash address of a worn byte", type=_number)
    return parser


if __name__ == "__main__":
    sys.exit(main())
