"""What is said about a full disk."""

import re
from pathlib import Path

from controlplane.ops.room import free_bytes, make_room


def test_what_has_to_be_freed_is_told_with_the_place(tmp_path: Path) -> None:
    told = make_room(tmp_path, 1 << 60)

    pattern = (
        rf"free (\d+) MiB on the disk of {re.escape(str(tmp_path))} \((\d+) MiB are free\), .*"
    )
    found = re.fullmatch(pattern, told)
    assert found is not None, told
    assert int(found[1]) + int(found[2]) >= 1 << 40


def test_where_the_disk_has_room_it_is_not_to_blame(tmp_path: Path) -> None:
    assert "quota" in make_room(tmp_path, 0)
    assert free_bytes(tmp_path) > 0
