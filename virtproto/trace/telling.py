"""From records to what they tell: messages with their place in the conversation, beginnings, ends.

Responsible for keeping a follower for each conversation and for cutting packets out of records.
Nothing that a record can hold is an error here: what is no packet is told with its place and size.
Must not know where records come from, or how what they tell is printed.
"""

from __future__ import annotations

import json
from struct import Struct

from virtproto.protocol.framing import HEADER, Packet
from virtproto.protocol.limits import FDS_MAX, LENGTH_SIZE, PACKET_MAX, PACKET_MIN
from virtproto.trace.following import Follower
from virtproto.trace.looks import looks_like
from virtproto.trace.message import CALL
from virtproto.trace.recording import BEGIN, BYTES, END, LEFT_OUT, MASKED, NOTE, PACKET
from virtproto.wire.rpc import MESSAGE_TYPE_CALL_WITH_FDS, MESSAGE_TYPE_REPLY_WITH_FDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from virtproto.trace.message import TracedMessage
    from virtproto.trace.recording import Record

    Told: TypeAlias = "TracedMessage | Note | Begin | End"


__all__ = ["Begin", "End", "Note", "Teller"]

# Conversations followed at a time: more than anybody overhears, and a bound for damaged records.
_MOST_FOLLOWED = 16384

# What all of them may take of memory, about, for the calls that wait for answers.
_MOST_MEMORY = 128 << 20

# Of what a conversation's beginning says of it: far more than there is to say.
_MOST_ABOUT = 65536

_WORD = Struct(">I")
_WITH_FDS = (MESSAGE_TYPE_CALL_WITH_FDS, MESSAGE_TYPE_REPLY_WITH_FDS)


class Begin:
    """A conversation begins; ``about`` is what is known of its ends, with JSON's types only."""

    __slots__ = ("about", "conversation", "time_s")

    def __init__(self, conversation: int, time_s: float, about: dict[str, Any]) -> None:
        self.conversation = conversation
        self.time_s = time_s
        self.about = about

    def __repr__(self) -> str:
        return f"<Begin {self.conversation}>"


class End:
    """One direction of a conversation ends, or all of it; ``text`` says why, and may be empty.

    ``from_client`` tells who ended it. ``last`` is true where nothing more can come of the other
    end either. ``unanswered`` are the calls that no reply was seen to, oldest first: they are told
    once, when no reply can come any more.
    """

    __slots__ = ("conversation", "from_client", "last", "text", "time_s", "unanswered")

    def __init__(
        self,
        conversation: int,
        time_s: float,
        text: str,
        *,
        from_client: bool,
        last: bool,
        unanswered: list[TracedMessage],
    ) -> None:
        self.conversation = conversation
        self.time_s = time_s
        self.text = text
        self.from_client = from_client
        self.last = last
        self.unanswered = unanswered

    def __repr__(self) -> str:
        return f"<End {self.conversation} {self.text!r}, {len(self.unanswered)} calls unanswered>"


class Note:
    """Something to be known that is no message; ``text`` says it, one line without secrets.

    ``conversation`` is 0 where it belongs to none. Of bytes that are no packet there are
    ``from_client``, their ``offset`` among the bytes of their direction, their ``size``, and the
    bytes as far as they were kept in ``data``, which is not to be shown unless asked for; of other
    notes ``offset`` and ``from_client`` are None. ``damage`` is true for what libvirt's peers
    would not have sent or taken.
    """

    __slots__ = (
        "conversation",
        "damage",
        "data",
        "from_client",
        "masked",
        "offset",
        "size",
        "text",
        "time_s",
    )

    def __init__(
        self,
        conversation: int,
        time_s: float,
        text: str,
        *,
        from_client: bool | None = None,
        offset: int | None = None,
        size: int = 0,
        data: bytes = b"",
        masked: bool = False,
        damage: bool = False,
    ) -> None:
        self.conversation = conversation
        self.time_s = time_s
        self.text = text
        self.from_client = from_client
        self.offset = offset
        self.size = size
        self.data = data
        self.masked = masked
        self.damage = damage

    def __repr__(self) -> str:
        return f"<Note {self.conversation} {self.text!r}>"


class _Conversation:
    """A follower, and how far each direction has come; 0 is the daemon's, 1 the client's."""

    __slots__ = ("ended", "follower", "offsets", "weight")

    def __init__(self, number: int) -> None:
        self.follower = Follower(number)
        # Of the follower, when that was asked last.
        self.weight = 0
        self.offsets = [0, 0]
        self.ended = [False, False]


