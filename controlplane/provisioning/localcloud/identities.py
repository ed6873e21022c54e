"""The keys and certificates of one stack on disk, and the ledger of what was issued.

A holder is named by its files: `server`, `ingest`, `sender` or `devices/<id>`. The ledger tells
which certificate of a holder is the current one; every other one that was issued is revoked, so
that a copy of an old key opens nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controlplane.ops.private_file import write_private
from controlplane.provisioning.localcloud.authority import (
    Identity,
    issue,
    new_authority,
    parse_identity,
    revocation_list,
    revocations_fit,
    trouble_of,
)
from controlplane.provisioning.localcloud.files import read_or_none

AUTHORITY, SERVER, INGEST, SENDER = "ca", "server", "ingest", "sender"
DEVICES = "devices"
INGEST_NAME = "@ingest"
"""The broker's name for the reader of all telemetry; no device id can be spelled like it."""
SENDER_NAME = "@sender"
"""The broker's name for who sends messages to devices."""


def device_holder(device_id: str) -> str:
    """The holder that is a device."""
    return f"{DEVICES}/{device_id}"


@dataclass(frozen=True, slots=True)
class _Issued:
    serial: int
    until: datetime


@dataclass(slots=True)
class _Ledger:
    current: dict[str, _Issued] = field(default_factory=dict)
    revoked: dict[int, datetime] = field(default_factory=dict)
    """Serial to the end of its certificate, after which it need not be remembered."""


class Identities:
    """Issues, checks and revokes. Blocking: it reads and writes files and makes keys.

    A fault of the disk is an OSError.
    """

    def __init__(self, folder: Path, stack: str, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._stack = stack
        self._now = now

    @property
    def revocations(self) -> Path:
        """The signed list of what was revoked."""
        return self._folder / "revoked.crl"

    def key_path(self, holder: str) -> Path:
        """The private key of a holder."""
        return self._folder / f"{holder}.key"

    def certificate_path(self, holder: str) -> Path:
        """The certificate of a holder."""
        return self._folder / f"{holder}.crt"

    def find(self, holder: str) -> Identity | None:
        """What lies on disk, when key and certificate are there and of one another."""
        key = read_or_none(self.key_path(holder))
        certificate = read_or_none(self.certificate_path(holder))
        if key is None or certificate is None:
            return None
        try:
            return parse_identity(key, certificate)
        except ValueError:
            return None

    def authority_trouble(self) -> str:
        """What is wrong with the authority, its ledger or its list, in words; empty: nothing."""
        authority, ledger = self.find(AUTHORITY), self._read_ledger()
        if authority is None:
            return "the stack's authority is missing or damaged"
        if ledger is None:
            return "the ledger of the stack's authority is missing or damaged"
        if trouble := trouble_of(authority, authority, self._now()):
            return f"of the stack's authority: {trouble}"
        if not self._is_published(authority, ledger):
            return "the list of revoked certificates is missing or not the newest"
        return ""

    def trouble(self, holder: str) -> str:
        """What is wrong with the identity of a holder, in words; empty when nothing is."""
        authority = self.find(AUTHORITY)
        if authority is None:
            return "the stack's authority is missing or damaged"
        for path, what in (
            (self.certificate_path(holder), "certificate"),
            (self.key_path(holder), "key"),
        ):
            if not path.is_file():
                return f"the {what} is missing"
        identity = self.find(holder)
        if identity is None:
            return "key and certificate are damaged or not of one another"
        ledger = self._read_ledger()
        current = None if ledger is None else ledger.current.get(holder)
        if current is None or current.serial != identity.certificate.serial_number:
            return "the certificate is not the one that was issued last"
        return trouble_of(identity, authority, self._now())

    def ensure_authority(self) -> bool:
        """Have an authority with its list; whether anything of it had to be made.

        Without its ledger it is not known what it signed: then it is replaced as well.
        """
        found, ledger = self.find(AUTHORITY), self._read_ledger()
        if found is not None and ledger is not None and not trouble_of(found, found, self._now()):
            return self._publish(found, ledger)
        fresh = new_authority(self._stack, self._now())
        # What the old one issued is worth nothing to the new one.
        self._write_ledger(_Ledger())
        write_private(self.key_path(AUTHORITY), fresh.key_pem)
        write_private(self.certificate_path(AUTHORITY), fresh.certificate_pem)
        return self._publish(fresh, _Ledger())

    def ensure(self, holder: str) -> bool:
        """Have a good identity for a holder; whether a new one was issued."""
        if not self.trouble(holder):
            return False
        self.ensure_authority()
        authority, ledger = self._known()
        names = {SERVER: "localhost", INGEST: INGEST_NAME, SENDER: SENDER_NAME}
        common_name = names.get(holder, Path(holder).name)
        fresh = issue(authority, common_name, self._now(), server=holder == SERVER)
        self._revoke(ledger, holder)
        ledger.current[holder] = _Issued(fresh.certificate.serial_number, fresh.expires)
        self._write_ledger(ledger)
        self._publish(authority, ledger)
        self.key_path(holder).parent.mkdir(mode=0o700, exist_ok=True)
        write_private(self.key_path(holder), fresh.key_pem)
        write_private(self.certificate_path(holder), fresh.certificate_pem)
        return True

    def remove(self, holder: str) -> None:
        """Revoke what a holder has and delete its files; nothing when it has nothing."""
        self.ensure_authority()
        authority, ledger = self._known()
        if holder in ledger.current:
            self._revoke(ledger, holder)
            self._write_ledger(ledger)
        self._publish(authority, ledger)
        self.key_path(holder).unlink(missing_ok=True)
        self.certificate_path(holder).unlink(missing_ok=True)

    def _known(self) -> tuple[Identity, _Ledger]:
        authority, ledger = self.find(AUTHORITY), self._read_ledger()
        if authority is None or ledger is None:
            raise RuntimeError("authority and ledger were just written")
        return authority, ledger

    def _revoke(self, ledger: _Ledger, holder: str) -> None:
        former = ledger.current.pop(holder, None)
        if former is not None:
            ledger.revoked[former.serial] = former.until
        now = self._now()
        ledger.revoked = {s: until for s, until in ledger.revoked.items() if until > now}

    def _is_published(self, authority: Identity, ledger: _Ledger) -> bool:
        listed = read_or_none(self.revocations) or b""
        return revocations_fit(listed, authority, ledger.revoked.keys())

    def _publish(self, authority: Identity, ledger: _Ledger) -> bool:
        """Have the list say what the ledger says; whether it had to be written."""
        if self._is_published(authority, ledger):
            return False
        listed = dict.fromkeys(ledger.revoked, self._now())
        write_private(self.revocations, revocation_list(authority, listed))
        return True

    @property
    def _ledger_path(self) -> Path:
        return self._folder / "issued.json"

    def _read_ledger(self) -> _Ledger | None:
        """The ledger; None when there is none that says anything."""
        try:
            table: Mapping[str, Any] = json.loads(read_or_none(self._ledger_path) or b"")
            return _Ledger(
                current={
                    holder: _Issued(int(one["serial"], 16), _instant(one["until"]))
                    for holder, one in table["current"].items()
                },
                revoked={int(s, 16): _instant(until) for s, until in table["revoked"].items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def _write_ledger(self, ledger: _Ledger) -> None:
        table = {
            "current": {
                holder: {"serial": f"{one.serial:x}", "until": one.until.isoformat()}
                for holder, one in sorted(ledger.current.items())
            },
            "revoked": {f"{s:x}": until.isoformat() for s, until in ledger.revoked.items()},
        }
        write_private(self._ledger_path, json.dumps(table, indent=1).encode())


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
