"""``scenario``: check, run, diff."""

import argparse


async def scenario(options: argparse.Namespace) -> int:
    """Check, run or compare."""
    return 2
