"""Checks of a lab PC: what an agent needs, and what to do where it is missing."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TextIO

from benchagent.doctor.check import Check, Pc
from benchagent.doctor.disturbance import disturbances
from benchagent.doctor.permission import permissions
from benchagent.doctor.tool import tools

EXIT_OK = 0
EXIT_FINDINGS = 1

__all__ = ["EXIT_FINDINGS", "EXIT_OK", "Check", "Pc", "checks", "report"]


def checks(pc: Pc | None = None, *, virtual: bool) -> Iterator[Check]:
    """All checks, the ones that matter most first."""
    pc = pc or Pc()
    yield from tools(pc, virtual=virtual)
    yield from permissions(pc)
    yield from disturbances(pc)


def report(out: TextIO, *, as_json: bool, virtual: bool, pc: Pc | None = None) -> int:
    """Write the checks; exit code 1 when something that is needed is missing."""
    missing = False
    for check in checks(pc, virtual=virtual):
        missing |= check.needed and not check.good
        if as_json:
            out.write(json.dumps(asdict(check)) + "\n")
            continue
        mark = "ok" if check.good else "MISSING" if check.needed else "note"
        out.write(f"{mark:8}{check.name}: {check.message}\n")
        if check.fix and not check.good:
            out.write(f"{'':8}-> {check.fix}\n")
    return EXIT_FINDINGS if missing else EXIT_OK
