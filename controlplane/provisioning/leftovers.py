"""Processes that an earlier control plane left in the folder of a stack.

A run dies with the control plane that started it, but providers are children of Terraform and may
stay. All of them carry the folder in their environment, which tells them from a later process that
happens to have the same pid.
"""

import os
import signal
from pathlib import Path

from benchline.process_id import ProcessId, identify
from controlplane.provisioning.workspace import Workspace


def leftovers(workspace: Workspace) -> list[ProcessId]:
    """Running processes of this user that were started for the folder."""
    mark = b"TF_DATA_DIR=" + os.fsencode(workspace.data_dir)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        process = identify(int(entry.name)) if mark in variables else None
        if process is not None:
            found.append(process)
    return found


def end_leftovers(workspace: Workspace) -> list[ProcessId]:
    """Kill them; nobody is left to tell what they do. Gives back which those were."""
    found = leftovers(workspace)
    for process in found:
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            continue
        try:
            # The descriptor holds the process; the check comes after it, so nothing else is hit.
            if process.alive:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            continue
        finally:
            os.close(descriptor)
    return found
