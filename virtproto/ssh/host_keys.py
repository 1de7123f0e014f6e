"""Whether a host is the one it says it is: ``known_hosts`` files and their keys.

Responsible for reading the file, for judging a key by it and for adding one that was accepted. Must
not know how keys travel, nor how people are asked.
"""

from __future__ import annotations

import os

import asyncssh

from virtproto.errors import HostKeyError
from virtproto.transport.resolve import environment, user_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncssh import SSHKey

    from virtproto.model.endpoint import LibsshEndpoint

__all__ = ["HostKeys", "default_file"]

_SSH_PORT = 22
# What helps against a key that is not known.
_REMEDY = "If that is right, add it to the file (ssh-keyscan has it)"
_OR_AUTO = "or have it added with known_hosts_verify=auto"


def default_file() -> str:
    """Return the path of libvirt's own ``known_hosts`` of this user; ssh's is another."""
    return f"{user_folder(environment())}/known_hosts"


class HostKeys:
    """What is known of the keys of one host, and what came of the key that it showed."""

    def __init__(self, endpoint: LibsshEndpoint) -> None:
        """Read the file. Raises HostKeyError for one that cannot be read or understood."""
        self.path = endpoint.known_hosts or default_file()
        # As ssh writes and looks for names: otherwise a host written HOST would be a new one.
        self.name = endpoint.host.lower()
        self._written = self.name
        self._port = None if endpoint.port == _SSH_PORT else endpoint.port
        if self._port is not None:
            self._written = f"[{self.name}]:{self._port}"
        self.mode = endpoint.known_hosts_verify
        self._known, self._authorities, self._revoked = self._read()
        # Why the key is refused, None while it is not; one that is to be accepted or not.
        self.fault: HostKeyError | None = None
        self.unknown: SSHKey | None = None

    @property
    def algorithms(self) -> str:
        """What kind of key to ask the host for, as asyncssh has it: a known one if it has that."""
        if self._authorities:
            # Certificates come first anyway, and are of use here only.
            return "^*-cert-v01@openssh.com"
        if not self._known:
            return "-*-cert-v01@openssh.com"
        names = [name.decode() for key in self._known for name in key.sig_algorithms]
        return "^" + ",".join(dict.fromkeys(names))

    def refused(
        self, _host: str, _addr: str, _port: int | None
    ) -> tuple[list[SSHKey], list[SSHKey], list[SSHKey]]:
        """Return what asyncssh is to know of the file: the keys not to be used. We judge others."""
        return [], [], self._revoked

    def vouches(self, authority: SSHKey) -> bool:
        """Tell whether a key may sign for the host."""
        return authority in self._authorities

    def judge(self, key: SSHKey, can_ask: bool) -> bool:
        """Tell whether to go on with the host's key. Keeps what came of that."""
        if key in self._known:
            return True
        shown = f"{key.get_algorithm()} {key.get_fingerprint()}"
        if self._known:
            self.fault = HostKeyError(
                f"the key of host {self._written} is not the one that {self.path} has: it is now "
                f"{shown}. Somebody may be in between; if the host was set up anew, remove its "
                f"line from that file (ssh-keygen -f {self.path} -R '{self._written}')"
            )
            return False
        if self.mode == "auto" or can_ask:
            self.unknown = key
            return True
        self.fault = HostKeyError(
            f"the key of host {self._written} is not known to {self.path}, and nobody can be "
            f"asked: it is {shown}. {_REMEDY}, give open() a function as credentials, {_OR_AUTO}"
        )
        return False

    def question(self) -> str:
        """Return the words in which people are asked about an unknown key."""
        assert self.unknown is not None
        algorithm, fingerprint = self.unknown.get_algorithm(), self.unknown.get_fingerprint()
        return f"Accept SSH host key {algorithm} {fingerprint} of {self._written} (y/n)?"

    def decline(self) -> None:
        """Keep that the key was not accepted."""
        assert self.unknown is not None
        self.fault = HostKeyError(
            f"the key of host {self._written} is not known to {self.path} and was not accepted: "
            f"{self.unknown.get_algorithm()} {self.unknown.get_fingerprint()}. "
            f"{_REMEDY}, {_OR_AUTO}"
        )

    def accept(self) -> None:
        """Write the key into the file. Raises HostKeyError where that cannot be done."""
        key, self.unknown = self.unknown, None
        assert key is not None
        if not _is_one_name(self.name):
            raise HostKeyError(
                f"the key of host {self._written!r} cannot be written to {self.path}: there the "
                "name would mean other hosts; see that the URI names the right one"
            )
        line = b"%s %s\n" % (self._written.encode(), key.export_public_key().strip())
        try:
            os.makedirs(os.path.dirname(self.path) or ".", mode=0o700, exist_ok=True)
            with open(self.path, "ab", opener=_private) as file:
                file.write((b"" if _ends_a_line(self.path) else b"\n") + line)
        except OSError as error:
            why = error.strerror or str(error)
            raise HostKeyError(
                f"the key of host {self._written} cannot be written to {self.path}: {why}"
            ) from error

    def _read(self) -> tuple[list[SSHKey], list[SSHKey], list[SSHKey]]:
        if self.mode == "ignore":
            return [], [], []
        try:
            with open(self.path, encoding="utf-8", errors="surrogateescape") as file:
                known = asyncssh.import_known_hosts(file.read())
        except FileNotFoundError:
            return [], [], []
        except OSError as error:
            why = error.strerror or str(error)
            raise HostKeyError(f"{self.path}: cannot be read: {why}") from error
        except ValueError as error:
            raise HostKeyError(f"{self.path}: {error}") from error
        keys: list[SSHKey] = []
        authorities: list[SSHKey] = []
        revoked: list[SSHKey] = []
        # libssh2 writes "[host]:22" for the usual port, and "host" is right for it as well.
        for port in (self._port,) if self._port is not None else (_SSH_PORT, None):
            # By the name in the URI only: an address can be anybody's tomorrow.
            found = known.match(self.name, "", port)
            keys += found[0]
            authorities += found[1]
            revoked += found[2]
        return keys, authorities, revoked


def _is_one_name(host: str) -> bool:
    """Tell whether a host's name is one to a file of known hosts, too: no pattern, list or mark."""
    return host.isprintable() and not any(each in ' ,*?!|#@"[]' for each in host)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _ends_a_line(path: str) -> bool:
    """Tell whether a file is empty, or its last line complete."""
    with open(path, "rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
