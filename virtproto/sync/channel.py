"""One connection to a daemon for threads: who calls sends, and one who waits reads for all.

Responsible for moving bytes between a blocking socket and the protocol core, for any number of
threads at once, and for staying usable after deadlines and KeyboardInterrupts. Knows procedures by
number only; what their payloads hold is the caller's business. How threads wait is in `waiting`,
how packets leave in `sending`; these and `traffic`, `descriptors` and `timekeeper`, loaded when
first used, are this module's friends and use its inside.

What holds:

* ``_lock`` guards the core and everything that is kept here. It is held for a moment, never while
  somebody waits for the daemon; only at the end of a road that a program carries it is held a
  little longer, for what that says last. What arrives is given to streams and to the listener
  under it: they keep it and wake somebody, nothing more.
* ``_lead`` is the thread that reads, or None. It is taken under the lock and given back without.
  Only the leader reads from the socket, and only he fills and empties ``_inbox``. The lock is not
  his meanwhile: others send.
* Who waits and does not lead is asleep on a lock of his own and is woken by what he waits for. Who
  gives the lead back looks afterwards whether anybody waits, and wakes one; who wants to sleep puts
  himself in the list first and looks afterwards whether anybody leads. So one of the two sees the
  other. A wake-up that was lost all the same costs a second: whoever sleeps looks again then.
* Sending never waits under the lock: what the socket does not take stays in ``_outgoing``, in
  order, and is sent by whoever waits, which is the leader too. While somebody waits for room
  somebody reads, else both ends might wait for the other to read.
* The core's own queue is empty whenever the lock is free.

A signal handler may raise in the main thread wherever the interpreter looks for signals: when it
begins a function, jumps back, or is back from a call. Four things make that harmless. What a system
call brought is kept by the same C call that made it (``list.extend`` over ``map``), so no received
byte and no count of sent ones is ever lost. The lead is given back by the first line of a
``finally``, which calls nothing. A packet of which nothing has left is taken back when its call is
given up; one of which some has left is sent to its end by whoever comes next. And while the core
works, the channel is marked unsettled. Torn from the middle of a packet it stays so, and whoever
comes next says that the connection is lost, instead of reading on from there. Torn from packets
that came whole it loses those only: calls whose reply was among them fail, as the core does not
wait for it any more, and open streams say that some of their data may be lost.
"""

from __future__ import annotations

# The modules below socket, threading and warnings: see virtproto.transport.unix for why.
from _socket import MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_RDWR
from _thread import allocate_lock
from _warnings import warn
from sys import is_finalizing
from time import monotonic

from virtproto.errors import ConnectionLostError, VirtprotoError
from virtproto.model.replies import (
    CLOSED_HERE,
    INHERITED,
    payload_of,
    refused,
    unclosed,
    unsent,
    why_broken,
)
from virtproto.protocol.client import ClientSession
from virtproto.protocol.events import CallFailed
from virtproto.transport.deadline import time_left
from virtproto.transport.inheritance import remember

from .connecting import connect
from .reading import read_for
from .waiting import Waiter, hand_on, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Sequence
    from typing import Any, Self, TypeAlias

    from virtproto.model.endpoint import Endpoint
    from virtproto.transport.road import Layer, Road
    from virtproto.xdr.procedure import Procedure

    from .delivery import Delivery
    from .descriptors import Passage
    from .layered_socket import LayeredSocket
    from .overhearing import Hearing
    from .packets import LargePacket
    from .traffic import StreamEnd
    from .waiting import Waker

    # What a call does that is not one plain question and one plain answer.
    Special: TypeAlias = Passage | StreamEnd
    # A packet, how much of it each send took, and the serial of its call, or -1.
    Parcel: TypeAlias = tuple[bytes | LargePacket, list[int], int]
    # Told of the connection's end: why, the core's error if it was one, a virConnectCloseReason.
    Mourner: TypeAlias = Callable[[str, VirtprotoError | None, int], object]

