"""A local cloud's files after an end between any two of its writes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from controlplane.provisioning.localcloud.desired import Desired
from controlplane.provisioning.localcloud.disk import READY, CloudDisk

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
WRITES = 39


class PowerCutError(OSError):
    """The machine went off before this write."""


class Power:
    """Cuts the power before the nth file takes its place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        real = Path.replace

        def replace(path: Path, target: Any) -> Path:
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise PowerCutError("off")
            return real(path, target)

        monkeypatch.setattr(Path, "replace", replace)


@pytest.fixture
def power(monkeypatch: pytest.MonkeyPatch) -> Power:
    return Power(monkeypatch)


def steps(disk: CloudDisk) -> Iterator[None]:
    """A life in which each kind of change happens: made, lost, renewed, removed."""
    disk.prepare(Desired(port=18_900, devices=(disk.desired() or Desired(port=1)).devices))
    yield
    for device in ("kept", "gone", "lost"):
        disk.admit(known(disk), device)
        yield
    disk.identities.certificate_path("devices/lost").unlink(missing_ok=True)
    disk.admit(known(disk), "lost")
    yield
    disk.expel(known(disk), "gone")


def live(disk: CloudDisk, issued: set[int]) -> None:
    """A whole life, with the certificates that were ever there."""
    for _ in steps(disk):
        issued |= serials(disk.folder)


def known(disk: CloudDisk) -> Desired:
    found = disk.desired()
    assert found is not None
    return found


def serials(folder: Path) -> set[int]:
    return {
        x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        for path in (folder / "devices").glob("*.crt")
    }


@pytest.mark.parametrize("writes", range(WRITES))
def test_an_end_between_any_two_writes_is_mended_by_doing_it_again(
    tmp_path: Path, power: Power, writes: int
) -> None:
    disk = CloudDisk(tmp_path, "demo", lambda: NOW)
    issued: set[int] = set()
    power.left = writes
    with pytest.raises(PowerCutError):
        live(disk, issued)
    issued |= serials(tmp_path)
    power.left = None

    again = CloudDisk(tmp_path, "demo", lambda: NOW)
    live(again, issued)

    assert again.trouble(known(again)) == ""
    assert known(again).devices == {"kept", "lost"}
    assert {again.device(name).condition for name in ("kept", "lost")} == {READY}
    files = {path.name for path in (tmp_path / "devices").iterdir()}
    assert files == {"kept.key", "kept.crt", "lost.key", "lost.crt"}
    listed = x509.load_pem_x509_crl(again.identities.revocations.read_bytes())
    assert issued - serials(tmp_path) <= {one.serial_number for one in listed}


def test_that_was_every_write(tmp_path: Path, power: Power) -> None:
    power.left = WRITES

    live(CloudDisk(tmp_path, "demo", lambda: NOW), set())

    assert power.left == 0
