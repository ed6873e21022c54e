"""What the local cloud writes down and how it reads it back, without a broker."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from benchline.errors import InvalidRequestError
from controlplane.provisioning.localcloud.authority import (
    Identity,
    issue,
    new_authority,
    parse_identity,
    revocation_list,
    revocations_fit,
    trouble_of,
)
from controlplane.provisioning.localcloud.clouds import LocalClouds
from controlplane.provisioning.localcloud.desired import (
    Desired,
    free_ports,
    read_desired,
    write_desired,
)
from controlplane.provisioning.localcloud.identities import (
    INGEST,
    INGEST_NAME,
    SENDER_NAME,
    SERVER,
    Identities,
    device_holder,
)
from controlplane.provisioning.localcloud.log import CappedLog
from controlplane.provisioning.localcloud.mosquitto import access_list, configuration

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Calendar:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
def identities(tmp_path: Path, calendar: Calendar) -> Identities:
    return Identities(tmp_path, "demo", calendar)


def revoked(identities: Identities) -> set[int]:
    found = x509.load_pem_x509_crl(identities.revocations.read_bytes())
    return {one.serial_number for one in found}


def serial(identities: Identities, holder: str) -> int:
    found = identities.find(holder)
    assert found is not None
    return found.certificate.serial_number


def test_each_device_has_its_own_topics_the_reader_and_the_sender_all() -> None:
    lines = access_list({"b", "a-1"}).decode().splitlines()

    assert lines == [
        f"user {INGEST_NAME}",
        "topic read devices/#",
        "",
        f"user {SENDER_NAME}",
        "topic write devices/#",
        "",
        "user a-1",
        "topic readwrite devices/a-1/#",
        "",
        "user b",
        "topic readwrite devices/b/#",
    ]


@pytest.mark.parametrize("as_root", [True, False])
def test_the_broker_listens_on_loopback_and_wants_a_certificate(as_root: bool) -> None:
    lines = configuration(Path("/x"), 18_900, as_root=as_root).decode().splitlines()

    assert [one for one in lines if one.startswith("listener")] == ["listener 18900 127.0.0.1"]
    assert {"require_certificate true", "allow_anonymous false"} < set(lines)
    assert ("user root" in lines) == as_root


def test_a_certificate_is_good_until_a_month_before_its_end() -> None:
    authority = new_authority("demo", NOW)
    made = issue(authority, "dev-1", NOW, server=False)

    assert trouble_of(made, authority, NOW) == ""
    assert trouble_of(made, authority, NOW + timedelta(days=334)) == ""
    assert "expires on 2027-06-01" in trouble_of(made, authority, NOW + timedelta(days=336))
    assert "expired on 2027-06-01" in trouble_of(made, authority, NOW + timedelta(days=366))
    stranger = new_authority("demo", NOW)
    assert "not of this stack's authority" in trouble_of(made, stranger, NOW)


def test_what_is_written_reads_back_and_a_mixed_pair_does_not() -> None:
    authority = new_authority("demo", NOW)
    one, two = (issue(authority, name, NOW, server=False) for name in ("one", "two"))

    back = parse_identity(one.key_pem, one.certificate_pem)
    assert (back.fingerprint, back.expires) == (one.fingerprint, one.expires)
    with pytest.raises(ValueError, match="not that of the key"):
        parse_identity(one.key_pem, two.certificate_pem)


_AUTHORITY: Identity = new_authority("demo", NOW)


def armoured(kind: str, content: bytes) -> bytes:
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (
        kind.encode(),
        base64.encodebytes(content),
        kind.encode(),
    )


@given(st.binary(max_size=200), st.booleans())
def test_rubbish_is_no_identity_and_no_list(rubbish: bytes, bare: bool) -> None:
    key, certificate, listed = (
        rubbish if bare else armoured(kind, rubbish)
        for kind in ("PRIVATE KEY", "CERTIFICATE", "X509 CRL")
    )

    for pair in ((key, certificate), (_AUTHORITY.key_pem, certificate)):
        with pytest.raises(ValueError, match=r"."):
            parse_identity(*pair)
    assert not revocations_fit(listed, _AUTHORITY, ())


def test_a_list_is_that_of_its_authority_alone() -> None:
    listed = revocation_list(_AUTHORITY, {7: NOW})

    assert revocations_fit(listed, _AUTHORITY, {7})
    assert not revocations_fit(listed, _AUTHORITY, {7, 8})
    assert not revocations_fit(listed, new_authority("demo", NOW), {7})


def test_an_identity_is_issued_once_and_kept(identities: Identities) -> None:
    identities.ensure_authority()
    for holder in (SERVER, INGEST, device_holder("dev-1")):
        assert identities.ensure(holder)
        assert identities.trouble(holder) == ""
        first = serial(identities, holder)
        assert not identities.ensure(holder)
        assert serial(identities, holder) == first
    assert revoked(identities) == set()
    assert all(path.stat().st_mode & 0o077 == 0 for path in identities.revocations.parent.iterdir())


def test_only_the_newest_certificate_of_a_holder_is_good(
    identities: Identities, calendar: Calendar
) -> None:
    holder = device_holder("dev-1")
    identities.ensure_authority()
    identities.ensure(holder)
    first = serial(identities, holder)
    identities.certificate_path(holder).unlink()
    assert identities.trouble(holder) == "the certificate is missing"

    identities.ensure(holder)
    second = serial(identities, holder)
    identities.remove(holder)

    assert revoked(identities) == {first, second}
    assert list(identities.key_path(holder).parent.iterdir()) == []
    identities.ensure(holder)
    assert identities.trouble(holder) == ""
    # What has expired anyhow need not be listed for ever.
    calendar.now += timedelta(days=400)
    identities.ensure(holder)
    assert revoked(identities) == set()


def test_an_old_certificate_put_back_is_not_taken(identities: Identities) -> None:
    holder = device_holder("dev-1")
    identities.ensure_authority()
    identities.ensure(holder)
    old = identities.find(holder)
    assert old is not None
    identities.remove(holder)
    identities.ensure(holder)

    identities.key_path(holder).write_bytes(old.key_pem)
    identities.certificate_path(holder).write_bytes(old.certificate_pem)

    assert identities.trouble(holder) == "the certificate is not the one that was issued last"


def test_a_new_authority_makes_everything_new(identities: Identities) -> None:
    identities.ensure_authority()
    identities.ensure(SERVER)
    identities.certificate_path("ca").write_bytes(b"rubbish")
    assert "missing or damaged" in identities.authority_trouble()

    assert identities.ensure_authority()

    assert identities.authority_trouble() == ""
    assert identities.trouble(SERVER) != ""
    assert identities.ensure(SERVER)


def test_an_interrupted_revocation_is_finished(identities: Identities) -> None:
    holder = device_holder("dev-1")
    identities.ensure_authority()
    identities.ensure(holder)
    first = serial(identities, holder)
    before = identities.revocations.read_bytes()
    identities.remove(holder)
    # As when the program ends between the ledger and the list.
    identities.revocations.write_bytes(before)
    assert "not the newest" in identities.authority_trouble()

    identities.remove(holder)

    assert revoked(identities) == {first}


def test_a_lost_list_is_made_again(identities: Identities) -> None:
    identities.ensure_authority()
    identities.ensure(SERVER)
    identities.revocations.write_bytes(b"{")

    assert identities.ensure_authority()

    assert (identities.authority_trouble(), identities.trouble(SERVER)) == ("", "")


def test_without_its_ledger_an_authority_is_not_trusted(identities: Identities) -> None:
    identities.ensure_authority()
    identities.ensure(SERVER)
    old = identities.find("ca")
    (identities.revocations.parent / "issued.json").write_bytes(b"{")
    assert "ledger" in identities.authority_trouble()

    assert identities.ensure_authority()
    assert identities.ensure(SERVER)

    new = identities.find("ca")
    assert old is not None
    assert new is not None
    assert new.fingerprint != old.fingerprint
    assert (identities.authority_trouble(), identities.trouble(SERVER)) == ("", "")


@given(
    st.integers(1, 65_535), st.frozensets(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True))
)
def test_what_is_meant_reads_back(
    tmp_path_factory: pytest.TempPathFactory, port: int, devices: frozenset[str]
) -> None:
    path = tmp_path_factory.mktemp("desired") / "desired.json"
    desired = Desired(port=port, devices=devices)

    write_desired(path, desired)

    assert read_desired(path) == desired


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"[]",
        b'{"port": 0, "devices": []}',
        b'{"port": 18883}',
        b'{"port": 18883, "devices": ["../ca"]}',
        b'{"port": 18883, "devices": ["a\\nuser b"]}',
    ],
)
def test_what_cannot_be_meant_is_nothing(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / "desired.json").write_bytes(rubbish)

    assert read_desired(tmp_path / "desired.json") is None


def test_a_stack_looks_for_a_port_in_its_own_order(tmp_path: Path) -> None:
    first = [port for port, _ in zip(free_ports(tmp_path / "one"), range(3), strict=False)]
    again = next(iter(free_ports(tmp_path / "one")))
    other = next(iter(free_ports(tmp_path / "two")))

    assert len(set(first)) == 3
    assert all(18_883 <= port < 28_883 for port in first)
    assert again == first[0]
    assert other != first[0]


def test_a_log_stays_below_twice_its_cap(tmp_path: Path) -> None:
    log = CappedLog(tmp_path / "broker.log", cap_bytes=100)

    for number in range(60):
        log.append(b"line %d" % number)

    kept = (tmp_path / "broker.log").read_bytes().splitlines()
    before = (tmp_path / "broker.log.1").read_bytes().splitlines()
    assert [*before, *kept][-1] == b"line 59"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 220


def test_a_log_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    CappedLog(tmp_path / "gone" / "broker.log").append(b"line")

    assert list(tmp_path.iterdir()) == []


def test_a_log_is_its_owners(tmp_path: Path) -> None:
    log = CappedLog(tmp_path / "broker.log")
    log.append(b"line")
    assert log.path.stat().st_mode & 0o777 == 0o600


async def test_a_stack_has_one_cloud_and_a_bad_name_none(tmp_path: Path) -> None:
    async with LocalClouds(tmp_path / "none") as clouds:
        assert clouds.cloud("demo") is clouds.cloud("demo")
        with pytest.raises(InvalidRequestError):
            clouds.cloud("../etc")
