"""All connections of a capture at once: whose segment is whose, and which of them are libvirt's.

Responsible for keeping what belongs together, for forgetting what is over, and for saying what was
left out. Must not know formats of files.
"""

from __future__ import annotations

from virtproto.trace.reading.captured_conversation import CapturedConversation
from virtproto.trace.reading.frames import ACK, FRAGMENT, LINKS, SYN, segment_of, shown
from virtproto.trace.reading.reassembly import Reassembly
from virtproto.trace.recording import NOTE, PACKET, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from virtproto.trace.reading.frames import Address, Segment
    from virtproto.trace.reading.reassembly import Told

__all__ = ["Connections"]

# Connections kept at a time, and how many that are over are remembered (what is sent again of them
# is not another's).
_MOST_KEPT = 4096
_MOST_OVER = 4096

# What all of them may hold in memory of what cannot be told yet, about.
_MOST_HELD = 128 << 20

# Of those that are not libvirt's so many are named.
_MOST_NAMED = 5


class _Connection:
    __slots__ = ("conversation", "first", "reassembly", "weight")

    def __init__(self, first: Address, conversation: CapturedConversation) -> None:
        self.first = first
        self.conversation = conversation
        self.reassembly = Reassembly()
        # What was held when that was asked last.
        self.weight = 0

    @property
    def held(self) -> int:
        """How many bytes of memory it takes for what cannot be told yet, about."""
        return self.reassembly.held + self.conversation.held


