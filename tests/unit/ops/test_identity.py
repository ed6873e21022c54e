"""Ids sort by time; the secret is made once and kept private."""

import json
import logging
from pathlib import Path

from benchline.logs import JsonFormatter
from controlplane.ops.identity import installation_secret, new_session_id


def test_session_ids_are_unique_and_sort_by_their_making() -> None:
    ids = [new_session_id() for _ in range(1000)]

    assert len(set(ids)) == 1000
    stamps = [identity[:10] for identity in ids]
    assert stamps == sorted(stamps)
    assert all(identity.isalnum() and identity == identity.lower() for identity in ids)


def test_the_secret_stays_the_same_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    first = installation_secret(path)

    assert installation_secret(path) == first
    assert len(first) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert installation_secret(tmp_path / "other") != first


def test_a_log_line_is_one_json_object_with_its_facts() -> None:
    record = logging.makeLogRecord(
        {"name": "x", "levelname": "INFO", "msg": "lease granted\n", "lease": "leases/1"}
    )

    line = JsonFormatter().format(record)

    assert "\n" not in line
    assert json.loads(line)["lease"] == "leases/1"
