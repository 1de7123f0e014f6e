"""Who wants which events: the user's callbacks and iterators, and the registrations they share.

Responsible for sharing (a daemon refuses a second registration of the same kind for the same
object), for the IDs that users get, for finding who wants an event, for keeping it until then, and
for what is to be asked anew of another connection, in both colours. Must not know how a call is
made, how an event arrives, or on which thread a callback runs.

An event can come before the reply that tells the ID of its registration: while one is being made,
an event of an unknown ID is held back, and with it whatever comes after it, so that the order
stays. Other events of unknown IDs are late ones of a registration that has ended, and dropped.
Iterators get events as they came, and drop those that cannot be read; so do callbacks.
"""

from __future__ import annotations

from collections import deque

from virtproto.errors import DecodeError, UsageError
from virtproto.model.arguments import to_int
from virtproto.model.event_kinds import CLOSED, KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable
    from contextlib import AbstractContextManager
    from typing import Any

    from virtproto.errors import VirtprotoError
    from virtproto.model.event_kinds import EventKind
    from virtproto.model.event_queue import EventQueue
    from virtproto.protocol.events import EventReceived
    from virtproto.xdr.procedure import Procedure

    # (family, event ID, the object's own name or None): what the daemon tells registrations by.
    Key = tuple[str, int, Hashable]
    # Called with the connection and what makes a handle of (connection, family, wire reference).
    Call = Callable[[Any, Callable[[Any, str, Any], Any]], Any]

__all__ = ["CALLBACK_LIMIT", "CLIENT", "Listener", "Registration", "Subscriptions"]

# virConnectCloseReason: the connection was closed on this side.
CLIENT = 3

# So many events wait for callbacks that are slow, and as many for a registration being made.
CALLBACK_LIMIT = 100_000

# By (family, event ID, whether the payload begins with an ID): what such an event is known by.
_ARRIVALS = {(kind.family, kind.event_id, kind.by_id): key for key, kind in KINDS.items()}


class Listener:
    """One wish of a user: what to call, or which iterator's queue to fill.

    ``only`` is, if the daemon cannot filter, of which objects.
    """

    __slots__ = ("callback", "number", "only", "put", "queue", "registration")

    def __init__(
        self,
        callback: Callable[..., object] | None,
        only: Collection[Hashable] | None = None,
        queue: EventQueue | None = None,
    ) -> None:
        self.callback = callback
        self.only = only
        self.queue = queue
        self.number = -1
        self.registration: Registration | None = None
        # Takes in an event, for an iterator.
        self.put: Callable[[EventReceived], object] = self._put
        if queue is not None and only is None:
            self.put = queue.put

    def _put(self, event: EventReceived) -> None:
        """Fill the queue with an event if it is about the right object."""
        if self.queue is not None and self.only is not None and _is_about(event, self.only):
            self.queue.put(event)


# Of a registration that the daemon was not asked for yet; its own IDs are from 0 on.
_NO_ID = -1


class Registration:
    """One registration on the daemon, and the call that made it: its procedure and arguments' XDR.

    ``server_id`` is the daemon's ID for it, None for one of the older way.
    """

    __slots__ = (
        "args",
        "callbacks",
        "event_id",
        "family",
        "iterators",
        "key",
        "procedure",
        "server_id",
    )

    def __init__(
        self, key: Key, server_id: int | None, procedure: Procedure[Any, Any], args: bytes
    ) -> None:
        self.key = key
        self.family, self.event_id = key[:2]
        self.server_id = server_id
        self.procedure = procedure
        self.args = args
        # Replaced and never changed, since events are handed out meanwhile.
        self.callbacks: tuple[Listener, ...] = ()
        self.iterators: tuple[Listener, ...] = ()

    @property
    def is_used(self) -> bool:
        """Whether anybody wants its events."""
        return bool(self.callbacks or self.iterators)


