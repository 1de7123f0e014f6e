"""What passed, counted: calls and their times, errors, events, streams, how much went on at once.

Responsible for the counting, in memory that does not grow with the number of messages. Must not
know how tables are drawn; which there are is `summary_tables`' business.
"""

from __future__ import annotations

from virtproto.trace import message as kinds
from virtproto.trace.contents import contents
from virtproto.trace.following import ERROR_TYPE
from virtproto.trace.message import TracedMessage
from virtproto.trace.printing.distribution import Distribution
from virtproto.trace.printing.lines import procedure_name
from virtproto.trace.telling import Begin, End
from virtproto.wire.rpc import MESSAGE_STATUS_ERROR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.trace.telling import Told

__all__ = ["CallCount", "ErrorCount", "EventCount", "StreamCount", "Summary"]

# Bounds for what damaged recordings say: names of procedures, kinds of errors and oddities.
_MOST_NAMES = 4096
# And of conversations: more are counted as so many.
_MOST_CONVERSATIONS = 1 << 18
_OTHERS = "(others)"


class CallCount:
    """The calls of one procedure: what went each way, replies included, and what they took."""

    __slots__ = ("calls", "errors", "received", "sent", "times", "unanswered")

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0
        self.unanswered = 0
        self.sent = 0
        self.received = 0
        self.times = Distribution()


class ErrorCount:
    """One error of one procedure; ``message`` is that of the first, without secrets."""

    __slots__ = ("count", "message")

    def __init__(self, message: str) -> None:
        self.count = 0
        self.message = message


class EventCount:
    """The events of one kind."""

    __slots__ = ("bytes", "count")

    def __init__(self) -> None:
        self.count = 0
        self.bytes = 0


class StreamCount:
    """The streams of one procedure: their data each way, and the time from first to last."""

    __slots__ = (
        "aborted",
        "active_s",
        "finished",
        "packets",
        "received",
        "sent",
        "spans",
        "streams",
    )

    def __init__(self) -> None:
        self.streams = 0
        self.finished = 0
        self.aborted = 0
        self.packets = 0
        self.sent = 0
        self.received = 0
        # Of those that go on: when the first packet passed and when the last.
        self.spans: dict[tuple[int, int], tuple[float, float]] = {}
        self.active_s = 0.0


