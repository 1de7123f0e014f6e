"""A virtual network of the host.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.network_handle import NetworkHandle

from ._methods.network import NetworkMethods

__all__ = ["Network"]


class Network(NetworkMethods, NetworkHandle):
    """A virtual network of the host.

    Made by its connection's lookups and lists. Two handles are equal when they mean the same one
    on the same connection.

    Once the network is gone, as a transient one is when it stops, every call on it raises
    NoNetworkError.
    """

    __slots__ = ()
