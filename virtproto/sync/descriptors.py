"""A blocking call with descriptors beside its bytes.

Responsible for sending copies of the caller's and for giving those that come to the call whose
reply announced them. A friend of `channel`: it uses the channel's inside, under the channel's lock.

Whoever leads reads with room for descriptors, always: which call's they are is known only once the
packet is complete that announces them. A read ends behind the first byte that carries one, so what
has come by then, and since the last such packet, is that packet's.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT

from virtproto.errors import SequenceError
from virtproto.protocol.events import ReplyReceived
from virtproto.transport.descriptors import (
    carrier_of,
    close_descriptors,
    copies_of,
    descriptors_in,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from virtproto.protocol.events import CallFailed
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel
    from .waiting import Waiter

__all__ = [
    "Passage",
    "collect",
    "drop_carriers",
    "drop_collected",
    "give_collected",
    "send_carriers",
]


class Passage:
    """The descriptors of one call: those that go, as copies, and those that come."""

    def __init__(self, channel: Channel, fds: Sequence[int]) -> None:
        self._channel = channel
        # The channel's, to send and close, once the call is made.
        self._copies = copies_of(fds)
        self.came: list[int] = []
        self._announced = 0
        self._over = False

    def send_call(self, procedure: Procedure[Any, Any], args: bytes) -> int:
        """Have the core queue the call, and the channel send the descriptors behind it."""
        channel = self._channel
        copies = self._copies
        serial = channel._session.send_call(
            procedure.program,
            procedure.version,
            procedure.number,
            args,
            nfds=len(copies),
            long=procedure.long,
            urgent=procedure.urgent,
        )
        if copies:
            channel._carriers[serial] = (copies, [])
            self._copies = []
        return serial

    def answered(self, reply: ReplyReceived | CallFailed) -> None:
        """Note how many descriptors the reply announced."""
        self._announced = reply.nfds if isinstance(reply, ReplyReceived) else 0

    def claim(self, procedure: Procedure[Any, Any]) -> list[int]:
        """Return the descriptors of the call's reply. Raises SequenceError if others came."""
        if len(self.came) != self._announced:
            raise SequenceError(
                f"{procedure.name}: the reply announced {self._announced} descriptors, "
                f"{len(self.came)} came"
            )
        mine, self.came = self.came, []
        return mine

    def forget(self) -> None:
        """Do without a reply: the call is not made."""

    def put(self, fds: list[int]) -> None:
        """Take in the descriptors of the reply."""
        self.came += fds
        if self._over:
            self.end()

    def end(self) -> None:
        """Close what nobody claimed."""
        self._over = True
        for fds in (self.came, self._copies):
            while fds:
                close_descriptors((fds.pop(),))


def collect(channel: Channel, ancillary: Iterable[tuple[int, int, bytes]]) -> None:
    """Keep the descriptors that came with a read."""
    channel._fds += descriptors_in(ancillary)


def give_collected(channel: Channel, waiter: Waiter | None) -> None:
    """Give what has come to the call that was answered, or close it."""
    passage = None if waiter is None else waiter.special
    if isinstance(passage, Passage):
        fds, channel._fds = channel._fds, []
        passage.put(fds)
    else:
        drop_collected(channel)


def drop_collected(channel: Channel) -> None:
    """Close what has come and is nobody's."""
    while channel._fds:
        close_descriptors((channel._fds.pop(),))


def send_carriers(channel: Channel, serial: int) -> None:
    """Send the descriptors of the packet that has just left; an interrupted one is gone on with.

    Raises OSError, BlockingIOError where the socket takes no more for now.
    """
    fds, counts = channel._carriers[serial]
    while len(counts) < len(fds):
        data, rights, flags = carrier_of(fds[len(counts)])
        counts.extend(map(channel._sock.sendmsg, (data,), (rights,), (flags | MSG_DONTWAIT,)))
    drop_carriers(channel, serial)


def drop_carriers(channel: Channel, serial: int) -> None:
    """Close the copies of descriptors that are sent, or never will be."""
    fds, _ = channel._carriers.pop(serial, ([], []))
    close_descriptors(fds)
