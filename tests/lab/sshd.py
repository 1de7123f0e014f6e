"""A host with an SSH server of a test's own, whose libvirtd is one of the lab.

Responsible for OpenSSH's sshd in a daemon's mount namespace, so that what it runs there finds that
daemon under the usual paths, and for the keys and files of its users. Nothing of the machine's own
ssh, or of whoever runs the tests, is read or changed. Must not know what is done by ssh.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from tests.lab.daemon import PrivateDaemon
from tests.lab.place import LabMissingError
from tests.lab.ports import free_port

__all__ = ["SshHost", "make_key"]

_START_S = 20.0
_STOP_S = 10.0
_LOOK_AGAIN_S = 0.01
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_SETTINGS = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
UseDNS no
LogLevel ERROR
{more}"""

# A program in ssh's place, as command= takes it: ssh without what this machine's user has set.
_WRAPPER = """\
#!/bin/sh
exec ssh -F none -o UserKnownHostsFile={folder}/known -o GlobalKnownHostsFile=/dev/null \
-o IdentitiesOnly=yes "$@"
"""


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> None:
    """Write a private key, and its public half beside it. A passphrase makes it PKCS#8."""
    how = ["-m", "PKCS8", "-b", "2048"] if passphrase else []
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, *how, "-C", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


class SshHost:
    """An sshd for a ``with`` block; user root gets in with ``keyfile``."""

    def __init__(
        self, daemon: PrivateDaemon, *, programs: tuple[str, ...] | None = None, more: str = ""
    ) -> None:
        """Describe a host.

        ``programs`` are the only ones that are found there, None for all that the machine has;
        ``more`` are further lines of sshd_config.
        """
        self._daemon = daemon
        self._programs = programs
        self._more = more
        self._folder: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def folder(self) -> Path:
        """Where its files are: ``host``, ``id`` and ``known`` among them."""
        assert self._folder is not None, "the host was not started"
        return self._folder

    @property
    def keyfile(self) -> str:
        """A private key that is let in."""
        return str(self.folder / "id")

    @property
    def known_hosts(self) -> str:
        """A file that knows the host's key."""
        return str(self.folder / "known")

    @property
    def wrapper(self) -> str:
        """A program for ``command=`` that runs ssh with ``known_hosts``."""
        return str(self.folder / "ssh")

    @property
    def host_key(self) -> str:
        """The host's public key, as it stands in files."""
        return (self.folder / "host.pub").read_text().strip()

    @property
    def netloc(self) -> str:
        """User, host and port, as a URI has them."""
        return f"root@127.0.0.1:{self.port}"

    def uri(self, name: str, transport: str = "ssh", **parameters: str | int | None) -> str:
        """Return a URI for driver ``name``; ``parameters`` are added to what leads there.

        Those that are None are left out, also where they would have been there.
        """
        usual: dict[str, str | int | None] = {"keyfile": self.keyfile}
        if transport == "ssh":
            usual |= {"command": self.wrapper, "no_tty": 1}
        else:
            usual |= {"known_hosts": self.known_hosts, "sshauth": "privkey"}
        given = {key: value for key, value in (usual | parameters).items() if value is not None}
        query = "&".join(f"{key}={quote(str(value), safe='/')}" for key, value in given.items())
        scheme, _, path = name.partition("://")
        return f"{scheme}+{transport}://{self.netloc}{path}?{query}"

    def __enter__(self) -> SshHost:
        if shutil.which("sshd", path=_PATH) is None:
            raise LabMissingError("sshd is not installed on this machine: run ./test")
        self._folder = Path(tempfile.mkdtemp(prefix="vp-ssh-", dir="/tmp"))
        try:
            self._lay_out()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server with all its connections, and remove its files."""
        server, self._server = self._server, None
        if server is not None:
            # It and those of its processes that have not become a user's.
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _lay_out(self) -> None:
        folder = self.folder
        self.port = free_port()
        make_key(folder / "host")
        make_key(folder / "id")
        shutil.copy(folder / "id.pub", folder / "authorized")
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {self.host_key}\n")
        (folder / "ssh").write_text(_WRAPPER.format(folder=folder))
        (folder / "ssh").chmod(0o755)
        more = self._more
        if self._programs is not None:
            more += f"\nSetEnv PATH={self._make_programs(self._programs)}\n"
        settings = _SETTINGS.format(port=self.port, folder=folder, more=more)
        (folder / "sshd_config").write_text(settings)

    def _make_programs(self, names: tuple[str, ...]) -> Path:
        found = self.folder / "bin"
        found.mkdir()
        for name in names:
            program = shutil.which(name, path=_PATH)
            assert program is not None, name
            (found / name).symlink_to(program)
        return found

    def _start(self) -> None:
        os.makedirs("/run/sshd", exist_ok=True)  # where sshd locks up those who are not in yet
        sshd = shutil.which("sshd", path=_PATH)
        assert sshd is not None
        log = self.folder / "log"
        command = [
            *("setpriv", "--pdeathsig", "TERM"),
            *self._daemon.beside,
            *(sshd, "-D", "-f", str(self.folder / "sshd_config"), "-E", str(log)),
        ]
        self._server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt at the terminal is the test run's to handle
            env={"PATH": _PATH, "LC_ALL": "C"},
        )
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                said = log.read_text() if log.exists() else ""
                raise LabMissingError(f"{shlex.join(command)} does not answer: {said}")
            time.sleep(_LOOK_AGAIN_S)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), _START_S) as probe:
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False
