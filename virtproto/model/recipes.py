"""Conversations of more than one call, written once for both colours.

Each recipe is a generator: it yields (procedure, arguments), is sent the result, is thrown the
LibvirtError where the daemon refused, and returns what came of it all. Must not know who makes the
calls, or when.
"""

from __future__ import annotations

from virtproto.errors import AuthenticationError, LibvirtError
from virtproto.wire.remote.auth import (
    AUTH_LIST,
    AUTH_TYPE_NONE,
    AUTH_TYPE_POLKIT,
    AUTH_TYPE_SASL,
)
from virtproto.wire.remote.connect import (
    CONNECT_GET_URI,
    CONNECT_OPEN,
    CONNECT_SUPPORTS_FEATURE,
    ConnectOpenArgs,
    ConnectSupportsFeatureArgs,
)
from virtproto.wire.remote.domain import (
    DOMAIN_CREATE,
    DOMAIN_CREATE_WITH_FLAGS,
    DOMAIN_LOOKUP_BY_UUID,
    DomainCreateArgs,
    DomainCreateWithFlagsArgs,
    DomainLookupByUuidArgs,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeVar

    from virtproto.model.uri import ConnectionURI
    from virtproto.wire.remote.types import NonnullDomain
    from virtproto.xdr.procedure import Procedure

    T = TypeVar("T")
    Recipe = Generator[tuple[Procedure[Any, Any], Any], Any, T]

__all__ = ["Opened", "open_connection", "create_domain_handle"]

# Bit 0 of CONNECT_OPEN's flags is all that a daemon looks at.
_READ_ONLY = 1

# Numbers of virDrvFeature that a client asks for.
_FEATURE_KEEPALIVE = 10
_FEATURE_EVENT_CALLBACK = 14
_FEATURE_CLOSE_CALLBACK = 15

# As the URI's "auth" parameter has them.
_AUTH_NAMES = {AUTH_TYPE_NONE: "none", AUTH_TYPE_SASL: "sasl", AUTH_TYPE_POLKIT: "polkit"}


class Opened:
    """What opening a connection brought to light.

    ``uri`` is the connection's URI: the caller's own, or the daemon's choice; ``keepalive``,
    ``event_callbacks`` and ``close_callbacks`` tell what the daemon can do.
    """

    __slots__ = ("close_callbacks", "event_callbacks", "keepalive", "uri")

    def __init__(
        self, uri: str, *, keepalive: bool, event_callbacks: bool, close_callbacks: bool
    ) -> None:
        self.uri = uri
        self.keepalive = keepalive
        self.event_callbacks = event_callbacks
        self.close_callbacks = close_callbacks


def open_connection(
    uri: ConnectionURI | None, *, readonly: bool, answers_pings: bool
) -> Recipe[Opened]:
    """Go from a connected socket to an open connection.

    ``answers_pings`` says that somebody reads all the time: asking for keepalive starts the
    daemon's pings, and a client that does not answer them is dropped after 30 s. Raises
    AuthenticationError where the daemon wants more than its socket's permissions. Source:
    doRemoteOpen.
    """
    # Not to be skipped even when the answer is known: it is what lets root in at a polkit socket.
    offered = yield AUTH_LIST, None
    _check_auth(offered.types, uri.parameter("auth") if uri is not None else None)
    # Before CONNECT_OPEN, the two others after it.
    keepalive = answers_pings and (yield from _ask_feature(_FEATURE_KEEPALIVE))
    # Never None for the name: "" is what lets the daemon choose.
    name = uri.name_to_send() if uri is not None else ""
    yield CONNECT_OPEN, ConnectOpenArgs(name=name, flags=_READ_ONLY if readonly else 0)
    text = uri.text if uri is not None else (yield CONNECT_GET_URI, None).uri
    event_callbacks = yield from _ask_feature(_FEATURE_EVENT_CALLBACK)
    close_callbacks = yield from _ask_feature(_FEATURE_CLOSE_CALLBACK)
    return Opened(
        text,
        keepalive=keepalive,
        event_callbacks=event_callbacks,
        close_callbacks=close_callbacks,
    )


def _ask_feature(feature: int) -> Recipe[bool]:
    """Ask whether the daemon has a feature; an error means that it has not."""
    try:
        answer = yield CONNECT_SUPPORTS_FEATURE, ConnectSupportsFeatureArgs(feature=feature)
    except LibvirtError:
        return False
    return bool(answer.supported)


def _check_auth(offered: list[int], wanted: str | None) -> None:
    names = [_AUTH_NAMES.get(kind, f"type {kind}") for kind in offered]
    if wanted is not None:
        kind = wanted.lower().partition(".")[0]
        if kind not in names:
            raise AuthenticationError(
                f"the URI wants authentication by {kind}; the daemon offers "
                f"{', '.join(names) or 'nothing'}"
            )
        raise AuthenticationError(f"authentication by {kind} is not available in this client")
    # As libvirt's own client: the first offer is the daemon's choice, or there is none to make.
    if offered and offered[0] != AUTH_TYPE_NONE:
        raise AuthenticationError(
            f"the daemon asks for authentication by {names[0]} (it offers {', '.join(names)}), "
            "which is not available in this client"
        )


def create_domain_handle(domain: NonnullDomain, flags: int) -> Recipe[int]:
    """Start a defined domain and return its id.

    Without flags these are two calls, the second to learn the id. Sources: virDomainCreate,
    virDomainCreateWithFlags.
    """
    if flags:
        started = yield (
            DOMAIN_CREATE_WITH_FLAGS,
            DomainCreateWithFlagsArgs(dom=domain, flags=flags),
        )
    else:
        yield DOMAIN_CREATE, DomainCreateArgs(dom=domain)
        started = yield DOMAIN_LOOKUP_BY_UUID, DomainLookupByUuidArgs(uuid=domain.uuid)
    running: NonnullDomain = started.dom
    return running.id
