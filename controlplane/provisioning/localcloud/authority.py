"""The certificates of one stack: what an authority signs, and what is wrong with one. No files."""

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
CERTIFICATE_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
"""A certificate that ends sooner than this is renewed by the next plan."""

BACKDATE = timedelta(minutes=5)
"""Certificates begin a little earlier, for clocks that are behind."""

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A private key and the certificate of its public half."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        """The key, unencrypted: it lies in a folder that only its owner can enter."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def certificate_pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """sha256 of the certificate, in hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def expires(self) -> datetime:
        """The end of the certificate's life."""
        return self.certificate.not_valid_after_utc


def new_authority(stack: str, now: datetime) -> Identity:
    """A new authority; it signs certificates and revocation lists, nothing below it may."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Benchline local cloud {stack}")
    builder = (
        _builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    return Identity(key=key, certificate=builder.sign(key, hashes.SHA256()))


def issue(authority: Identity, common_name: str, now: datetime, *, server: bool) -> Identity:
    """A new key with a certificate: of the broker on loopback, or of a client."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate.subject
    usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_name(common_name), issuer, key.public_key(), now, CERTIFICATE_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()),
            critical=False,
        )
    )
    if server:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Identity(key=key, certificate=builder.sign(authority.key, hashes.SHA256()))


def revocation_list(authority: Identity, revoked: Mapping[int, datetime]) -> bytes:
    """The serials that the broker must not let in any more, signed, with the day of each."""
    valid = authority.certificate
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=valid.subject,
        last_update=valid.not_valid_before_utc,
        next_update=valid.not_valid_after_utc,
    )
    for serial, instant in sorted(revoked.items()):
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=instant).build()
        )
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def revocations_fit(data: bytes, authority: Identity, revoked: Collection[int]) -> bool:
    """Whether a revocation list is this authority's and names exactly these serials."""
    try:
        found = x509.load_pem_x509_crl(data)
        listed = {one.serial_number for one in found}
        return listed == set(revoked) and found.is_signature_valid(authority.key.public_key())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def parse_identity(key_pem: bytes, certificate_pem: bytes) -> Identity:
    """Read back what was written.

    Raises:
        ValueError: not a key and a certificate, or not of one another.
    """
    try:
        key = serialization.load_pem_private_key(key_pem, None)
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        matches = certificate.public_key() == key.public_key()
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"not a key and a certificate: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key of an elliptic curve")  # noqa: TRY004 - what a file holds
    if not matches:
        raise ValueError("the certificate is not that of the key")
    return Identity(key=key, certificate=certificate)


def trouble_of(identity: Identity, authority: Identity, now: datetime) -> str:
    """Why an identity is not good any more, in words; empty when it is."""
    certificate = identity.certificate
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return "the certificate is not of this stack's authority"
    if now >= certificate.not_valid_after_utc:
        return f"the certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if now >= certificate.not_valid_after_utc - RENEW_BEFORE:
        return f"the certificate expires on {certificate.not_valid_after_utc:%Y-%m-%d}"
    return ""


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
