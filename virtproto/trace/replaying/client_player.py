"""The client's side of a recorded conversation, played to a daemon: what to send, and when.

Responsible for the order and concurrency of what the client said, for what of it cannot be said
again, and for holding the daemon's answers against those recorded. Must not know sockets or clocks.
"""

from __future__ import annotations

from collections import deque

from virtproto.protocol.framing import Packet
from virtproto.trace import message as kinds
from virtproto.trace.contents import contents
from virtproto.trace.following import Follower
from virtproto.trace.replaying.flows import RecordedFlow, span
from virtproto.wire.rpc import MESSAGE_STATUS_ERROR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.message import TracedMessage
    from virtproto.trace.replaying.judging import Judge
    from virtproto.trace.replaying.recalling import RecalledConversation
    from virtproto.trace.replaying.stand_ins import StandIns

__all__ = ["ClientPlayer", "Step"]

_OF_STREAM = frozenset({kinds.DATA, kinds.END, kinds.HOLE, kinds.FINISH, kinds.ABORT})
_ENDS = frozenset({kinds.FINISH, kinds.ABORT})
# Serials of a connection's own calls, those of being let in, are below.
_FIRST_SERIAL = 1000


class Step:
    """Something that the client sent; ``after`` is what the daemon said between that and before."""

    __slots__ = ("after", "message")

    def __init__(self, message: TracedMessage, after: list[TracedMessage]) -> None:
        self.message = message
        self.after = after


class _Call:
    """A recorded call, and what became of it now."""

    __slots__ = (
        "answered",
        "call",
        "data",
        "ended",
        "failed",
        "flow",
        "left_out",
        "over",
        "reply",
        "sent",
    )

    def __init__(self, call: TracedMessage) -> None:
        self.call = call
        self.reply: TracedMessage | None = None
        self.left_out: str | None = None
        self.sent = self.answered = self.failed = False
        # Of its stream: the daemon's messages as recorded, whether it said now that it has no more,
        # or that it is over.
        self.data: list[TracedMessage] = []
        self.flow = RecordedFlow(())
        self.ended = self.over = False


