"""What a blocking connection with callbacks has beside its calls: two threads, and who they serve.

Responsible for reading while no call does, and for calling the user's functions in order, one at a
time. Must not know what an event means: that is the registry's (`virtproto.model.subscriptions`).

One thread reads, and never calls anything of the user's; the other calls, and may make calls of its
own on the connection. Both exist only while there is something to serve: a registration, or a
callback of a stream. Neither holds up the end of the interpreter, nor keeps the connection alive.
An exception of a user's function goes to ``threading.excepthook``, and the next function is called.
"""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from queue import SimpleQueue
from weakref import ref

from virtproto.errors import TransportError
from virtproto.model.event_kinds import HOMES
from virtproto.model.object_handle import handle
from virtproto.model.replies import CLOSED_BY_DAEMON, CLOSED_HERE, close_reason, lost
from virtproto.model.stream_use import readiness
from virtproto.model.subscriptions import CLIENT, Subscriptions
from virtproto.transport.inheritance import remember

from .turn import Turn
from .waiting import Waker, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from virtproto.errors import VirtprotoError
    from virtproto.model.event_queue import EventQueue
    from virtproto.model.subscriptions import Call
    from virtproto.protocol.events import EventReceived

    from .channel import Channel
    from .objects import RemoteObject
    from .registering import RegisteringCalls
    from .stream import Stream
    from .traffic import StreamEnd

    # What a thread is to call, and None after the last.
    Posts: TypeAlias = SimpleQueue[Callable[[], object] | None]

__all__ = ["Delivery", "Living", "StreamWatch", "class_of"]


# So many events have their callbacks called before others that wait for the thread have their turn.
_AT_ONCE = 64
# How often something is read while streams have more than they should.
_LATE_S = 0.25


class Living:
    """What a connection keeps of its living parts, from their first use on."""

    def __init__(self, connection: RegisteringCalls) -> None:
        # Held while registrations change on the daemon.
        self.turn = Turn(connection)
        self.registry = Subscriptions(threading.Lock())
        self.delivery = Delivery(connection, self.registry)
        self.delivery.lasting = connection._line is not None
        # Makes what guards something that threads share.
        self.new_lock = threading.Lock
        # The number of domain_event_register's callback, which has no other name.
        self.lifecycle: int | None = None
        # Callbacks of streams, which nobody else may keep.
        self.watched: set[StreamWatch] = set()


