"""A port of a virtual network: where one interface is plugged in.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.network_port_handle import NetworkPortHandle
from virtproto.model.object_handle import handle

from ._methods.network_port import NetworkPortMethods
from .network import Network

__all__ = ["NetworkPort"]


class NetworkPort(NetworkPortMethods, NetworkPortHandle):
    """A port of a virtual network: where one interface is plugged in.

    Made by its network. Two handles are equal when they mean the same port on the same connection.

    Once the port is gone, every call on it raises NoNetworkPortError; once its network is,
    NoNetworkError.
    """

    __slots__ = ()

    def get_network(self) -> Network:
        """Return the network that the port belongs to. No call is made."""
        return handle(Network, self._connection, self._wire.net)
