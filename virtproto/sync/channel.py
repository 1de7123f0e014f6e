"""One connection to a daemon for threads: the calling thread sends and reads.

Responsible for moving bytes between a blocking socket and the protocol core, one call at a time,
and for staying usable after a deadline or a KeyboardInterrupt. Knows procedures by number only;
what their payloads hold is the caller's business.

A signal handler may raise between any two lines. Two things make that harmless. What a system call
brought is kept by the same C call that made it (``list.extend`` over ``map``), so no received byte
and no count of sent ones is ever lost. And while the core digests, the channel is marked unsettled:
should it be torn from the middle of a packet, the next call says that the connection is lost,
instead of reading on from there. Torn from replies that came whole it loses those replies only, and
the streams that are open then say that some of their data may be lost.

What a call beside the plain ones needs (descriptors, streams) is in `descriptors` and `traffic`,
loaded when first used: they are this module's friends and use its inside. Whoever waits for
something else than a reply waits with a waker (see `traffic`): he reads for everybody, and holds
the lock only to take in what came. What arrives is given to streams and to the listener under the
lock: they keep it and wake somebody, nothing more.
"""

from __future__ import annotations

# The modules below socket, threading and warnings: see virtproto.transport.unix for why.
from _socket import AF_UNIX, MSG_NOSIGNAL, SHUT_RDWR, SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET
from _thread import allocate_lock
from _warnings import warn
from sys import is_finalizing
from time import monotonic