class Subscriptions:
    """The registrations, callbacks and iterators of one connection.

    ``lock`` guards them where threads are. ``dropped`` counts events that callbacks were too slow
    for.
    """

    __slots__ = (
        "_being_made",
        "_by_key",
        "_by_number",
        "_by_queue",
        "_due",
        "_finished",
        "_held",
        "_lock",
        "_next_number",
        "_routes",
        "_told",
        "close_callback",
        "dropped",
        "forgotten",
        "unanswered",
        "unwanted",
    )

    def __init__(self, lock: AbstractContextManager[Any]) -> None:
        self.close_callback: Callable[..., object] | None = None
        self.dropped = 0
        self._lock = lock
        self._next_number = 0
        # Calls for registrations whose answers may still come; what they are is the front end's.
        self.unanswered: dict[Key, Any] = {}
        # Registrations that nobody wants any more, with the call by which the daemon is told.
        self.unwanted: dict[Registration, Any] = {}
        # Queues of iterators that nobody has any more. Appended to at any time, on any thread.
        self.forgotten: list[EventQueue] = []
        self._by_key: dict[Key, Registration] = {}
        self._by_number: dict[int, Listener] = {}
        self._by_queue: dict[EventQueue, list[Listener]] = {}
        # By (program, procedure, the daemon's ID as it stands in the payload), and of the older way
        # by (program, procedure): the daemon counts each family for itself.
        self._routes: dict[tuple[Any, ...], Registration] = {}
        self._being_made = 0
        self._held: list[EventReceived] = []
        # Events that callbacks are to be called for, and whether the front end knows. Made when the
        # first comes: in a process with many connections, most of them wait for a rare event.
        self._due: deque[tuple[EventReceived, Registration | None]] | None = None
        self._told = False
        # Set once every iterator was ended, with what: it is what a later one gets.
        self._finished: tuple[VirtprotoError | None] | None = None

    def find(self, key: Key) -> Registration | None:
        """Return the registration that there is already."""
        return self._by_key.get(key)

    @property
    def crowded(self) -> bool:
        """Whether nothing more should be read on the account of an iterator."""
        queues = self._by_queue
        return bool(queues) and any(each.crowded and not each.ended for each in tuple(queues))

    def begin(self) -> None:
        """Hold back events of unknown IDs until `end`: a registration is being made."""
        with self._lock:
            self._being_made += 1

    def end(self) -> bool:
        """Undo one `begin`, and hand out what was held back.

        Returns whether `calls` has something, of which nobody was told yet.
        """
        with self._lock:
            news = False
            if self._being_made == 1:
                for event in tuple(self._held):
                    news |= self._hand_out(event)
                self._held.clear()
            # Only now: what comes from now on does not wait for the lock.
            self._being_made -= 1
            return news

    def add(
        self, key: Key, server_id: int | None, procedure: Procedure[Any, Any], args: bytes
    ) -> Registration:
        """Note a registration that the daemon has made, and how it was asked."""
        made = Registration(key, server_id, procedure, args)
        route = _route(made)
        with self._lock:
            # By its key last: what is found by that has all the rest, wherever a signal tore this.
            self._routes[route] = made
            self._by_key[key] = made
            self.unanswered.pop(key, None)
            if not self.unanswered:
                # Gives back the room that it took; most connections register once.
                self.unanswered.clear()
        return made

    def attach(self, to: Registration, listener: Listener) -> int:
        """Have a listener hear of events; return the number to `detach` it by."""
        with self._lock:
            number = listener.number = self._next_number
            self._next_number += 1
            listener.registration = to
            if listener.queue is None:
                self._by_number[number] = listener
                to.callbacks += (listener,)
            else:
                # In this order: what a signal tears is found by the queue.
                self._by_queue.setdefault(listener.queue, []).append(listener)
                to.iterators += (listener,)
        return number

    def enrol(self, queue: EventQueue) -> None:
        """Have an iterator's queue marked and ended with the others, or now if they were ended."""
        with self._lock:
            self._by_queue.setdefault(queue, [])
            if self._finished is not None:
                queue.end(*self._finished)

    def detach(self, family: str, number: int) -> Listener:
        """Have a callback called no more; return who it was.

        If nobody is left on its registration that is `unwanted` from now on. Raises UsageError for
        a number that is not in use for this family.
        """
        to_int("callback_id", number)
        with self._lock:
            found = self._by_number.get(number)
            if found is None or found.registration is None or found.registration.family != family:
                raise UsageError(f"callback_id: {int(number)} is not in use")
            self._leave(found)
            return found

    def withdraw(self, queue: EventQueue) -> None:
        """Put nothing more into an iterator's queue; what only it wanted is `unwanted` then."""
        with self._lock:
            for listener in self._by_queue.get(queue, ()):
                self._leave(listener)
            self._by_queue.pop(queue, None)

    def drop(self, listener: Listener) -> None:
        """Have a listener hear of nothing, whether or not it was to."""
        with self._lock:
            if listener.registration is not None:
                self._leave(listener)

    def _leave(self, listener: Listener) -> None:
        """Take a listener from its registration; again, where a signal tore that."""
        left = listener.registration
        assert left is not None
        left.callbacks = tuple(each for each in left.callbacks if each is not listener)
        left.iterators = tuple(each for each in left.iterators if each is not listener)
        if not left.is_used and self._by_key.get(left.key) is left:
            route = _route(left)
            if self._routes.get(route) is left:
                # Else it is one of a connection that is lost, and its ID may be another one's now.
                self.unwanted.setdefault(left)
                del self._routes[route]
            del self._by_key[left.key]
            # Left over where a signal tore the registration from being noted.
            self.unanswered.pop(left.key, None)
        self._by_number.pop(listener.number, None)

    # For a connection that is made anew.

    def registrations(self) -> list[Registration]:
        """Return what a new connection has to ask for: each ``procedure`` with its ``args``."""
        with self._lock:
            return list(self._by_key.values())

    def forget_daemon(self) -> None:
        """Forget what an old connection's daemon said: IDs, held events, calls under way."""
        with self._lock:
            self._routes.clear()
            self._held.clear()
            self.unanswered.clear()
            self.unwanted.clear()

    def postpone(self, key: Key, procedure: Procedure[Any, Any], args: bytes) -> Registration:
        """Note a registration that the next connection is to be asked for."""
        wanted = Registration(key, _NO_ID, procedure, args)
        with self._lock:
            self._by_key[key] = wanted
        return wanted

    def renew(self, made_anew: Registration, server_id: int | None) -> None:
        """Note that the daemon has made a registration anew, between `begin` and `end`."""
        with self._lock:
            made_anew.server_id = server_id
            if self._by_key.get(made_anew.key) is made_anew:
                self._routes[_route(made_anew)] = made_anew
            else:
                # Everybody left meanwhile.
                self.unwanted[made_anew] = None

    def refuse(self, not_renewed: Registration, error: VirtprotoError) -> Collection[Listener]:
        """End the iterators of a registration that could not be made anew, and drop it.

        Returns the callbacks, which are not called any more. Their numbers are theirs until who has
        them, and does not know, gives them back.
        """
        with self._lock:
            self._by_key.pop(not_renewed.key, None)
            for listener in not_renewed.iterators:
                if listener.queue is not None:
                    listener.queue.end(error)
            return not_renewed.callbacks

    def leave_to_parent(self) -> None:
        """In a forked process: end every iterator; whoever had the lock is not there."""
        for queue in tuple(self._by_queue):
            queue.leave_to_parent()

    def mark(self, mark: object) -> None:
        """Put something into every iterator's queue, after what came before it."""
        with self._lock:
            for queue in self._by_queue:
                queue.mark(mark)

    def finish(self, error: VirtprotoError | None) -> None:
        """End every iterator once it has given what it has, with ``error`` if there is one."""
        with self._lock:
            if self._finished is None:
                self._finished = (error,)
            for queue in self._by_queue:
                queue.end(error)

    # For the front end's reader, and for who calls the user's functions.

    def take_note(self, event: EventReceived) -> bool:
        """Keep an event for who wants it.

        Returns whether `calls` has something, of which nobody was told yet.
        """
        if not self._being_made:
            # What nearly every event takes. Routes and listeners are replaced, never changed, and
            # nothing that was held back is still to be handed out: so without the lock.
            found = self._routes.get((event.program, event.procedure, event.payload[:4]))
            if found is not None and not found.callbacks:
                for each in found.iterators:
                    each.put(event)
                return False
        with self._lock:
            if self._being_made and (self._held or self._is_unknown(event)):
                self._held.append(event)
                return False
            return self._hand_out(event)

    def calls(self) -> list[Call] | None:
        """Return what is to be called for the next event, None where no event waits.

        After None it is told of new ones again.
        """
        with self._lock:
            if not self._due:
                self._told = False
                return None
            return self._calls_for(*self._due.popleft())

    def silence(self) -> None:
        """Forget the events that callbacks were not called for yet."""
        with self._lock:
            self._due = None
            self._told = False

    def _find(self, event: EventReceived) -> Registration | None:
        program, procedure = event.program, event.procedure
        found = self._routes.get((program, procedure, event.payload[:4]))
        return self._routes.get((program, procedure)) if found is None else found

    def _is_unknown(self, event: EventReceived) -> bool:
        return (event.program, event.procedure) != CLOSED and self._find(event) is None

    def _hand_out(self, event: EventReceived) -> bool:
        found = self._find(event)
        if found is None:
            is_call = (event.program, event.procedure) == CLOSED and self.close_callback is not None
        else:
            for each in found.iterators:
                each.put(event)
            is_call = bool(found.callbacks)
        if not is_call:
            return False
        due = self._due
        if due is None:
            due = self._due = deque()
        elif len(due) >= CALLBACK_LIMIT:
            due.popleft()
            self.dropped += 1
        due.append((event, found))
        told, self._told = self._told, True
        return not told

    def _calls_for(self, event: EventReceived, found: Registration | None) -> list[Call]:
        if found is None:
            return self._close_calls(event.payload)
        kind = KINDS[event.program, event.procedure]
        try:
            message = kind.unpack(event.payload)
        except DecodeError:
            return []
        wire = kind.object_in(message)
        return [
            _call(kind, each.callback, message, wire)
            for each in found.callbacks
            if each.callback is not None and (each.only is None or wire.uuid in each.only)
        ]

    def _close_calls(self, payload: bytes) -> list[Call]:
        from virtproto.wire.remote.connect_event import ConnectEventConnectionClosedMsg

        callback = self.close_callback
        if callback is None:
            return []
        try:
            reason = ConnectEventConnectionClosedMsg.unpack(payload).reason
        except DecodeError:
            return []
        return [lambda connection, make: callback(connection, reason)]


def _route(to: Registration) -> tuple[Any, ...]:
    """Return what the events of a registration are known by."""
    arrival = _ARRIVALS[to.family, to.event_id, to.server_id is not None]
    if to.server_id is None:
        return arrival
    return (*arrival, (to.server_id & 0xFFFFFFFF).to_bytes(4, "big"))


def _is_about(event: EventReceived, only: Collection[Hashable]) -> bool:
    """Return whether an event that the daemon did not filter is about one of some objects."""
    kind = KINDS[event.program, event.procedure]
    try:
        return kind.object_in(kind.unpack(event.payload)).uuid in only
    except DecodeError:
        return False


def _call(kind: EventKind, callback: Callable[..., object], message: Any, wire: Any) -> Call:
    return lambda connection, make: callback(
        connection, make(connection, kind.family, wire), *kind.arguments_in(message)
    )
