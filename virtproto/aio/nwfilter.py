"""A network filter: rules that guests' traffic has to pass.

Responsible for putting together the calls, which are generated, and the handle. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.model.nwfilter_handle import NWFilterHandle

from .objects import RemoteObject

__all__ = ["NWFilter"]


class NWFilter(RemoteObject, NWFilterHandle):
    """A network filter: rules that guests' traffic has to pass; made by its connection."""

    __slots__ = ()
