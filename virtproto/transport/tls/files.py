"""Where the files of TLS are on this machine: CA, revocation list, certificate and key.

Responsible for libvirt's places and the order among them. Reads none of the files, and must not
know what is in them.
"""

from __future__ import annotations

import os

from virtproto.transport.resolve import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TlsFiles", "files_here", "locate"]

_SYSTEM = "/etc/pki"
_USER = ".pki/libvirt"


class TlsFiles:
    """The files that one side of a TLS connection uses.

    ``ca`` is always named, for without it nothing works. ``crl`` is None where there is none;
    ``certificate`` and ``key`` are None unless both are there, as neither is of use alone.
    ``missing_pair`` then names the certificate and the key that were looked for, for messages.
    """

    __slots__ = ("ca", "certificate", "crl", "key", "missing_pair")

    def __init__(
        self,
        ca: str,
        crl: str | None = None,
        certificate: str | None = None,
        key: str | None = None,
        missing_pair: tuple[str, str] | None = None,
    ) -> None:
        self.ca = ca
        self.crl = crl
        self.certificate = certificate
        self.key = key
        self.missing_pair = missing_pair

    def __repr__(self) -> str:
        return f"<TlsFiles CA {self.ca}, certificate {self.certificate}>"


def locate(
    pkipath: str | None,
    *,
    euid: int,
    home: str | None,
    exists: Callable[[str], bool] = os.path.exists,
    role: str = "client",
) -> TlsFiles:
    """Return the files of a ``role`` ("client" or "server"): those of ``pkipath``, or the usual.

    The usual ones are those below the ``home`` of a user who is not root, and the system's where
    he has none: CA and list each by itself, certificate and key together or not at all.
    Source: virNetTLSContextLocateCredentials.
    """
    if pkipath is not None:
        return _present(*_flat(pkipath, role), exists)
    ca, crl, certificate, key = (
        f"{_SYSTEM}/CA/cacert.pem",
        f"{_SYSTEM}/CA/cacrl.pem",
        f"{_SYSTEM}/libvirt/{role}cert.pem",
        f"{_SYSTEM}/libvirt/private/{role}key.pem",
    )
    if euid != 0 and home:
        own_ca, own_crl, own_certificate, own_key = _flat(f"{home}/{_USER}", role)
        ca = own_ca if exists(own_ca) else ca
        crl = own_crl if exists(own_crl) else crl
        if exists(own_certificate) and exists(own_key):
            certificate, key = own_certificate, own_key
    return _present(ca, crl, certificate, key, exists)


def _flat(folder: str, role: str) -> tuple[str, str, str, str]:
    return (
        f"{folder}/cacert.pem",
        f"{folder}/cacrl.pem",
        f"{folder}/{role}cert.pem",
        f"{folder}/{role}key.pem",
    )


def _present(
    ca: str, crl: str, certificate: str, key: str, exists: Callable[[str], bool]
) -> TlsFiles:
    listed = crl if exists(crl) else None
    if exists(certificate) and exists(key):
        return TlsFiles(ca, listed, certificate, key)
    return TlsFiles(ca, listed, missing_pair=(certificate, key))


def files_here(pkipath: str | None, role: str = "client") -> TlsFiles:
    """Return the files of a role on this machine, for the user that this process runs as."""
    return locate(pkipath, euid=os.geteuid(), home=environment().get("HOME"), role=role)
