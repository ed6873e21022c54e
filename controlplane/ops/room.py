"""What to say about a disk that is full."""

import os
from pathlib import Path

ROOM_BYTES = 16 << 20
"""What has to be free where a few small files are written."""


def free_bytes(folder: Path) -> int:
    """What this user may still write where a folder is."""
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


def make_room(folder: Path, needed: int = ROOM_BYTES) -> str:
    """The way forward: ``free 9 MiB on the disk of /data (7 MiB are free) …``."""
    free = free_bytes(folder)
    if free >= needed:  # it is not the disk that is full
        return f"raise the quota or the limit of file sizes that holds for {folder}, then try again"
    missing = -(-(needed - free) >> 20)
    return f"free {missing} MiB on the disk of {folder} ({free >> 20} MiB are free), then try again"
