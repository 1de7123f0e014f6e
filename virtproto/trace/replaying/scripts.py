"""A recorded conversation as what a daemon answers: which recorded call another client's call is.

Responsible for finding the recorded call that a new one stands for, by procedure and arguments, and
for when the daemon's events and its part of a stream are due. Must not know sockets, clocks or
serials: those of the recording mean nothing here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from virtproto.trace import message as kinds
from virtproto.trace.contents import contents
from virtproto.trace.replaying.differences import Difference, differences
from virtproto.trace.replaying.flows import RecordedFlow, span
from virtproto.trace.replaying.opening_answers import is_opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from virtproto.protocol.framing import Packet
    from virtproto.trace.message import TracedMessage
    from virtproto.trace.replaying.recalling import Recalled, RecalledConversation

    Key: TypeAlias = tuple[int, int, int]

__all__ = [
    "AGAIN",
    "EXACT",
    "LOOSE",
    "RecordedCall",
    "RecordedEvent",
    "Script",
    "Scripts",
    "StreamPart",
]

# How a call was found: as recorded; once more than it was recorded; with other arguments.
EXACT = "exact"
AGAIN = "again"
LOOSE = "loose"

_ENDS = frozenset({kinds.FINISH, kinds.ABORT})
# How many recorded calls are looked at to say which comes near.
_MOST_NEAR = 50


class RecordedCall:
    """A recorded call: its ``place`` among the calls, its reply, and its stream's messages.

    ``reply_at`` is the reply's place among all messages. ``played`` counts how often it was found.
    """

    __slots__ = ("call", "place", "played", "reply", "reply_at", "stream")

    def __init__(self, call: TracedMessage, place: int) -> None:
        self.call = call
        self.place = place
        self.reply: TracedMessage | None = None
        self.reply_at = -1
        self.stream: list[TracedMessage] = []
        self.played = 0


class RecordedEvent:
    """An event: ``calls`` were made before it, ``at`` is its place among all messages.

    ``registration`` is the call that asked for it, None where the event does not tell.
    """

    __slots__ = ("at", "calls", "message", "registration")

    def __init__(self, message: TracedMessage, calls: int, at: int) -> None:
        self.message = message
        self.calls = calls
        self.at = at
        self.registration: RecordedCall | None = None


class Script:
    """The daemon's part of one recorded conversation, and how far it was played."""

    def __init__(self, conversation: RecalledConversation, *, loose: bool = False) -> None:
        """Begin at the start; ``loose`` has calls with other arguments found as well."""
        self.number = conversation.number
        self.calls: list[RecordedCall] = []
        self.events: list[RecordedEvent] = []
        # After how many calls the daemon closed, None where it did not.
        self.ends_after: int | None = None
        # The place of the last call that was found: those behind it are looked at first, so that
        # what is asked twice is answered as it was at that time.
        self.cursor = -1
        self._loose = loose
        self._by_procedure: dict[Key, list[RecordedCall]] = {}
        self._by_payload: dict[tuple[Key, bytes], list[RecordedCall]] = {}
        # Those whose secrets were overwritten.
        self._masked: dict[Key, list[RecordedCall]] = {}
        # Those that were not found yet.
        self._left: dict[tuple[Key, bytes], list[RecordedCall]] = {}
        self._read(conversation)

    @property
    def unplayed(self) -> list[RecordedCall]:
        """Recorded calls that were not found yet."""
        return [each for each in self.calls if not each.played]

    def find(self, call: TracedMessage) -> tuple[RecordedCall | None, str]:
        """Return the recorded call that ``call`` is, and how it was found; count it as played."""
        found, how = self._look(call)
        if found is not None:
            self.play(found)
        return found, how

    def recorded(self, call: TracedMessage) -> RecordedCall | None:
        """Return a recorded call with the same arguments, without counting it as played."""
        same = self._by_payload.get((_key(call.packet), call.packet.payload))
        return same[0] if same else None

    def of_procedure(self, call: TracedMessage) -> list[RecordedCall]:
        """Return the recorded calls of the same procedure."""
        return self._by_procedure.get(_key(call.packet), [])

    def play(self, expected: RecordedCall) -> None:
        """Count a recorded call as played, as if it had been found."""
        expected.played += 1
        self.cursor = max(self.cursor, expected.place)

    def nearest(self, call: TracedMessage) -> tuple[RecordedCall, list[Difference]] | None:
        """Return the recorded call of the procedure that comes nearest, and where it differs."""
        candidates = self.of_procedure(call)[:_MOST_NEAR]
        mine = contents(call).plain
        best: tuple[RecordedCall, list[Difference]] | None = None
        for each in candidates:
            found = differences(contents(each.call).plain, mine)
            if best is None or len(found) < len(best[1]):
                best = each, found
        return best

    def events_due(self, before: int | None = None) -> list[RecordedEvent]:
        """Take the events whose time has come: those before the place of the last call found.

        ``before`` is a place among all messages, up to which it may be behind that call.
        """
        due: list[RecordedEvent] = []
        kept: list[RecordedEvent] = []
        reached = 0
        for event in self.events:
            if event.calls > self.cursor + 1:
                break
            reached += 1
            (due if self._is_due(event, before) else kept).append(event)
        if due:
            self.events[:reached] = kept
        return due

    def next_event(self) -> RecordedEvent | None:
        """Return the first event that was asked for and is not due by calls alone."""
        return next((each for each in self.events if _is_wanted(each)), None)

    def take(self, event: RecordedEvent) -> None:
        """Take an event that is not due."""
        self.events.remove(event)

    def _is_due(self, event: RecordedEvent, before: int | None) -> bool:
        if not _is_wanted(event):
            return False
        return before is None or event.calls <= self.cursor or event.at < before

    def _look(self, call: TracedMessage) -> tuple[RecordedCall | None, str]:
        key, payload = _key(call.packet), call.packet.payload
        if (found := self._next(self._left.get((key, payload), []))) is not None:
            return found, EXACT
        same = self._by_payload.get((key, payload), [])
        if masked := self._masked.get(key):
            mine = contents(call).plain
            alike = [each for each in masked if contents(each.call).plain == mine]
            if (found := self._next([each for each in alike if not each.played])) is not None:
                return found, EXACT
            same = same or alike
        if same:
            return same[-1], AGAIN
        if self._loose and (others := self._by_procedure.get(key)):
            found = self._next([each for each in others if not each.played])
            return (others[-1], AGAIN) if found is None else (found, LOOSE)
        return None, EXACT

    def _next(self, left: list[RecordedCall]) -> RecordedCall | None:
        """Take the first unplayed call behind the cursor, else the first unplayed one."""
        while left:
            index = bisect_right(left, self.cursor, key=lambda each: each.place)
            found = left.pop(index if index < len(left) else 0)
            if not found.played:
                return found
        return None

    def _read(self, conversation: RecalledConversation) -> None:
        by_message: dict[int, RecordedCall] = {}
        for at, message in enumerate(conversation.messages):
            if at == conversation.daemon_ended_at:
                self.ends_after = len(self.calls)
            if message.kind is kinds.CALL and message.from_client:
                self._read_call(message, by_message)
            elif message.kind is kinds.EVENT and not message.from_client:
                self.events.append(RecordedEvent(message, len(self.calls), at))
            elif message.call is not None:
                expected = by_message.get(id(message.call))
                if expected is None:
                    continue
                if message.kind is kinds.REPLY and expected.reply is None:
                    expected.reply, expected.reply_at = message, at
                else:
                    expected.stream.append(message)
        if conversation.daemon_ended_at == len(conversation.messages):
            self.ends_after = len(self.calls)
        if self.events:
            _register(self.events, self.calls)

    def _read_call(self, message: TracedMessage, by_message: dict[int, RecordedCall]) -> None:
        expected = RecordedCall(message, len(self.calls))
        self.calls.append(expected)
        by_message[id(message)] = expected
        key = _key(message.packet)
        self._by_procedure.setdefault(key, []).append(expected)
        whole = key, message.packet.payload
        self._by_payload.setdefault(whole, []).append(expected)
        self._left.setdefault(whole, []).append(expected)
        if message.masked:
            self._masked.setdefault(key, []).append(expected)


