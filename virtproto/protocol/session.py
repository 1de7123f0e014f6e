"""What both ends of a connection share: bytes in, events out, packets to send, time as an argument.

Responsible for: the phase of the connection, the queues, keepalive, and handing each packet to the
method for its type. Must not know a socket, a clock or a thread; what packets mean to a client or a
server is in `client` and `server`.

A front end has this loop, whatever its colour::

    session.receive_data(data, now)          # or session.receive_eof()
    for event in session.events_received():
        ...
    for chunk in session.data_to_send():
        ...                                  # write it
    deadline = session.next_deadline()       # call session.tick(now) then, if not None

Bad input never raises here. It becomes the event SessionFailed, after which input is dropped and
nothing can be sent.
"""

from __future__ import annotations

from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    DecodeError,
    FramingError,
    ProtocolError,
    UsageError,
)
from virtproto.protocol import streams
from virtproto.protocol.events import (
    Event,
    FdsUnclaimed,
    PeerClosed,
    SessionFailed,
    StreamHoleReceived,
)
from virtproto.protocol.framing import Packet, PacketReader
from virtproto.protocol.keepalive import (
    PEER_DEAD,
    PING_PACKET,
    PONG_PACKET,
    SEND_PING,
    KeepAlive,
)
from virtproto.protocol.limits import LIBVIRTD_PROGRAMS
from virtproto.protocol.streams import StreamRecord
from virtproto.wire import keepalive
from virtproto.wire.rpc import MESSAGE_STATUS_CONTINUE, MESSAGE_TYPE_STREAM_HOLE, StreamHole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from virtproto.errors import VirtprotoError
    from virtproto.protocol.framing import Buffer

__all__ = ["Session", "CONNECTED", "PEER_CLOSED", "FAILED", "CLOSED", "stream_input"]

# Phases of a connection. The opening sequence (authentication, CONNECT_OPEN) is ordinary calls and
# the front end's affair.
CONNECTED = "connected"
PEER_CLOSED = "closed by the peer"
FAILED = "failed"
CLOSED = "closed"

_EOF = "eof"
_FAILURE = "failure"
_CLOSE = "close"

# What is not here changes nothing: an end of input after a failure is no news.
_PHASES = {
    (CONNECTED, _EOF): PEER_CLOSED,
    (CONNECTED, _FAILURE): FAILED,
    (CONNECTED, _CLOSE): CLOSED,
    (PEER_CLOSED, _CLOSE): CLOSED,
    (FAILED, _CLOSE): CLOSED,
}