class Delivery:
    """The channel's listener: takes note of what comes, and has the user's functions called."""

    def __init__(self, connection: RegisteringCalls, registry: Subscriptions) -> None:
        self._connection = ref(connection)
        self._channel = connection._channel
        self._registry = registry
        self._lock = threading.Lock()
        # Who needs the threads, and who only wants to hear of events: iterators read by themselves.
        self._users: set[object] = set()
        self._hearers: set[object] = set()
        self._threads: _Threads | None = None
        # The thread that called last, and what it was to call: a function may still run there when
        # another thread is to call.
        self._before: tuple[Posts, threading.Thread] | None = None
        # True where another channel comes after the one that is lost: iterators go on then.
        self.lasting = False
        # True while another channel is asked for all that is wanted: nobody else has it yet.
        self.renewing = False
        remember(self)

    def serve(self, user: object, *, calls: bool = True) -> None:
        """See to it that events are heard, until `dismiss` with the same ``user``.

        With ``calls`` somebody reads and calls as well.
        """
        with self._lock:
            if calls:
                self._start()
            (self._users if calls else self._hearers).add(user)
            channel = self._channel
            if channel.is_open:
                channel.listen(self)
                if channel._closed is not None:
                    # Another thread ended it just now, and may not have seen who listens.
                    self.lose(close_reason(channel._closed, channel._error))

    def dismiss(self, user: object) -> None:
        """Do without a user; the last one takes the threads along."""
        with self._lock:
            self._users.discard(user)
            self._hearers.discard(user)
            threads = self._threads
            if not self._users and threads is not None:
                # Nothing can come between these two.
                threads.stopped = True
                self._threads = None
                threads.stop()
                if not self.renewing:
                    # Else what came before, for others before these, is still called.
                    self._registry.silence()
            if not self._users and not self._hearers:
                self._channel.listen(None)

    def rejoin(self, channel: Channel) -> None:
        """Go on with another channel, in place of one that was lost; ``renewing`` is True then."""
        self.renewing = True
        with self._lock:
            self._channel = channel
            if self._users:
                self._start()
            if self._users or self._hearers:
                channel.listen(self)

    def finish(self, error: VirtprotoError | None) -> None:
        """Have iterators end, with ``error`` if there is one: no other channel comes any more."""
        self._registry.finish(error)

    def leave_to_parent(self) -> None:
        """In a forked process: have iterators end."""
        self._registry.leave_to_parent()

    # For iterators.

    @property
    def crowded(self) -> bool:
        """Whether an iterator's queue is to grow no more: as they are, and not as one was told.

        One thread fills a queue while another takes, and what they would tell may come too late.
        """
        return self._registry.crowded

    def make_room(self) -> None:
        """Have reading go on, unless another queue is crowded."""
        if not self.crowded:
            for waker in tuple(self._channel._wakers):
                waker.wake()

    def forget(self, queue: EventQueue) -> None:
        """Fill no more a queue that nobody has. Called between any two lines, on any thread."""
        queue.abandon()
        self._registry.forgotten.append(queue)
        self.tidy()

    def tidy(self) -> None:
        """Have the daemon end what nobody wants, if there is a thread for it; else later."""
        held = self._connection

        def do() -> None:
            connection = held()
            if connection is not None:
                connection._tidy()

        self.post(do)

    def _start(self) -> None:
        if self._threads is not None or not self._channel.is_open:
            return
        threads = _Threads(self._channel, self._before)
        try:
            self._threads = threads
            threads.start()
            self._before = threads.posts, threads.caller
        except BaseException:
            threads.stopped = True
            self._threads = None
            threads.stop()
            raise

    def post(self, function: Callable[[], object]) -> None:
        """Have a function called on the thread for that."""
        threads = self._threads
        if threads is not None:
            threads.posts.put(function)

    def released(self) -> None:
        """Have callbacks called for what the registry held back."""
        self.post(self._call_due)

    # For the channel.

    def deliver(self, event: EventReceived) -> None:
        """Take note of an event."""
        if self._registry.take_note(event):
            self.post(self._call_due)

    def lose(self, reason: int) -> None:
        """Take note of the connection's end."""
        threads, self._threads = self._threads, None
        if self.renewing:
            # Of a channel that nobody knew of nobody hears; what came on it counts all the same.
            pass
        elif reason == CLIENT:
            self._registry.finish(None)
        elif not self.lasting:
            self._registry.finish(lost(None, self._channel._closed or CLOSED_BY_DAEMON))
        if threads is None:
            return
        if reason == CLIENT:
            threads.stopped = True
            threads.stop()
            return
        threads.posts.put(self._call_rest)
        if not self.renewing:
            threads.posts.put(lambda: self._tell_close(reason))
        threads.posts.put(None)

    def _call_due(self) -> None:
        """Have callbacks called for some events, and for the rest when others had their turn."""
        for _ in range(_AT_ONCE):
            calls = self._registry.calls()
            if calls is None:
                return
            self._call(calls)
        self.post(self._call_due)

    def _call_rest(self) -> None:
        while (calls := self._registry.calls()) is not None:
            self._call(calls)

    def _call(self, calls: list[Call]) -> None:
        for call in calls:
            connection = self._connection()
            if connection is not None and self._channel._closed is not CLOSED_HERE:
                _guarded(lambda: call(connection, handle_of))  # noqa: B023 - called at once

    def _tell_close(self, reason: int) -> None:
        connection = self._connection()
        callback = self._registry.close_callback
        if connection is not None and callback is not None:
            callback(connection, reason)


