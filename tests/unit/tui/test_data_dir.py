"""A data directory that cannot be used is told with its cause, before anything is started."""

from pathlib import Path

import pytest

from benchline.errors import InvalidRequestError
from benchline.instance import Instance
from tui.headless.starting import start_supervisor
from tui.instance_record import supervisor_pid


@pytest.fixture
def file_as_directory(tmp_path: Path) -> Instance:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    return Instance(taken)


def test_a_file_holds_no_instance(file_as_directory: Instance) -> None:
    with pytest.raises(
        InvalidRequestError, match=r"taken cannot hold .* BENCHLINE_DATA_DIR"
    ) as told:
        supervisor_pid(file_as_directory)

    assert told.value.reason == "DATA_DIR_UNUSABLE"


def test_nothing_is_started_in_it(file_as_directory: Instance) -> None:
    with pytest.raises(InvalidRequestError, match="File exists"):
        start_supervisor(file_as_directory)

    assert file_as_directory.data_dir.read_text() == "a file"


def test_where_nothing_is_yet_nothing_runs(tmp_path: Path) -> None:
    assert supervisor_pid(Instance(tmp_path / "new")) is None