class Scripts:
    """The conversations of a recording, for clients as they come."""

    def __init__(self, recalled: Recalled, *, loose: bool = False) -> None:
        """Begin with none of them played; ``loose`` is as for `Script`."""
        self._all = [each for each in recalled.conversations.values() if _says_something(each)]
        self._left = list(self._all)
        self._loose = loose
        self._ahead: Script | None = None

    @property
    def unplayed(self) -> int:
        """How many conversations are left that no client has begun yet."""
        return len(self._left)

    def choose(self, call: TracedMessage | None) -> Script | None:
        """Return the script for a client whose first call is ``call``; None where there is none.

        That is the first conversation that began with the same call and was not played, or the
        first of all; when all have been played they are played anew. For None it is the next one,
        only to be looked at.
        """
        if not self._left:
            self._left = list(self._all)
        if not self._left:
            return None
        if call is None:
            if self._ahead is None or self._ahead.number != self._left[0].number:
                self._ahead = Script(self._left[0], loose=self._loose)
            return self._ahead
        chosen = next((each for each in self._left if _begins(each, call)), self._left[0])
        self._left.remove(chosen)
        return Script(chosen, loose=self._loose)


def _says_something(conversation: RecalledConversation) -> bool:
    """Tell whether the client got further than to ask how he is let in."""
    return any(
        each.kind is kinds.CALL and each.from_client and not is_opening(each)
        for each in conversation.messages
    )


