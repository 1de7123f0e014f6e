"""The limiter: how many long calls a daemon is given at a time, and which wait for their turn.

Responsible for: counting the long calls that a daemon works on, and holding back the packets of
those beyond the limit, in the order in which they were made. Must not know what makes a call long,
or how packets are sent.

A daemon that works on max_client_requests calls of a connection (5 by default) reads nothing more
of it, pings included, until one of them is done. With fewer long calls than that under way there is
always room for one more packet: short calls pass, and pings are answered. A call that was given up
counts until its late answer comes, for the daemon works on it all the same.

Source: virnetserverclient.c:virNetServerClientDispatchRead.
"""

from __future__ import annotations

from virtproto.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.protocol.calls import Target

__all__ = ["HeldCall", "Limiter"]


class HeldCall:
    """A call whose packet waits: the packet's header, the arguments behind it, and its nature."""

    __slots__ = ("args", "header", "nfds", "opens_stream", "target")

    def __init__(
        self, target: Target, header: bytes, args: bytes, nfds: int, opens_stream: bool
    ) -> None:
        self.target = target
        self.header = header
        self.args = args
        self.nfds = nfds
        self.opens_stream = opens_stream


class Limiter:
    """Long calls by serial: ``sent`` are those with the daemon, ``held`` those that wait, in order.

    ``limit`` is at least 1, or None for no limit.
    """

    __slots__ = ("held", "limit", "sent")

    def __init__(self, limit: int | None) -> None:
        # A dict, which takes less room while it is empty.
        self.sent: dict[int, None] = {}
        self.held: dict[int, HeldCall] = {}
        self.change(limit)

    def change(self, limit: int | None) -> None:
        """Set another limit. Raises UsageError for one below 1."""
        if limit is not None and limit < 1:
            raise UsageError(f"long_calls: it must be at least 1, or None, not {limit!r}")
        self.limit = limit

    def next_to_send(self) -> tuple[int, HeldCall] | None:
        """Return the serial and the call whose turn it is, which counts as sent now, or None."""
        if not self.held or (self.limit is not None and len(self.sent) >= self.limit):
            return None
        serial = next(iter(self.held))
        self.sent[serial] = None
        return serial, self.held.pop(serial)

    def drop(self) -> None:
        """Forget the packets of calls that will never be sent; that they were not is kept."""
        for call in self.held.values():
            call.header = call.args = b""
