"""A real database in a fresh folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.storage.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "state.db")
    yield opened
    await opened.close()
