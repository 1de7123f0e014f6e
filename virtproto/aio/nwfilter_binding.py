"""A network filter bound to a device that a guest's traffic passes.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.nwfilter_binding_handle import NWFilterBindingHandle

from ._methods.nwfilter_binding import NWFilterBindingMethods

__all__ = ["NWFilterBinding"]


class NWFilterBinding(NWFilterBindingMethods, NWFilterBindingHandle):
    """A network filter bound to a device that a guest's traffic passes.

    Made by its connection's lookups and lists. Two handles are equal when they mean the same one
    on the same connection.

    Once the binding is gone, every call on it raises NoNWFilterBindingError.
    """

    __slots__ = ()
