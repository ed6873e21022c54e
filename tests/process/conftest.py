"""What tests of real children share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cache(compiled_core: Path) -> Path:
    """A toolchain's cache, in which the core is compiled already or will be."""
    return compiled_core
