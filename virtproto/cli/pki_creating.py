"""`virtproto pki create` and `virtproto pki revoke`: a folder with a CA and those it vouches for.

Responsible for how the folder is laid out, what in it is replaced and what never, and for telling
what to do with it. Must not know what stands in a certificate, nor click.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from cryptography import x509

from virtproto.cli import pki_making as making
from virtproto.errors import CertificateError, UsageError
from virtproto.transport.tls.certificate import distinguished_name, read_certificates, read_lists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtproto.cli.pki_making import Authority, KeyKind, Role

__all__ = ["create", "revoke"]

_LIST = "cacrl.pem"
# A list has to be made anew before it ends; clients of libvirt go on using it, others may not.
_LIST_DAYS = 3650


class _Folder:
    """A folder of certificates: the CA's two files, and a folder for each server and client."""

    def __init__(self, path: str) -> None:
        self.path = Path(os.path.abspath(path))
        self.ca = self.path / "cacert.pem"
        self.ca_key = self.path / "cakey.pem"
        self.list = self.path / _LIST

    def of(self, role: str, name: str) -> Path:
        """Return the folder of a server or client; UsageError for a name that cannot be one."""
        if not name or name.startswith((".", "-")) or "/" in name or not name.isprintable():
            raise UsageError(f"{role} {name!r}: this cannot be the name of a folder")
        return self.path / role / name

    def all(self) -> Iterator[Path]:
        """Yield the folders of all servers and clients."""
        for role in ("server", "client"):
            for certificate in sorted(self.path.glob(f"{role}/*/{role}cert.pem")):
                yield certificate.parent

    def authority(self) -> Authority:
        """Return the CA that is there."""
        return making.read_authority(str(self.ca), str(self.ca_key))


def create(
    path: str,
    *,
    hosts: Sequence[str],
    clients: Sequence[str],
    organization: str,
    days: int,
    kind: KeyKind,
    force: bool,
) -> None:
    """Make certificates in the folder at ``path``, and its CA if it has none, and tell of them.

    Each of ``hosts`` is what a server is reached by, with commas between. What is there already is
    replaced only with ``force``, and a CA never. Raises UsageError, before anything is written, for
    names that cannot be and files that are there.
    """
    if days < 1:
        raise UsageError(f"days {days}: expected at least 1")
    making.check_name("organization", organization)
    folder = _Folder(path)
    wanted = [*_servers(folder, hosts), *_clients(folder, clients)]
    if not wanted and folder.ca.exists():
        raise UsageError(f"{folder.ca} is there already: name a --host or a --client to make")
    for place, role, _ in wanted:
        taken = place / f"{role}cert.pem"
        if taken.exists() and not force:
            raise UsageError(f"{taken} is there already: --force has it replaced")
    try:
        authority = _authority(folder, organization, days, kind)
        for place, role, names in wanted:
            _issue(folder, authority, (place, role, names), organization, days, kind)
    except OSError as error:
        raise CertificateError(
            f"{error.filename or folder.path}: cannot be written: {error.strerror}"
        ) from None


def _issue(
    folder: _Folder,
    authority: Authority,
    wanted: tuple[Path, Role, list[str]],
    organization: str,
    days: int,
    kind: KeyKind,
) -> None:
    """Make one certificate and all that belongs beside it, and tell of it."""
    place, role, names = wanted
    name = place.name[: making.NAME_AT_MOST]  # a host's whole name is with the others
    pair = making.issue(
        authority, role, name, organization=organization, days=days, hosts=names, kind=kind
    )
    making.write_pair(str(place), role, pair, authority)
    _share_list(folder, place)
    print(_told(folder, place, role, pair.certificate))


def _servers(folder: _Folder, hosts: Sequence[str]) -> Iterator[tuple[Path, Role, list[str]]]:
    for each in hosts:
        names = [name.strip() for name in each.split(",") if name.strip()]
        if not names:
            raise UsageError("host: expected a name or an address")
        for name in names:
            making.alternative_name(name)
        yield folder.of("server", names[0]), "server", names


def _clients(folder: _Folder, names: Sequence[str]) -> Iterator[tuple[Path, Role, list[str]]]:
    for name in names:
        making.check_name("client", name)
        yield folder.of("client", name), "client", []


