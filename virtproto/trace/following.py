"""What each packet of an overheard conversation is to it: whose answer, whose stream, how late.

Responsible for the state of one conversation as a listener in the middle knows it. Nothing that two
ends can say is an error here: what is odd is noted on the message. Must not know what payloads
hold, or where the packets come from.
"""

from __future__ import annotations

from virtproto.trace import message as kinds
from virtproto.trace.message import TracedMessage
from virtproto.wire import PROGRAMS, load_contract
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
)
from virtproto.xdr.contract import Procedure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.protocol.framing import Packet

__all__ = ["ERROR_TYPE", "Follower"]

# The contract's names of what an error and a hole carry.
ERROR_TYPE = "remote_error"
_HOLE_TYPE = "virNetStreamHole"

# Calls without an answer, and streams, that are remembered of one conversation: more than any peer
# has, and a bound for what damaged recordings say.
_MOST_KEPT = 65536

# Streams that the daemon has aborted.
_MOST_ENDED = 256

# How much their payloads may take together; the newest is kept whatever its size.
_MOST_BYTES = 8 * 1024 * 1024

# What one of them takes beside its payload, and what a procedure's name does, about.
_CALL_SIZE = 500
_NAME_SIZE = 200

_NAMES = {number: name for name, number in PROGRAMS.items()}
_KEEPALIVE = {1: kinds.PING, 2: kinds.PONG}
_CALLS = (MESSAGE_TYPE_CALL, MESSAGE_TYPE_CALL_WITH_FDS)
_REPLIES = (MESSAGE_TYPE_REPLY, MESSAGE_TYPE_REPLY_WITH_FDS)
_STREAMS = (MESSAGE_TYPE_STREAM, MESSAGE_TYPE_STREAM_HOLE)
_STREAM_MARKS = frozenset({"readstream", "writestream"})
_ENDS = (kinds.FINISH, kinds.ABORT)


