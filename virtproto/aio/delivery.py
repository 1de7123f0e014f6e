"""What an asyncio connection with callbacks has beside its calls: their turns in the event loop.

Responsible for calling the user's functions in order, from the loop and never from within the
reader. Must not know what an event means: that is the registry's (`virtproto.model.subscriptions`).

A function that is asynchronous becomes a task of its own, and the next one does not wait for it. An
exception of either goes to the loop's exception handler, and the next function is called.
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from importlib import import_module
from inspect import isawaitable
from weakref import WeakMethod, ref

from virtproto.model.event_kinds import HOMES
from virtproto.model.object_handle import handle
from virtproto.model.replies import CLOSED_BY_DAEMON, CLOSED_HERE, lost
from virtproto.model.stream_use import readiness
from virtproto.model.subscriptions import CLIENT, Subscriptions
from virtproto.transport.deadline import outside
from virtproto.transport.inheritance import remember

from .traffic import make_room
from .turn import Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from virtproto.errors import VirtprotoError
    from virtproto.model.event_queue import EventQueue
    from virtproto.model.subscriptions import Call
    from virtproto.protocol.events import EventReceived

    from .channel import Channel
    from .objects import RemoteObject
    from .registering import RegisteringCalls
    from .stream import Stream
    from .traffic import StreamEnd

__all__ = ["Delivery", "Living", "StreamWatch", "class_of"]

# So many events have their callbacks called before the loop has its turn.
_AT_ONCE = 64


# Guards what only one thread uses.
_UNGUARDED = nullcontext()


class Living:
    """What a connection keeps of its living parts, from their first use on."""

    __slots__ = ("delivery", "lifecycle", "new_lock", "registry", "turn", "watches")

    def __init__(self, connection: RegisteringCalls) -> None:
        # Held while registrations change on the daemon.
        self.turn = Turn(connection)
        self.registry = Subscriptions(_UNGUARDED)
        self.delivery = Delivery(connection, self.registry)
        self.delivery.lasting = connection._line is not None
        # Makes what guards something that threads share.
        self.new_lock = nullcontext
        # The number of domain_event_register's callback, which has no other name.
        self.lifecycle: int | None = None
        # Keeps a stream whose callback may still be called, for as long as the connection is kept.
        self.watches: dict[StreamWatch, None] = {}


class Delivery:
    """The channel's listener: takes note of what comes, and has the user's functions called."""

    __slots__ = (
        "__weakref__",
        "_channel",
        "_connection",
        "_registry",
        "_tasks",
        "_users",
        "crowded",
        "lasting",
        "renewing",
    )

    def __init__(self, connection: RegisteringCalls, registry: Subscriptions) -> None:
        self._connection = ref(connection)
        self._channel = connection._channel
        self._registry = registry
        # A list, which takes less room while there are few.
        self._users: list[object] = []
        # True where another channel comes after the one that is lost: iterators go on then.
        self.lasting = False
        # True while another channel is asked for all that is wanted: nobody else has it yet.
        self.renewing = False
        # Whether nothing more should be read, as an iterator's queue is full.
        self.crowded = False
        # A loop forgets tasks that nobody else knows. Made for the first.
        self._tasks: dict[asyncio.Future[object], None] | None = None
        remember(self)

    def serve(self, user: object, *, calls: bool = True) -> None:
        """See to it that events are heard, until `dismiss` with the same ``user``.

        The loop reads and calls in any case, whether the user needs ``calls`` or not.
        """
        if user not in self._users:
            self._users.append(user)
        if self._channel.is_open:
            self._channel.listen(self)

    def dismiss(self, user: object) -> None:
        """Do without a user."""
        if user in self._users:
            self._users.remove(user)
        if not self._users:
            self._channel.listen(None)

    def rejoin(self, channel: Channel) -> None:
        """Go on with another channel, in place of one that was lost; ``renewing`` is True then."""
        self.renewing = True
        self._channel = channel
        if self._users:
            channel.listen(self)

    def finish(self, error: VirtprotoError | None) -> None:
        """Have iterators end, with ``error`` if there is one: no other channel comes any more."""
        self._registry.finish(error)

    def leave_to_parent(self) -> None:
        """In a forked process: have iterators end."""
        self._registry.leave_to_parent()

    # For iterators.

    def crowd(self) -> None:
        """Take note of a queue that is crowded."""
        self.crowded = True

    def make_room(self) -> None:
        """Take note of a queue that is crowded no more."""
        self.crowded = self._registry.crowded
        make_room(self._channel)

    def forget(self, queue: EventQueue) -> None:
        """Fill no more a queue that nobody has. Called between any two lines, on any thread."""
        queue.ended = True
        self._registry.forgotten.append(queue)
        # The loop may have ended.
        with suppress(RuntimeError):
            self._channel._loop.call_soon_threadsafe(self._drop, queue)

    def _drop(self, queue: EventQueue) -> None:
        queue.abandon()
        self.tidy()

    def tidy(self) -> None:
        """Have the daemon end what nobody wants, in a task."""
        connection = self._connection()
        if connection is not None and self._channel.is_open:
            task: asyncio.Future[object]
            task = self._channel._loop.create_task(connection._tidy(), context=outside())
            self._keep(task)

    def post(self, function: Callable[[], object]) -> None:
        """Have a function called in the loop's next turn, after those posted before."""
        # Functions of the user's are not bound by the limits of who happens to read.
        self._channel._loop.call_soon(self._guarded, function, context=outside())

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
        if self.renewing:
            # Of a channel that nobody knew of nobody hears; what came on it counts all the same.
            return
        if reason == CLIENT:
            self._registry.finish(None)
            return
        if not self.lasting:
            self._registry.finish(lost(None, self._channel._closed or CLOSED_BY_DAEMON))
        self.post(self._call_rest)
        self.post(lambda: self._tell_close(reason))

    def _call_due(self) -> None:
        """Have callbacks called for some events, and for the rest in the loop's next turn."""
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
            if connection is not None:
                self._guarded(lambda: call(connection, handle_of))  # noqa: B023 - called at once

    def _tell_close(self, reason: int) -> object:
        connection = self._connection()
        callback = self._registry.close_callback
        if connection is None or callback is None:
            return None
        return callback(connection, reason)

    def _guarded(self, function: Callable[[], object]) -> None:
        """Call a function of the user's; whatever it raises is reported, and nothing more.

        None is called any more once the connection is closed from here.
        """
        if self._channel._closed is CLOSED_HERE:
            return
        try:
            result = function()
        except Exception as error:
            self._report(error)
            return
        if isawaitable(result):
            task = asyncio.ensure_future(result, loop=self._channel._loop)
            self._keep(task)

    def _keep(self, task: asyncio.Future[object]) -> None:
        if self._tasks is None:
            self._tasks = {}
        self._tasks[task] = None
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Future[object]) -> None:
        if self._tasks is not None:
            self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
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


