"""A network filter: rules that guests' traffic has to pass.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour has the same text.
"""

from __future__ import annotations

from virtproto.model.nwfilter_handle import NWFilterHandle

from ._methods.nwfilter import NWFilterMethods

__all__ = ["NWFilter"]


class NWFilter(NWFilterMethods, NWFilterHandle):
    """A network filter: rules that guests' traffic has to pass.

    Made by its connection's lookups and lists. Two handles are equal when they mean the same one
    on the same connection.

    Once the filter is gone, every call on it raises NoNWFilterError.
    """

    __slots__ = ()
