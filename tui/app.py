"""The operator console."""


def run_console(*, demo: bool) -> int:
    """Run the console until the operator leaves."""
    return 0 if demo else 0
