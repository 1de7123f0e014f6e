"""What an asyncio connection with callbacks has beside its calls: their turns in the event loop.

Responsible for calling the user's functions in order, from the loop and never from within the
reader. Must not know what an event means: that is the registry's (`virtproto.model.subscriptions`).

A function that is asynchronous becomes a task of its own, and the next one does not wait for it. An
exception of either goes to the loop's exception handler, and the next function is called.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from importlib import import_module
from inspect import isawaitable
from weakref import ref

from virtproto.model.event_kinds import HOMES
from virtproto.model.object_handle import handle
from virtproto.model.stream_use import readiness
from virtproto.model.subscriptions import CLIENT, Subscriptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from virtproto.protocol.events import EventReceived

    from .living import LivingCalls
    from .objects import RemoteObject
    from .stream import Stream
    from .traffic import StreamEnd

__all__ = ["Delivery", "Living", "StreamWatch", "class_of"]


class Living:
    """What a connection keeps of its living parts, from their first use on."""

    def __init__(self, connection: LivingCalls) -> None:
        # Held while registrations change on the daemon.
        self.turn = asyncio.Lock()
        self.registry = Subscriptions(nullcontext())
        self.delivery = Delivery(connection, self.registry)
        # The number of domain_event_register's callback, which has no other name.
        self.lifecycle: int | None = None


class Delivery:
    """The channel's listener: takes note of what comes, and has the user's functions called."""

    def __init__(self, connection: LivingCalls, registry: Subscriptions) -> None:
        self._connection = ref(connection)
        self._channel = connection._channel
        self._registry = registry
        self._users: set[object] = set()
        self._ended = False
        # Interval and count of keepalive, and when to see to it next.
        self._rate = (0.0, 0)
        self._pulse: asyncio.TimerHandle | None = None
        # A loop forgets tasks that nobody else knows.
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, user: object) -> None:
        """See to it that the channel's events are heard, until `dismiss` with the same ``user``."""
        self._users.add(user)
        if self._channel.is_open:
            self._channel.listen(self)

    def dismiss(self, user: object) -> None:
        """Do without a user."""
        self._users.discard(user)
        if not self._users:
            self._channel.listen(None)

    async def keep_alive(self, interval_s: float, count: int) -> None:
        """Ask the daemon for signs of life, or no more. Raises UsageError."""
        self._channel._require_usable()
        self._channel._session.enable_keepalive(interval_s, count, self._channel._loop.time())
        self._stop_pulse()
        if interval_s > 0:
            self._rate = (interval_s, count)
            self.serve("keepalive")
            self._beat()
        else:
            self.dismiss("keepalive")

    def _beat(self) -> None:
        """Do what keepalive wants done, and come again when there is more."""
        channel = self._channel
        now = channel._loop.time()
        if channel._crowded:
            # Nothing is read now, so nothing can be concluded.
            channel._session.enable_keepalive(*self._rate, now)
        channel._session.tick(now)
        channel._dispatch()
        due = channel._session.next_deadline()
        if due is not None:
            self._pulse = channel._loop.call_at(due, self._beat)

    def _stop_pulse(self) -> None:
        if self._pulse is not None:
            self._pulse.cancel()
            self._pulse = None

    def post(self, function: Callable[[], object]) -> None:
        """Have a function called in the loop's next turn, after those posted before."""
        self._channel._loop.call_soon(self._guarded, function)

    def released(self) -> None:
        """Have what the registry held back delivered."""
        self.post(lambda: self._dispatch(None))

    # For the channel.

    def deliver(self, event: EventReceived) -> None:
        """Take note of an event."""
        self.post(lambda: self._dispatch(event))

    def lose(self, reason: int) -> None:
        """Take note of the connection's end."""
        self._stop_pulse()
        if reason == CLIENT:
            self._ended = True
        else:
            self.post(lambda: self._tell_close(reason))

    def _dispatch(self, event: EventReceived | None) -> None:
        for call in self._registry.route(event):
            connection = self._connection()
            if connection is not None:
                self._guarded(lambda: call(connection, handle_of))  # noqa: B023 - called at once

    def _tell_close(self, reason: int) -> object:
        connection = self._connection()
        callback = self._registry.close_callback
        if connection is None or callback is None:
            return None
        return callback(connection, reason)

    def _guarded(self, function: Callable[[], object]) -> None:
        """Call a function of the user's; whatever it raises is reported, and nothing more."""
        if self._ended:
            return
        try:
            result = function()
        except Exception as error:
            self._report(error)
            return
        if isawaitable(result):
            task = self._channel._loop.create_task(self._finish(result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _finish(self, result: Awaitable[object]) -> None:
        try:
            await result
        except Exception as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        self._channel._loop.call_exception_handler(
            {"message": "a callback of a libvirt connection raised", "exception": error}
        )


def class_of(family: str) -> type[RemoteObject]:
    """Return the class of the objects that a family of events is about."""
    module, name = HOMES[family]
    found: type[RemoteObject] = getattr(import_module(f".{module}", __package__), name)
    return found


def handle_of(connection: LivingCalls, family: str, wire: object) -> RemoteObject:
    """Return a handle on the object that an event names."""
    return handle(class_of(family), connection, wire)


class StreamWatch:
    """A stream's callback: called while the stream is ready for what it waits for."""

    def __init__(
        self,
        stream: Stream,
        end: StreamEnd,
        events: int,
        callback: Callable[[Stream, int], object],
    ) -> None:
        self.removed = False
        self._stream = stream
        self._end = end
        self._events = events
        self._callback = callback
        self._due = False
        self._channel = stream.connection._channel
        self._delivery = stream.connection._alive().delivery
        end.notify = self._nudge
        self._nudge()

    def update(self, events: int) -> None:
        """Wait for something else."""
        self._events = events
        self._nudge()

    def remove(self) -> None:
        """Call no more."""
        self.removed = True
        self._end.notify = None

    def _ready(self) -> int:
        if self.removed:
            return 0
        return readiness(self._end.inbox, self._events, writable=not self._channel._full)

    def _nudge(self) -> None:
        if self._due or self.removed:
            return
        if self._ready():
            self._due = True
            self._delivery.post(self._run)
        elif self._channel._full:
            room: asyncio.Future[None] = self._channel._loop.create_future()
            room.add_done_callback(lambda _: self._nudge())
            self._channel._senders.append(room)

    async def _run(self) -> None:
        try:
            ready = self._ready()
            if ready:
                result = self._callback(self._stream, ready)
                if isawaitable(result):
                    await result
        finally:
            self._due = False
            if self._end.inbox.error is None and not self._end.inbox.over:
                self._nudge()