class Summary:
    """Counts all that is told; the results are attributes, for `summary_tables`."""

    def __init__(self) -> None:
        self.calls: dict[str, CallCount] = {}
        # By procedure, code and domain.
        self.errors: dict[tuple[str, int | None, int | None], ErrorCount] = {}
        self.events: dict[str, EventCount] = {}
        self.streams: dict[str, StreamCount] = {}
        # Seconds with so many calls without an answer, over all conversations.
        self.in_flight_s: dict[int, float] = {}
        self.most_in_flight = 0
        self.oddities: dict[str, int] = {}
        self.conversations: set[int] = set()
        self.messages = 0
        self.bytes = [0, 0]
        self.pings = [0, 0]
        self.unanswered = 0
        self.began_s: float | None = None
        self.ended_s = 0.0
        self._waiting: dict[int, int] = {}
        self._now = 0

    @property
    def lasted_s(self) -> float:
        """The time from the first message to the last."""
        return 0.0 if self.began_s is None else max(0.0, self.ended_s - self.began_s)

    def add(self, told: Told) -> None:
        """Count what was told."""
        if isinstance(told, TracedMessage):
            self._pass_time(told.time_s)
            self._message(told)
            self._set_waiting(told.conversation, told.in_flight)
        elif isinstance(told, End):
            self._pass_time(told.time_s)
            self._end(told)
        elif isinstance(told, Begin):
            self._meet(told.conversation)
        elif told.damage:
            self._odd("bytes that are no packet" if told.offset is not None else told.text)
            if told.from_client is not None:
                self.bytes[told.from_client] += told.size

    def _pass_time(self, time_s: float) -> None:
        if self.began_s is None:
            self.began_s = self.ended_s = time_s
            return
        passed = time_s - self.ended_s
        # Clocks may be set back, and captures have packets out of order.
        if passed > 0:
            self.in_flight_s[self._now] = self.in_flight_s.get(self._now, 0.0) + passed
            self.ended_s = time_s

    def _meet(self, conversation: int) -> None:
        if len(self.conversations) < _MOST_CONVERSATIONS:
            self.conversations.add(conversation)

    def _set_waiting(self, conversation: int, count: int) -> None:
        before = self._waiting.get(conversation, 0)
        if count != before:
            if not before and len(self._waiting) >= _MOST_CONVERSATIONS:
                self._now -= self._waiting.pop(next(iter(self._waiting)))
            self._waiting[conversation] = count
            self._now += count - before
            self.most_in_flight = max(self.most_in_flight, self._now)

    def _message(self, message: TracedMessage) -> None:
        self.messages += 1
        self._meet(message.conversation)
        self.bytes[message.from_client] += message.size
        if message.oddity is not None:
            self._odd(message.oddity)
        kind = message.kind
        if kind is kinds.CALL:
            found = self._call(procedure_name(message))
            found.calls += 1
            found.sent += message.size
        elif kind is kinds.REPLY:
            self._reply(message)
        elif kind is kinds.EVENT:
            self._event(message)
        elif kind in (kinds.PING, kinds.PONG):
            self.pings[message.from_client] += 1
        elif kind is not kinds.UNKNOWN:
            self._stream(message)

    def _reply(self, message: TracedMessage) -> None:
        found = self._call(procedure_name(message))
        found.received += message.size
        if message.latency_s is not None:
            found.times.add(message.latency_s)
        if message.packet.status == MESSAGE_STATUS_ERROR:
            found.errors += 1
            self._error(message)

    def _error(self, message: TracedMessage) -> None:
        code = domain = None
        text = "it cannot be read"
        if message.type_name == ERROR_TYPE:
            plain = contents(message).plain
            if isinstance(plain, dict):
                code, domain = plain.get("code"), plain.get("domain")
                text = str(plain.get("message"))
        key = procedure_name(message), code, domain
        found = self.errors.get(key)
        if found is None:
            if len(self.errors) >= _MOST_NAMES:
                key = _OTHERS, None, None
            found = self.errors.setdefault(key, ErrorCount(text[:1000]))
        found.count += 1

    def _event(self, message: TracedMessage) -> None:
        name = procedure_name(message)
        if name not in self.events and len(self.events) >= _MOST_NAMES:
            name = _OTHERS
        found = self.events.setdefault(name, EventCount())
        found.count += 1
        found.bytes += message.size

    def _stream(self, message: TracedMessage) -> None:
        name = procedure_name(message)
        if name not in self.streams and len(self.streams) >= _MOST_NAMES:
            name = _OTHERS
        found = self.streams.setdefault(name, StreamCount())
        key = message.conversation, message.packet.serial
        if key not in found.spans and len(found.spans) < _MOST_NAMES and message.call is not None:
            found.streams += 1
            found.spans[key] = message.time_s, message.time_s
        began_s, last_s = found.spans.get(key, (message.time_s, message.time_s))
        found.spans[key] = began_s, max(last_s, message.time_s)
        if message.kind is kinds.DATA:
            size = len(message.packet.payload) + message.left_out
            found.packets += 1
            found.sent += size if message.from_client else 0
            found.received += 0 if message.from_client else size
        elif message.kind in (kinds.FINISH, kinds.ABORT) and not message.from_client:
            found.finished += message.kind is kinds.FINISH
            found.aborted += message.kind is kinds.ABORT
            if message.kind is kinds.ABORT:
                self._error(message)
            began_s, last_s = found.spans.pop(key)
            found.active_s += last_s - began_s

    def _call(self, name: str) -> CallCount:
        found = self.calls.get(name)
        if found is None:
            if len(self.calls) >= _MOST_NAMES:
                name = _OTHERS
            found = self.calls.setdefault(name, CallCount())
        return found

    def _odd(self, text: str) -> None:
        if text not in self.oddities and len(self.oddities) >= _MOST_NAMES:
            text = _OTHERS
        self.oddities[text] = self.oddities.get(text, 0) + 1

    def _end(self, end: End) -> None:
        for call in end.unanswered:
            self._call(procedure_name(call)).unanswered += 1
        self.unanswered += len(end.unanswered)
        if end.last or end.unanswered:
            self._set_waiting(end.conversation, 0)
            self._waiting.pop(end.conversation, None)
