"""The roads of the benchmark, and the daemons at their ends.

Responsible for starting what each road needs and for the URIs that lead along it. Must not know
what is measured.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import virtproto
from tests.lab.daemon import PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.pki import Lab
from tests.lab.ports import free_port
from tests.lab.sshd import SshHost
from tests.live.node import Node
from tests.live.protected import USER, protected_daemon

__all__ = ["ROADS", "Place", "places"]

ROADS = ("unix", "tcp", "tls", "digest-md5", "gssapi", "ssh")
# How many domains the list has.
DOMAINS = 1000

_POOL = "<pool type='dir'><name>bench</name><target><path>{path}</path></target></pool>"
_VOLUME = """\
<volume><name>v</name><capacity>{size}</capacity><allocation>0</allocation>
<target><format type='raw'/></target></volume>"""


@dataclass(frozen=True)
class Place:
    """Where one road leads: the URI of a driver with few domains, with many, and with volumes."""

    title: str
    few: str
    many: str
    volumes: str


@contextlib.contextmanager
def places(roads: Sequence[str], cpus: set[int], volume_size: int) -> Iterator[list[Place]]:
    """What ``roads`` take, in their order: daemons on ``cpus``, each with a full volume "v".

    The volume is in the pool "bench", and this process's environment is that of a user with a
    ticket where a road wants one.
    """
    with ExitStack() as stack:
        open_door = _OpenDoor(stack, cpus, volume_size)
        found = []
        if set(roads) & {"unix", "tcp", "tls", "ssh"}:
            open_door.start()
            found += open_door.places()
        if set(roads) & {"digest-md5", "gssapi"}:
            found += _asking(stack, cpus, volume_size)
        if "ssh" in roads:
            found.append(open_door.by_ssh())
        yield [place for road in roads for place in found if place.title == road]


class _OpenDoor:
    """A daemon that lets everybody in, by its socket, by TCP, by TLS and by ssh."""

    def __init__(self, stack: ExitStack, cpus: set[int], volume_size: int) -> None:
        self._stack = stack
        self._cpus = cpus
        self._volume_size = volume_size

    def start(self) -> None:
        """Start it, and lay out what is asked of it."""
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="vp-roads-")))
        self._pki = Lab(folder / "pki")
        self._tcp, self._tls = free_port(), free_port()
        settings = {
            **self._pki.settings(),
            "listen_tcp": 1,
            "auth_tcp": "none",
            "tcp_port": str(self._tcp),
            "tls_port": str(self._tls),
        }
        daemon = private_daemon("9.0.0", settings, listen=True)
        self._daemon = self._stack.enter_context(daemon)
        self._node = _furnish(self._stack, daemon, self._cpus, self._volume_size)

    def places(self) -> list[Place]:
        """Return where one comes to without ssh."""
        pki = f"pkipath={self._pki.client('good')}"
        return [
            _place("unix", "unix", "", f"socket={self._daemon.socket_path}", self._node),
            _place("tcp", "tcp", f"localhost:{self._tcp}", "", self._node),
            _place("tls", "tls", f"localhost:{self._tls}", pki, self._node),
        ]

    def by_ssh(self) -> Place:
        """Return where one comes to by the program."""
        host = self._stack.enter_context(SshHost(self._daemon))
        return Place("ssh", *map(host.uri, _drivers(self._node)))


def _asking(stack: ExitStack, cpus: set[int], volume_size: int) -> list[Place]:
    ready = stack.enter_context(protected_daemon())
    os.environ.update(ready.kdc.ticket(USER))
    node = _furnish(stack, ready.daemon, cpus, volume_size, ready.parameters("DIGEST-MD5"))
    found = []
    for mechanism in ("digest-md5", "gssapi"):
        parameters = ready.parameters(mechanism.upper())
        found.append(_place(mechanism, "tcp", f"localhost:{ready.tcp}", parameters, node))
    return found


def _drivers(node: str) -> tuple[str, str, str]:
    return "test:///default", f"test://{node}", "storage:///system"


def _place(title: str, transport: str, host: str, parameters: str, node: str) -> Place:
    def uri(name: str) -> str:
        scheme, _, path = name.partition("://")
        query = f"?{parameters}" if parameters else ""
        return f"{scheme}+{transport}://{host}{path}{query}"

    return Place(title, *map(uri, _drivers(node)))


def _furnish(
    stack: ExitStack, daemon: PrivateDaemon, cpus: set[int], volume_size: int, more: str = ""
) -> str:
    """Give a daemon its CPUs, many domains and a volume in memory; return the domains' file."""
    for task in os.listdir(f"/proc/{daemon.pid}/task"):
        os.sched_setaffinity(int(task), cpus)
    folder = Path(tempfile.mkdtemp(prefix="vp-roads-", dir="/dev/shm"))
    stack.callback(shutil.rmtree, folder)
    (folder / "source").write_bytes(os.urandom(1 << 20) * (volume_size >> 20))
    (folder / "pool").mkdir()
    uri = "&".join([daemon.uri("storage:///system"), *([more] if more else [])])
    connection = stack.enter_context(virtproto.open(uri))
    pool = connection.create_storage_pool(_POOL.format(path=folder / "pool"))
    stack.callback(_quietly, pool.destroy)
    pool.create_volume(_VOLUME.format(size=volume_size)).upload_from(folder / "source")
    return Node(daemon, DOMAINS).uri.partition("://")[2].partition("?")[0]


def _quietly(destroy: Callable[[], object]) -> None:
    with contextlib.suppress(virtproto.VirtprotoError):
        destroy()
