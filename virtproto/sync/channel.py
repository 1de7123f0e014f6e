"""One connection to a daemon for threads: the calling thread sends and reads.

Responsible for moving bytes between a blocking socket and the protocol core, one call at a time,
and for staying usable after a deadline or a KeyboardInterrupt. Knows procedures by number only;
what their payloads hold is the caller's business.

A signal handler may raise between any two lines. Two things make that harmless. What a system call
brought is kept by the same C call that made it (``list.extend`` over ``map``), so no received byte
and no count of sent ones is ever lost. And while the core digests, the channel is marked unsettled:
should it be torn from the middle of a packet, the next call says that the connection is lost,
instead of reading on from there. Torn from replies that came whole it loses those replies only.
"""

from __future__ import annotations

# The modules below socket, threading and warnings: see virtproto.transport.unix for why.
from _socket import MSG_NOSIGNAL, SHUT_RDWR, SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET
from _thread import allocate_lock
from _warnings import warn
from sys import is_finalizing
from time import monotonic

from virtproto.errors import ConnectionLostError, TransportError, VirtprotoError
from virtproto.model.replies import (
    CLOSE_TIMEOUT_S,
    CLOSED_HERE,
    INHERITED,
    closed_during,
    late,
    lost,
    payload_of,
    refused,
    unclosed,
    why_broken,
)
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import CallFailed, PeerClosed, ReplyReceived, SessionFailed
from virtproto.protocol.limits import PACKET_MIN
from virtproto.transport.inheritance import remember
from virtproto.transport.unix import connect, pack_timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import Any

    from virtproto.model.endpoint import Endpoint
    from virtproto.xdr.procedure import Procedure

__all__ = ["Channel"]

# A larger read would make malloc map and unmap memory for each one.
_READ_SIZE = 65536
# The rest of a large packet is read in pieces of up to this size.
_LARGE_READ_SIZE = 1 << 20