__all__ = ["Channel"]

_SEND_FLAGS = (MSG_NOSIGNAL | MSG_DONTWAIT,)


class Channel:
    """A connected socket and the state of the conversation on it; threads may share it."""

    __slots__ = (
        "__weakref__",
        "_between_packets",
        "_carriers",
        "_closed",
        "_ended",
        "_error",
        "_fds",
        "_followers",
        "_hearing",
        "_inbox",
        "_lead",
        "_limit_s",
        "_listener",
        "_lock",
        "_mourners",
        "_outgoing",
        "_road",
        "_session",
        "_settled",
        "_small_reads",
        "_sock",
        "_streams",
        "_taking",
        "_timed",
        "_waiting",
        "_wakers",
    )

    def __init__(self, road: Road) -> None:
        self._road = road
        # As a layer has it, if there is one between the socket and the packets.
        self._sock: socket | LayeredSocket = road.sock
        if road.layer is not None:
            self._sock = _layered(road.sock, road.layer)
        self._session = ClientSession(fd_passing=road.carries_descriptors)
        self._lock = allocate_lock()
        # Why no call can be made any more, None while calls can be made.
        self._closed: str | None = None
        # Whether everybody was told that, or is just being told; the core's error, if it was one.
        self._ended = False
        self._error: VirtprotoError | None = None
        # False while the core works, and while what it wants sent is taken: see the module's head.
        self._settled, self._taking = True, False
        # Whether a packet is complete; how many reads are to be small, as the last was large.
        self._between_packets, self._small_reads = True, 0
        self._lead: Waiter | None = None
        # Those who sleep and may be woken to lead, and the calls without an answer by serial.
        self._followers: list[Waiter] = []
        self._waiting: dict[int, Waiter] = {}
        # What was read and not digested: at most one result of recvmsg.
        self._inbox: list[tuple[bytes, list[tuple[int, int, bytes]], int, Any]] = []
        self._outgoing: list[Parcel] = []
        # By serial: descriptors that follow a call's packet, copies of the caller's, and what each
        # send took. And those that came, and belong to the next packet that announces some.
        self._carriers: dict[int, tuple[list[int], list[int]]] = {}
        self._fds: list[int] = []
        self._streams: dict[int, StreamEnd] = {}
        self._listener: Delivery | None = None
        self._mourners: list[Mourner] = []
        # Of threads that read while nobody else does.
        self._wakers: list[Waker] = []
        # Whether keepalive is on, and wants to know when something arrives.
        self._timed = False
        self._limit_s: float | None = None
        # What takes note of all that passes, where that is traced.
        self._hearing: Hearing | None = None
        remember(self)

    @classmethod
    def connect(cls, endpoint: Endpoint, timeout_s: float | None) -> Self:
        """Return a channel to ``endpoint``. Raises as ``connecting.connect`` does."""
        return cls.over(connect(endpoint, timeout_s))

    @classmethod
    def over(cls, road: Road) -> Self:
        """Return a channel over a connected road, which is the channel's to end."""
        try:
            channel = cls(road)
            if road.tracer is not None:
                from .overhearing import overhear

                overhear(channel, road.tracer)
        except BaseException:
            road.leave()
            raise
        return channel

    @property
    def is_open(self) -> bool:
        """Whether calls can be made, as far as is known without asking the daemon."""
        return self._closed is None

    @property
    def _is_crowded(self) -> bool:
        """Whether a stream or an iterator has more than it should; read little for nobody then."""
        return self._is_blocked or any(end.inbox.crowded for end in tuple(self._streams.values()))

    @property
    def _is_blocked(self) -> bool:
        """Whether an iterator over events has more than it should and is to lose nothing."""
        listener = self._listener
        return listener is not None and listener.crowded

    @property
    def answers_pings(self) -> bool:
        """Whether the daemon's pings are answered between calls: keepalive is on."""
        return self._timed

    @property
    def long_calls(self) -> int | None:
        """How many long calls the daemon is given at a time; None for any number. May be set."""
        return self._session.long_calls

    @long_calls.setter
    def long_calls(self, limit: int | None) -> None:
        with self._lock:
            self._require_open()
            self._settled = False
            try:
                self._session.long_calls = limit
            except VirtprotoError:
                self._settled = True
                raise
            from .sending import push, take

            take(self)
            self._settled = True
            push(self)

    def call(
        self,
        procedure: Procedure[Any, Any],
        args: bytes,
        timeout_s: float | None = None,
        special: Special | None = None,
    ) -> bytes:
        """Make one call and return the payload of its reply.

        ``timeout_s`` bounds all of it, and so do the blocks of `deadline` around it. ``special``
        is for `call_with_fds` and `call_opening_stream`. Raises LibvirtError for the daemon's
        refusal, DeadlineError (the channel stays usable, a late reply is dropped),
        ConnectionLostError, ConnectionClosedError, and ProtocolError.
        """
        timeout_s = time_left(timeout_s)
        if timeout_s is not None and timeout_s <= 0 and self._closed is None:
            raise unsent(procedure, timeout_s)
        deadline = None if timeout_s is None else monotonic() + timeout_s
        waiter = Waiter(procedure, special)
        try:
            with self._lock:
                if self._closed is not None or not self._settled:
                    self._require_open()
                self._begin(waiter, procedure, args)
                if self._lead is None and not self._ended:
                    self._lead = waiter
            if self._lead is waiter:
                read_for(self, waiter, deadline, timeout_s)
            else:
                wait(self, waiter, deadline, timeout_s)
        except BaseException as failure:
            from .mending import end_without_reply

            if end_without_reply(self, waiter, failure, timeout_s):
                raise
        finally:
            if self._lead is waiter:
                self._lead = None
            if self._followers or self._wakers or self._ended:
                hand_on(self)
        reply = waiter.answer
        if special is not None:
            special.answered(reply)  # type: ignore[arg-type]
        return payload_of(procedure, reply)  # type: ignore[arg-type]

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

    def when_lost(self, function: Mourner) -> None:
        """Have ``function(why, error, reason)`` called once, at any end but a close from here.

        After calls, streams and the listener were told; under the lock, so it must only take note.
        """
        self._mourners.append(function)

    def add_layer(self, layer: Layer) -> None:
        """Have all that travels from now on pass through a SASL security layer.

        To be called when the last reply of the exchange was read, before anything else is sent.
        Raises ConnectionClosedError, ConnectionLostError, ProtocolError.
        """
        with self._lock:
            self._require_open()
            self._session.require_whole()
            self._sock = _layered(self._road.sock, layer)
            self._limit_s = None
            self._road.add_layer(layer)

    def keep_alive(self, interval_s: float, count: int) -> None:
        """Ask a daemon that is silent for ``interval_s`` seconds, ``count`` times, then give it up.

        An interval of 0 or less: never. Raises UsageError, ConnectionClosedError, TransportError.
        """
        from .timekeeper import keep_time

        keep_time(self, interval_s, count)

    def close(self, goodbye: Procedure[Any, Any] | None = None) -> None:
        """Close the connection; does nothing if it is closed already.

        ``goodbye`` is a procedure to call first, for at most CLOSE_TIMEOUT_S, unless somebody
        waits for something: calls under way fail with ConnectionClosedError at once.
        """
        if self._closed is not None:
            return
        from .ending import close, say

        # First of all: who comes from now on is refused.
        self._closed = CLOSED_HERE
        try:
            if goodbye is not None:
                say(self, goodbye)
        except (OSError, VirtprotoError):
            # The daemon is gone or busy; it will notice the closed socket.
            pass
        finally:
            close(self)

    def abandon(self) -> None:
        """Close the socket of a connection that nobody has any more, and warn; silent if closed."""
        if self._closed is not None or is_finalizing():
            return
        self._closed = CLOSED_HERE
        # Not to be waited for: the garbage collector may run within anybody's use of the lock.
        got: list[bool] = []
        try:
            got.extend(map(self._lock.acquire, (False,)))
            self._lose(CLOSED_HERE)
        finally:
            if got and got[0]:
                self._lock.release()
        warn(unclosed(self._road.name), ResourceWarning, 3, self)

    def leave_to_parent(self) -> None:
        """In a forked process: make no more calls, and close this process's descriptor.

        Nothing else: what is said or shut down on the connection would be so for the parent.
        """
        # Who held it may be a thread that does not exist here.
        self._lock = allocate_lock()
        if self._closed is None:
            self._closed = INHERITED
            self._sock.close()

    def _require_open(self) -> None:
        """Raise unless a call can be made. Torn, the connection ends; the caller has the lock."""
        if self._closed is not None:
            raise refused(self._closed)
        if not self._settled:
            self._lose_torn()
            raise ConnectionLostError(f"the connection is of no use: {self._closed}")

    def _lose_torn(self) -> None:
        self._lose("an earlier call was torn by a signal while its reply was taken in")

    def _lose(self, why: str, error: VirtprotoError | None = None, bytes_held: int = 0) -> None:
        """End the connection and tell everybody, once. The caller has the lock."""
        if not self._ended:
            from .ending import end

            end(self, why, error, bytes_held)

    def _tell_end(self, waiter: Waiter) -> None:
        """Tell somebody that the connection has ended, unless he was told something."""
        if waiter.answer is None:
            from .ending import end_of_call

            waiter.answer = CallFailed(waiter.serial, end_of_call(self, waiter))
            waiter.wake()

    # Calls.

    def _begin(self, waiter: Waiter, procedure: Procedure[Any, Any], args: bytes) -> None:
        """Have the core queue a call, and send it if the socket takes it. Needs the lock."""
        session = self._session
        special = waiter.special
        try:
            self._settled = False
            if special is None:
                which, long, urgent = procedure.number, procedure.long, procedure.urgent
                serial = session.send_call(
                    procedure.program, procedure.version, which, args, long=long, urgent=urgent
                )
            else:
                serial = special.send_call(procedure, args)
            waiter.serial = serial
            self._waiting[serial] = waiter
            chunks = session.data_to_send()
            if len(chunks) != 1 or self._outgoing or special is not None:
                from .sending import take

                take(self, chunks)
                self._settled = True
            else:
                counts: list[int] = []
                self._outgoing.append((chunks[0], counts, serial))
                self._settled = True
                counts.extend(map(self._sock.send, chunks, _SEND_FLAGS))
                if counts[0] == len(chunks[0]):
                    self._outgoing.pop()
                return
        except BaseException as failure:
            if self._not_begun(waiter, failure):
                raise
            return
        if self._outgoing:
            from .sending import push

            push(self)

    def _not_begun(self, waiter: Waiter, failure: BaseException) -> bool:
        """Tidy up where a call was not queued, or not sent; return whether that is to be raised."""
        if isinstance(failure, VirtprotoError):
            # The core refused it.
            self._settled = True
        elif isinstance(failure, BlockingIOError):
            # It leaves later.
            return False
        elif isinstance(failure, OSError):
            self._lose(why_broken(failure))
            return False
        elif not self._settled:
            from .mending import mend_sending

            mend_sending(self, waiter)
        return True

    def _drop_carriers(self, serial: int) -> None:
        if serial in self._carriers:
            from .descriptors import drop_carriers

            drop_carriers(self, serial)

    def _hang_up(self) -> None:
        """End the conversation: a leader's read returns; who gives the lead back closes."""
        try:  # noqa: SIM105 - contextlib takes long to import
            self._sock.shutdown(SHUT_RDWR)
        except OSError:
            # The peer was faster.
            pass
        if self._lead is None:
            self._sock.close()


def _layered(sock: socket, layer: Layer) -> LayeredSocket:
    from .layered_socket import LayeredSocket

    return LayeredSocket(sock, layer)
