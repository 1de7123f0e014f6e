"""What a handle on a filter's binding remembers, in both colours: port device and filter.

Must not know: which procedures there are, or how a call is made.
"""

from __future__ import annotations

from virtproto.model.object_handle import ObjectHandle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.wire.remote.types import NonnullNwfilterBinding

__all__ = ["NWFilterBindingHandle"]


class NWFilterBindingHandle(ObjectHandle):
    """What a network filter's binding of either colour is without its calls.

    Two handles are equal when they mean the same port device on the same connection.
    """

    __slots__ = ()

    _wire: NonnullNwfilterBinding

    def _identity(self) -> object:
        return self._wire.portdev

    def _label(self) -> str:
        return f"{self._wire.portdev!r} to {self._wire.filtername!r}"

    def get_port_dev(self) -> str:
        """Return the name of the host's network device that is filtered. No call is made."""
        return self._wire.portdev

    def get_filter_name(self) -> str:
        """Return the name of the network filter that applies. No call is made."""
        return self._wire.filtername
