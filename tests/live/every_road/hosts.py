"""Roads to a host: TCP, and TLS over it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.lab.daemon import PrivateDaemon, Setting
from tests.lab.fixtures import private_daemon
from tests.lab.pki import Lab
from tests.lab.ports import free_port
from tests.live.every_road.scene import Scene
from tests.live.every_road.way import Way, road

__all__ = ["certificates", "connected_to"]


@dataclass(frozen=True)
class Host:
    """A daemon that listens on two ports, one of them for TLS."""

    daemon: PrivateDaemon
    tcp: int
    tls: int


@contextlib.contextmanager
def certificates(scene: Scene) -> Iterator[Lab]:
    yield Lab(scene.folder / "pki")


def listening_daemon(scene: Scene) -> AbstractContextManager[Host]:
    return listening(scene, "9.0.0")


def oldest_daemon(scene: Scene) -> AbstractContextManager[Host]:
    return listening(scene, "7.0.0")


def newest_daemon(scene: Scene) -> AbstractContextManager[Host]:
    return listening(scene, "12.8.0")


@contextlib.contextmanager
def listening(scene: Scene, version: str) -> Iterator[Host]:
    lab = scene.having(certificates)
    tcp, tls = free_port(), free_port()
    ports: dict[str, Setting] = {
        "listen_tcp": 1,
        "auth_tcp": "none",
        "tcp_port": str(tcp),
        "tls_port": str(tls),
    }
    settings = {**lab.settings(), **ports}
    seen = [(lab.folder, str(lab.folder))]
    with private_daemon(version, settings, listen=True, binds=seen) as daemon:
        yield Host(daemon, tcp, tls)


def connected_to(port: int) -> dict[str, socket.socket]:
    return {"sock": socket.create_connection(("127.0.0.1", port))}


@road("tcp")
def tcp(scene: Scene) -> Way:
    host = scene.having(listening_daemon)
    return Way(host.daemon, "tcp", f"localhost:{host.tcp}", secure=False)


@road("tls")
def tls(scene: Scene) -> Way:
    return tls_way(scene, listening_daemon)


@road("tls, the oldest daemon")
def tls_to_the_oldest(scene: Scene) -> Way:
    return tls_way(scene, oldest_daemon, version="7.0.0")


@road("tls, the newest daemon")
def tls_to_the_newest(scene: Scene) -> Way:
    return tls_way(scene, newest_daemon, version="12.8.0")


@road("tls 1.2")
def tls_1_2(scene: Scene) -> Way:
    return tls_way(scene, listening_daemon, more="&tls_priority=NORMAL:-VERS-TLS1.3")


def tls_way(
    scene: Scene,
    daemon: Callable[[Scene], AbstractContextManager[Host]],
    *,
    more: str = "",
    version: str = "9.0.0",
) -> Way:
    host = scene.having(daemon)
    parameters = f"pkipath={scene.having(certificates).client('good')}{more}"
    name = f"localhost:{host.tls}"
    return Way(host.daemon, "tls", name, parameters, encrypted=True, version=version)


@road("sock=, tcp")
def tcp_socket(scene: Scene) -> Way:
    host = scene.having(listening_daemon)
    return Way(
        host.daemon, "tcp", "example.invalid", options=lambda: connected_to(host.tcp), secure=False
    )


@road("sock=, tls")
def tls_socket(scene: Scene) -> Way:
    """The URI names the host to verify; the socket leads there."""
    host = scene.having(listening_daemon)
    pki = f"pkipath={scene.having(certificates).client('good')}"
    return Way(
        host.daemon,
        "tls",
        "localhost",
        pki,
        options=lambda: connected_to(host.tls),
        encrypted=True,
    )
