"""PrivateDaemon: one libvirtd of a test's own, apart from the machine's and from every other.

Responsible for its folder, its configuration, starting it, knowing when it answers, telling why it
does not, and ending it. As root every daemon has its own mount namespace, in which its folder
stands in for /run/libvirt, /var/lib/libvirt and so on, and, unless it is to listen on the loopback
device, its own network namespace; as another user it is a session daemon with its folder as XDG
directories. It must not know which release it runs beyond the root folder it is given.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.place import LabMissingError
from tests.lab.rawcall import AUTH_LIST, RawConnection

__all__ = ["NOBODY", "DaemonError", "PrivateDaemon", "Setting"]

Setting = str | int | Sequence[str]

_START_S = 30.0
_STOP_S = 20.0
NOBODY = 65534  # the user and the group

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_SYSTEM_FOLDERS = {
    "run": "/run/libvirt",
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "cache": "/var/cache/libvirt",
    "log": "/var/log/libvirt",
}

# A dict, because libvirtd takes the first of two equal keys: each key must be written once.
_DAEMON_SETTINGS: dict[str, Setting] = {
    "auth_unix_ro": "none",  # Debian's built-in default is polkit
    "auth_unix_rw": "none",
    "unix_sock_rw_perms": "0777",
    "listen_tls": 0,
    "listen_tcp": 0,
    "max_anonymous_clients": 200,
    "max_clients": 1000,
}

# In root mode: no confinement that needs services, and guests run as whoever runs the daemon.
_QEMU_SESSION_SETTINGS: dict[str, object] = {"security_driver": "none", "stdio_handler": "file"}
_QEMU_SETTINGS: dict[str, object] = {
    **_QEMU_SESSION_SETTINGS,
    "remember_owner": 0,
    "cgroup_controllers": [],
    "namespaces": [],
    "user": "root",
    "group": "root",
}


class DaemonError(Exception):
    """The daemon did not start, or did not stop; the message holds what it said."""


class PrivateDaemon:
    """A libvirtd that lives from ``start()`` to ``stop()``, or as long as a ``with`` block."""

    def __init__(
        self,
        *,
        root: Path | None = None,
        binary: str = "libvirtd",
        settings: Mapping[str, Setting] | None = None,
        capabilities: Path | None = None,
        qemu_settings: Mapping[str, object] | None = None,
        hostname: str = "",
        devices: bool = False,
        folders: Sequence[Path] = (),
        listen: bool = False,
        environment: Mapping[str, str] | None = None,
        binds: Sequence[tuple[Path, str]] = (),
        before: Sequence[Sequence[str]] = (),
        as_nobody: bool = False,
    ) -> None:
        """Describe a daemon.

        ``root`` is a folder with another release's libvirtd unpacked (None: the machine's own),
        ``settings`` override libvirtd.conf, ``qemu_settings`` qemu.conf, ``capabilities`` is a kept
        QEMU capability cache. ``hostname`` is one of its own, as migration asks for. ``devices``
        lets it see interfaces of its own instead of the machine's: lab0 (10.99.0.1/24) and lab1.
        ``folders`` are those it has to find under the paths that they have here. With ``listen``
        it also serves the TCP ports that ``settings`` name, on the machine's loopback device.
        ``environment`` is added to its own; ``binds`` are files and folders that it finds elsewhere
        than here; ``before`` are commands run in its namespace first, each to its end: what they
        leave running ends with the daemon. ``as_nobody`` makes root start a session daemon, of the
        user NOBODY.
        """
        self._root = root
        self._binary = binary
        self._settings = {**_DAEMON_SETTINGS, **(settings or {})}
        self._capabilities = capabilities
        self._qemu_settings = qemu_settings or {}
        self._hostname = hostname
        self._devices = devices
        self._folders = folders
        self._listens = listen
        self._added_environment = dict(environment or {})
        self._added_binds = [[str(source), target] for source, target in binds]
        self._before = [list(command) for command in before]
        self._as_nobody = as_nobody
        self._as_root = os.geteuid() == 0 and not as_nobody
        self._warden: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._folder: Path | None = None

    def __enter__(self) -> PrivateDaemon:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """The daemon's own folder; the daemon sees it under the same path."""
        if self._folder is None:
            raise DaemonError("the daemon was not started")
        return self._folder

    @property
    def socket_path(self) -> str:
        """Path of the read-write unix socket."""
        return str(self._socket_folder / "libvirt-sock")

    @property
    def readonly_socket_path(self) -> str:
        """Path of the read-only unix socket (root mode only)."""
        return str(self._socket_folder / "libvirt-sock-ro")

    @property
    def admin_uri(self) -> str:
        """URI of the daemon's administration."""
        return f"libvirtd:///system?socket={self._socket_folder / 'libvirt-admin-sock'}"

    @property
    def pid(self) -> int:
        """Process id of libvirtd itself."""
        return self._pid

    @property
    def beside(self) -> list[str]:
        """The start of a command that finds the daemon's files and sockets at the usual places.

        The rest of what it sees is this process's, also where the daemon has another root.
        """
        assert self._warden is not None, "the daemon was not started"
        return ["nsenter", f"--target={self._warden.pid}", "--mount", "--root", "--"]

    def uri(self, name: str) -> str:
        """Return a connection URI for driver ``name`` ("test:///default") on this daemon."""
        scheme, _, path = name.partition(":")
        return f"{scheme}+unix:{path}?socket={self.socket_path}"

    def start(self) -> None:
        """Start the daemon and return once it answers calls; DaemonError says why it does not."""
        if self._folder is not None:
            raise DaemonError("the daemon was started before")
        if self._root is None and shutil.which(self._binary, path=_PATH) is None:
            raise LabMissingError(f"{self._binary} is not installed on this machine: run ./test")
        # A unix socket's path has 108 bytes at most, so not below pytest's long temporary folders.
        self._folder = Path(tempfile.mkdtemp(prefix="vp-", dir="/tmp"))
        try:
            self._write_configuration()
            self._launch()
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the daemon and everything it started, and remove its folder."""
        warden, self._warden = self._warden, None
        try:
            if warden is not None:
                self._end(warden)
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def kill(self) -> None:
        """Kill libvirtd as a crash would, and wait until it is gone; ``stop`` still tidies up."""
        os.kill(self._pid, signal.SIGKILL)
        if self._warden is not None:
            self._warden.wait(_STOP_S)

    def restart(self) -> None:
        """Start libvirtd again after ``kill``, where and as it was; return once it answers calls.

        What it keeps in files it finds again; guests have ended with it.
        """
        warden = self._warden
        if warden is None or warden.poll() is None:
            raise DaemonError("the daemon was not killed")
        for pipe in (warden.stdin, warden.stdout):
            assert pipe is not None
            pipe.close()
        self._launch()
        self._wait_until_it_answers()

    def wait_for_its_end(self) -> None:
        """Wait until libvirtd has ended by itself; ``stop`` still tidies up."""
        if self._warden is not None:
            self._warden.wait(_STOP_S)

    @property
    def has_ended(self) -> bool:
        """Whether libvirtd has ended, by itself or because it was told to."""
        return self._warden is not None and self._warden.poll() is not None

    def freeze(self) -> None:
        """Make libvirtd stop doing anything, without closing a socket."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen libvirtd go on."""
        os.kill(self._pid, signal.SIGCONT)

    def report(self) -> str:
        """Return what the daemon said on stderr and in its log."""
        said = []
        for path in (self.folder / "stderr", self._log_file):
            if path.exists() and (text := path.read_text(errors="replace").strip()):
                said.append(f"--- {path.name}\n{text[-4000:]}")
        return "\n".join(said) or "(it said nothing)"

    @property
    def _socket_folder(self) -> Path:
        return self.folder / "run" if self._as_root else self.folder / "run" / "libvirt"

    @property
    def _log_file(self) -> Path:
        return self.folder / "log" / "libvirtd.log"

    def _write_configuration(self) -> None:
        for name in _SYSTEM_FOLDERS:
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)  # others must be able to reach the socket and be refused there
        settings = {"log_outputs": f"2:file:{self._log_file}", **self._settings}
        (self.folder / "libvirtd.conf").write_text(_lines(settings))
        etc, cache = self.folder / "etc", self.folder / "cache"
        if not self._as_root:
            etc, cache = etc / "libvirt", cache / "libvirt"
            etc.mkdir()
        defaults = _QEMU_SETTINGS if self._as_root else _QEMU_SESSION_SETTINGS
        (etc / "qemu.conf").write_text(_lines({**defaults, **self._qemu_settings}))
        if self._capabilities is not None:
            shutil.copytree(self._capabilities, cache, dirs_exist_ok=True)
        if self._as_nobody:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def _launch(self) -> None:
        folder = str(self.folder)
        files = ["--config", f"{folder}/libvirtd.conf", "--pid-file", f"{folder}/pid"]
        targets = _SYSTEM_FOLDERS if self._as_root else {}
        binds = [[f"{folder}/{name}", target] for name, target in targets.items()]
        if self._root is not None:
            binds += [[seen, seen] for seen in (folder, *map(str, self._folders))]
        order = {
            "command": [self._binary, *files, *(["--listen"] if self._listens else [])],
            "before": self._before,
            "folder": folder,
            "binds": binds + self._added_binds,
            "root": str(self._root or ""),
            "user": f"{NOBODY}:{NOBODY}" if self._as_nobody else "",
            "hostname": self._hostname,
            "devices": self._devices,
        }
        apart = ["unshare", "--mount", "--propagation", "private"]
        if not self._listens:
            apart.append("--net")
        if self._hostname:
            apart.append("--uts")
        command = [
            *(apart if os.geteuid() == 0 else []),
            *(sys.executable, "-ISE", str(Path(__file__).with_name("warden.py"))),
            json.dumps(order),
        ]
        with open(self.folder / "stderr", "wb") as stderr:
            self._warden = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=self._environment(),
                start_new_session=True,  # an interrupt at the terminal is the test run's to handle
            )

    def _environment(self) -> dict[str, str]:
        environment = {"PATH": _PATH, "LC_ALL": "C", "HOME": str(self.folder)}
        if not self._as_root:
            for variable, name in (
                ("XDG_RUNTIME_DIR", "run"),
                ("XDG_CONFIG_HOME", "etc"),
                ("XDG_CACHE_HOME", "cache"),
                ("XDG_DATA_HOME", "lib"),
            ):
                environment[variable] = str(self.folder / name)
        return environment | self._added_environment

    def _wait_until_it_answers(self) -> None:
        # The socket accepts before the drivers are ready, and the daemon may still die after that:
        # only an answer to a call counts. libvirtd offers no event to wait for, hence the polling.
        warden = self._warden
        assert warden is not None
        assert warden.stdout is not None
        deadline = time.monotonic() + _START_S
        if select.select([warden.stdout], [], [], _START_S)[0]:
            self._pid = int(warden.stdout.readline() or 0)
        while time.monotonic() < deadline:
            try:
                with RawConnection(self.socket_path, _START_S) as connection:
                    connection.call(AUTH_LIST)
                return
            except OSError:
                if warden.poll() is not None:
                    raise DaemonError(
                        f"libvirtd ended with code {warden.returncode}\n{self.report()}"
                    ) from None
            time.sleep(0.005)
        raise DaemonError(f"libvirtd did not answer within {_START_S:g} s\n{self.report()}")

    def _end(self, warden: subprocess.Popen[bytes]) -> None:
        assert warden.stdin is not None
        assert warden.stdout is not None
        if self._pid and warden.poll() is None:
            self.thaw()
        warden.stdin.close()
        try:
            warden.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            warden.kill()
            warden.wait()
            raise DaemonError(f"the warden of {self.folder} had to be killed") from None
        finally:
            warden.stdout.close()


def _lines(settings: Mapping[str, object]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