class Channel:
    """A connected socket and the state of the conversation on it.

    Threads may share it; one call is made at a time, the others wait for their turn.
    """

    __slots__ = (
        "__weakref__",
        "_between_packets",
        "_closed",
        "_inbox",
        "_limit_s",
        "_lock",
        "_path",
        "_sending",
        "_session",
        "_settled",
        "_sock",
    )

    # Nobody reads between calls, so nobody would answer.
    answers_pings = False

    def __init__(self, sock: socket, path: str) -> None:
        self._sock = sock
        self._path = path
        self._session = ClientSession()
        self._lock = allocate_lock()
        # Why no call can be made any more, None while calls can be made.
        self._closed: str | None = None
        # False while the core digests: see the head of this module.
        self._settled = True
        self._between_packets = True
        self._inbox: list[bytes] = []
        # Bytes that are being sent, and how many each send took so far.
        self._sending: tuple[memoryview | bytes, list[int]] | None = None
        self._limit_s: float | None = None
        remember(self)

    @classmethod
    def connect(cls, endpoint: Endpoint, timeout_s: float | None) -> Channel:
        """Return a channel to ``endpoint``. Raises as ``transport.unix.connect`` does."""
        return cls(connect(endpoint, timeout_s), endpoint.path)

    @property
    def is_open(self) -> bool:
        """Whether calls can be made, as far as is known without asking the daemon."""
        return self._closed is None

    def call(
        self, procedure: Procedure[Any, Any], args: bytes, timeout_s: float | None = None
    ) -> bytes:
        """Make one call and return the payload of its reply.

        ``timeout_s`` bounds sending and waiting, not the wait for other threads' calls. Raises
        LibvirtError for the daemon's refusal, DeadlineError (the channel stays usable, a late reply
        is dropped), ConnectionLostError, ConnectionClosedError, and ProtocolError.
        """
        if self._closed is not None:
            self._require_open()
        with self._lock:
            if self._closed is not None or not self._settled:
                self._require_open()
            try:
                reply = self._exchange(procedure, args, timeout_s)
            except BlockingIOError:
                raise late(procedure, timeout_s) from None
            except OSError as exc:
                raise self._broken(procedure, exc) from exc
        return payload_of(procedure, reply)

    def close(self, goodbye: Procedure[Any, Any] | None = None) -> None:
        """Close the connection; does nothing if it is closed already.

        ``goodbye`` is a procedure to call first, for at most CLOSE_TIMEOUT_S. Should another thread
        be in the middle of a call, that call fails with ConnectionClosedError.
        """
        if self._closed is not None:
            return
        # First of all: who comes from now on does not even wait for the lock.
        self._closed = CLOSED_HERE
        if not self._lock.acquire(blocking=False):
            try:  # noqa: SIM105 - contextlib takes long to import
                # Wakes the thread that reads; that thread closes the socket.
                self._sock.shutdown(SHUT_RDWR)
            except OSError:
                # The peer was faster.
                pass
            return
        try:
            if goodbye is not None and self._settled:
                self._exchange(goodbye, b"", CLOSE_TIMEOUT_S)
        except (OSError, VirtprotoError):
            # The daemon is gone or busy; it will notice the closed socket.
            pass
        finally:
            self._lose(CLOSED_HERE)
            self._lock.release()

    def abandon(self) -> None:
        """Close the socket of a connection that nobody has any more, and warn; silent if closed."""
        if self._closed is None and not is_finalizing():
            self._lose(CLOSED_HERE)
            warn(unclosed(self._path), ResourceWarning, 3, self)

    def leave_to_parent(self) -> None:
        """In a forked process: make no more calls, and close this process's descriptor.

        Nothing else: what is said or shut down on the connection would be so for the parent.
        """
        if self._closed is None:
            self._closed = INHERITED
            self._sock.close()

    def _require_open(self) -> None:
        if self._closed is not None:
            raise refused(self._closed)
        if not self._settled:
            self._lose("an earlier call was torn by a signal while its reply was taken in")
            raise ConnectionLostError(f"the connection is of no use: {self._closed}")

    def _broken(self, procedure: Procedure[Any, Any], exc: OSError) -> TransportError:
        if self._closed is not None:
            self._sock.close()
            return closed_during(procedure)
        why = why_broken(exc)
        self._lose(why)
        return lost(procedure, why)

    def _lose(self, why: str) -> None:
        if self._closed is None:
            self._closed = why
        self._session.close()
        self._sock.close()

    def _exchange(
        self, procedure: Procedure[Any, Any], args: bytes, timeout_s: float | None
    ) -> ReplyReceived | CallFailed:
        session = self._session
        if timeout_s != self._limit_s:
            self._limit(timeout_s)
        deadline = None if timeout_s is None else monotonic() + timeout_s
        if self._sending is not None:
            # The end of a packet that an earlier call did not get out.
            self._flush(deadline)
        serial = None
        queued = False
        try:
            self._settled = False
            serial = session.send_call(procedure.program, procedure.version, procedure.number, args)
            self._queue()
            self._settled = True
            queued = True
            self._flush(deadline)
            while True:
                self._receive()
                reply = self._digest(procedure, serial)
                if reply is not None:
                    return reply
                if self._sending is not None:
                    self._flush(deadline)
                if deadline is not None:
                    self._limit(deadline - monotonic())
        except BaseException:
            self._give_up(serial, queued)
            raise

    def _give_up(self, serial: int | None, queued: bool) -> None:
        """Tidy up after a call that ended without its reply."""
        settled = self._settled or not queued
        self._settled = False
        if not queued:
            self._session.data_to_send()
        if self._sending is not None and not self._sending[1]:
            # Not a byte of it has left: the daemon must not get it with the next call.
            self._sending = None
        if serial is not None and settled:
            self._session.abandon_call(serial)
        self._settled = settled

    def _queue(self) -> None:
        """Take what the core wants sent."""
        chunks = self._session.data_to_send()
        if chunks:
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            if self._sending is not None:
                done, counts = self._sending
                data = bytes(done[sum(counts) :]) + data
            self._sending = (data, [])

    def _flush(self, deadline: float | None) -> None:
        while self._sending is not None:
            data, counts = self._sending
            if counts:
                data = memoryview(data)[sum(counts) :]
                if deadline is not None:
                    self._limit(deadline - monotonic())
            counts.extend(map(self._sock.send, (data,), (MSG_NOSIGNAL,)))
            if sum(counts) == len(self._sending[0]):
                self._sending = None

    def _receive(self) -> None:
        """Wait until something arrives, unless an interrupted call left something."""
        if not self._inbox:
            size = _READ_SIZE
            if not self._between_packets:
                size = max(size, min(self._session.bytes_wanted, _LARGE_READ_SIZE))
            self._inbox.extend(map(self._sock.recv, (size,)))

    def _digest(
        self, procedure: Procedure[Any, Any], serial: int
    ) -> ReplyReceived | CallFailed | None:
        """Give the core what arrived; return the answer to ``serial`` if it is among it."""
        session = self._session
        data = self._inbox[0]
        found: ReplyReceived | CallFailed | None = None
        try:
            self._settled = False
            self._inbox.clear()
            if data:
                found = session.receive_reply(serial, data)
            else:
                session.receive_eof()
            if found is None:
                # The short way leaves the core between packets; this one need not.
                self._between_packets = session.bytes_wanted == PACKET_MIN
            self._settled = True
        except BaseException:
            self._inbox.clear()
            self._settled = self._taken_whole(data)
            raise
        if found is not None:
            return found
        for event in session.events_received():
            if isinstance(event, ReplyReceived | CallFailed):
                # Another serial is a call that was given up while its reply was on the way.
                if event.serial == serial:
                    found = event
            elif isinstance(event, SessionFailed):
                self._lose(f"it failed: {event.error}")
                raise event.error
            elif isinstance(event, PeerClosed):
                self._peer_closed(procedure, event)
        if found is None:
            self._queue()
        return found

    def _taken_whole(self, data: bytes) -> bool:
        """Return whether the core is between packets although it was torn from taking ``data``.

        It is, if it was before and ``data`` is whole packets: then at most their replies, which
        nobody waits for any more, are lost.
        """
        end = 0
        while end < len(data):
            length = int.from_bytes(data[end : end + 4], "big")
            if length < PACKET_MIN:
                return False
            end += length
        if end != len(data) or not self._between_packets:
            return False
        # Has it cut what it was fed, if it was fed.
        self._session.receive_data(b"")
        self._session.events_received()
        return self._session.bytes_wanted == PACKET_MIN

    def _peer_closed(self, procedure: Procedure[Any, Any], event: PeerClosed) -> None:
        if self._closed is not None:
            self._sock.close()
            raise closed_during(procedure)
        self._lose("the daemon closed it")
        raise lost(procedure, "the daemon closed it", event.bytes_held)

    def _limit(self, seconds: float | None) -> None:
        """Set how long a send or a receive may block; less than nothing means: not at all."""
        self._limit_s = seconds
        value = pack_timeout(seconds)
        self._sock.setsockopt(SOL_SOCKET, SO_RCVTIMEO, value)
        self._sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, value)
