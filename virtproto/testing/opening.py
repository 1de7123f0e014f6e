"""A daemon's answers to the opening and closing of a connection.

Responsible for: the default handlers of a scripted server. Must not know how they are served.
"""

from __future__ import annotations

from virtproto.protocol.events import CallReceived
from virtproto.testing.actions import Action, Answer, CloseConnection, Handler
from virtproto.wire import remote

__all__ = ["opening_handlers", "FEATURES"]

# VIR_DRV_FEATURE numbers (libvirt_internal.h) that every libvirtd answers with yes (8 descriptors,
# 10 keepalive, 14 event callbacks, 15 close callback), and those that its test driver has besides.
FEATURES = frozenset({8, 9, 10, 14, 15, 16})


def _supports_feature(call: CallReceived) -> Answer:
    asked = remote.ConnectSupportsFeatureArgs.unpack(call.payload)
    return remote.ConnectSupportsFeatureRet(supported=int(asked.feature in FEATURES))


def opening_handlers() -> dict[tuple[int, int], Handler]:
    """Return handlers for AUTH_LIST (none), CONNECT_OPEN, SUPPORTS_FEATURE and CONNECT_CLOSE."""
    none_only = remote.AuthListRet(types=[remote.AUTH_TYPE_NONE])
    farewell: list[Action] = [b"", CloseConnection()]
    handlers: dict[tuple[int, int], Handler] = {}
    for procedure, handler in (
        (remote.AUTH_LIST, none_only),
        (remote.CONNECT_OPEN, b""),
        (remote.CONNECT_SUPPORTS_FEATURE, _supports_feature),
        (remote.CONNECT_CLOSE, farewell),
    ):
        handlers[procedure.program, procedure.number] = handler
    return handlers