def handle_of(connection: RegisteringCalls, family: str, wire: object) -> RemoteObject:
    """Return a handle on the object that an event names."""
    return handle(class_of(family), connection, wire)


def _weakly(method: Callable[[], object]) -> Callable[[], object]:
    """Return a function that calls a method without keeping its object."""
    held = WeakMethod(method)

    def call() -> object:
        found = held()
        return None if found is None else found()

    return call


class StreamWatch:
    """A stream's callback: called while the stream is ready for what it waits for.

    Only the connection keeps it, and with it the stream: the channel and the loop, which would keep
    a connection that nobody has any more, know it weakly.
    """

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
        # Set while this waits for the transport to have room.
        self._room: asyncio.Future[None] | None = None
        self._channel = stream.connection._channel
        living = stream.connection._alive()
        self._delivery = living.delivery
        self._watches = living.watches
        self._watches[self] = None
        self._run_weakly = _weakly(self._run)
        self._nudge_weakly = _weakly(self._nudge)
        end.notify = self._nudge_weakly
        self._nudge()

    def update(self, events: int) -> None:
        """Wait for something else."""
        self._events = events
        self._nudge()

    def remove(self) -> None:
        """Call no more."""
        self.removed = True
        self._end.notify = None
        self._watches.pop(self, None)
        self._leave_room()

    def _ready(self) -> int:
        if self.removed:
            return 0
        return readiness(self._end.inbox, self._events, writable=not self._channel._full)

    def _nudge(self) -> None:
        if self._due or self.removed:
            return
        if self._ready():
            self._due = True
            self._delivery.post(self._run_weakly)
        elif self._at_its_end():
            self._watches.pop(self, None)
        elif self._channel._full and (self._room is None or self._room.done()):
            self._await_room()

    def _await_room(self) -> None:
        nudge = self._nudge_weakly
        self._room = self._channel._loop.create_future()
        self._room.add_done_callback(lambda _: nudge())
        self._channel._senders.append(self._room)

    def _leave_room(self) -> None:
        if self._room in self._channel._senders:
            self._channel._senders.remove(self._room)
        self._room = None

    def _at_its_end(self) -> bool:
        return self._end.inbox.error is not None or self._end.inbox.over

    def _run(self) -> asyncio.Future[object] | None:
        """Call the callback; return the task if it is asynchronous."""
        result: object = None
        try:
            ready = self._ready()
            if ready:
                result = self._callback(self._stream, ready)
        finally:
            if not isawaitable(result):
                self._go_on()
        if not isawaitable(result):
            return None
        task = asyncio.ensure_future(result, loop=self._channel._loop)
        task.add_done_callback(self._ran)
        return task

    def _ran(self, task: asyncio.Future[object]) -> None:
        if task.cancelled():
            # As all tasks are when their loop ends: calling again at once would go on after that.
            self._due = False
        else:
            self._go_on()

    def _go_on(self) -> None:
        self._due = False
        if self._at_its_end():
            self._watches.pop(self, None)
        else:
            self._nudge()
