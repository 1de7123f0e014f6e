"""A blocking call with descriptors beside its bytes.

Responsible for sending copies of the caller's and for collecting what comes with the reply. A
friend of `channel`: it uses the channel's inside, under the channel's lock.

A read without room for descriptors makes the kernel close those that come: what was announced by
the late reply of a call that was given up is lost that way, as it should be. So only a call that
may bring some reads differently.
"""

from __future__ import annotations

from _socket import MSG_CMSG_CLOEXEC
from time import monotonic

from virtproto.errors import SequenceError
from virtproto.protocol.events import ReplyReceived
from virtproto.transport.descriptors import (
    ANCILLARY_SIZE,
    carrier_of,
    close_descriptors,
    copies_of,
    descriptors_in,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from virtproto.protocol.events import CallFailed
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

__all__ = ["Passage", "drop_carriers", "send_carriers"]


class Passage:
    """The descriptors of one call: those that go, as copies, and those that come."""

    def __init__(self, channel: Channel, fds: Sequence[int]) -> None:
        self._channel = channel
        # The channel's, to send and close, once the call is queued.
        self._copies = copies_of(fds)
        self._came: list[int] = []
        self._announced = 0
        # Descriptors that came before, with the reply of a call that was given up.
        self._of_others = 0
        self._arrived: list[tuple[bytes, list[tuple[int, int, bytes]], int, Any]] = []

    def send_call(self, procedure: Procedure[Any, Any], args: bytes) -> int:
        """Have the core queue the call, and the channel send the descriptors behind it."""
        channel = self._channel
        channel._unclaimed = 0
        copies = self._copies
        serial = channel._session.send_call(
            procedure.program, procedure.version, procedure.number, args, nfds=len(copies)
        )
        if copies:
            channel._carriers = (copies, [])
            self._copies = []
        return serial

    def receive(self) -> None:
        """Wait until something arrives, and keep the descriptors that came with it."""
        channel = self._channel
        if not channel._inbox:
            room = (channel._read_size(), ANCILLARY_SIZE, MSG_CMSG_CLOEXEC)
            self._arrived.extend(map(channel._sock.recvmsg, *((word,) for word in room)))
            self._unload()

    def answered(self, reply: ReplyReceived | CallFailed) -> None:
        """Note how many descriptors the reply announced."""
        self._announced = reply.nfds if isinstance(reply, ReplyReceived) else 0
        self._of_others = self._channel._unclaimed

    def claim(self, procedure: Procedure[Any, Any]) -> list[int]:
        """Return the descriptors of the call's reply. Raises SequenceError if others came."""
        mine = self._came[self._of_others :]
        if len(mine) != self._announced:
            raise SequenceError(
                f"{procedure.name}: the reply announced {self._announced} descriptors, "
                f"{len(mine)} came"
            )
        del self._came[self._of_others :]
        return mine

    def end(self) -> None:
        """Close what nobody claimed; leave to the channel what was read and not taken in."""
        if self._arrived:
            self._unload()
        close_descriptors(self._came)
        close_descriptors(self._copies)
        self._came = self._copies = []

    def _unload(self) -> None:
        channel = self._channel
        settled, channel._settled = channel._settled, False
        data, ancillary, _, _ = self._arrived.pop()
        self._came += descriptors_in(ancillary)
        channel._inbox.append(data)
        channel._settled = settled


def send_carriers(channel: Channel, deadline: float | None) -> None:
    """Send the descriptors of the packet that has just left; an interrupted one is gone on with."""
    assert channel._carriers is not None
    fds, counts = channel._carriers
    while len(counts) < len(fds):
        if deadline is not None:
            channel._limit(deadline - monotonic())
        data, rights, flags = carrier_of(fds[len(counts)])
        counts.extend(map(channel._sock.sendmsg, (data,), (rights,), (flags,)))
    drop_carriers(channel)


def drop_carriers(channel: Channel) -> None:
    """Close the copies of descriptors that are sent, or never will be."""
    if channel._carriers is not None:
        (fds, _), channel._carriers = channel._carriers, None
        close_descriptors(fds)
