"""Names are parsed whole or refused."""

import os
from pathlib import Path

import pytest

from benchline.errors import InvalidRequestError
from benchline.instance import Instance, current_instance, make_private
from benchline.names import board_console, board_name, session_id


def test_the_console_of_a_board_is_named_after_it() -> None:
    assert board_console(board_name("b", "x")) == "consoles/agents/b/boards/x"


def test_a_session_may_be_named_with_and_without_its_collection() -> None:
    assert session_id("sessions/01KA") == session_id("01ka") == "01ka"
    with pytest.raises(InvalidRequestError):
        session_id("sessions/../../etc")


def test_a_long_data_directory_still_gets_a_socket_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    long = Instance(tmp_path / ("deep/" * 30))
    other = Instance(tmp_path / ("deep/" * 31))

    assert len(os.fsencode(long.socket_path)) < 108
    assert long.socket_path != other.socket_path


def test_the_environment_moves_everything_to_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHLINE_DATA_DIR", str(tmp_path / "here"))
    instance = current_instance()

    folders = [instance.state_dir, instance.artifact_dir, instance.run_dir, instance.virtual_dir]
    assert all(folder.is_relative_to(tmp_path / "here") for folder in folders)


def test_a_private_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(PermissionError):
        make_private(tmp_path / "link")

    assert make_private(tmp_path / "new").stat().st_mode & 0o777 == 0o700
