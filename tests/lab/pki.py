"""A CA of the lab, its daemons and clients: good ones, and one of each kind that is refused.

What is good is made by the project's own code, so that daemons prove it right. Responsible for
files in one folder. Knows nothing of daemons, and of tests only what they want to be wrong.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from virtproto.cli import pki_making as making

__all__ = ["ORGANIZATION", "Lab"]

ORGANIZATION = "virtproto lab"
_DAYS = 30


class Lab:
    """A folder of certificates.

    ``client(NAME)`` is a folder for ``pkipath=``: "good", "other" (another name), "revoked",
    "expired", "rogue" (of a CA that no daemon knows) or "none" (with the CA's certificate alone).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = self._authority("lab CA")
        self.rogue = self._authority("rogue CA")
        self._pairs: dict[str, making.Pair] = {}
        self._issue_server("server", "localhost", ["localhost", "127.0.0.1", "::1"])
        self._issue_server("elsewhere", "wrong.example", ["wrong.example", "192.0.2.1"])
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=_DAYS)
        for name in ("good", "other", "revoked"):
            self.issue_client(name, self.authority)
        self.issue_client("expired", self.authority, since=past, days=_DAYS - 10)
        self.issue_client("rogue", self.rogue)
        self.client("none").mkdir()
        ca = making.pem(self.authority.certificate)
        (self.client("none") / "cacert.pem").write_bytes(ca)
        self.revocations.write_bytes(self.revoking("revoked"))

    def client(self, name: str) -> Path:
        """Return the folder of a client."""
        return self.folder / "client" / name

    def distinguished_name(self, name: str) -> str:
        """Return a client's name as ``tls_allowed_dn_list`` has it."""
        return f"O={ORGANIZATION},CN={name}"

    def settings(self, server: str = "server") -> dict[str, str | int | list[str]]:
        """Return the settings of a daemon that listens for TLS on the loopback device."""
        folder = self.folder / server
        return {
            "listen_tls": 1,
            "listen_tcp": 0,
            "listen_addr": "127.0.0.1",
            "auth_tls": "none",
            "ca_file": str(folder / "cacert.pem"),
            "cert_file": str(folder / "servercert.pem"),
            "key_file": str(folder / "serverkey.pem"),
        }

    @property
    def revocations(self) -> Path:
        """The CA's list of what it revoked."""
        return self.folder / "cacrl.pem"

    def issue_client(
        self,
        name: str,
        authority: making.Authority,
        *,
        since: datetime.datetime | None = None,
        days: int = _DAYS,
    ) -> None:
        """Make a client's folder; its CA file is that of the lab's CA, whoever signed."""
        pair = making.issue(
            authority, "client", name, organization=ORGANIZATION, days=days, kind="ec", since=since
        )
        making.write_pair(str(self.client(name)), "client", pair, self.authority)
        self._pairs[name] = pair

    def _authority(self, name: str) -> making.Authority:
        return making.make_authority(name, organization=ORGANIZATION, days=_DAYS, kind="ec")

    def _issue_server(self, folder: str, name: str, hosts: list[str]) -> None:
        pair = making.issue(
            self.authority,
            "server",
            name,
            organization=ORGANIZATION,
            days=_DAYS,
            hosts=hosts,
            kind="ec",
        )
        making.write_pair(str(self.folder / folder), "server", pair, self.authority)
        self._pairs[folder] = pair

    def revoking(self, name: str) -> bytes:
        """Return the list of a CA that revokes one client, or "server" or "elsewhere"."""
        serial = self._pairs[name].certificate.serial_number
        return making.pem(making.make_list(self.authority, [serial], _DAYS))
