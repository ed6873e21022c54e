"""How an emulator ends: the exit codes that its parents tell apart."""

from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the program; 2 is a wrong command line, as argparse has it."""

    DONE = 0
    USAGE = 2
    NO_IMAGE = 64
    LOCKUP = 65
    WALL_LIMIT = 66
    DEVICE_LIMIT = 67
    CONSOLE_LIMIT = 68
    UNICORN_MISSING = 69
    UNICORN_BROKEN = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why the machine stopped, as code and as words for people."""

    code: Exit
    why: str