class Session:
    """One end of a connection; use ClientSession or ServerSession.

    ``programs`` are the (number, version) pairs that this end understands. ``fd_passing`` says that
    the transport is a UNIX socket whose front end reads with recvmsg where `fds_expected` is not 0,
    and writes descriptors where `fds_due` is not 0.
    """

    __slots__ = (
        "_events",
        "_fd_marks",
        "_fds_due",
        "_heard",
        "_keepalive",
        "_out",
        "_programs",
        "_reader",
        "_streams",
        "phase",
    )

    def __init__(
        self, *, programs: Iterable[tuple[int, int]] = LIBVIRTD_PROGRAMS, fd_passing: bool = False
    ) -> None:
        self.phase = CONNECTED
        self._programs = frozenset(programs)
        # Streams by serial, from their opening call to their end.
        self._streams: dict[int, StreamRecord] = {}
        self._reader = PacketReader(fd_passing=fd_passing)
        self._events: list[Event] = []
        self._out: list[bytes] = []
        # (length of _out right after a packet with descriptors, their number), oldest first.
        self._fd_marks: list[tuple[int, int]] | None = [] if fd_passing else None
        self._fds_due = 0
        self._keepalive: KeepAlive | None = None
        # A packet arrived at a time that nobody told.
        self._heard = False

    # Bytes in.

    def receive_data(self, data: Buffer, now: float | None = None) -> None:
        """Take bytes from the peer, split anywhere; never raises for what they hold.

        ``now`` matters only while own keepalive pings are on: the time of arrival in seconds.
        Without it a packet counts as having arrived at the next `tick`.
        """
        if self.phase is not CONNECTED:
            return
        reader = self._reader
        reader.feed(data)
        while self.phase is CONNECTED:
            packet = reader.next_packet()
            if packet is None:
                break
            if self._keepalive is not None:
                self._note_packet(self._keepalive, now)
            try:
                self._receive_packet(packet)
            except ProtocolError as error:
                self._fail(error)
        if reader.error is not None:
            self._fail(reader.error)

    def receive_eof(self) -> None:
        """Note that the peer will send nothing more; reports PeerClosed once."""
        if self.phase is CONNECTED:
            self._events.append(PeerClosed(self._reader.bytes_held))
        self._enter(_EOF)

    @property
    def bytes_wanted(self) -> int:
        """Bytes that can be read without reading past the packet that is arriving.

        0 when nothing more is to be read at all: after a failure, the peer's end, or `close`.
        """
        return self._reader.bytes_wanted if self.phase is CONNECTED else 0

    def require_whole(self) -> None:
        """Raise ProtocolError if part of a packet has come, and the rest is still to come.

        For who has bytes mean something else from now on: the two would become one packet, and
        whoever meddled before protection began would have a hand in what it protects.
        """
        if self._reader.bytes_held:
            raise ProtocolError("part of a packet came where what follows is to be protected")

    @property
    def fds_expected(self) -> int:
        """Descriptors still to come for the packet just read; read these bytes with recvmsg.

        Its event follows the last one, so the ``nfds`` of events count off, in order, the
        descriptors that the front end collected.
        """
        return self._reader.fds_expected

    @property
    def fds_seen(self) -> int:
        """Bytes that descriptors ride on, of all that were read; of the connection's whole life."""
        return self._reader.fds_seen

    # Events and bytes out.

    def events_received(self) -> list[Event]:
        """Return what happened since the last call, in the order in which it arrived."""
        events = self._events
        self._events = []
        return events

    def data_to_send(self) -> list[bytes]:
        """Return the chunks to write, in order; empty when there is nothing.

        Where descriptors can be sent, the list ends with a packet that announces some: write it,
        send `fds_due` of them, call again.
        """
        out = self._out
        if self._fd_marks:
            return self._out_up_to_fds(self._fd_marks)
        self._fds_due = 0
        self._out = []
        return out

    def _out_up_to_fds(self, marks: list[tuple[int, int]]) -> list[bytes]:
        out = self._out
        end, self._fds_due = marks.pop(0)
        self._out = out[end:]
        marks[:] = [(mark - end, nfds) for mark, nfds in marks]
        return out[:end]

    @property
    def fds_due(self) -> int:
        """Descriptors to send behind what `data_to_send` returned last.

        Each goes as SCM_RIGHTS with one zero byte of its own, in one sendmsg.
        """
        return self._fds_due

    # Time.

    def enable_keepalive(self, interval_s: float, count: int, now: float) -> None:
        """Ping the peer after ``interval_s`` of silence, give up after ``count`` unanswered pings.

        An interval of 0 or less turns pings off. The peer's pings are answered in any case.
        Raises UsageError for values that make no sense.
        """
        if interval_s <= 0:
            self._keepalive = None
        else:
            self._keepalive = KeepAlive(interval_s, count, now)

    def next_deadline(self) -> float | None:
        """Return the time at which `tick` must be called, None for never."""
        if self._keepalive is None or self.phase is not CONNECTED:
            return None
        return self._keepalive.next_deadline()

    def tick(self, now: float) -> None:
        """Do what is due: queue a ping, or fail with ConnectionLostError.

        Read what the peer has sent before: a packet that waits unread is a sign of life too.
        """
        keepalive = self._keepalive
        if keepalive is None or self.phase is not CONNECTED:
            return
        if self._heard:
            self._note_packet(keepalive, now)
        due = keepalive.tick(now)
        if due is SEND_PING:
            self._out.append(PING_PACKET)
        elif due is PEER_DEAD:
            silent_s = keepalive.interval_s * (keepalive.count + 1)
            reason = f"no packet from the peer in {silent_s:g} s"
            self._fail(ConnectionLostError(f"{reason}, {keepalive.count} pings unanswered"))

    def note_life(self, now: float) -> None:
        """Count as heard of a peer that was seen to live, although what it sent is left unread."""
        if self._keepalive is not None:
            self._keepalive.packet_received(now)

    def _note_packet(self, keepalive: KeepAlive, now: float | None) -> None:
        self._heard = now is None
        if now is not None:
            keepalive.packet_received(now)

    # The end.

    def close(self) -> None:
        """Drop what is queued and refuse everything from now on; writes nothing."""
        self._enter(_CLOSE)
        self._out = []
        if self._fd_marks is not None:
            self._fd_marks = []
        self._events = []

    def _enter(self, what: str) -> None:
        self.phase = _PHASES.get((self.phase, what), self.phase)

    def _fail(self, error: VirtprotoError) -> None:
        """Report a failure once; what was queued for a peer that is not one of ours is dropped."""
        if self.phase is CONNECTED:
            self._events.append(SessionFailed(error))
            self._out = []
            if self._fd_marks is not None:
                self._fd_marks = []
        self._enter(_FAILURE)

    # For the two roles.

    def _receive_packet(self, packet: Packet) -> None:
        """Handle one packet by its type. Raises ProtocolError for one that ends the session."""
        raise NotImplementedError

    def _receive_keepalive(self, packet: Packet) -> None:
        """Answer a ping; a pong has already done its work by arriving."""
        if packet.procedure == keepalive.PING:
            self._out.append(PONG_PACKET)

    def _report_hole(self, packet: Packet) -> None:
        """Report a hole (virNetStreamHole); holes reach both ends. Raises DecodeError."""
        hole = StreamHole.unpack(packet.payload)
        if hole.length < 0:
            raise DecodeError(f"a hole of {hole.length} bytes", offset=0, path="length")
        self._events.append(StreamHoleReceived(packet.serial, hole.length, hole.flags))

    def _is_keepalive(self, packet: Packet) -> bool:
        return packet.program == keepalive.PROGRAM and packet.version == keepalive.VERSION

    def _drop(self, packet: Packet) -> None:
        """Ignore a packet, but not the descriptors that came with it."""
        if packet.nfds:
            self._events.append(FdsUnclaimed(packet.nfds))

    def _refuse_type(self, packet: Packet) -> None:
        raise FramingError(f"a packet of type {packet.type}, which does not come this way")

    def _require_connected(self) -> None:
        if self.phase is not CONNECTED:
            raise ConnectionClosedError(f"the connection is {self.phase}")

    def _require_fd_passing(self) -> None:
        if self._fd_marks is None:
            raise UsageError("this connection cannot carry descriptors")

    def _stream_to_send(self, serial: int, what: str) -> StreamRecord:
        """Return the stream on which ``what`` is to be sent; raise UsageError if there is none."""
        self._require_connected()
        record = self._streams.get(serial)
        if record is None:
            raise UsageError(f"{what} on the stream with serial {serial}, which is not open")
        return record

    def _stream_of(self, packet: Packet) -> StreamRecord | None:
        """Return the stream that a stream packet is for; None if its serial or target has none."""
        record = self._streams.get(packet.serial)
        if record is None or record.target != (packet.program, packet.version, packet.procedure):
            return None
        return record

    def _queue(self, packet: bytes, payload: bytes = b"", nfds: int = 0) -> None:
        """Queue a packet for sending; ``payload`` as a chunk of its own saves copying it.

        Descriptors only after `_require_fd_passing`.
        """
        self._out.append(packet)
        if payload:
            self._out.append(payload)
        if nfds and self._fd_marks is not None:
            self._fd_marks.append((len(self._out), nfds))


def stream_input(packet: Packet, by_status: Mapping[int, str]) -> str | None:
    """Return what a stream packet is to its stream, a constant of `streams`.

    ``by_status`` tells for the statuses that end a stream, which mean other things to either end;
    None is for a status that no stream packet has.
    """
    if packet.status != MESSAGE_STATUS_CONTINUE:
        return by_status.get(packet.status)
    if packet.type == MESSAGE_TYPE_STREAM_HOLE:
        return streams.HOLE
    return streams.DATA if packet.payload else streams.END