class Connections:
    """Frames in, records out.

    ``started_s`` is the time that the records' times count from, ``last_s`` that of the last frame.
    ``packets`` counts libvirt's, ``incomplete`` tells whether bytes of theirs are missing.
    """

    def __init__(self, number: Callable[[], int] | None = None) -> None:
        """Begin with nothing; ``number`` gives conversations their numbers, by default from 1."""
        self._take_number = number or self._next_number
        self.started_s = 0.0
        self.last_s = 0.0
        self.packets = 0
        self.incomplete = False
        self._count = 0
        self._kept: dict[tuple[Address, Address], _Connection] = {}
        self._over: dict[tuple[Address, Address], None] = {}
        # Bytes that wait in all of them, no less than that.
        self._held = 0
        # What is not libvirt's: names, and what it looks like.
        self._others: list[str] = []
        self._other_count = 0
        self._frames = 0
        self._segments = 0
        self._fragments = 0
        self._links: dict[int, int] = {}

    def add(self, link: int, frame: bytes, time_s: float) -> list[Record]:
        """Take one frame, and return the records that it completes."""
        self._frames += 1
        self.last_s = time_s
        if link not in LINKS:
            self._links[link] = self._links.get(link, 0) + 1
            return []
        segment = segment_of(link, frame, time_s)
        if segment is None:
            return []
        if isinstance(segment, str):
            self._fragments += segment is FRAGMENT
            return []
        self._segments += 1
        records: list[Record] = []
        connection = self._connection(segment, records)
        if connection is not None:
            first = segment.source == connection.first
            self._take(connection, connection.reassembly.add(segment, first=first), records)
            if connection.reassembly.is_over:
                self._forget(_key(segment), records)
            else:
                self._weigh(connection, records)
        return records

    def finish(self) -> list[Record]:
        """Return the records of what is left, and notes about what was left out."""
        records: list[Record] = []
        for key in list(self._kept):
            self._forget(key, records)
        if self.packets:
            records += [
                Record(NOTE, 0, 0, self._since(self.last_s), it.encode()) for it in self._left_out()
            ]
        return records

    def nothing_found(self) -> str:
        """Return why there was no packet of libvirt's."""
        reason = (
            f"no conversation of libvirt's is in the capture ({self._frames} frames,"
            f" {self._segments} of them TCP's)"
        )
        return "; ".join((reason, *self._left_out()))

    def _left_out(self) -> list[str]:
        found = []
        if self._others:
            more = self._other_count - len(self._others)
            names = ", ".join(self._others) + (f" and {more} more" if more else "")
            found.append(f"left out, being something else: {names}")
        if any("TLS" in other for other in self._others):
            found.append("no capture shows what is inside TLS: virtproto trace does")
        for link, count in sorted(self._links.items()):
            found.append(f"{count} frames are of link layer {link}, which is not read")
        if self._fragments:
            found.append(f"{self._fragments} are parts of IP packets, which are not put together")
        return found

    def _connection(self, segment: Segment, records: list[Record]) -> _Connection | None:
        """Return the connection that ``segment`` belongs to, a new one if need be."""
        key = _key(segment)
        found = self._kept.get(key)
        if found is not None:
            first = segment.source == found.first
            if not found.reassembly.begins_anew(segment, first=first):
                return found
            self._forget(key, records)
        begins = bool(segment.flags & SYN)
        if not begins and (key in self._over or not (segment.data or segment.missing)):
            return None
        self._over.pop(key, None)
        if len(self._kept) >= _MOST_KEPT:
            self._forget(self._least(), records)
        answers = begins and bool(segment.flags & ACK)
        daemon_second = not answers if begins else segment.target[1] <= segment.source[1]
        conversation = CapturedConversation(
            (shown(segment.source), shown(segment.target)),
            begun=begins,
            daemon_second=daemon_second,
            number=self._take_number,
        )
        found = self._kept[key] = _Connection(segment.source, conversation)
        return found

    def _weigh(self, grown: _Connection, records: list[Record]) -> None:
        """Tell what is held, as far as it came, where all connections together hold too much."""
        held = grown.held
        self._held += held - grown.weight
        grown.weight = held
        if self._held <= _MOST_HELD:
            return
        for each in self._kept.values():
            each.weight = each.held
        self._held = sum(each.weight for each in self._kept.values())
        for key, each in sorted(self._kept.items(), key=lambda item: -item[1].weight):
            # Well below the bound, so that this is not done at each segment.
            if self._held <= _MOST_HELD // 2:
                return
            self._held -= each.weight
            self._forget(key, records)

    def _least(self) -> tuple[Address, Address]:
        """Return the connection to be forgotten first where there are too many."""
        oldest = next(iter(self._kept))
        others = (key for key, kept in self._kept.items() if not kept.conversation.number)
        return next(others, oldest)

    def _take(self, connection: _Connection, told: Iterable[Told], records: list[Record]) -> None:
        conversation = connection.conversation
        for _, first, time_s, value in told:
            since = self._since(time_s)
            if isinstance(value, bytes):
                new = conversation.data(first, since, value)
            elif isinstance(value, int):
                new = conversation.gap(first, since, value)
            else:
                new = conversation.ended(first, since, value)
            for record in new:
                self.packets += record.kind == PACKET
                records.append(record)

    def _forget(self, key: tuple[Address, Address], records: list[Record]) -> None:
        connection = self._kept.pop(key)
        is_over = connection.reassembly.is_over
        self._take(connection, connection.reassembly.finish("the capture ends here"), records)
        conversation = connection.conversation
        if conversation.number:
            self.incomplete = self.incomplete or conversation.incomplete
        elif conversation.size:
            self._other_count += 1
            if len(self._others) < _MOST_NAMED:
                looks = conversation.other or "not libvirt's"
                self._others.append(f"{conversation.names[0]} to {conversation.names[1]} ({looks})")
        if is_over:
            if len(self._over) >= _MOST_OVER:
                del self._over[next(iter(self._over))]
            self._over[key] = None

    def _since(self, time_s: float) -> float:
        return max(time_s - self.started_s, 0.0)

    def _next_number(self) -> int:
        self._count += 1
        return self._count


def _key(segment: Segment) -> tuple[Address, Address]:
    ends = segment.source, segment.target
    return ends if ends[0] <= ends[1] else ends[::-1]
