"""Roads along a program that carries bytes: ssh, any other, and SSH spoken by this process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager

from tests.lab.sshd import SshHost
from tests.live.every_road.local import plain_daemon
from tests.live.every_road.scene import Scene
from tests.live.every_road.way import ROADS, Way, in_environment, road

_SOCKET = "/run/libvirt/libvirt-sock"
# What a shell on the far side needs, and nothing that leads to a daemon.
_BARE = ("sh", "bash", "grep", "which")


def ssh_host(scene: Scene) -> AbstractContextManager[SshHost]:
    return SshHost(scene.having(plain_daemon))


def bare_host(scene: Scene) -> AbstractContextManager[SshHost]:
    return SshHost(scene.having(plain_daemon), programs=_BARE)


@contextlib.contextmanager
def home(scene: Scene) -> Iterator[str]:
    """A home without keys, hosts or settings."""
    path = scene.folder / "home"
    path.mkdir()
    yield str(path)


def ssh_road(name: str, transport: str, *, bare: bool = False, **parameters: str) -> None:
    """Have a road by ssh; ``bare`` leads to a host where no program leads on."""

    def make(scene: Scene) -> Way:
        host = scene.having(bare_host if bare else ssh_host)
        query = host.uri("test:///default", transport, **parameters).partition("?")[2]
        own = {"HOME": scene.having(home)}
        return Way(
            scene.having(plain_daemon),
            transport,
            host.netloc,
            query,
            during=lambda: in_environment(own),
        )

    ROADS[f"{transport}, {name}"] = make


for _transport in ("ssh", "libssh"):
    ssh_road("native", _transport, proxy="native")
    ssh_road("netcat", _transport, proxy="netcat")
    ssh_road("automatic", _transport)
ssh_road("a socket", "libssh2", socket=_SOCKET)
ssh_road("no program there", "libssh", bare=True)


@road("ext")
def external(scene: Scene) -> Way:
    daemon = scene.having(plain_daemon)
    program = scene.folder / "program"
    program.write_text(f"#!/bin/sh\nexec nc -U {daemon.socket_path}\n")
    os.chmod(program, 0o755)
    return Way(daemon, "ext", parameters=f"command={program}", secure=False)
