"""Keys of devices whose cloud signs requests: made here, kept here, never told to the cloud."""

import re
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchline.errors import CorruptError, InvalidRequestError
from benchline.instance import make_private
from benchline.names import DEVICE_ID
from controlplane.ops.private_file import write_private
from controlplane.provisioning.workspace import disk_error

_REFERENCE = re.compile(r"custody:([a-z0-9-]+)/([a-z0-9-]+)")


class Custody:
    """The private keys of one stack's devices, one file of mode 0600 each. Blocking."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def request_of(self, device: str) -> str:
        """A certificate request of a device in PEM. Its key is made at the first call.

        The request is the same at every call, so that a plan of nothing new changes nothing.

        Raises:
            InvalidRequestError: DEVICE_INVALID.
            CorruptError: DEVICE_KEY_DAMAGED.
            ExhaustedError: DISK_FULL.
            NotReadyError: STACK_FOLDER_UNUSABLE.
        """
        key_file, request_file = self._files(device)
        try:
            if not key_file.exists():
                make_private(self._folder)
                write_private(key_file, _new_key())
                request_file.unlink(missing_ok=True)
            key = _read_key(key_file)
            known = _read_request(request_file)
            # Signatures differ at each signing, so the request is kept beside its key.
            if known is None or known.public_key() != key.public_key():
                known = _sign(key, device)
                write_private(request_file, known.public_bytes(serialization.Encoding.PEM))
        except OSError as error:
            raise disk_error(error) from error
        return known.public_bytes(serialization.Encoding.PEM).decode()

    def key_of(self, device: str) -> bytes | None:
        """The private key of a device in PEM; None when there is none."""
        try:
            return self._files(device)[0].read_bytes()
        except FileNotFoundError:
            return None

    def keep_only(self, devices: frozenset[str]) -> None:
        """Forget the keys of all other devices."""
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            if path.stem not in devices:
                path.unlink(missing_ok=True)
        if not devices:
            self._folder.rmdir()

    def _files(self, device: str) -> tuple[Path, Path]:
        if not DEVICE_ID.fullmatch(device):
            raise InvalidRequestError(
                "DEVICE_INVALID",
                "a device id has up to 63 of a-z, 0-9 and -, and begins with a letter or a digit,"
                f" not {device[:80]!r}",
                device=device[:80],
            )
        return self._folder / f"{device}.key", self._folder / f"{device}.csr"


def custody_reference(reference: str) -> tuple[str, str] | None:
    """Stack and device that `custody:<stack>/<device>` names; None for any other reference."""
    found = _REFERENCE.fullmatch(reference)
    return (found[1], found[2]) if found else None


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CorruptError(
            "DEVICE_KEY_DAMAGED",
            f"{path} holds no key; remove it, then plan again: the device gets a new certificate",
            path=str(path),
        )
    return key


def _read_request(path: Path) -> x509.CertificateSigningRequest | None:
    try:
        return x509.load_pem_x509_csr(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _sign(key: ec.EllipticCurvePrivateKey, device: str) -> x509.CertificateSigningRequest:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
