"""Whether virtual boards could be run: `python -m benchagent.virtual.check JSON`.

JSON is a list of boards, each a list of arguments of `benchagent.virtual.board` without `--dir`.
What is wrong with them is printed, one board a line; nothing is made or started.
"""

import json
import sys

from benchagent.virtual.board import EXIT_OK, why_not

EXIT_USAGE = 2


def main(boards: str) -> int:
    """Print what is wrong with the boards; gives the exit code."""
    complaints = [why for arguments in json.loads(boards) if (why := why_not(arguments))]
    sys.stdout.writelines(f"{why}\n" for why in complaints)
    return EXIT_USAGE if complaints else EXIT_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
