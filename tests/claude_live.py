"""One session against the real service, for at most a dollar: ``make claude-live``.

Exit code 5 says that it was not run because there is no key; else that of the session.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.conftest import Operator

PROMPT = (
    "When I press the button, switch the lamp on for 3 seconds; a press while it is on starts the "
    "3 seconds anew."
)
CEILING_USD = "1"


@dataclass(frozen=True)
class _Paying(Operator):
    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"BENCHLINE_CLAUDE_SESSION_CEILING_USD": CEILING_USD}


def main() -> int:
    """Run the session and show what it cost."""
    if not os.environ.get("ANTHROPIC_API_KEY"):
        sys.stderr.write("not run: ANTHROPIC_API_KEY is not set\n")
        return 5
    with tempfile.TemporaryDirectory(prefix="benchline-claude-live-") as folder:
        operator = _Paying(Path(folder) / "data")
        try:
            run = operator(
                "run", PROMPT, "--designer", "claude", "--until", "simulate", timeout=1800
            )
            sys.stdout.write(run.out)
            sys.stderr.write(run.talk)
            sys.stderr.write(operator("doctor").out)
        finally:
            operator("down")
    return run.code


if __name__ == "__main__":
    sys.exit(main())
