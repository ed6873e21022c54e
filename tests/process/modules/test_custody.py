"""Keys of devices: made once, kept to their owner, forgotten when they are not wanted."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from benchline.errors import CorruptError, InvalidRequestError
from controlplane.provisioning.custody import Custody, custody_reference


def test_a_request_is_of_the_key_that_stays_and_does_not_change(tmp_path: Path) -> None:
    custody = Custody(tmp_path / "keys")
    request = custody.request_of("plant-1")
    parsed = x509.load_pem_x509_csr(request.encode())
    key = serialization.load_pem_private_key(custody.key_of("plant-1") or b"", password=None)

    assert parsed.is_signature_valid
    assert parsed.public_key() == key.public_key()
    assert "PRIVATE" not in request
    assert Custody(tmp_path / "keys").request_of("plant-1") == request
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_a_request_that_was_lost_is_of_the_same_key(tmp_path: Path) -> None:
    custody = Custody(tmp_path)
    custody.request_of("plant-1")
    key = custody.key_of("plant-1")
    (tmp_path / "plant-1.csr").write_text("damaged")
    x509.load_pem_x509_csr(custody.request_of("plant-1").encode())
    assert custody.key_of("plant-1") == key


def test_a_damaged_key_is_told_and_not_replaced(tmp_path: Path) -> None:
    custody = Custody(tmp_path)
    (tmp_path / "plant-1.key").write_text("damaged")
    with pytest.raises(CorruptError, match="plan again"):
        custody.request_of("plant-1")


def test_keys_of_other_devices_are_forgotten(tmp_path: Path) -> None:
    custody = Custody(tmp_path / "keys")
    for device in ("plant-1", "plant-2"):
        custody.request_of(device)
    custody.keep_only(frozenset({"plant-2"}))
    assert custody.key_of("plant-1") is None
    assert custody.key_of("plant-2") is not None
    custody.keep_only(frozenset())
    custody.keep_only(frozenset())
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("device", ["", "../plant", "two\nlines", "Plant", "-a", "a" * 64])
def test_a_name_that_is_no_device_makes_no_file(tmp_path: Path, device: str) -> None:
    with pytest.raises(InvalidRequestError):
        Custody(tmp_path).request_of(device)
    assert list(tmp_path.iterdir()) == []


def test_references_are_read() -> None:
    assert custody_reference("custody:lab/plant-1") == ("lab", "plant-1")
    assert custody_reference("local:lab/plant-1") is None
    assert custody_reference("custody:lab/../x") is None
