"""A virtual network of the host.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.network_handle import NetworkHandle

from .objects import RemoteObject

__all__ = ["Network"]


class Network(RemoteObject, NetworkHandle):
    """A virtual network of the host; made by its connection."""

    __slots__ = ()
