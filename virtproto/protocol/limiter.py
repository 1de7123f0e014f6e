"""The limiter: how many long calls a daemon is given at a time, and which wait for their turn.

Responsible for: counting the calls that a daemon may take long to answer, and holding back the
packets of those beyond the limit, in the order in which they were made, the urgent ones first. Must
not know what makes a call long or urgent, or how packets are sent.

A daemon that works on max_client_requests calls of a connection (5 by default) reads nothing more
of it, pings included, until one of them is done. With fewer long calls than that under way there is
always room for one more packet: short calls pass, and pings are answered. An urgent call may take
long, too; one more than the limit may be under way if it is urgent. While that one lasts, the
daemon has no room left. A call that was given up counts until its late answer comes, for the daemon
works on it all the same.

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

    __slots__ = ("args", "header", "nfds", "opens_stream", "target", "urgent")

    def __init__(
        self,
        target: Target,
        header: bytes,
        args: bytes,
        nfds: int,
        opens_stream: bool,
        urgent: bool,
    ) -> None:
        self.target = target
        self.header = header
        self.args = args
        self.nfds = nfds
        self.opens_stream = opens_stream
        self.urgent = urgent


class Limiter:
    """Long and urgent calls by serial: ``sent`` are with the daemon, ``held`` wait, in order.

    ``limit`` is at least 1, or None for no limit.
    """

    __slots__ = ("_urgent", "held", "limit", "sent")

    def __init__(self, limit: int | None) -> None:
        # A dict, which takes less room while it is empty.
        self.sent: dict[int, None] = {}
        self.held: dict[int, HeldCall] = {}
        # Those of the held ones that go first.
        self._urgent: dict[int, None] = {}
        self.change(limit)

    def change(self, limit: int | None) -> None:
        """Set another limit. Raises UsageError for one below 1."""
        if limit is not None and limit < 1:
            raise UsageError(f"long_calls: it must be at least 1, or None, not {limit!r}")
        self.limit = limit

    def has_room(self, urgent: bool) -> bool:
        """Whether one more call may be sent now; an urgent one may even if the others may not."""
        return self.limit is None or len(self.sent) < self.limit + urgent

    def hold(self, serial: int, call: HeldCall) -> None:
        """Have a call wait for its turn."""
        self.held[serial] = call
        if call.urgent:
            self._urgent[serial] = None

    def forget(self, serial: int) -> bool:
        """Let a held call have no turn; False if there is none of that serial."""
        self._urgent.pop(serial, None)
        return self.held.pop(serial, None) is not None

    def next_to_send(self) -> tuple[int, HeldCall] | None:
        """Return the serial and the call whose turn it is, which counts as sent now, or None."""
        first = self._urgent or self.held
        if not first or not self.has_room(first is self._urgent):
            return None
        serial = next(iter(first))
        call = self.held[serial]
        self.sent[serial] = None
        self.forget(serial)
        return serial, call

    def drop(self) -> None:
        """Forget the packets of calls that will never be sent; that they were not is kept."""
        for call in self.held.values():
            call.header = call.args = b""