class ClientPlayer:
    """One conversation with a daemon; ``steps`` are to be made in order, by `send`."""

    def __init__(
        self, conversation: RecalledConversation, judge: Judge, stand_ins: StandIns
    ) -> None:
        self.number = conversation.number
        self.steps: list[Step] = []
        self.calls = 0
        # Why nothing can be sent any more, None while it can.
        self.lost: str | None = None
        self._judge = judge
        self._stand_ins = stand_ins
        self._follower = Follower(conversation.number)
        self._by_message: dict[int, _Call] = {}
        self._by_serial: dict[int, _Call] = {}
        self._serials: dict[int, int] = {}
        self._events: deque[TracedMessage] = deque()
        # Of the events that have not come: how long they took.
        self._delays: dict[int, float] = {}
        # How many bytes of its stream had come when each of the daemon's messages had.
        self._reached: dict[int, int] = {}
        self._unsent = 0
        # What came last, after all that the client sent.
        self.rest: list[TracedMessage] = []
        self._read(conversation)

    def is_missing(self, message: TracedMessage) -> bool:
        """Tell whether it has not come yet what the daemon said when it was recorded."""
        if self.lost is not None:
            return False
        if message.kind is kinds.EVENT:
            return not self._match_event(message)
        found = self._by_message.get(id(message.call))
        if found is None or not found.sent or found.failed:
            return False
        if message is found.reply:
            return not found.answered
        if found.over or (found.ended and message.kind not in _ENDS):
            return False
        if message.kind in (kinds.DATA, kinds.HOLE):
            return found.flow.at < self._reached[id(message)]
        return True

    def delay_of(self, message: TracedMessage) -> float:
        """Return how long an event was waited for when it was recorded, in seconds."""
        return self._delays.get(id(message), 0.0)

    def give_up(self, event: TracedMessage, why: str) -> None:
        """Wait no longer for an event."""
        del self._delays[id(event)]
        self._judge.remark(event, f"the event did not come: {why}")

    def send(self, step: Step) -> Packet | None:
        """Return the packet to send for ``step``; None where it is not to be sent."""
        message = step.message
        if self.lost is not None:
            self._unsent += (
                message.kind is kinds.CALL and not self._by_message[id(message)].left_out
            )
            return None
        if message.kind is kinds.CALL:
            return self._send_call(message)
        found = self._by_message.get(id(message.call))
        if found is None or not found.sent or found.failed or found.over:
            return None
        serial = self._serials[id(found)]
        packet = _renumbered(message.packet, serial, message.packet.payload)
        self._follower.follow(packet, from_client=True, time_s=0.0)
        return packet

    def receive(self, packet: Packet) -> bool:
        """Take what the daemon says now; return whether that was a ping."""
        message = self._follower.follow(packet, from_client=False, time_s=0.0)
        if message.kind is kinds.PING:
            return True
        if message.kind is kinds.EVENT:
            self._events.append(message)
            return False
        found = self._by_serial.get(packet.serial)
        if found is None:
            return False
        if message.kind is kinds.REPLY and not found.answered:
            self._take_reply(found, message)
        elif not found.over:
            self._take_stream(found, message)
        return False

    def finish(self) -> None:
        """Tell of events that came and were not recorded, and of calls that were not made."""
        kinds_of: dict[tuple[int, int], list[TracedMessage]] = {}
        for each in self._events:
            kinds_of.setdefault((each.packet.program, each.packet.procedure), []).append(each)
        for events in kinds_of.values():
            text = f"{len(events)} of these events came that the recording does not have"
            self._judge.remark(events[0], text, mild=True)
        self._events.clear()
        if self._unsent and self.steps:
            text = f"{self._unsent} calls from here on were not made: {self.lost}"
            first = next(
                each for each in self._by_message.values() if not each.sent and not each.left_out
            )
            self._judge.remark(first.call, text)

    def lose(self, why: str) -> None:
        """The connection has ended: nothing more can come."""
        for each in self._by_message.values():
            if not each.sent or each.reply is None:
                continue
            if not each.answered:
                # On some roads the connection's end overtakes the answer to the goodbye.
                if each.call.procedure != "CONNECT_CLOSE":
                    self._judge.remark(each.call, f"no answer: {why}")
            elif any(self.is_missing(said) for said in each.data):
                self._judge.remark(each.call, f"its stream did not go on: {why}")
        self.lost = why

    def _read(self, conversation: RecalledConversation) -> None:
        after: list[TracedMessage] = []
        last_s = 0.0
        for message in conversation.messages:
            found = self._by_message.get(id(message.call))
            if message.kind is kinds.CALL and message.from_client:
                found = self._by_message[id(message)] = _Call(message)
                found.left_out = _why_left_out(message)
            if message.from_client:
                last_s = message.time_s
                if message.left_out and found is not None:
                    found.left_out = "the recording has only a part of its data"
                if message.kind is kinds.CALL or message.kind in _OF_STREAM:
                    self.steps.append(Step(message, after))
                    after = []
            elif message.kind is kinds.EVENT:
                self._delays[id(message)] = message.time_s - last_s
                after.append(message)
            elif found is not None:
                self._read_answer(found, message)
                after.append(message)
        self.rest = after
        for found in self._by_message.values():
            if found.data:
                found.flow = RecordedFlow(found.data)

    def _read_answer(self, found: _Call, message: TracedMessage) -> None:
        if message.kind is kinds.REPLY and found.reply is None:
            found.reply = message
        else:
            found.data.append(message)
            before = self._reached.get(id(found), 0)
            self._reached[id(found)] = self._reached[id(message)] = before + span(message)

    def _send_call(self, message: TracedMessage) -> Packet | None:
        found = self._by_message[id(message)]
        if found.left_out is not None:
            if found.left_out:
                self._judge.remark(message, f"left out: {found.left_out}", mild=True)
            return None
        self.calls += 1
        serial = _FIRST_SERIAL + self.calls
        self._serials[id(found)] = serial
        self._by_serial[serial] = found
        found.sent = True
        payload = message.packet.payload
        if message.type_name is not None:
            payload = self._stand_ins.applied(message.type_name, payload)
        packet = _renumbered(message.packet, serial, payload)
        self._follower.follow(packet, from_client=True, time_s=0.0)
        return packet

    def _take_reply(self, found: _Call, message: TracedMessage) -> None:
        found.answered = True
        found.failed = message.packet.status == MESSAGE_STATUS_ERROR
        if found.reply is None:
            self._judge.remark(found.call, "answered now, and not in the recording", mild=True)
            return
        self._judge.compare(found.reply, message, found.call)
        if not found.failed:
            self._stand_ins.learn(contents(found.reply).plain, contents(message).plain)

    def _take_stream(self, found: _Call, message: TracedMessage) -> None:
        flow = found.flow
        had_fault = flow.fault is not None
        if message.kind is kinds.DATA:
            flow.data(message.packet.payload)
        elif message.kind is kinds.HOLE:
            flow.hole(span(message))
        elif message.kind is kinds.END:
            found.ended = True
            flow.end()
        elif message.kind in _ENDS or message.kind is kinds.REPLY:
            found.over = True
            self._compare_end(found, message)
        if flow.fault is not None and not had_fault:
            self._judge.remark(found.call, f"its stream: {flow.fault}")

    def _compare_end(self, found: _Call, message: TracedMessage) -> None:
        """Compare how a stream ended now with how it did when it was recorded."""
        recorded = next((each for each in found.data if each.kind in _ENDS), None)
        if recorded is not None:
            self._judge.compare(recorded, message, found.call)
        elif message.kind is not kinds.FINISH:
            self._judge.remark(found.call, "its stream failed now, and not in the recording")

    def _match_event(self, recorded: TracedMessage) -> bool:
        """Find the event that came for one that was recorded; compare the two."""
        if id(recorded) not in self._delays:
            return True
        place = recorded.packet.program, recorded.packet.procedure
        alike = [
            each for each in self._events if (each.packet.program, each.packet.procedure) == place
        ]
        if not alike:
            return False
        best = min(alike, key=lambda each: self._judge.weigh(recorded, each))
        self._events.remove(best)
        del self._delays[id(recorded)]
        self._judge.compare(recorded, best, recorded)
        return True


def _why_left_out(call: TracedMessage) -> str | None:
    """Return why a call cannot be made again, "" where nothing is to be said of it, else None."""
    if (call.procedure or "").startswith("AUTH_"):
        # Being let in is what opening does.
        return ""
    if call.masked:
        return "its secrets are overwritten in the recording"
    if call.packet.nfds:
        return "the descriptors that went with it are not in a recording"
    if call.left_out:
        return "the recording has only a part of it"
    return None


def _renumbered(packet: Packet, serial: int, payload: bytes) -> Packet:
    return Packet(
        packet.program,
        packet.version,
        packet.procedure,
        packet.type,
        serial,
        packet.status,
        payload,
        packet.nfds,
    )
