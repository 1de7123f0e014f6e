"""The memory that large packets are read into, and when the core is given them.

Responsible for copying a large packet once, and for waking nobody before it is there. Must not
know what packets are for; it looks at their length words, and what they mean is the core's.
"""

from __future__ import annotations

from virtproto.protocol.limits import LENGTH_SIZE, PACKET_MIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtproto.protocol.client import ClientSession

__all__ = ["LargePackets"]

# Two packets of a volume's data, nearly. What is larger comes in pieces.
_SIZE = 1 << 19
# Packets up to this size are given to the core as they come.
_SMALL = 65536


class LargePackets:
    """What arrives on one connection while it is, or its next packet may be, a large packet.

    The core gets a large packet's header and its whole payload one after the other: then it keeps
    the payload as it is. An incomplete packet is kept here, the rest is always given on.
    """

    __slots__ = ("_filled", "_memory", "_start")

    def __init__(self) -> None:
        self._memory = memoryview(bytearray(_SIZE))
        # What is not given on yet.
        self._start = self._filled = 0

    @property
    def is_empty(self) -> bool:
        """Whether all was given on."""
        return self._filled == 0

    def room(self) -> memoryview:
        """Return where to read to, at least one byte."""
        return self._memory[self._filled :]

    def take(self, nbytes: int, session: ClientSession, now: float | None) -> bool:
        """Give on what is there with ``nbytes`` more; return whether the core was given anything.

        ``now`` is for `ClientSession.receive_data`.
        """
        memory = self._memory
        start = before = self._start
        filled = self._filled + nbytes
        while filled - start >= (wanted := session.bytes_wanted) > 0:
            if wanted == PACKET_MIN:
                # A header, most likely: what is not large goes with it.
                length = int.from_bytes(memory[start : start + LENGTH_SIZE], "big")
                if PACKET_MIN < length <= _SMALL:
                    wanted = min(length, filled - start)
            session.receive_data(bytes(memory[start : start + wanted]), now)
            start += wanted
        if start == filled or wanted == 0:
            # In the latter case nobody wants any more of it.
            self._start = self._filled = 0
        elif start + wanted <= _SIZE:
            self._start, self._filled = start, filled
        else:
            # The packet does not end in this memory from where it begins.
            self._start, self._filled = 0, filled - start
            memory[: filled - start] = memory[start:filled]
            if self._filled == _SIZE:
                self.give_up(session, now)
        return start != before

    def give_up(self, session: ClientSession, now: float | None = None) -> None:
        """Give on the incomplete packet as well."""
        session.receive_data(bytes(self._memory[self._start : self._filled]), now)
        self._start = self._filled = 0
