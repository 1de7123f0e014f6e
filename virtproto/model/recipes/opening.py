"""Opening a connection: from a connected socket to one that calls can be made on.

Responsible for the order of the first calls and for what they bring to light.
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.model.recipes import Recipe
    from virtproto.model.uri import ConnectionURI

__all__ = ["Opened", "ask_feature", "open_connection"]

# Bit 0 of CONNECT_OPEN's flags is all that a daemon looks at.
_READ_ONLY = 1

# Numbers of virDrvFeature that a client asks for.
_FEATURE_KEEPALIVE = 10
_FEATURE_EVENT_CALLBACK = 14

# As the URI's "auth" parameter has them.
_AUTH_NAMES = {AUTH_TYPE_NONE: "none", AUTH_TYPE_SASL: "sasl", AUTH_TYPE_POLKIT: "polkit"}


class Opened:
    """What opening a connection brought to light.

    ``uri`` is the connection's URI: the caller's own, or the daemon's choice; ``keepalive`` and
    ``event_callbacks`` tell what the daemon can do, ``close_callbacks`` whether it tells of the end
    of a connection of its own: None until it was asked to.
    """

    __slots__ = ("close_callbacks", "event_callbacks", "keepalive", "uri")

    def __init__(
        self,
        uri: str,
        *,
        keepalive: bool,
        event_callbacks: bool,
        close_callbacks: bool | None = None,
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
    # Before CONNECT_OPEN, the other one after it.
    keepalive = answers_pings and (yield from ask_feature(_FEATURE_KEEPALIVE))
    # Never None for the name: "" is what lets the daemon choose.
    name = uri.name_to_send() if uri is not None else ""
    yield CONNECT_OPEN, ConnectOpenArgs(name=name, flags=_READ_ONLY if readonly else 0)
    text = uri.text if uri is not None else (yield CONNECT_GET_URI, None).uri
    event_callbacks = yield from ask_feature(_FEATURE_EVENT_CALLBACK)
    return Opened(text, keepalive=keepalive, event_callbacks=event_callbacks)


def ask_feature(feature: int) -> Recipe[bool]:
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
