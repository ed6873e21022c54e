"""Files that only their owner may read are written whole or not at all."""

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.ops.private_file import write_private


@pytest.fixture
def small_files() -> Iterator[None]:
    """A file has at most 16 bytes: the kernel refuses more, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_new_file_is_its_owners(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"old")
    write_private(tmp_path / "key", b"new")

    assert (tmp_path / "key").read_bytes() == b"new"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_file_that_cannot_be_written_stays_as_it_was_and_is_named(
    tmp_path: Path, small_files: None
) -> None:
    write_private(tmp_path / "key", b"old")

    with pytest.raises(OSError, match="File too large") as caught:
        write_private(tmp_path / "key", b"n" * 4096)

    assert caught.value.filename == str(tmp_path / "key")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
