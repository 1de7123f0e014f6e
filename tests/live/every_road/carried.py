"""Roads through a proxy that overhears them: to the client each is a socket of this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tests.live.every_road import hosts, local, passwords, shells
from tests.live.every_road.scene import Scene
from tests.live.every_road.way import ROADS, Way
from tests.proxy.process import Proxy, proxy

# Imported for the roads that they bring.
__all__ = ["hosts", "local", "passwords", "shells"]

# What the proxy's own road is to lead over.
Behind = Callable[[Scene], Way]


def with_password(scene: Scene) -> Way:
    """A road that others could listen on, to a daemon that wants a password of whoever comes."""
    ready = scene.having(passwords.asking_daemon)
    way = ready.parameters("DIGEST-MD5")
    return Way(ready.daemon, "tcp", f"localhost:{ready.tcp}", way)


def with_certificate(scene: Scene) -> Way:
    """A road that nobody can listen on, to a daemon that wants a password all the same."""
    ready = scene.having(passwords.asking_daemon)
    way = f"pkipath={ready.pki.client('good')}"
    return Way(ready.daemon, "tls", f"localhost:{ready.tls}", way)


def road(
    name: str,
    behind: Behind,
    *,
    listen: str | None = None,
    more: Callable[[Scene], str] = lambda scene: "",
) -> None:
    """Have the road ``behind`` taken by a proxy, whom clients come to with ``more`` parameters."""

    @contextlib.contextmanager
    def carrying(scene: Scene) -> Iterator[Proxy]:
        far = behind(scene)
        folder = scene.folder / name.replace(" ", "-").replace(",", "")
        folder.mkdir()
        with contextlib.ExitStack() as stack:
            # As its environment is to be.
            with far.during():
                made = proxy(folder, far.uri("test:///default"), listen=listen)
                ready = stack.enter_context(made)
            yield ready

    def make(scene: Scene) -> Way:
        far, ready = behind(scene), scene.having(carrying)
        transport, host, parameters = "unix", "", f"socket={ready.address}{more(scene)}"
        if listen is not None:
            transport, host, parameters = "tcp", ready.address.removeprefix("tcp:"), ""
        return Way(
            far.daemon, transport, host, parameters, secure=listen is None, version=far.version
        )

    ROADS[name] = make


def own_password(scene: Scene) -> str:
    return "&" + scene.having(passwords.asking_daemon).parameters("SCRAM-SHA-256")


road("carried, unix", local.unix)
road("carried, tcp to unix", local.unix, listen="tcp:127.0.0.1:0")
road("carried, tls", hosts.tls)
road("carried, ssh", ROADS["ssh, netcat"])
road("carried, libssh", ROADS["libssh, native"])
road("carried, password of the proxy", with_password)
road("carried, password of the client", with_certificate, more=own_password)
