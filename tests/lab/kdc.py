"""A Kerberos realm of a test's own: MIT's KDC as a plain process, with users and services.

Responsible for its files, its database, starting and ending it, and for users' tickets. Nothing of
the machine's own Kerberos is read or changed: all that matters is in ``environment``. It must not
know who asks for tickets, or what for.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.lab.place import LabMissingError
from tests.lab.ports import free_port

__all__ = ["Kdc"]

_START_S = 20.0
_LOOK_AGAIN_S = 0.02
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# A daemon takes whichever of its services it is asked for, and names are not looked up anywhere.
_CLIENT_FILE = """\
[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 ignore_acceptor_hostname = true
 default_ccache_name = FILE:{folder}/no-tickets
[realms]
 {realm} = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
{hosts}
[logging]
 kdc = FILE:{folder}/kdc.log
"""
_KDC_FILE = """\
[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 {realm} = {{
  database_name = {folder}/principal
  key_stash_file = {folder}/stash
  supported_enctypes = aes256-cts:normal aes128-cts:normal
 }}
"""


class Kdc:
    """A KDC that lives from ``start()`` to ``stop()``, or as long as a ``with`` block.

    It knows the services ``libvirt@HOST`` for each of ``hosts``, whose keys are in ``keytab``, and
    each of ``users``. ``environment`` is what a program takes to live in the realm, a daemon to
    be one of the services; ``ticket`` logs a user in.
    """

    realm = "LAB.TEST"

    def __init__(self, hosts: Iterable[str] = (), users: Iterable[str] = ("fred",)) -> None:
        self._hosts = list(dict.fromkeys((*hosts, "localhost", "127.0.0.1", socket.gethostname())))
        self._users = list(users)
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def __enter__(self) -> Kdc:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """The realm's own folder."""
        assert self._folder is not None, "the KDC was not started"
        return self._folder

    @property
    def keytab(self) -> Path:
        """The keys of the services."""
        return self.folder / "services.keytab"

    @property
    def environment(self) -> dict[str, str]:
        """What makes a program live in this realm; it has no tickets yet."""
        return {
            "KRB5_CONFIG": str(self.folder / "krb5.conf"),
            "KRB5_KTNAME": f"FILE:{self.keytab}",
            "KRB5CCNAME": f"FILE:{self.folder / 'no-tickets'}",
            "KRB5RCACHENAME": "none:",  # else a service keeps a file on the machine
        }

    def start(self) -> None:
        """Make the realm and start its KDC; return once it gives tickets."""
        if shutil.which("krb5kdc", path=_PATH) is None:
            raise LabMissingError("krb5kdc is not installed on this machine: run ./test")
        self._folder = Path(tempfile.mkdtemp(prefix="vp-kdc-", dir="/tmp"))
        try:
            self.folder.chmod(0o755)  # a daemon may run as another user
            self._port = free_port()
            self._write_configuration()
            self._make_database()
            self._launch()
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the KDC and remove the realm's folder."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def ticket(self, user: str, lifetime: str = "1h") -> dict[str, str]:
        """Return the environment in which ``user`` is logged in for ``lifetime``."""
        tickets = f"FILE:{tempfile.mktemp(prefix=f'{user}-', dir=self.folder)}"
        self._kinit(user, lifetime, tickets)
        return self.environment | {"KRB5CCNAME": tickets}

    def expired_ticket(self, user: str) -> dict[str, str]:
        """Return the environment in which ``user`` was logged in once; takes some two seconds."""
        # Clocks may differ, so an old ticket is taken for a while that is minutes elsewhere.
        strict = self._changed("strict.conf", "[libdefaults]\n", "[libdefaults]\n clockskew = 1\n")
        environment = self.ticket(user, "1s") | strict
        asking = ["kvno", "-q", "--no-store", "libvirt/localhost"]
        # Nothing tells of a ticket's end but the clock.
        while not subprocess.run(
            asking, env=self._for_tools(environment), stderr=subprocess.DEVNULL
        ).returncode:
            time.sleep(_LOOK_AGAIN_S)
        return environment

    def without_kdc(self, environment: dict[str, str]) -> dict[str, str]:
        """Return ``environment`` in a realm whose KDC nobody reaches."""
        return self.with_other_kdc(environment, free_port())

    def with_other_kdc(self, environment: dict[str, str], port: int) -> dict[str, str]:
        """Return ``environment`` in a realm whose KDC is whatever listens on ``port``."""
        changed = self._changed(f"at-{port}.conf", f":{self._port}\n", f":{port}\n")
        return environment | changed

    def _changed(self, name: str, text: str, by: str) -> dict[str, str]:
        """Return what puts a program into a realm configured otherwise."""
        path = self.folder / name
        path.write_text((self.folder / "krb5.conf").read_text().replace(text, by))
        return {"KRB5_CONFIG": str(path)}

    def _write_configuration(self) -> None:
        values = {
            "realm": self.realm,
            "folder": self.folder,
            "port": self._port,
            "hosts": "\n".join(f" {host} = {self.realm}" for host in self._hosts),
        }
        (self.folder / "krb5.conf").write_text(_CLIENT_FILE.format(**values))
        (self.folder / "kdc.conf").write_text(_KDC_FILE.format(**values))

    def _make_database(self) -> None:
        self._run(["kdb5_util", "create", "-r", self.realm, "-s", "-P", "lab"])
        orders = []
        for host in self._hosts:
            orders += [
                f"addprinc -randkey libvirt/{host}",
                f"ktadd -k {self.keytab} libvirt/{host}",
            ]
        for user in self._users:
            orders += [f"addprinc -pw {user}pw {user}"]
            orders += [f"ktadd -k {self.folder}/{user}.keytab -norandkey {user}"]
        said = self._run(["kadmin.local"], "".join(f"{order}\n" for order in orders))
        missing = [name for name in (self.keytab, *self._user_keytabs()) if not name.exists()]
        if missing:
            raise RuntimeError(f"kadmin.local made no {missing}: {said}")
        self.keytab.chmod(0o644)

    def _user_keytabs(self) -> list[Path]:
        return [self.folder / f"{user}.keytab" for user in self._users]

    def _launch(self) -> None:
        with open(self.folder / "kdc.out", "wb") as said:
            self._process = subprocess.Popen(
                # It dies with whoever started it, in whatever way that ends.
                ["setpriv", "--pdeathsig", "KILL", "krb5kdc", "-n", "-P", str(self.folder / "pid")],
                env=self._for_tools({"KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self._port), _START_S):
                    return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = (self.folder / "kdc.out").read_text(errors="replace")
                    raise RuntimeError(f"krb5kdc does not answer: {said}") from None
            time.sleep(_LOOK_AGAIN_S)

    def _kinit(self, user: str, lifetime: str, tickets: str) -> None:
        keytab = str(self.folder / f"{user}.keytab")
        command = ["kinit", "-l", lifetime, "-c", tickets, "-k", "-t", keytab, user]
        self._run(command)

    def _run(self, command: list[str], entered: str = "") -> str:
        ended = subprocess.run(
            command,
            env=self._for_tools({"KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}),
            input=entered,
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            raise RuntimeError(f"{command[0]} failed: {ended.stderr or ended.stdout}")
        return ended.stdout + ended.stderr

    def _for_tools(self, more: dict[str, str]) -> dict[str, str]:
        return {"PATH": _PATH, "LC_ALL": "C", "HOME": os.devnull} | self.environment | more
