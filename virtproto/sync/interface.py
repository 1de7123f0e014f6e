"""A network interface of the host, as its own configuration has it.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.interface_handle import InterfaceHandle

from ._methods.interface import InterfaceMethods

__all__ = ["Interface"]


class Interface(InterfaceMethods, InterfaceHandle):
    """A network interface of the host, as its own configuration has it.

    Made by its connection's lookups and lists. Two handles are equal when they mean the same one
    on the same connection.

    Once the interface is gone, every call on it raises NoInterfaceError.
    """

    __slots__ = ()
