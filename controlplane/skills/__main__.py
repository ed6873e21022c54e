"""`python -m controlplane.skills`: says what is wrong with the sheets, one line each."""

import sys

from controlplane.skills.checks import all_problems


def main() -> int:
    """Write every problem; 1 when there is one."""
    problems = all_problems()
    for problem in problems:
        sys.stdout.write(f"controlplane/skills/sheets/{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
