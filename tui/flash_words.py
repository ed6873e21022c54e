"""The words and options of ``flash``. Imports nothing heavy."""

import argparse
import contextlib

from tui.session_words import check_seed


def flash_options(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument(
        "selector", nargs="?", default="", help='boards, e.g. "part=esp32c3,kind=virtual"'
    )
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="[PART=]PATH",
        help="an image (.elf, .bin, .hex) or a flasher_args.json; repeatable, each board gets "
        "the one for its part",
    )
    parser.add_argument(
        "--board", action="append", default=[], metavar="BOARD", help="a board too (repeatable)"
    )
    parser.add_argument("--part", metavar="PART", help="part that the images are for")
    parser.add_argument(
        "--address", type=_address, metavar="ADDRESS", help="where a .bin goes, e.g. 0x10000"
    )
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--wave", type=int, metavar="N", help="waves of N boards")
    sizes.add_argument("--waves", metavar="SIZES", help='sizes of the waves, e.g. "1,25%%,rest"')
    parser.add_argument(
        "--stop-after", type=int, metavar="N", help="begin no wave once N boards did not pass"
    )
    parser.add_argument(
        "--max-failed",
        type=_percent,
        metavar="SHARE",
        help="begin no wave when more than this share did not pass (25%%)",
    )
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="FILE",
        help="judge each board with this scenario (repeatable)",
    )
    parser.add_argument("--no-reset", action="store_true", help="leave the boards as they are")
    parser.add_argument(
        "--wait", type=int, metavar="SECONDS", help="wait so long for a board that is held or away"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the stimulus values")
    parser.add_argument("--retry", metavar="DEPLOYMENT", help="do again what did not pass")
    parser.add_argument("--watch", metavar="DEPLOYMENT", help="follow one that goes on")
    parser.add_argument("--cancel", metavar="DEPLOYMENT", help="ask one to end")
    parser.add_argument("--plain", action="store_true", help="no moving line")
    parser.add_argument(
        "--cancel-on-exit", action="store_true", help="leaving (Ctrl-C) cancels the deployment"
    )


def check_flash(options: argparse.Namespace) -> str | None:
    """What is wrong with the options; None when nothing is."""
    ways = [bool(options.image), bool(options.retry), bool(options.watch), bool(options.cancel)]
    if sum(ways) != 1:
        return "give --image, or one of --retry, --watch and --cancel"
    if not options.image and (options.selector or options.board or options.scenario):
        return "boards and scenarios go with --image; the others take them from the deployment"
    numbers = {"--wave": options.wave, "--stop-after": options.stop_after}
    for name, number in numbers.items():
        if number is not None and number < 1:
            return f"{name} is at least 1"
    if options.wait is not None and not 0 <= options.wait <= 86_400:
        return "--wait is 0 to 86400 seconds"
    if wrong := check_seed(options):
        return wrong
    if options.no_reset and options.scenario:
        return "a board that is not reset cannot be judged: leave --no-reset or --scenario out"
    return None


def _address(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 0 <= (value := int(text, 0)) < 1 << 32:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a 32-bit address such as 0x08000000")


def _percent(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 0 <= (value := int(text.removesuffix("%"))) <= 100:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is not a share of 0% to 100%")
