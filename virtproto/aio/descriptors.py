"""A call with descriptors beside its bytes, on an event loop whose transports carry none.

Responsible for sending copies of the caller's and for collecting what comes with the reply. A
friend of `channel`: it uses the channel's inside.

For as long as such a call lasts the transport reads nothing: a copy of the socket, watched by the
loop as any descriptor is, is read with recvmsg, and what comes goes the usual way. The transport
goes on writing; once it has written all up to the packet that announces descriptors they follow
through the copy, and nothing else is written meanwhile. A call that is cancelled in the middle of
that sends the rest all the same, since the daemon waits for it.

A read without room for descriptors makes the kernel close those that come: what was announced by
the late reply of a call that was given up is lost that way, as it should be. Part of it may come
that way and the rest while another such call lasts, so descriptors are told apart by the bytes that
they ride on: those are counted from the connection's beginning, and so is what replies announce.
"""

from __future__ import annotations

import asyncio
import os
from _socket import MSG_CMSG_CLOEXEC, socket

from virtproto.errors import SequenceError
from virtproto.model.replies import unsent
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
    from types import TracebackType
    from typing import Any, Self

    from virtproto.protocol.events import ReplyReceived
    from virtproto.xdr.procedure import Procedure

    from .channel import Channel

__all__ = ["Passage"]

_READ_SIZE = 65536


class Passage:
    """The descriptors of one call: those that go, as copies, and those that come.

    A context manager: inside of it the channel is set up for descriptors. ``timeout_s`` bounds the
    wait for that; what is left of it then is for the call.
    """

    def __init__(
        self,
        channel: Channel,
        procedure: Procedure[Any, Any],
        fds: Sequence[int],
        timeout_s: float | None,
    ) -> None:
        self._channel = channel
        self._procedure = procedure
        self._copies = copies_of(fds)
        # How much of the time is left for the call.
        self.time_left = timeout_s
        # Descriptors that came, by the number of the byte that they rode on; which are the call's.
        self._came: dict[int, list[int]] = {}
        self._mine = range(0)
        self._serial = -1
        sock = channel._sock
        self._sock = socket(sock.family, sock.type, fileno=os.dup(sock.fileno()))
        self._sock.setblocking(False)
        self._gone: asyncio.Future[None] = channel._loop.create_future()
        self._sender: asyncio.Task[None] | None = None

    @property
    def is_sending(self) -> bool:
        """Whether descriptors are on their way, and nothing else can be written."""
        return self._sender is not None

    async def __aenter__(self) -> Self:
        channel = self._channel
        try:
            if channel._passage is not None:
                await self._wait_for_turn(self.time_left)
            channel._require_usable()
        except BaseException:
            self._free()
            raise
        channel._passage = self
        if channel._transport is not None:
            channel._transport.pause_reading()
        if channel._large is not None:
            channel._large.give_up(channel._session)
            channel._large = None
        channel._loop.add_reader(self._sock.fileno(), self._read)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._sender is None:
            self.end()
        else:
            # It ends the passage when all is sent.
            self._sender.add_done_callback(lambda _: self.end())

    async def _wait_for_turn(self, timeout_s: float | None) -> None:
        channel = self._channel
        try:
            async with asyncio.timeout(timeout_s) as limit:
                while channel._passage is not None:
                    await asyncio.shield(channel._passage._gone)
        except TimeoutError:
            raise unsent(self._procedure, timeout_s) from None
        end = limit.when()
        self.time_left = None if end is None else end - channel._loop.time()

    def send_call(self, procedure: Procedure[Any, Any], args: bytes) -> int:
        """Have the core queue the call."""
        self._serial = serial = self._channel._session.send_call(
            procedure.program,
            procedure.version,
            procedure.number,
            args,
            nfds=len(self._copies),
            long=procedure.long,
            urgent=procedure.urgent,
        )
        return serial

    def flush(self) -> None:
        """Write what the core wants sent, descriptors included."""
        channel = self._channel
        if self._sender is not None or channel._transport is None:
            return
        chunks = channel._session.data_to_send()
        if chunks:
            channel._transport.write(b"".join(chunks))
        if channel._session.fds_due:
            channel._full = True
            self._sender = channel._loop.create_task(self._send())

    def announce(self, reply: ReplyReceived, before: int) -> None:
        """Note what a reply announced, and how many descriptors were announced before."""
        if reply.serial == self._serial:
            self._mine = range(before, before + reply.nfds)

    def claim(self) -> list[int]:
        """Return the descriptors of the call's reply. Raises SequenceError if others came."""
        mine = [fd for number in self._mine for fd in self._came.pop(number, ())]
        if len(mine) != len(self._mine):
            close_descriptors(mine)
            raise SequenceError(
                f"{self._procedure.name}: the reply announced {len(self._mine)} descriptors, "
                f"{len(mine)} came"
            )
        return mine

    def end(self) -> None:
        """Give reading back to the transport; close what nobody claimed."""
        channel = self._channel
        if self._gone.done():
            return
        if self._sender is not None:
            self._sender.cancel()
            self._sender = None
        channel._loop.remove_reader(self._sock.fileno())
        channel._loop.remove_writer(self._sock.fileno())
        self._free()
        channel._passage = None
        if channel._closed is None:
            if not channel._crowded and channel._transport is not None:
                channel._transport.resume_reading()
            channel._flush()
        self._gone.set_result(None)

    def leave_to_parent(self) -> None:
        """Close this process's descriptors, without the loop."""
        self._free()

    def _free(self) -> None:
        self._sock.close()
        for came in self._came.values():
            close_descriptors(came)
        close_descriptors(self._copies)
        self._came = {}
        self._copies = []

    def _read(self) -> None:
        channel = self._channel
        try:
            data, ancillary, _, _ = self._sock.recvmsg(_READ_SIZE, ANCILLARY_SIZE, MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, ancillary = b"", []
        if data:
            now = None if channel._pulse is None else channel._loop.time()
            channel._session.receive_data(data, now)
        if fds := descriptors_in(ancillary):
            # A read ends behind the byte that descriptors ride on.
            self._came.setdefault(channel._session.fds_seen - 1, []).extend(fds)
        if data:
            channel._dispatch()
            return
        # The transport finds the end, or the error, as well, and knows what to do.
        channel._loop.remove_reader(self._sock.fileno())
        if channel._transport is not None and channel._closed is None:
            channel._transport.resume_reading()

    async def _send(self) -> None:
        """Send the copies, one by one, behind what the transport has still to write."""
        channel = self._channel
        transport = channel._transport
        assert transport is not None
        while transport.get_write_buffer_size():
            await self._writable()
        try:
            for fd in self._copies:
                await self._send_one(fd)
        except OSError:
            # The transport finds out by itself.
            return
        close_descriptors(self._copies)
        self._copies = []
        self._sender = None
        channel._full = False
        channel._flush()

    async def _send_one(self, fd: int) -> None:
        while True:
            try:
                self._sock.sendmsg(*carrier_of(fd))
            except (BlockingIOError, InterruptedError):
                await self._writable()
            else:
                return

    async def _writable(self) -> None:
        loop = self._channel._loop
        ready: asyncio.Future[None] = loop.create_future()
        # Called until the writer is removed, which is when this task has its turn.
        loop.add_writer(self._sock.fileno(), _settle, ready)
        try:
            await ready
        finally:
            if self._sock.fileno() >= 0:
                loop.remove_writer(self._sock.fileno())


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
