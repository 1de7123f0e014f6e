"""Roads that do not leave the machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

from tests.lab.daemon import NOBODY, PrivateDaemon
from tests.lab.fixtures import private_daemon
from tests.lab.polkit import polkit_daemon
from tests.live.every_road.scene import Scene
from tests.live.every_road.way import Way, road

_CHUNK = 1 << 16
_PR_SET_SECUREBITS = 28  # linux/prctl.h
_NO_SETUID_FIXUP = 4  # linux/securebits.h
_WELCOME = "polkit.addRule(function(action, subject) { return polkit.Result.YES; });"


def plain_daemon(scene: Scene) -> AbstractContextManager[PrivateDaemon]:
    return private_daemon("9.0.0")


def session_daemon(scene: Scene) -> AbstractContextManager[PrivateDaemon]:
    return private_daemon("9.0.0", as_nobody=True)


def asking_daemon(scene: Scene) -> AbstractContextManager[PrivateDaemon]:
    return polkit_daemon(_WELCOME)


@road("unix")
def unix(scene: Scene) -> Way:
    daemon = scene.having(plain_daemon)
    return Way(daemon, "unix", parameters=f"socket={daemon.socket_path}")


@road("unix, read-only")
def unix_readonly(scene: Scene) -> Way:
    daemon = scene.having(plain_daemon)
    return Way(daemon, "unix", parameters=f"socket={daemon.readonly_socket_path}", readonly=True)


@road("unix, a daemon of one's own")
def session(scene: Scene) -> Way:
    daemon = scene.having(session_daemon)
    return Way(
        daemon,
        "unix",
        parameters=f"socket={daemon.socket_path}",
        storage="storage:///session",
        owner=NOBODY,
    )


@road("unix, polkit")
def polkit(scene: Scene) -> Way:
    daemon = scene.having(asking_daemon)
    return Way(
        daemon,
        "unix",
        parameters=f"socket={daemon.socket_path}&auth=polkit",
        during=lambda: as_user(NOBODY),
    )


@road("sock=, unix")
def connected_socket(scene: Scene) -> Way:
    daemon = scene.having(plain_daemon)

    def connected() -> dict[str, socket.socket]:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(daemon.socket_path)
        return {"sock": sock}

    return Way(daemon, "unix", options=connected)


@road("sock=, a function")
def socket_maker(scene: Scene) -> Way:
    daemon = scene.having(plain_daemon)

    def connect() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(daemon.socket_path)
        return sock

    return Way(daemon, "unix", options=lambda: {"sock": connect})


@road("sock=, a pair")
def socket_pair(scene: Scene) -> Way:
    """A tunnel of the caller's own, of which this side has one end."""
    daemon = scene.having(plain_daemon)

    def tunnelled() -> dict[str, socket.socket]:
        near, far = socket.socketpair()
        threading.Thread(target=_carry, args=(far, daemon.socket_path), daemon=True).start()
        return {"sock": near}

    return Way(daemon, "unix", options=tunnelled)


@contextlib.contextmanager
def as_user(user: int) -> Iterator[None]:
    """Be that user for a block, as far as daemons see; our own files can be read all the same."""
    _keep_rights(True)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        _keep_rights(False)


def _keep_rights(keep: bool) -> None:
    """Have root's capabilities outlast a change of user, or not."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP * keep, 0, 0, 0)


def _carry(near: socket.socket, path: str) -> None:
    """Carry bytes between a socket and the one at a path, until one of them ends."""
    with near, socket.socket(socket.AF_UNIX) as far:
        far.connect(path)
        to = {near: far, far: near}
        while True:
            for source in select.select([near, far], [], [])[0]:
                data = source.recv(_CHUNK)
                if not data:
                    return
                to[source].sendall(data)
