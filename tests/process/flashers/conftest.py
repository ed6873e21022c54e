"""The pyOCD flasher; the tests of esptool have their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchagent.flashers.nursery import Nursery
from benchagent.flashers.pyocd import PyocdFlasher


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Shared, as operations share it: pyOCD is imported once."""
    found = Nursery("benchagent.flashers.pyocd_child")
    yield found
    found.close()


@pytest.fixture
def flasher(tmp_path: Path, nursery: Nursery) -> PyocdFlasher:
    return PyocdFlasher(state_dir=tmp_path / "agent", nursery=nursery)
