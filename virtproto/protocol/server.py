"""The daemon's end of a connection.

Responsible for: what each packet from a client means, the answers that the protocol itself gives
(unknown program, impossible status), and printing replies, events and stream packets. Must not know
what any procedure does.

A client's serials are its own affair: a call is answered by handing its CallReceived back. Replies,
events and packets of unknown streams from a client are dropped without a word.

Source: virnetserver.c, virnetserverprogram.c, remote_daemon_stream.c.
"""

from __future__ import annotations

from virtproto.errors import VIR_ERR_RPC, SequenceError, UsageError
from virtproto.protocol import streams
from virtproto.protocol.events import (
    CallReceived,
    StreamAbortAsked,
    StreamDataReceived,
    StreamFailed,
    StreamFinishAsked,
)
from virtproto.protocol.framing import Packet, pack_packet
from virtproto.protocol.session import Session, stream_input
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
    MessageError,
    StreamHole,
)

__all__ = ["ServerSession", "pack_error", "VIR_FROM_RPC", "VIR_ERR_ERROR"]

# virErrorDomain of everything that the RPC layer itself finds, and virErrorLevel of an error.
VIR_FROM_RPC = 7
VIR_ERR_ERROR = 2

# libvirtd writes this serial on every event (remoteDispatchObjectEventSend).
_EVENT_SERIAL = 1

_STREAM_INPUT = {MESSAGE_STATUS_OK: streams.FINISH, MESSAGE_STATUS_ERROR: streams.ABORT}


def pack_error(
    message: str | None,
    *,
    code: int,
    domain: int = VIR_FROM_RPC,
    level: int = VIR_ERR_ERROR,
    str1: str | None = None,
    str2: str | None = None,
    str3: str | None = None,
    int1: int = -1,
    int2: int = -1,
) -> bytes:
    """Return a packed error struct (virNetMessageError) without object references."""
    return MessageError(
        code=code,
        domain=domain,
        message=message,
        level=level,
        dom=None,
        str1=str1,
        str2=str2,
        str3=str3,
        int1=int1,
        int2=int2,
        net=None,
    ).pack()


def _pack_rpc_error(message: str) -> bytes:
    """Return the error struct that a libvirt daemon writes when the RPC layer refuses a packet."""
    return pack_error(message, code=VIR_ERR_RPC, str1="%s", str2=message)


