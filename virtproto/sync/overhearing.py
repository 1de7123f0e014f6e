"""What passes on a traced blocking connection, told to whoever wants to know of each message.

Responsible for noting packets as they pass, in their order, and for telling of them while nobody
waits for a lock of the connection's. A friend of `channel`, whose head says what holds; loaded for
connections that are traced, and no other pays for it. Must not know what is done with a message.

What holds:

* The bytes take the way that they always take. A traced channel's queue of packets that leave and
  its inbox are lists that take note of what goes through them: of a packet when the last of it, and
  of the descriptors behind it, has left; of what was read as soon as it is in the inbox. So layers,
  descriptors and files that the system sends by itself are what they are without tracing.
* A note is made under the channel's lock, which whoever sends holds until his packet is noted: so a
  reply never comes before its call.
* What was noted is told without that lock, by one thread at a time, in order: by whoever reads,
  before and after, and by those who send and do not read. Who finds another one telling leaves it
  to him. Should somebody's function take long the others wait a little, lest notes pile up; not for
  ever, as it may be waiting for one of them. It cannot itself wait for anything on the connection.
* A signal may tear this wherever it likes: the bytes are where they belong by then. What was being
  told is not told then.
* What the function raises is reported as exceptions of callbacks are, once for a connection.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock, get_ident
from collections import deque
from time import monotonic, time

from virtproto.errors import UsageError
from virtproto.protocol.limits import PACKET_MIN
from virtproto.trace.overhearing import Overhearing
from virtproto.trace.tracers import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Iterable
    from typing import Any, SupportsIndex, TypeAlias

    from virtproto.protocol.client import ClientSession
    from virtproto.trace.message import TracedMessage
    from virtproto.trace.tracers import Tracer
    from virtproto.transport.road import Road

    from .channel import Channel, Parcel

    # When it passed; whether the client sent it; the bytes; how many of the packet's are not among
    # them; whether a packet is known to begin there.
    Passed: TypeAlias = tuple[float, bool, bytes, int, bool]
    Received: TypeAlias = tuple[bytes, list[tuple[int, int, bytes]], int, Any]

__all__ = ["Hearing", "overhear"]

# How many notes there may be before others wait for the one who tells, and for how long.
_MANY = 1000
_PATIENCE_S = 1.0


def overhear(channel: Channel, tracer: Tracer) -> None:
    """Have ``tracer`` told of all that passes on a channel that nothing has passed on yet."""
    carries = channel._road.carries_descriptors
    hearing = Hearing(tracer, Overhearing(carries_descriptors=carries))
    channel._hearing = hearing
    channel._inbox = _Inbox(hearing, channel._lock, channel._session)
    channel._outgoing = _Outgoing(hearing)
    hearing.begin(channel._road)


class Hearing:
    """What passed on one channel and was not told yet, and who tells it."""

    def __init__(self, tracer: Tracer, overhearing: Overhearing) -> None:
        self._tracer = tracer
        self._overhearing = overhearing
        self._passed: deque[Passed] = deque()
        self._turn = allocate_lock()
        # The thread that tells.
        self._teller: int | None = None
        self._reported = False
        # Times that go on evenly, whatever is done to the clock.
        self._began_s = time() - monotonic()
        self.note = self._passed.append

    def begin(self, road: Road) -> None:
        """Tell that the conversation begins, where there are lines of it."""
        tracer = self._tracer
        if isinstance(tracer, Lines):
            try:
                tracer.tell(self._overhearing.begin(self.now(), daemon=road.name, by=road.by))
            except Exception:
                self._report()

    def check(self) -> None:
        """Raise UsageError for a function that waits for something on the connection it is told of.

        Whoever reads there may be the one who tells, and would wait for itself.
        """
        if self._teller == get_ident():
            raise UsageError(
                "trace: the function that is told of a connection's messages cannot wait for more"
            )

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._began_s + monotonic()

    def tell(self) -> None:
        """Tell all that was noted, unless another does. Not under the channel's lock."""
        passed = self._passed
        while passed and self._tell_some(len(passed)):
            pass

    def _tell_some(self, count: int) -> bool:
        """Tell so many; return whether that is for this thread to do, and should be gone on with.

        Whoever notes something while another tells finds that one at it, and he looks again.
        """
        me = get_ident()
        if self._teller == me:
            # The function itself has sent something: that is told when it is back.
            return False
        got: list[bool] = []
        try:
            waits = count > _MANY
            got.extend(map(self._turn.acquire, (waits,), (_PATIENCE_S if waits else -1,)))
            if not got[0]:
                return False
            self._teller = me
            for _ in range(count):
                if self._passed:
                    self._tell_one(*self._passed.popleft())
            # The rest is somebody else's, where there is so much of it.
            return count <= _MANY
        finally:
            if got and got[0]:
                self._teller = None
                self._turn.release()

    def _tell_one(
        self, time_s: float, from_client: bool, data: bytes, left_out: int, begins: bool
    ) -> None:
        messages: list[TracedMessage]
        if from_client:
            messages = self._overhearing.sent(data, time_s, left_out=left_out)
        else:
            messages = self._overhearing.came(data, time_s, begins=begins)
        for message in messages:
            try:
                self._tracer(message)
            except Exception:
                self._report()

    def _report(self) -> None:
        """Report what the function raised, the first time."""
        if self._reported or sys.is_finalizing():
            return
        self._reported = True
        import threading

        threading.excepthook(
            threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
        )


class _Inbox(list["Received"]):
    """A channel's inbox: at most one result of recvmsg, which it takes note of."""

    def __init__(self, hearing: Hearing, lock: LockType, session: ClientSession) -> None:
        super().__init__()
        self._hearing = hearing
        self._lock = lock
        self._session = session
        self._noted = True

    def extend(self, items: Iterable[Received]) -> None:
        # What this thread has sent, before it waits.
        self._hearing.check()
        self._hearing.tell()
        self._noted = False
        # It is kept by the C call that reads it.
        super().extend(items)
        with self._lock:
            self._note()
        self._hearing.tell()

    def clear(self) -> None:
        if not self._noted:
            # A signal came in between. The caller has the lock.
            self._note()
        super().clear()

    def _note(self) -> None:
        if self and self[0][0]:
            begins = self._session.bytes_wanted == PACKET_MIN
            passed = self._hearing.now(), False, self[0][0], 0, begins
            note = self._hearing.note
            # Without a call in between: it is noted once.
            self._noted = True
            note(passed)


class _Outgoing(list["Parcel"]):
    """A channel's packets on their way out, which it takes note of when they have left."""

    def __init__(self, hearing: Hearing) -> None:
        super().__init__()
        self._hearing = hearing
        # The counts of the packet that was noted last: a signal may have its end come twice.
        self._last: list[int] | None = None

    def pop(self, place: SupportsIndex = -1) -> Parcel:
        self._note(self[place])
        return super().pop(place)

    def __delitem__(self, place: SupportsIndex | slice) -> None:
        if not isinstance(place, slice):
            self._note(self[place])
        super().__delitem__(place)

    def _note(self, parcel: Parcel) -> None:
        data, counts, _ = parcel
        if counts is self._last or sum(counts) < len(data):
            # It is taken back, if it has not left.
            return
        left_out = 0
        if not isinstance(data, bytes):
            data, left_out = data.at_hand()
        passed = self._hearing.now(), True, data, left_out, True
        note = self._hearing.note
        # Without a call in between.
        self._last = counts
        note(passed)
