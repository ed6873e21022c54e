"""What makes two simulations the same run."""

import hashlib
import json
from pathlib import Path

from benchline.scenario import RunPlan, pack_table

_SHIFTS = ((60_000, 3), (300_000, 5))
_LONGEST_SHIFT = 6


def run_nonce(plan: RunPlan) -> int:
    """The nonce of a run, 1..2^32-1, from its seed: repeats are the same byte for byte."""
    digest = hashlib.sha256(f"{plan.scenario_id}\0{plan.seed}".encode()).digest()
    return int.from_bytes(digest[:4], "big") or 1


def instruction_shift(end_ms: int) -> int:
    """Virtual nanoseconds of one instruction as a power of two: 8 ns up to a minute of run."""
    return next((shift for limit, shift in _SHIFTS if end_ms <= limit), _LONGEST_SHIFT)


def icount_option(end_ms: int) -> str:
    """The value of QEMU's -icount for a run of `end_ms`."""
    return f"shift={instruction_shift(end_ms)},align=off,sleep=off"


def simulation_key(
    *, image_sha256: str, plan: RunPlan, rung: str, machine: str, version: str, clock: str
) -> str:
    """The cache key of a run: image, stimuli without nonce, rung, machine, version, clock."""
    table = hashlib.sha256(pack_table(plan, nonce=0)).hexdigest()
    facts = [image_sha256, table, rung, machine, version, clock]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def digest_of(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