def _authority(folder: _Folder, organization: str, days: int, kind: KeyKind) -> Authority:
    """Return the folder's CA, made now if there is none; a CA is never replaced."""
    if folder.ca.exists() or folder.ca_key.exists():
        if not (folder.ca.exists() and folder.ca_key.exists()):
            missing = folder.ca_key if folder.ca.exists() else folder.ca
            raise UsageError(
                f"{missing} is missing: without it the CA of {folder.path} signs nothing more;"
                " bring it there, or name another folder for a new CA"
            )
        return folder.authority()
    # Nothing that it signs is of use longer than it is itself.
    name = f"{organization[: making.NAME_AT_MOST - 3]} CA"
    authority = making.make_authority(name, organization=organization, days=days + 1, kind=kind)
    folder.path.mkdir(mode=0o755, parents=True, exist_ok=True)
    making.write_file(str(folder.ca_key), making.pem(authority.key), secret=True)
    making.write_file(str(folder.ca), making.pem(authority.certificate))
    print(
        f"CA {distinguished_name(authority.certificate.subject)}\n"
        f"  {folder.ca}: for every server and client\n"
        f"  {folder.ca_key}: keep it secret; who has it can be any server and any client"
    )
    return authority


def _share_list(folder: _Folder, place: Path) -> None:
    if folder.list.exists():
        making.write_file(str(place / _LIST), folder.list.read_bytes())


def _told(folder: _Folder, place: Path, role: str, certificate: x509.Certificate) -> str:
    name = distinguished_name(certificate.subject)
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    head = f"{role} {name}, until {until}\n  {place}/: {role}cert.pem, {role}key.pem, cacert.pem"
    if role == "client":
        return (
            f"{head}\n"
            f"  on the client's machine: qemu+tls://HOST/system?pkipath={quote(os.fsencode(place))}\n"
            f'  in libvirtd.conf, to let in this one by name: tls_allowed_dn_list = ["{name}"]'
        )
    settings = [
        "listen_tls = 1",
        f'ca_file = "{place}/cacert.pem"',
        f'cert_file = "{place}/servercert.pem"',
        f'key_file = "{place}/serverkey.pem"',
    ]
    if folder.list.exists():
        settings.append(f'crl_file = "{place}/{_LIST}"')
    lines = "\n".join(f"    {line}" for line in settings)
    return (
        f"{head}\n"
        f"  on the server, in libvirtd.conf (or virtproxyd.conf), wherever the files go:\n{lines}\n"
        "  and have it listen: systemctl enable --now libvirtd-tls.socket, or libvirtd --listen"
    )


def revoke(path: str, names: Sequence[str]) -> None:
    """Put certificates of the folder at ``path`` on its CA's list of those not to be trusted.

    ``names`` are those of clients or servers ("client/web" where both have it), or files. The list
    goes into each server's and client's folder.
    """
    folder = _Folder(path)
    authority = folder.authority()
    revoked = [_certificate(folder, name, authority) for name in names]
    earlier = read_lists(str(folder.list))[0] if folder.list.exists() else None
    serials = list(dict.fromkeys(each.serial_number for each in revoked))
    made = making.pem(making.make_list(authority, serials, _LIST_DAYS, earlier))
    try:
        making.write_file(str(folder.list), made)
        for place in folder.all():
            _share_list(folder, place)
    except OSError as error:
        raise CertificateError(
            f"{error.filename or folder.path}: cannot be written: {error.strerror}"
        ) from None
    for each in revoked:
        print(f"revoked {distinguished_name(each.subject)} (serial number {each.serial_number:x})")
    print(
        f"  {folder.list}: and {_LIST} in the folder of each server and client\n"
        f'  on each server, in libvirtd.conf: crl_file = "{folder.list}", wherever the file goes;\n'
        "  a daemon reads it when it starts, or by virt-admin server-update-tls\n"
        f"  on each client: {_LIST} in the folder of pkipath, or /etc/pki/CA/{_LIST}"
    )


def _certificate(folder: _Folder, name: str, authority: Authority) -> x509.Certificate:
    role, slash, rest = name.partition("/")
    if slash and role in ("client", "server"):
        found = [folder.of(role, rest) / f"{role}cert.pem"]
    elif slash:
        found = [Path(name)]
    else:
        found = [folder.of(role, name) / f"{role}cert.pem" for role in ("client", "server")]
        there = [path for path in found if path.exists()]
        if len(there) > 1:
            raise UsageError(f"{name!r} is a client and a server: write client/{name}, or server/")
        if not there:
            raise UsageError(f"{name!r}: {folder.path} has neither a client nor a server called so")
        found = there
    certificate = read_certificates(str(found[0]), "certificate")[0]
    if certificate.issuer != authority.certificate.subject:
        raise UsageError(f"{found[0]}: this was not signed by the CA of {folder.path}")
    if certificate == authority.certificate:
        raise UsageError(
            f"{found[0]}: this is the CA itself, which is no longer trusted once its certificate "
            "is gone from every server and client"
        )
    return certificate
