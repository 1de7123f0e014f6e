"""The client's end of a connection.

Responsible for: what each packet from a daemon means, by its type first and its serial second, and
what a client may send when. Must not know what the payloads hold.

How a daemon's odd packets are taken is the C library's way, so that a daemon which works with it
works here: a reply that no call waits for ends the connection, a reply that does not fit its call
fails that call, an event of an unknown program ends the connection, stream packets of unknown
streams are ignored.

Of long calls only so many are sent at a time, see `limiter`.

Source: virnetclient.c, virnetclientprogram.c, virnetclientstream.c.
"""

from __future__ import annotations

from virtproto.errors import DecodeError, EncodeError, SequenceError, UsageError
from virtproto.protocol import streams
from virtproto.protocol.calls import ABANDONED, CallTable
from virtproto.protocol.events import (
    CallFailed,
    EventReceived,
    ReplyReceived,
    StreamDataReceived,
    StreamEnded,
    StreamFailed,
    StreamFinished,
)
from virtproto.protocol.framing import Packet, pack_header, pack_packet
from virtproto.protocol.limiter import HeldCall, Limiter
from virtproto.protocol.limits import (
    FAILED_STREAMS_KEPT,
    LIBVIRTD_PROGRAMS,
    LONG_CALLS,
    PACKET_MIN,
)
from virtproto.protocol.session import CONNECTED, Session, stream_input
from virtproto.protocol.streams import StreamRecord
from virtproto.wire.rpc import (
    MESSAGE_STATUS_CONTINUE,
    MESSAGE_STATUS_ERROR,
    MESSAGE_STATUS_OK,
    MESSAGE_TYPE_CALL,
    MESSAGE_TYPE_CALL_WITH_FDS,
    MESSAGE_TYPE_MESSAGE,
    MESSAGE_TYPE_REPLY,
    MESSAGE_TYPE_REPLY_WITH_FDS,
    MESSAGE_TYPE_STREAM,
    MESSAGE_TYPE_STREAM_HOLE,
    StreamHole,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from virtproto.errors import VirtprotoError

__all__ = ["ClientSession"]

# Arguments and stream data from this size on are queued as a chunk of their own, not copied.
_OWN_CHUNK = 16384

_STREAM_INPUT = {MESSAGE_STATUS_OK: streams.STREAM_OK, MESSAGE_STATUS_ERROR: streams.STREAM_ERROR}
_REPLY_INPUT = {MESSAGE_STATUS_OK: streams.REPLY_OK, MESSAGE_STATUS_ERROR: streams.REPLY_ERROR}


class ClientSession(Session):
    """Calls, streams and events of one connection to a daemon.

    ``programs`` are the (number, version) pairs whose events the front end understands; any other
    program's event ends the session. ``first_serial`` is 0 with every libvirt client.
    ``long_calls`` is how many long calls are given to the daemon at a time, and one more if it is
    urgent; None is for any number. It may be set at any time. Raises UsageError for fewer than 1.
    """

    __slots__ = ("_calls", "_limiter")

    def __init__(
        self,
        *,
        programs: Iterable[tuple[int, int]] = LIBVIRTD_PROGRAMS,
        fd_passing: bool = False,
        first_serial: int = 0,
        long_calls: int | None = LONG_CALLS,
    ) -> None:
        super().__init__(programs=programs, fd_passing=fd_passing)
        self._limiter = Limiter(long_calls)
        # Failed streams stay in their table a little longer than to their end.
        self._calls = CallTable(self._streams, first_serial, self._limiter.held)

    # Calls.

    def send_call(
        self,
        program: int,
        version: int,
        procedure: int,
        args: bytes = b"",
        *,
        opens_stream: bool = False,
        nfds: int = 0,
        long: bool = False,
        urgent: bool = False,
    ) -> int:
        """Queue a call and return its serial; the answer is a ReplyReceived or CallFailed.

        ``args`` is the packed arguments. With ``opens_stream`` the serial is also the stream's.
        ``nfds`` descriptors are announced; the front end sends them (see `fds_due`). A ``long``
        call beyond the limit is held: queued when a call before it was answered. An ``urgent`` one
        takes a turn as well, but may be one beyond the limit, and goes before held long ones.
        Raises ConnectionClosedError, EncodeError (sizes, numbers), UsageError (descriptors on a
        transport without them); nothing is queued then.
        """
        if self.phase is not CONNECTED:
            self._require_connected()
        if nfds:
            self._require_fd_passing()
        kind, count = (MESSAGE_TYPE_CALL_WITH_FDS, nfds) if nfds else (MESSAGE_TYPE_CALL, None)
        size = len(args)
        target = (program, version, procedure)
        serial = self._calls.open(target)
        try:
            packet = pack_header(
                program, version, procedure, kind, serial, MESSAGE_STATUS_OK, size, count
            )
        except EncodeError:
            del self._calls.pending[serial]
            raise
        if long or urgent:
            if not self._limiter.has_room(urgent):
                self._hold(serial, HeldCall(target, packet, args, nfds, opens_stream, urgent))
                return serial
            self._limiter.sent[serial] = None
        if size < _OWN_CHUNK and not nfds:
            self._out.append(packet + args)
        else:
            self._queue(packet, args, nfds)
        if opens_stream:
            self._streams[serial] = StreamRecord(target, streams.OPENING)
        return serial

    def abandon_call(self, serial: int) -> bool:
        """Stop waiting for a call: its late answer is swallowed, a stream that it opens aborted.

        A call that is held is never sent. Returns False, and does nothing, if the call is already
        answered or was never made.
        """
        if not self._calls.abandon(serial):
            return self._limiter.forget(serial)
        record = self._streams.get(serial)
        if record is not None:
            record.wish(streams.CLIENT_WISHES, serial, streams.ABANDON)
        return True

    def withdraw_call(self, serial: int) -> None:
        """Forget a call that no answer will come to: nothing of it was sent, or the answer is lost.

        That may make room for one that is held: there may be something to send.
        """
        self._calls.pending.pop(serial, None)
        self._calls.abandoned.pop(serial, None)
        self._limiter.forget(serial)
        self._streams.pop(serial, None)
        if serial in self._limiter.sent:
            self._answered(serial)

    @property
    def unanswered(self) -> set[int]:
        """Serials of calls without an answer that somebody still waits for, those held included."""
        return {*self._calls.pending, *self._limiter.held}

    def is_held(self, serial: int) -> bool:
        """Whether a call waits for long calls before it; nothing of it was sent.

        Still true after a failure or `close`, of the calls that were held then.
        """
        return serial in self._limiter.held

    @property
    def long_calls(self) -> int | None:
        """How many long calls are given to the daemon at a time, and an urgent one; None is any."""
        return self._limiter.limit

    @long_calls.setter
    def long_calls(self, limit: int | None) -> None:
        self._limiter.change(limit)
        self._send_held()

    @property
    def calls_pending(self) -> int:
        """Calls that are sent, without an answer, and that somebody still waits for."""
        return len(self._calls.pending)

    @property
    def calls_held(self) -> int:
        """Calls that wait for long calls before them."""
        return len(self._limiter.held)

    @property
    def calls_abandoned(self) -> int:
        """Calls without an answer that nobody waits for any more."""
        return len(self._calls.abandoned)

    def stream_state(self, serial: int) -> str:
        """Return the state of a stream (a constant of `streams`); CLOSED if there is none.

        Also CLOSED while the call that opens it is held.
        """
        record = self._streams.get(serial)
        return streams.CLOSED if record is None else record.state

    def close(self) -> None:
        """Drop what is queued and held, and refuse everything from now on; writes nothing."""
        super().close()
        self._limiter.drop()

    def _fail(self, error: VirtprotoError) -> None:
        super()._fail(error)
        self._limiter.drop()

    def _hold(self, serial: int, call: HeldCall) -> None:
        # Until it is sent nothing can answer it.
        del self._calls.pending[serial]
        self._limiter.hold(serial, call)

    def _answered(self, serial: int) -> None:
        """Take note that the daemon is done with a long or urgent call."""
        del self._limiter.sent[serial]
        if self._limiter.held:
            self._send_held()

    def _send_held(self) -> None:
        """Queue the calls that have been held for as long as they had to be."""
        while self.phase is CONNECTED:
            turn = self._limiter.next_to_send()
            if turn is None:
                return
            serial, call = turn
            if len(call.args) < _OWN_CHUNK:
                self._queue(call.header + call.args, b"", call.nfds)
            else:
                self._queue(call.header, call.args, call.nfds)
            # Behind it, should a signal come in between: better an answer that nobody waits for
            # than a call that waits for ever.
            self._calls.pending[serial] = call.target
            if call.opens_stream:
                self._streams[serial] = StreamRecord(call.target, streams.OPENING)

    # Streams. Raise UsageError where the stream's state forbids it, nothing is queued then.

    def send_stream_data(self, serial: int, data: bytes) -> None:
        """Queue bytes for a stream, at most PAYLOAD_MAX; STREAM_CHUNK suits every server.

        From 16 KiB on they are a chunk of their own of `data_to_send`, the very object: it may as
        well stand for bytes that only the front end has.
        """
        self._send_stream(serial, streams.DATA, MESSAGE_TYPE_STREAM, MESSAGE_STATUS_CONTINUE, data)

    def send_stream_hole(self, serial: int, length: int, flags: int = 0) -> None:
        """Queue a hole of ``length`` bytes.

        Only for a stream whose opening call had its sparse flag: else the server closes the
        connection.
        """
        if length < 0:
            raise UsageError(f"a hole of {length} bytes")
        payload = StreamHole(length, flags).pack()
        self._send_stream(
            serial, streams.HOLE, MESSAGE_TYPE_STREAM_HOLE, MESSAGE_STATUS_CONTINUE, payload
        )

    def send_stream_finish(self, serial: int) -> None:
        """Say that all is sent; confirmed by StreamFinished or StreamFailed."""
        self._send_stream(serial, streams.FINISH, MESSAGE_TYPE_STREAM, MESSAGE_STATUS_OK)

    def send_stream_abort(self, serial: int) -> None:
        """Drop an open stream; confirmed by StreamFinished or StreamFailed.

        A stream whose opening call is not answered yet is dropped by `abandon_call`.
        """
        self._send_stream(serial, streams.ABORT, MESSAGE_TYPE_STREAM, MESSAGE_STATUS_ERROR)

    def _send_stream(
        self, serial: int, what: str, kind: int, status: int, payload: bytes = b""
    ) -> None:
        record = self._stream_to_send(serial, what)
        program, version, procedure = record.target
        size = len(payload)
        header = pack_header(program, version, procedure, kind, serial, status, size)
        record.wish(streams.CLIENT_WISHES, serial, what)
        if size < _OWN_CHUNK:
            self._queue(header + payload)
        else:
            self._queue(header, payload)

    # Packets from the daemon.

    def receive_reply(
        self, serial: int, data: bytes, now: float | None = None
    ) -> ReplyReceived | None:
        """Take bytes as `receive_data` does; return the reply to ``serial`` if they are just that.

        The short way for a caller that sent one call and reads its answer itself: no packet and
        no queue in between. None means to look at `events_received`, the reply may be there.
        Either way there may be something to send.
        """
        header = self._reader.header_of_whole(data)
        if header is not None and not self._events:
            _, program, version, procedure, kind, its_serial, status = header
            pending = self._calls.pending
            if (
                kind == MESSAGE_TYPE_REPLY
                and its_serial == serial
                and (status == MESSAGE_STATUS_OK or status == MESSAGE_STATUS_ERROR)  # noqa: SIM109 - half the cost of `in`
                and self.phase is CONNECTED
                and serial not in self._streams
                and pending.get(serial) == (program, version, procedure)
            ):
                del pending[serial]
                sent = self._limiter.sent
                if serial in sent:
                    del sent[serial]
                    if self._limiter.held:
                        self._send_held()
                if self._keepalive is not None:
                    self._note_packet(self._keepalive, now)
                return ReplyReceived(serial, status, data[PACKET_MIN:])
        self.receive_data(data, now)
        return None

    def _receive_packet(self, packet: Packet) -> None:
        kind = packet.type
        if kind in (MESSAGE_TYPE_REPLY, MESSAGE_TYPE_REPLY_WITH_FDS):
            self._receive_reply(packet)
        elif kind == MESSAGE_TYPE_MESSAGE:
            self._receive_message(packet)
        elif kind in (MESSAGE_TYPE_STREAM, MESSAGE_TYPE_STREAM_HOLE):
            self._receive_stream(packet)
        else:
            self._refuse_type(packet)

    def _receive_reply(self, packet: Packet) -> None:
        serial = packet.serial
        status = packet.status
        # Nearly every packet is this one: a fitting answer to a call that somebody waits for.
        pending = self._calls.pending
        target = (packet.program, packet.version, packet.procedure)
        if (
            pending.get(serial) == target
            and (status == MESSAGE_STATUS_OK or status == MESSAGE_STATUS_ERROR)  # noqa: SIM109 - half the cost of `in`
            and serial not in self._streams
        ):
            del pending[serial]
            if serial in self._limiter.sent:
                self._answered(serial)
            self._events.append(ReplyReceived(serial, status, packet.payload, packet.nfds or 0))
            return
        self._receive_odd_reply(packet)

    def _receive_odd_reply(self, packet: Packet) -> None:
        """Handle a reply that is a stream's, abandoned, or does not fit its call."""
        serial = packet.serial
        if serial in self._streams:
            self._receive_stream_reply(packet)
            return
        state, procedure = self._take_answer(packet)
        if state is ABANDONED:
            self._drop(packet)
        elif self._fits(packet, procedure):
            self._report_reply(packet)

    def _take_answer(self, packet: Packet) -> tuple[str, int]:
        """Take the answered call out of the tables; as `CallTable.answer`."""
        answered = self._calls.answer(packet.serial, packet.program, packet.version)
        if packet.serial in self._limiter.sent:
            self._answered(packet.serial)
        return answered

    def _report_reply(self, packet: Packet) -> None:
        self._events.append(
            ReplyReceived(packet.serial, packet.status, packet.payload, packet.nfds or 0)
        )

    def _fits(self, packet: Packet, procedure: int) -> bool:
        """Fail the call alone if the reply has another procedure or an impossible status."""
        if packet.procedure != procedure:
            reason = f"the reply is of procedure {packet.procedure}, not {procedure}"
        elif packet.status != MESSAGE_STATUS_OK and packet.status != MESSAGE_STATUS_ERROR:
            reason = f"the reply has status {packet.status}"
        else:
            return True
        self._events.append(CallFailed(packet.serial, SequenceError(reason)))
        self._drop(packet)
        return False

    def _receive_stream_reply(self, packet: Packet) -> None:
        """A reply on a stream's serial: it opens the stream or, later on, says that it failed."""
        serial = packet.serial
        record = self._streams[serial]
        if serial in self._calls.pending or serial in self._calls.abandoned:
            state, procedure = self._take_answer(packet)
            if state is not ABANDONED and not self._fits(packet, procedure):
                # Whether the server has a stream now cannot be known: hear no more of it.
                self._retire(serial, record, streams.FAILED)
                return
        self._step(packet, record, _REPLY_INPUT.get(packet.status, streams.REPLY_ERROR))

    def _receive_message(self, packet: Packet) -> None:
        if self._is_keepalive(packet):
            self._receive_keepalive(packet)
        elif (packet.program, packet.version) not in self._programs:
            raise SequenceError(
                f"an event of program {packet.program:#x} version {packet.version}, "
                "which this connection does not have"
            )
        elif packet.status == MESSAGE_STATUS_OK:
            # The serial is no help: servers write 1 on every event.
            program, procedure = packet.program, packet.procedure
            self._events.append(EventReceived(program, procedure, packet.payload))
            alike = self._reader.more_like(packet)
            if alike:
                self._events += [EventReceived(program, procedure, each) for each in alike]

    def _receive_stream(self, packet: Packet) -> None:
        record = self._stream_of(packet)
        if record is None:
            return
        plain = packet.type == MESSAGE_TYPE_STREAM and packet.status == MESSAGE_STATUS_CONTINUE
        if plain and packet.payload and record.state is streams.OPEN:
            # Nearly every packet is this one, and the tables have nothing else for it.
            self._events.append(StreamDataReceived(packet.serial, packet.payload))
            return
        what = stream_input(packet, _STREAM_INPUT)
        if what is None:
            raise SequenceError(f"a stream packet with status {packet.status}")
        self._step(packet, record, what)

    def _step(self, packet: Packet, record: StreamRecord, what: str) -> None:
        """Move a stream on and do what its table says."""
        serial = packet.serial
        action = record.receive(streams.CLIENT_RECEIVES, serial, what)
        self._retire(serial, record, record.state)
        if action is streams.REPORT:
            self._report_stream(packet, what)
        elif action is streams.REPORT_REPLY:
            self._report_reply(packet)
        elif action is streams.REPORT_FAILURE:
            self._events.append(StreamFailed(serial, packet.payload))
            self._drop(packet)
        elif action is streams.REPORT_BREACH:
            reason = f"{what} for the stream with serial {serial}, whose call is answered"
            self._events.append(StreamFailed(serial, b"", SequenceError(reason)))
            self._drop(packet)
        else:
            if action is streams.SEND_ABORT:
                self._queue_abort(serial, record)
            self._drop(packet)

    def _report_stream(self, packet: Packet, what: str) -> None:
        serial = packet.serial
        if what is streams.DATA:
            self._events.append(StreamDataReceived(serial, packet.payload))
        elif what is streams.HOLE:
            self._report_hole_or_fault(packet)
        elif what is streams.END:
            self._events.append(StreamEnded(serial))
        else:
            self._events.append(StreamFinished(serial))

    def _report_hole_or_fault(self, packet: Packet) -> None:
        """Report a hole; one that cannot be costs its stream, which the server is told to drop."""
        try:
            self._report_hole(packet)
        except DecodeError as error:
            serial = packet.serial
            record = self._streams[serial]
            if record.state is streams.OPEN:
                record.wish(streams.CLIENT_WISHES, serial, streams.ABORT)
                self._queue_abort(serial, record)
            else:
                record.state = streams.FAILED_OPENING
            self._events.append(StreamFailed(serial, b"", error))

    def _queue_abort(self, serial: int, record: StreamRecord) -> None:
        self._queue(pack_packet(*record.target, MESSAGE_TYPE_STREAM, serial, MESSAGE_STATUS_ERROR))

    def _retire(self, serial: int, record: StreamRecord, state: str) -> None:
        """Forget a stream that is closed; keep a bounded number of failed ones."""
        record.state = state
        if state is streams.CLOSED:
            del self._streams[serial]
        elif state is streams.FAILED and len(self._streams) > FAILED_STREAMS_KEPT:
            failed = [key for key, each in self._streams.items() if each.state is streams.FAILED]
            for key in failed[:-FAILED_STREAMS_KEPT]:
                del self._streams[key]