def class_of(family: str) -> type[RemoteObject]:
    """Return the class of the objects that a family of events is about."""
    module, name = HOMES[family]
    found: type[RemoteObject] = getattr(import_module(f".{module}", __package__), name)
    return found


def handle_of(connection: RegisteringCalls, family: str, wire: object) -> RemoteObject:
    """Return a handle on the object that an event names."""
    return handle(class_of(family), connection, wire)


class _Threads:
    """One pair of threads."""

    def __init__(self, channel: Channel, before: tuple[Posts, threading.Thread] | None) -> None:
        self._channel = channel
        # Set by who has them end.
        self.stopped = False
        self._waker = Waker(channel._sock)
        self.posts: Posts = SimpleQueue()
        self.caller = threading.Thread(
            target=self._call, args=(before,), name="virtproto callbacks", daemon=True
        )

    def start(self) -> None:
        """Start both."""
        threading.Thread(target=self._read, name="virtproto reader", daemon=True).start()
        self.caller.start()

    def stop(self) -> None:
        """Wake both for their end; what is still to be called is not. They are ``stopped``.

        Torn from this by a signal, they end when something comes, or when others are started.
        """
        try:
            self.posts.put(None)
        finally:
            self._waker.wake()

    def _read(self) -> None:
        channel = self._channel
        channel._wakers.append(self._waker)
        try:
            while not self.stopped:
                limit_s = None
                if channel._is_crowded:
                    # Who takes from it wakes everybody once there is room. Until then little is
                    # read, so that what is behind a stream's data comes late, and not never.
                    self._waker.sleep(_LATE_S, alone=True)
                    if channel._is_blocked:
                        continue
                    limit_s = 0
                watch(channel, self._waker, lambda: self.stopped, limit_s)
        except TransportError:
            # The channel is closed, and told its listener.
            pass
        finally:
            channel._wakers.remove(self._waker)
            with channel._lock:
                # Who tells of the connection's end does it under this, and may be torn from it.
                self.posts.put(None)

    def _call(self, before: tuple[Posts, threading.Thread] | None) -> None:
        if before is not None:
            # One after another, although the one that runs had these threads replaced; and who did
            # that may have been torn from having it end.
            posts, caller = before
            posts.put(None)
            caller.join()
            del before, posts, caller
        while (function := self.posts.get()) is not None and not self.stopped:
            _guarded(function)


def _guarded(function: Callable[[], object]) -> None:
    """Call a function of the user's; whatever it raises is reported, and nothing more."""
    try:
        function()
    except BaseException:
        if not sys.is_finalizing():
            threading.excepthook(
                threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
            )


def _weakly(to: ref[StreamWatch], what: Callable[[StreamWatch], None]) -> Callable[[], None]:
    """Return what does something with a stream's callback for as long as somebody has it."""

    def do() -> None:
        watch = to()
        if watch is not None:
            what(watch)

    return do


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
        living = stream.connection._alive()
        self._watched = living.watched
        self._watched.add(self)
        self._delivery = living.delivery
        # The channel and its threads know of it without keeping it: it has the connection.
        self._weak = ref(self)
        self._delivery.serve(self._weak)
        end.notify = _weakly(self._weak, StreamWatch._nudge)
        self._nudge()

    def update(self, events: int) -> None:
        """Wait for something else."""
        self._events = events
        self._nudge()

    def remove(self) -> None:
        """Call no more."""
        self.removed = True
        self._end.notify = None
        self._watched.discard(self)
        self._delivery.dismiss(self._weak)

    def _ready(self) -> int:
        return 0 if self.removed else readiness(self._end.inbox, self._events, writable=True)

    def _nudge(self) -> None:
        if not self._due and self._ready():
            self._due = True
            self._delivery.post(_weakly(self._weak, StreamWatch._run))

    def _run(self) -> None:
        self._due = False
        ready = self._ready()
        if not ready:
            return
        try:
            self._callback(self._stream, ready)
        finally:
            if self._end.inbox.error is None and not self._end.inbox.over:
                self._nudge()