class Teller:
    """All conversations of one recording, record by record, in its order."""

    def __init__(self, started_s: float = 0.0) -> None:
        """Begin with nothing; ``started_s`` of the recording's head is what times count from."""
        self._started_s = started_s
        self._conversations: dict[int, _Conversation] = {}
        # Of all of them, no less than what they say.
        self._weight = 0
        self._last_s = started_s

    def tell(self, record: Record) -> list[Told]:
        """Return what ``record`` tells, in order; never raises for what it holds."""
        kind = record.kind
        self._last_s = time_s = self._started_s + record.time_s
        if kind == PACKET:
            return [self._packet(record, time_s)]
        if kind == BYTES:
            return [self._bytes(record, time_s, "")]
        if kind == BEGIN:
            self._conversations.pop(record.conversation, None)
            self._conversation(record.conversation)
            return [Begin(record.conversation, time_s, _about(record.body))]
        if kind == END:
            return [self._end(record, time_s)]
        text = _text(record.body) if kind == NOTE else f"a record of kind {kind}, which is unknown"
        return [Note(record.conversation, time_s, text, damage=kind != NOTE)]

    def finish(self) -> list[Told]:
        """Return ends of the conversations with calls that are still unanswered; forget all."""
        told: list[Told] = []
        for number, conversation in self._conversations.items():
            unanswered = conversation.follower.unanswered
            if unanswered:
                text = "nothing more was overheard"
                told.append(
                    End(
                        number,
                        self._last_s,
                        text,
                        from_client=False,
                        last=True,
                        unanswered=unanswered,
                    )
                )
        self._conversations.clear()
        return told

    def _conversation(self, number: int) -> _Conversation:
        found = self._conversations.get(number)
        if found is None:
            if len(self._conversations) >= _MOST_FOLLOWED:
                # The one that began first.
                del self._conversations[next(iter(self._conversations))]
            found = self._conversations[number] = _Conversation(number)
        return found

    def _packet(self, record: Record, time_s: float) -> TracedMessage | Note:
        body = record.body
        size = len(body)
        if size < PACKET_MIN:
            return self._bytes(record, time_s, f"{size} bytes of a packet, its header is cut")
        length, program, version, procedure, kind, serial, status = HEADER.unpack_from(body)
        oddity = _fault(length, size, bool(record.flags & LEFT_OUT))
        start = PACKET_MIN
        nfds = None
        if kind in _WITH_FDS and size >= PACKET_MIN + LENGTH_SIZE:
            (nfds,) = _WORD.unpack_from(body, start)
            start += LENGTH_SIZE
            if nfds > FDS_MAX:
                oddity = f"{nfds} descriptors, {FDS_MAX} are allowed"
        elif kind in _WITH_FDS:
            oddity = "a packet with descriptors that ends before their count"
        packet = Packet(program, version, procedure, kind, serial, status, body[start:], nfds)
        conversation = self._conversation(record.conversation)
        direction = record.from_client
        message = conversation.follower.follow(
            packet,
            from_client=direction,
            time_s=time_s,
            offset=conversation.offsets[direction],
            left_out=length - size if size < length <= PACKET_MAX else 0,
            masked=bool(record.flags & MASKED),
        )
        if oddity is not None:
            message.oddity = oddity
        if message.kind is CALL:
            self._weigh(conversation)
        carriers = nfds if nfds is not None and nfds <= FDS_MAX else 0
        conversation.offsets[direction] += size + message.left_out + carriers
        return message

    def _weigh(self, grown: _Conversation) -> None:
        """Forget conversations, the oldest first, where all of them take too much of memory."""
        weight = grown.follower.weight
        self._weight += weight - grown.weight
        grown.weight = weight
        if self._weight <= _MOST_MEMORY:
            return
        for each in self._conversations.values():
            each.weight = each.follower.weight
        self._weight = sum(each.weight for each in self._conversations.values())
        for number, each in list(self._conversations.items()):
            # Well below the bound, so that this is not done at each call.
            if self._weight <= _MOST_MEMORY // 2:
                return
            if each is not grown:
                del self._conversations[number]
                self._weight -= each.weight

    def _bytes(self, record: Record, time_s: float, text: str) -> Note:
        """Return a note of what is no packet."""
        conversation = self._conversation(record.conversation)
        direction = record.from_client
        offset = conversation.offsets[direction]
        size = len(record.body)
        conversation.offsets[direction] += size
        return Note(
            record.conversation,
            time_s,
            text or f"{size} bytes that are not libvirt's{looks_like(record.body)}",
            from_client=direction,
            offset=offset,
            size=size,
            data=record.body,
            masked=bool(record.flags & MASKED),
            damage=True,
        )

    def _end(self, record: Record, time_s: float) -> End:
        number = record.conversation
        conversation = self._conversation(number)
        conversation.ended[record.from_client] = True
        last = all(conversation.ended)
        # A client that sends no more may still be answered.
        told = last or not record.from_client
        unanswered = conversation.follower.forget_calls() if told else []
        if last:
            del self._conversations[number]
        return End(
            number,
            time_s,
            _text(record.body),
            from_client=record.from_client,
            last=last,
            unanswered=unanswered,
        )


def _fault(length: int, size: int, left_out: bool) -> str | None:
    """Return what is wrong with a packet's length word, None if it fits the ``size`` kept."""
    if not PACKET_MIN <= length <= PACKET_MAX:
        bound = f"at least {PACKET_MIN}" if length < PACKET_MIN else f"at most {PACKET_MAX}"
        return f"a packet length of {length}, it must be {bound}"
    if length > size and not left_out:
        return f"a packet of {length} bytes, {length - size} are missing"
    if length < size:
        return f"a packet of {length} bytes, {size - length} too many came with it"
    return None


def _text(body: bytes) -> str:
    """Return the text of a record, fit for one line."""
    text = body.decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _about(body: bytes) -> dict[str, Any]:
    """Return what a conversation's beginning says of it; empty where it cannot be read."""
    if len(body) > _MOST_ABOUT:
        return {}
    try:
        about = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}