def _begins(conversation: RecalledConversation, call: TracedMessage) -> bool:
    wanted = _key(call.packet)
    for each in conversation.messages:
        if each.kind is kinds.CALL and _key(each.packet) == wanted:
            return each.packet.payload == call.packet.payload
    return False


class StreamPart:
    """The daemon's part of one stream, while a client plays his own.

    ``due`` are messages that the daemon sends now. ``over`` tells that the stream is gone,
    ``ended`` that the client has ended it.
    """

    def __init__(self, expected: RecordedCall) -> None:
        self.expected = expected
        self.due: list[TracedMessage] = []
        self.over = False
        # What the client sent when it was recorded, and what he sends now.
        self.flow = RecordedFlow(each for each in expected.stream if each.from_client)
        # The daemon's messages, each with the bytes that came before it and whether the client had
        # ended the stream by then.
        self._waiting: deque[tuple[int, bool, TracedMessage]] = deque()
        self.ended = False
        sent, ended = 0, False
        for each in expected.stream:
            if not each.from_client:
                self._waiting.append((sent, ended, each))
            else:
                sent += span(each)
                ended = ended or each.kind in _ENDS
        self._release()

    def take(self, message: TracedMessage) -> None:
        """Take what the client sent on the stream."""
        if self.over or self.ended:
            return
        if message.kind is kinds.DATA:
            self.flow.data(message.packet.payload)
        elif message.kind is kinds.HOLE:
            self.flow.hole(span(message))
        elif message.kind in _ENDS:
            self._end(message)
            return
        self._release()

    def _end(self, message: TracedMessage) -> None:
        """The client ends the stream: what is still to come is the daemon's last word, if any."""
        self.ended = True
        if message.kind is kinds.FINISH:
            self.flow.end()
        last = [each for _, _, each in self._waiting if _is_last(each)]
        self._waiting.clear()
        self.due += last[:1]
        self.over = True

    @property
    def unconfirmed(self) -> bool:
        """Whether the client ended the stream and the recording has no answer to that."""
        return self.ended and not any(_is_last(each) for each in self.due)

    def _release(self) -> None:
        waiting = self._waiting
        while waiting and waiting[0][0] <= self.flow.at and not waiting[0][1]:
            message = waiting.popleft()[2]
            self.due.append(message)
            if _is_last(message):
                # It failed by itself: a client that ends it now gets no answer.
                waiting.clear()
                self.over = True


def _is_last(message: TracedMessage) -> bool:
    return message.kind in _ENDS or message.kind is kinds.REPLY


def _key(packet: Packet) -> Key:
    return packet.program, packet.version, packet.procedure


def _is_wanted(event: RecordedEvent) -> bool:
    return event.registration is None or event.registration.played > 0


def _register(events: list[RecordedEvent], calls: list[RecordedCall]) -> None:
    """Find the call that asked for each event by the number that the daemon gave it."""
    asked: dict[int, RecordedCall] = {}
    for each in calls:
        reply = each.reply
        if reply is not None and "REGISTER" in (each.call.procedure or ""):
            plain = contents(reply).plain
            if isinstance(plain, dict) and isinstance(plain.get("callbackID"), int):
                asked.setdefault(plain["callbackID"], each)
    for event in events:
        plain = contents(event.message).plain
        if isinstance(plain, dict) and isinstance(plain.get("callbackID"), int):
            event.registration = asked.get(plain["callbackID"])
