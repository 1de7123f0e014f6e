"""A port of a virtual network: where one interface is plugged in.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.network_port_handle import NetworkPortHandle

from .objects import RemoteObject

__all__ = ["NetworkPort"]


class NetworkPort(RemoteObject, NetworkPortHandle):
    """A port of a virtual network: where one interface is plugged in; made by its connection."""

    __slots__ = ()
