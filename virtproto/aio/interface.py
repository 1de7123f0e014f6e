"""A network interface of the host, as its own configuration has it.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.interface_handle import InterfaceHandle

from .objects import RemoteObject

__all__ = ["Interface"]


class Interface(RemoteObject, InterfaceHandle):
    """A network interface of the host, as its own configuration has it; made by its connection."""

    __slots__ = ()
