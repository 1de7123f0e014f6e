"""A binding of a network filter to a device that a guest's traffic passes.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.nwfilter_binding_handle import NWFilterBindingHandle

from .objects import RemoteObject

__all__ = ["NWFilterBinding"]


class NWFilterBinding(RemoteObject, NWFilterBindingHandle):
    """A network filter bound to a device that a guest's traffic passes; made by its connection."""

    __slots__ = ()
