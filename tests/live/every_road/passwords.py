"""Roads whose daemon wants a password, or a ticket: SASL."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from tests.live.every_road.hosts import connected_to
from tests.live.every_road.scene import Scene
from tests.live.every_road.way import ROADS, Way, in_environment
from tests.live.protected import PASSWORD, USER, Protected, protected_daemon
from virtproto import Credentials, CredentialType

_ALL = "scram-sha-1 scram-sha-256 scram-sha-512 plain anonymous digest-md5 gssapi"
_ANSWERS = {CredentialType.AUTHNAME: USER, CredentialType.PASSPHRASE: PASSWORD}


def asking_daemon(scene: Scene) -> AbstractContextManager[Protected]:
    return protected_daemon(_ALL)


@contextlib.contextmanager
def logged_in(scene: Scene) -> Iterator[Mapping[str, str]]:
    """The environment of a user with a ticket."""
    yield scene.having(asking_daemon).kdc.ticket(USER)


def known() -> dict[str, Any]:
    return {"credentials": Credentials(USER, PASSWORD)}


def asked() -> dict[str, Any]:
    """A function that is asked, and knows nothing but what it is asked for."""
    return {"credentials": lambda requests: [_ANSWERS[each.kind] for each in requests]}


def ticket(scene: Scene) -> Callable[[], AbstractContextManager[None]]:
    environment = scene.having(logged_in)
    return lambda: in_environment(environment)


def road(
    transport: str,
    mechanism: str,
    *,
    told: Callable[[], dict[str, Any]] = dict,
    given: bool = False,
) -> None:
    """Have a road over ``transport`` by ``mechanism``; ``given`` one over a socket of our own."""

    def make(scene: Scene) -> Way:
        ready = scene.having(asking_daemon)
        host, parameters = {
            "unix": ("", f"socket={ready.daemon.socket_path}"),
            "tcp": (f"localhost:{ready.tcp}", ""),
            "tls": (f"localhost:{ready.tls}", f"pkipath={ready.pki.client('good')}"),
        }[transport]
        way = [f"auth=sasl.{mechanism.upper()}", *([parameters] if parameters else [])]
        if told is dict and mechanism not in ("gssapi", "anonymous"):
            way.append(f"authfile={ready.folder / 'good.conf'}")
        return Way(
            ready.daemon,
            transport,
            host,
            "&".join(way),
            options=lambda: {**told(), **(connected_to(ready.tcp) if given else {})},
            during=ticket(scene) if mechanism == "gssapi" else contextlib.nullcontext,
            encrypted=transport != "unix",
        )

    name = f"{transport}, {mechanism}"
    ROADS[f"sock=, {name}" if given else name] = make


# Where others could listen, what follows is protected by the mechanism itself.
road("tcp", "digest-md5", told=known)
road("tcp", "gssapi")
road("tcp", "digest-md5", given=True)
for _mechanism in ("scram-sha-256", "plain", "digest-md5", "gssapi"):
    road("tls", _mechanism, told=dict if _mechanism == "gssapi" else asked)
for _mechanism in ("scram-sha-1", "scram-sha-512", "anonymous"):
    road("unix", _mechanism)
