"""Every conformance test runs on every part, and on every machine that simulates it."""

import pytest

from tests.process.bench_core.rig import (
    ESP32C3_QEMU,
    TARGETS,
    Target,
    espressif_qemu_missing,
)


@pytest.fixture(params=TARGETS, ids=[target.name for target in TARGETS])
def target(request: pytest.FixtureRequest) -> Target:
    chosen = request.param
    assert isinstance(chosen, Target)
    if chosen is ESP32C3_QEMU and (reason := espressif_qemu_missing()):
        pytest.skip(reason)
    return chosen