class ServerSession(Session):
    """Calls, streams and events of one connection from a client.

    ``programs`` are the (number, version) pairs that are served; a call of another one is answered
    with libvirt's "Cannot find program" and not reported.
    """

    __slots__ = ()

    # Answers. Each raises ConnectionClosedError, or EncodeError for what does not fit a packet.

    def send_reply(self, call: CallReceived, payload: bytes = b"", *, nfds: int = 0) -> None:
        """Answer a call with its packed result; ``nfds`` descriptors follow (see `fds_due`)."""
        self._answer(call, MESSAGE_STATUS_OK, payload, nfds)

    def send_error(self, call: CallReceived, payload: bytes) -> None:
        """Answer a call with a packed error struct (`pack_error`)."""
        self._answer(call, MESSAGE_STATUS_ERROR, payload, 0)

    def send_unknown_procedure(self, call: CallReceived) -> None:
        """Answer as a daemon that is older than the procedure."""
        self.send_error(call, _pack_rpc_error(f"unknown procedure: {call.procedure}"))

    def send_event(self, program: int, version: int, procedure: int, payload: bytes) -> None:
        """Send an event message."""
        self._require_connected()
        self._queue(
            pack_packet(
                program,
                version,
                procedure,
                MESSAGE_TYPE_MESSAGE,
                _EVENT_SERIAL,
                MESSAGE_STATUS_OK,
                payload,
            )
        )

    def _answer(self, call: CallReceived, status: int, payload: bytes, nfds: int) -> None:
        self._require_connected()
        kind, count = MESSAGE_TYPE_REPLY, None
        if nfds:
            self._require_fd_passing()
            kind, count = MESSAGE_TYPE_REPLY_WITH_FDS, nfds
        packet = pack_packet(
            call.program, call.version, call.procedure, kind, call.serial, status, payload, count
        )
        self._queue(packet, nfds=nfds)

    # Streams. Raise UsageError where the stream's state forbids it.

    def open_stream(self, call: CallReceived, *, sparse: bool = False) -> None:
        """Make ``call`` a stream; its reply is sent as any other, before or after the first data.

        ``sparse`` says that the call had its sparse flag: without it a hole from the client ends
        the session, as with libvirtd.
        """
        if call.serial in self._streams:
            raise UsageError(f"there is a stream with serial {call.serial} already")
        target = (call.program, call.version, call.procedure)
        self._streams[call.serial] = StreamRecord(target, streams.OPEN, sparse)

    def send_stream_data(self, serial: int, data: bytes) -> None:
        """Send bytes; libvirtd never sends more than STREAM_CHUNK in one packet."""
        self._send_stream(serial, streams.DATA, MESSAGE_TYPE_STREAM, MESSAGE_STATUS_CONTINUE, data)

    def send_stream_hole(self, serial: int, length: int, flags: int = 0) -> None:
        """Send a hole of ``length`` bytes, on a sparse stream."""
        self._send_stream(
            serial,
            streams.HOLE,
            MESSAGE_TYPE_STREAM_HOLE,
            MESSAGE_STATUS_CONTINUE,
            StreamHole(length, flags).pack(),
        )

    def send_stream_end(self, serial: int) -> None:
        """Say that there is no more data; the stream stays open until the client ends it."""
        self._send_stream(serial, streams.END, MESSAGE_TYPE_STREAM, MESSAGE_STATUS_CONTINUE)

    def send_stream_confirm(self, serial: int) -> None:
        """Confirm the client's finish or abort; the stream is gone."""
        self._send_stream(serial, streams.CONFIRM, MESSAGE_TYPE_STREAM, MESSAGE_STATUS_OK)

    def send_stream_error(self, serial: int, payload: bytes) -> None:
        """Fail a stream with a packed error struct (`pack_error`); the stream is gone."""
        self._send_stream(serial, streams.FAIL, MESSAGE_TYPE_STREAM, MESSAGE_STATUS_ERROR, payload)

    def _send_stream(
        self, serial: int, what: str, kind: int, status: int, payload: bytes = b""
    ) -> None:
        record = self._stream_to_send(serial, what)
        program, version, procedure = record.target
        packet = pack_packet(program, version, procedure, kind, serial, status, payload)
        record.wish(streams.SERVER_WISHES, serial, what)
        if record.state is streams.CLOSED:
            del self._streams[serial]
        self._queue(packet)

    # Packets from the client.

    def _receive_packet(self, packet: Packet) -> None:
        kind = packet.type
        if kind in (MESSAGE_TYPE_CALL, MESSAGE_TYPE_CALL_WITH_FDS):
            self._receive_call(packet)
        elif kind in (MESSAGE_TYPE_STREAM, MESSAGE_TYPE_STREAM_HOLE):
            self._receive_stream(packet)
        elif kind == MESSAGE_TYPE_MESSAGE:
            if self._is_keepalive(packet):
                self._receive_keepalive(packet)
        elif kind in (MESSAGE_TYPE_REPLY, MESSAGE_TYPE_REPLY_WITH_FDS):
            self._drop(packet)
        else:
            self._refuse_type(packet)

    def _receive_call(self, packet: Packet) -> None:
        call = CallReceived(
            packet.serial,
            packet.program,
            packet.version,
            packet.procedure,
            packet.payload,
            packet.nfds or 0,
        )
        if (packet.program, packet.version) not in self._programs:
            reason = f"Cannot find program {packet.program} version {packet.version}"
        elif packet.status != MESSAGE_STATUS_OK:
            reason = "Unexpected message status"
        else:
            self._events.append(call)
            return
        self.send_error(call, _pack_rpc_error(reason))
        self._drop(packet)

    def _receive_stream(self, packet: Packet) -> None:
        serial = packet.serial
        record = self._stream_of(packet)
        if record is None:
            return
        what = stream_input(packet, _STREAM_INPUT)
        if what is None:
            self._refuse_status(packet)
            return
        if what is streams.HOLE and not record.sparse:
            raise SequenceError(f"a hole in the stream with serial {serial}, which has none")
        action = record.receive(streams.SERVER_RECEIVES, serial, what)
        if action is streams.DISCARD:
            return
        if what is streams.DATA:
            self._events.append(StreamDataReceived(serial, packet.payload))
        elif what is streams.HOLE:
            self._report_hole(packet)
        elif what is streams.FINISH:
            self._events.append(StreamFinishAsked(serial))
        else:
            self._events.append(StreamAbortAsked(serial))

    def _refuse_status(self, packet: Packet) -> None:
        """A status that no stream packet has aborts the stream, with an error for the client."""
        payload = _pack_rpc_error("Unexpected message status")
        self.send_stream_error(packet.serial, payload)
        self._events.append(StreamFailed(packet.serial, payload))