class Follower:
    """One conversation, packet by packet, in the order in which they passed."""

    def __init__(self, conversation: int = 1) -> None:
        self.conversation = conversation
        self._count = 0
        # By serial: calls without an answer, and those whose streams go on.
        self._pending: dict[int, TracedMessage] = {}
        self._streams: dict[int, TracedMessage] = {}
        # Those that the daemon has ended: what the client sends until he knows.
        self._ended: dict[int, TracedMessage] = {}
        self._declared: dict[tuple[int, int], Procedure | None] = {}
        # No less than what the payloads of both take.
        self._bytes_kept = 0

    @property
    def unanswered(self) -> list[TracedMessage]:
        """Calls that no reply was seen to, oldest first."""
        return list(self._pending.values())

    @property
    def weight(self) -> int:
        """How many bytes of memory it takes, about."""
        calls = len(self._pending) + len(self._streams)
        return self._bytes_kept + _CALL_SIZE * calls + _NAME_SIZE * len(self._declared)

    def forget_calls(self) -> list[TracedMessage]:
        """Return the calls that are unanswered, and expect no answer to them any more."""
        forgotten = list(self._pending.values())
        self._pending.clear()
        self._bytes_kept = sum(len(each.packet.payload) for each in self._streams.values())
        return forgotten

    def follow(
        self,
        packet: Packet,
        *,
        from_client: bool,
        time_s: float,
        offset: int = 0,
        left_out: int = 0,
        masked: bool = False,
    ) -> TracedMessage:
        """Return the message that ``packet`` is; never raises for what it holds."""
        self._count += 1
        message = TracedMessage(
            packet,
            conversation=self.conversation,
            number=self._count,
            from_client=from_client,
            time_s=time_s,
            kind=kinds.UNKNOWN,
            offset=offset,
            program=_NAMES.get(packet.program),
            left_out=left_out,
            masked=masked,
        )
        declared = self._declaration(packet)
        if declared is not None:
            message.procedure = declared.name
        self._place(message, declared)
        message.in_flight = len(self._pending)
        return message

    def _declaration(self, packet: Packet) -> Procedure | None:
        key = packet.program, packet.procedure
        try:
            return self._declared[key]
        except KeyError:
            pass
        found = None
        contract = load_contract()
        name = _NAMES.get(packet.program)
        if name is not None and name in contract.programs:
            number, version, rows = contract.programs[name]
            row = next((row for row in rows if row[0] == packet.procedure), None)
            if row is not None and packet.version == version:
                found = Procedure(number, version, row)
        if len(self._declared) < _MOST_KEPT:
            self._declared[key] = found
        return found

    def _place(self, message: TracedMessage, declared: Procedure | None) -> None:
        kind = message.packet.type
        if message.program == "keepalive":
            self._place_keepalive(message)
        elif kind in _CALLS:
            self._place_call(message, declared)
        elif kind in _REPLIES:
            self._place_reply(message, declared)
        elif kind in _STREAMS:
            self._place_stream(message)
        elif kind == MESSAGE_TYPE_MESSAGE:
            message.kind = kinds.EVENT
            if declared is not None:
                message.type_name = declared.msg
            if message.from_client:
                message.oddity = "an event from a client"
        else:
            message.oddity = f"a packet of type {kind}"
        if message.program is None and message.oddity is None:
            message.oddity = f"program {message.packet.program:#x} is not one of libvirt's"
        elif declared is None and message.oddity is None and message.program != "keepalive":
            number = message.packet.procedure
            message.oddity = f"program {message.program} has no procedure {number} that is known"

    def _place_keepalive(self, message: TracedMessage) -> None:
        message.kind = _KEEPALIVE.get(message.packet.procedure, kinds.UNKNOWN)
        if message.kind is kinds.UNKNOWN:
            message.oddity = "neither a ping nor a pong"
        else:
            message.procedure = message.kind.upper()

    def _place_call(self, message: TracedMessage, declared: Procedure | None) -> None:
        serial = message.packet.serial
        message.kind = kinds.CALL
        if declared is not None:
            message.type_name = declared.args
        if not message.from_client:
            message.oddity = "a call from a daemon"
            return
        if serial in self._pending:
            message.oddity = f"serial {serial} has a call under way already"
        opens = declared is not None and not _STREAM_MARKS.isdisjoint(declared.annotations)
        kept = False
        for calls, wanted in ((self._pending, True), (self._streams, opens)):
            if wanted and len(calls) < _MOST_KEPT:
                calls[serial] = message
                kept = True
        if kept:
            self._bytes_kept += len(message.packet.payload)
        if self._bytes_kept > _MOST_BYTES:
            self._make_room(message)

    def _make_room(self, newest: TracedMessage) -> None:
        """Forget the oldest calls if all of them together are too large to be kept."""
        self._ended.clear()
        kept = {id(each): each for each in (*self._pending.values(), *self._streams.values())}
        size = sum(len(each.packet.payload) for each in kept.values())
        for each in (*self._pending.values(), *self._streams.values()):
            # Well below the bound, so that this is not done at each call.
            if size <= _MOST_BYTES // 2 or each is newest:
                break
            size -= len(each.packet.payload)
            for calls in (self._pending, self._streams):
                if calls.get(each.packet.serial) is each:
                    del calls[each.packet.serial]
        self._bytes_kept = size

    def _place_reply(self, message: TracedMessage, declared: Procedure | None) -> None:
        packet = message.packet
        message.kind = kinds.REPLY
        if packet.status == MESSAGE_STATUS_ERROR:
            message.type_name = ERROR_TYPE
        elif packet.status == MESSAGE_STATUS_OK and declared is not None:
            message.type_name = declared.ret
        call = self._let_go(self._pending, packet.serial, self._streams)
        if call is None:
            # A stream that failed after its call was answered may say so by a reply.
            message.call = self._streams.get(packet.serial)
            if message.call is None:
                message.oddity = f"no call with serial {packet.serial} was seen"
        elif call.packet.procedure != packet.procedure or call.packet.program != packet.program:
            message.oddity = f"the call with serial {packet.serial} was of another procedure"
        else:
            message.call = call
            message.latency_s = message.time_s - call.time_s
        if packet.status not in (MESSAGE_STATUS_OK, MESSAGE_STATUS_ERROR):
            message.oddity = f"a reply with status {packet.status}"
        if packet.status != MESSAGE_STATUS_OK:
            self._let_go(self._streams, packet.serial, self._pending)

    def _let_go(
        self, calls: dict[int, TracedMessage], serial: int, others: dict[int, TracedMessage]
    ) -> TracedMessage | None:
        """Take a call out of those that are kept, and return it; ``others`` may keep it still."""
        call = calls.pop(serial, None)
        if call is not None and others.get(serial) is not call:
            self._bytes_kept -= len(call.packet.payload)
        return call

    def _place_stream(self, message: TracedMessage) -> None:
        packet = message.packet
        message.call = self._streams.get(packet.serial)
        if message.call is None and message.from_client:
            message.call = self._ended.get(packet.serial)
        if message.call is None:
            message.oddity = f"no stream with serial {packet.serial} was seen"
        if packet.status == MESSAGE_STATUS_CONTINUE:
            if packet.type == MESSAGE_TYPE_STREAM_HOLE:
                message.kind, message.type_name = kinds.HOLE, _HOLE_TYPE
            else:
                full = packet.payload or message.left_out
                message.kind = kinds.DATA if full else kinds.END
        elif packet.status == MESSAGE_STATUS_OK:
            message.kind = kinds.FINISH
        elif packet.status == MESSAGE_STATUS_ERROR:
            message.kind = kinds.ABORT
            message.type_name = None if message.from_client else ERROR_TYPE
        else:
            message.oddity = f"a stream's packet with status {packet.status}"
        if message.kind in _ENDS:
            self._end_stream(message)

    def _end_stream(self, message: TracedMessage) -> None:
        """Expect nothing more of who ends a stream; the daemon has the last word."""
        serial = message.packet.serial
        if message.from_client:
            self._ended.pop(serial, None)
            return
        call = self._streams.pop(serial, None)
        if call is not None and message.kind is kinds.ABORT:
            # It did so unasked, maybe; what the client has sent meanwhile is under way.
            self._ended[serial] = call
            if len(self._ended) > _MOST_ENDED:
                del self._ended[next(iter(self._ended))]