from virtproto.errors import ConnectionLostError, TransportError, VirtprotoError
from virtproto.model.replies import (
    CLOSE_TIMEOUT_S,
    CLOSED_BY_DAEMON,
    CLOSED_HERE,
    INHERITED,
    closed_during,
    late,
    lost,
    payload_of,
    refused,
    torn,
    unclosed,
    why_broken,
)
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import (
    CallFailed,
    EventReceived,
    FdsUnclaimed,
    PeerClosed,
    ReplyReceived,
    SessionFailed,
)
from virtproto.protocol.limits import PACKET_MIN
from virtproto.transport.inheritance import remember
from virtproto.transport.unix import connect, pack_timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from virtproto.model.endpoint import Endpoint
    from virtproto.protocol.events import Event
    from virtproto.xdr.procedure import Procedure

    from .delivery import Delivery
    from .descriptors import Passage
    from .traffic import Pulse, StreamEnd, Waker

    AnyProcedure: TypeAlias = Procedure[Any, Any]
    # What a call does that is not one plain question and one plain answer.
    Special: TypeAlias = Passage | StreamEnd

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
        "_carriers",
        "_closed",
        "_inbox",
        "_limit_s",
        "_listener",
        "_lock",
        "_path",
        "_pulse",
        "_sending",
        "_session",
        "_settled",
        "_sock",
        "_streams",
        "_unclaimed",
        "_wakers",
    )

    # Nobody reads between calls, so nobody would answer.
    answers_pings = False

    def __init__(self, sock: socket, path: str) -> None:
        self._sock = sock
        self._path = path
        self._session = ClientSession(fd_passing=sock.family == AF_UNIX)
        self._lock = allocate_lock()
        # Why no call can be made any more, None while calls can be made.
        self._closed: str | None = None
        # False while the core digests: see the head of this module.
        self._settled = True
        self._between_packets = True
        self._inbox: list[bytes] = []
        # Bytes that are being sent, and how many each send took so far.
        self._sending: tuple[memoryview | bytes, list[int]] | None = None
        # Descriptors that follow these bytes, copies of the caller's, and what each send took.
        self._carriers: tuple[list[int], list[int]] | None = None
        # Descriptors that came with what nobody waits for any more, counted.
        self._unclaimed = 0
        self._streams: dict[int, StreamEnd] = {}
        self._listener: Delivery | None = None
        # Where keepalive is on: what has a wait for a reply keep its time as well.
        self._pulse: Pulse | None = None
        # Of threads that wait for something else than a reply.
        self._wakers: list[Waker] = []
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
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        timeout_s: float | None = None,
        special: Special | None = None,
    ) -> bytes:
        """Make one call and return the payload of its reply.

        ``timeout_s`` bounds sending and waiting, not the wait for other threads' calls. ``special``
        is for `call_with_fds` and `call_opening_stream`. Raises LibvirtError for the daemon's
        refusal, DeadlineError (the channel stays usable, a late reply is dropped),
        ConnectionLostError, ConnectionClosedError, and ProtocolError.
        """
        if self._closed is not None:
            self._require_open()
        try:
            with self._lock:
                if self._closed is not None or not self._settled:
                    self._require_open()
                try:
                    reply = self._exchange(procedure, args, timeout_s, special)
                except BlockingIOError:
                    raise late(procedure, timeout_s) from None
                except OSError as exc:
                    raise self._broken(procedure, exc) from exc
        finally:
            if self._wakers or self._closed is not None:
                self._let_go()
        if special is not None:
            special.answered(reply)
        return payload_of(procedure, reply)

    def call_with_fds(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        fds: Sequence[int],
        timeout_s: float | None = None,
    ) -> tuple[bytes, list[int]]:
        """Make one call that sends or brings descriptors; return the payload and what came.

        ``fds`` are open descriptors and stay the caller's. Those returned are the caller's to
        close, and close-on-exec. Raises as ``call`` does, UsageError where this connection cannot
        carry descriptors, and SequenceError where not those come that the reply announces.
        """
        from .descriptors import Passage

        passage = Passage(self, fds)
        try:
            payload = self.call(procedure, args, timeout_s, passage)
            return payload, passage.claim(procedure)
        finally:
            passage.end()

    def call_opening_stream(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        stream: StreamEnd,
        timeout_s: float | None = None,
    ) -> bytes:
        """Make the call that opens ``stream`` and return the payload of its reply.

        Raises as ``call`` does; there is no stream then.
        """
        stream.join(self, timeout_s)
        try:
            return self.call(procedure, args, timeout_s, stream)
        except BaseException:
            stream.forget()
            raise

    def listen(self, listener: Delivery | None) -> None:
        """Have ``listener`` told of events and of the connection's end; None ends that."""
        self._listener = listener

    def _let_go(self) -> None:
        """Do, after releasing the lock, what others could not do because of it."""
        if self._closed is CLOSED_HERE:
            self._lose(CLOSED_HERE)
        for waker in tuple(self._wakers):
            if waker.starved:
                waker.wake()

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
                self._exchange(goodbye, b"", CLOSE_TIMEOUT_S, None)
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

    def _broken(self, procedure: Procedure[Any, Any] | None, exc: OSError) -> TransportError:
        if self._closed is not None:
            self._lose(CLOSED_HERE)
            return closed_during(procedure)
        why = why_broken(exc)
        self._lose(why)
        return lost(procedure, why)

    def _lose(self, why: str, error: VirtprotoError | None = None) -> None:
        if self._closed is None:
            self._closed = why
        self._session.close()
        self._sock.close()
        self._drop_carriers()
        if self._streams or self._wakers or self._listener is not None:
            from .traffic import announce_end

            announce_end(self, self._closed, error)

    def _exchange(
        self, procedure: AnyProcedure, args: bytes, timeout_s: float | None, special: Special | None
    ) -> ReplyReceived | CallFailed:
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
            if special is not None:
                serial = special.send_call(procedure, args)
            else:
                target = procedure.program, procedure.version, procedure.number
                serial = self._session.send_call(*target, args)
            self._queue()
            self._settled = True
            queued = True
            self._flush(deadline)
            receive = self._receive if special is None else special.receive
            if self._pulse is not None:
                receive = self._pulse.keeping_time(receive, deadline)
            while True:
                receive()
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
            self._drop_carriers()
        if self._sending is not None and not self._sending[1]:
            # Not a byte of it has left: the daemon must not get it with the next call.
            self._sending = None
            self._drop_carriers()
        if serial is not None and settled:
            self._session.abandon_call(serial)
        self._settled = settled

    def _queue(self) -> None:
        """Take what the core wants sent."""
        if self._carriers is not None and self._sending is not None:
            # Nothing may come between a packet and its descriptors.
            return
        chunks = self._session.data_to_send()
        if chunks:
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            # The counts stay: who gives up must see that some has left.
            done, counts = self._sending or (b"", [])
            self._sending = (bytes(done) + data if len(done) else data, counts)

    def _flush(self, deadline: float | None) -> None:
        if self._pulse is not None:
            from .traffic import push

            push(self, deadline=deadline)
        while self._sending is not None:
            data, counts = self._sending
            if counts:
                data = memoryview(data)[sum(counts) :]
                if deadline is not None:
                    self._limit(deadline - monotonic())
            counts.extend(map(self._sock.send, (data,), (MSG_NOSIGNAL,)))
            if sum(counts) == len(self._sending[0]):
                if self._carriers is not None:
                    from .descriptors import send_carriers

                    send_carriers(self, deadline)
                self._sending = None

    def _drop_carriers(self) -> None:
        if self._carriers is not None:
            from .descriptors import drop_carriers

            drop_carriers(self)

    def _receive(self) -> None:
        """Wait until something arrives, unless an interrupted call left something."""
        if not self._inbox:
            self._inbox.extend(map(self._sock.recv, (self._read_size(),)))

    def _read_size(self) -> int:
        if self._between_packets:
            return _READ_SIZE
        return max(_READ_SIZE, min(self._session.bytes_wanted, _LARGE_READ_SIZE))

    def _digest(
        self, procedure: Procedure[Any, Any] | None, serial: int
    ) -> ReplyReceived | CallFailed | None:
        """Give the core what arrived; return the answer to ``serial`` if it is among it.

        Between calls ``procedure`` is None, and no serial is -1.
        """
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
            self._tear_streams()
            raise
        if found is not None:
            return found
        for event in session.events_received():
            if isinstance(event, ReplyReceived | CallFailed) and event.serial == serial:
                found = event
            elif isinstance(event, SessionFailed):
                self._lose(f"it failed: {event.error}", event.error)
                raise event.error
            elif isinstance(event, PeerClosed):
                self._peer_closed(procedure, event)
            else:
                self._deliver(event)
        if found is None:
            self._queue()
        return found

    def _deliver(self, event: Event) -> None:
        """Hand on what no call waits for."""
        try:
            if isinstance(event, EventReceived):
                if self._listener is not None:
                    self._listener.deliver(event)
            elif isinstance(event, FdsUnclaimed):
                self._unclaimed += event.nfds
            else:
                # A reply that nobody knows is that of a call given up while it was on the way.
                stream = self._streams.get(event.serial)  # type: ignore[attr-defined]
                if stream is not None:
                    stream.deliver(event)
        except BaseException:
            self._tear_streams()
            raise

    def _tear_streams(self) -> None:
        """Have streams say that data may be missing: a signal came while some was taken in."""
        for stream in self._streams.values():
            stream.tear(torn(None))

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

    def _peer_closed(self, procedure: Procedure[Any, Any] | None, event: PeerClosed) -> None:
        if self._closed is not None:
            self._lose(CLOSED_HERE)
            raise closed_during(procedure)
        self._lose(CLOSED_BY_DAEMON)
        raise lost(procedure, CLOSED_BY_DAEMON, event.bytes_held)

    def _limit(self, seconds: float | None) -> None:
        """Set how long a send or a receive may block; less than nothing means: not at all."""
        self._limit_s = seconds
        value = pack_timeout(seconds)
        self._sock.setsockopt(SOL_SOCKET, SO_RCVTIMEO, value)
        self._sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, value)
