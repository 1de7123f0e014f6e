"""Opening a connection: from a connected socket to one that calls can be made on.

Responsible for the order of the first calls and for what they bring to light.
"""

from __future__ import annotations

from virtproto.errors import AuthenticationError, LibvirtError, NoSupportError
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from virtproto.model.recipes import Recipe
    from virtproto.model.uri import ConnectionURI
    from virtproto.xdr.procedure import Procedure

__all__ = ["Opened", "ask_feature", "be_let_in", "keepalive_question", "open_connection"]

# Bit 0 of CONNECT_OPEN's flags is all that a daemon looks at.
_READ_ONLY = 1

# The number of virDrvFeature that a client asks for, and the arguments of that call.
_FEATURE_KEEPALIVE = 10
_KEEPALIVE_ARGS = ConnectSupportsFeatureArgs(feature=_FEATURE_KEEPALIVE).pack()

# As the URI's "auth" parameter has them.
_AUTH_NAMES = {AUTH_TYPE_NONE: "none", AUTH_TYPE_SASL: "sasl", AUTH_TYPE_POLKIT: "polkit"}


class Opened:
    """What opening a connection brought to light.

    ``uri`` is the connection's URI: the caller's own, or the daemon's choice; ``keepalive`` tells
    whether the daemon answers pings, ``close_callbacks`` whether it tells of the end of a
    connection of its own: None until it was asked to. ``event_callbacks`` is whether it gives
    registrations for a domain's events IDs: True until it says that it does not know how.
    """

    __slots__ = ("close_callbacks", "event_callbacks", "keepalive", "uri")

    def __init__(
        self,
        uri: str,
        *,
        keepalive: bool,
        event_callbacks: bool = True,
        close_callbacks: bool | None = None,
    ) -> None:
        self.uri = uri
        self.keepalive = keepalive
        self.event_callbacks = event_callbacks
        self.close_callbacks = close_callbacks


def be_let_in(uri: ConnectionURI | None) -> Recipe[int]:
    """Ask the daemon how this client is to prove who it is, before anything else is said.

    Returns the AUTH_TYPE to use; that of none means that the daemon has let it in. Raises
    AuthenticationError where the URI wants what is not offered, or what is offered is unknown.
    Source: remoteAuthenticate.
    """
    # Not to be skipped even when the answer is known: it is what lets root in at a polkit socket.
    try:
        offered: list[int] = (yield AUTH_LIST, None).types
    except NoSupportError:
        # A daemon from before there was any authentication.
        offered = []
    wanted = uri.parameter("auth") if uri is not None else None
    if wanted is None and (not offered or offered[0] == AUTH_TYPE_NONE):
        return AUTH_TYPE_NONE
    return _chosen(offered, wanted)


def open_connection(uri: ConnectionURI | None, *, readonly: bool) -> Recipe[str]:
    """Go from being let in to an open connection; return its URI. Source: doRemoteOpen."""
    # Never None for the name: "" is what lets the daemon choose.
    name = uri.name_to_send() if uri is not None else ""
    yield CONNECT_OPEN, ConnectOpenArgs(name=name, flags=_READ_ONLY if readonly else 0)
    return uri.text if uri is not None else (yield CONNECT_GET_URI, None).uri


def keepalive_question() -> tuple[Procedure[Any, Any], bytes]:
    """Return the call that asks whether the daemon answers pings, which starts its own.

    A client that does not answer those is dropped after 30 s. The daemon answers before the
    connection is open as well as after.
    """
    return CONNECT_SUPPORTS_FEATURE, _KEEPALIVE_ARGS


def ask_feature(feature: int) -> Recipe[bool]:
    """Ask whether the daemon has a feature; an error means that it has not."""
    try:
        answer = yield CONNECT_SUPPORTS_FEATURE, ConnectSupportsFeatureArgs(feature=feature)
    except LibvirtError:
        return False
    return bool(answer.supported)


def _chosen(offered: list[int], wanted: str | None) -> int:
    names = [_AUTH_NAMES.get(kind, f"type {kind}") for kind in offered]
    listed = ", ".join(names) or "nothing"
    # As libvirt's own client: the first offer is the daemon's choice, or there is none to make.
    kind = names[0] if wanted is None else wanted.lower().partition(".")[0]
    if wanted is not None and (kind not in names or kind == "none"):
        raise AuthenticationError(
            f"the URI wants authentication by {kind}; the daemon offers {listed}"
        )
    if kind == "sasl":
        return AUTH_TYPE_SASL
    if kind == "polkit":
        return AUTH_TYPE_POLKIT
    raise AuthenticationError(
        f"the daemon asks for authentication by {kind} (it offers {listed}), which is not known "
        "in this client"
    )
