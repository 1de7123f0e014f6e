"""An iterator over events: what a user does with one.

Responsible for its life: asking the daemon, giving records in the order of the events, and its end.
How many events are kept is ``virtproto.model.event_queue``'s affair, how one waits `event_end`'s.
Its twin of the other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from time import monotonic
from typing import Any, Generic, Self, TypeVar
from warnings import warn

from virtproto.errors import ConnectionClosedError, VirtprotoError
from virtproto.model.event_kinds import KINDS, records_of
from virtproto.model.event_queue import EventQueue, to_limit, to_overflow
from virtproto.model.event_reading import EventReader
from virtproto.model.refs import check_timeout
from virtproto.model.replies import repeated
from virtproto.protocol.events import EventReceived
from virtproto.transport.deadline import deadline

from . import _events
from .delivery import class_of
from .event_end import EventEnd, NoMoreEvents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from virtproto.model.event_queue import Overflow

    from .living import LivingCalls
    from .registering import Wish

__all__ = ["Events"]

E = TypeVar("E")

# Make a record and a handle without what their classes do about it.
_tuple: Any = tuple.__new__
_bare: Any = object.__new__


class Events(Generic[E]):
    """Events as they come; made by a connection's ``events`` and ``qemu_monitor_events``.

    Looping over it waits for the next event, and ends when the iterator or its connection is closed
    from here. It raises ConnectionLostError when the connection is lost for good, after the events
    that had come by then. It is a context manager, which asks the daemon for events at once and
    closes the iterator at the end. One that is forgotten is closed with a ResourceWarning; the
    daemon is told then, or, by a blocking connection, with the next change of what is heard.

    Several threads, or tasks, may share one: each event goes to one of them. An event that cannot
    be read is passed over, as libvirt does. A forked process gets nothing from its parent's.
    """

    # Also of what was never made, because of a bad argument.
    _opened = False
    _closed = False

    def __init__(
        self,
        connection: LivingCalls,
        wishes: list[Wish],
        limit: int,
        overflow: Overflow | str,
        *,
        named: bool,
    ) -> None:
        living = connection._alive()
        policy = to_overflow("overflow", overflow)
        self._queue = EventQueue(to_limit("limit", limit), policy, living.new_lock())
        self._end = EventEnd(self._queue, living.delivery)
        self._connection = connection
        self._wishes = wishes
        self._named = named
        self._readers: dict[int, EventReader] = {}

    def __repr__(self) -> str:
        state = "open" if self._opened else "not open yet"
        if self._closed or self._queue.ended:
            state = "closed" if self._closed else "over"
        kinds = records_of(key[:2] for key, _, _ in self._wishes)
        return f"<Events of {kinds}, {state}, {self.dropped} dropped>"

    @property
    def dropped(self) -> int:
        """How many events came and were not kept, as of ``limit``."""
        return self._queue.dropped

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        record = self._take()
        if record is None:
            record = await self._wait(None)
            if record is None:
                raise NoMoreEvents
        return record

    async def next(self, *, timeout_s: float | None = None) -> E:
        """Return the next event; wait for it at most ``timeout_s`` seconds, None is for ever.

        Where the iterator was not entered the daemon is asked first, within that time and the
        connection's own ``call_timeout_s``. Raises DeadlineError; ConnectionClosedError after the
        last event; otherwise as looping does.
        """
        check_timeout("timeout_s", timeout_s)
        record = self._take()
        if record is None:
            record = await self._wait(timeout_s)
            if record is None:
                raise ConnectionClosedError("no more events come: the iterator was closed")
        return record

    async def close(self) -> None:
        """Have no more events come, and drop what was kept; does nothing the second time.

        The daemon is asked to stop where nobody else wants the same events; one that does not
        answer is waited for two seconds at most. An iterator that is not entered yet cannot be any
        more.
        """
        if self._closed:
            return
        self._closed = True
        self._queue.end()
        self._queue.clear()
        self._end.close()
        if self._opened:
            await self._connection._leave(self._queue)
            # Else it is what `__del__` does, in place of who was torn from it.
            self._opened = False

    def __del__(self) -> None:
        if self._opened:
            is_open = not self._closed and not self._queue.ended
            self._end.forget()
            if is_open:
                warn("an iterator over events was never closed", ResourceWarning, 2, self)

    async def _open(self) -> None:
        """Have the daemon asked, unless it was."""
        async with self._connection._alive().turn:
            if not self._opened and not self._queue.ended:
                try:
                    await self._connection._enlist(self._wishes, self._queue, named=self._named)
                    self._opened = True
                except VirtprotoError:
                    raise
                except BaseException:
                    # By a signal, maybe once all was done.
                    self._connection._alive().registry.forgotten.append(self._queue)
                    raise

    async def _wait(self, timeout_s: float | None) -> E | None:
        """Return the next event, None after the last one."""
        until = None if timeout_s is None else monotonic() + timeout_s
        if not self._opened and not self._closed:
            with deadline(timeout_s):
                await self._open()
        while True:
            ended = self._queue.ended
            record = self._take()
            if record is not None:
                return record
            if ended:
                if self._queue.error is not None:
                    raise repeated(self._queue.error)
                return None
            await self._end.wait(self._connection, until, timeout_s)

    def _take(self) -> E | None:
        """Return the next event that was kept and can be read."""
        while (entry := self._queue.take()) is not None:
            if type(entry) is not EventReceived:
                mark: E = entry
                return mark
            payload = entry.payload
            # The number is enough: among what reaches an iterator no two programs have the same.
            reader = self._readers.get(entry.procedure) or self._reader_for(entry)
            found = reader.known.get(payload) or reader.read(payload)
            if found is not None:
                wire, fields = found
                # As ``model.object_handle.handle`` makes them.
                concerned = _bare(reader.concerned)
                concerned._connection = self._connection
                concerned._wire = wire
                record: E = _tuple(reader.made, (concerned, *fields))
                return record
        return None

    def _reader_for(self, event: EventReceived) -> EventReader:
        kind = KINDS[event.program, event.procedure]
        made = EventReader(kind, getattr(_events, kind.record), class_of(kind.family))
        self._readers[event.procedure] = made
        return made
