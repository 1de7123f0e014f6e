"""Who wants which events: the user's callbacks, and the registrations on the daemon they share.

Responsible for sharing (a daemon refuses a second registration of the same kind for the same
object), for the IDs that users get, and for finding the callbacks of an event, in both colours.
Must not know how a call is made, how an event arrives, or on which thread a callback runs.

An event can come before the reply that tells the ID of its registration: while one is being made,
events of unknown IDs are held back, and given again once it is. Other events of unknown IDs are
late ones of a registration that has ended, and dropped, as are those that cannot be read.
"""

from __future__ import annotations

from virtproto.errors import DecodeError, UsageError
from virtproto.model.arguments import to_int
from virtproto.model.event_kinds import CLOSED, KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from contextlib import AbstractContextManager
    from typing import Any

    from virtproto.model.event_kinds import EventKind
    from virtproto.protocol.events import EventReceived

    # (family, event ID, the object's own name or None): what the daemon tells registrations by.
    Key = tuple[str, int, Hashable]
    # Called with the connection and what makes a handle of (connection, family, wire reference).
    Call = Callable[[Any, Callable[[Any, str, Any], Any]], Any]

__all__ = ["CLIENT", "Listener", "Registration", "Subscriptions"]

# virConnectCloseReason: the connection was closed on this side.
CLIENT = 3


class Listener:
    """One wish of a user: what to call, and if the daemon cannot filter, for which object only."""

    __slots__ = ("callback", "number", "only")

    def __init__(self, callback: Callable[..., object], only: Hashable = None) -> None:
        self.callback = callback
        self.only = only
        self.number = -1


class Registration:
    """One registration on the daemon; ``server_id`` is None for one of the older way."""

    __slots__ = ("event_id", "family", "key", "listeners", "server_id")

    def __init__(self, key: Key, server_id: int | None) -> None:
        self.key = key
        self.family, self.event_id = key[:2]
        self.server_id = server_id
        self.listeners: dict[int, Listener] = {}


class Subscriptions:
    """The registrations and callbacks of one connection.

    ``lock`` guards them where threads are.
    """

    def __init__(self, lock: AbstractContextManager[Any]) -> None:
        self.close_callback: Callable[..., object] | None = None
        self._lock = lock
        self._next_number = 0
        # Calls for registrations whose answers may still come; what they are is the front end's.
        self.unanswered: dict[Key, Any] = {}
        self._by_key: dict[Key, Registration] = {}
        self._by_number: dict[int, Registration] = {}
        # By (family, event ID, the daemon's ID): the daemon counts each family for itself.
        self._by_server_id: dict[tuple[str, int, int | None], Registration] = {}
        self._being_made = 0
        self._held: list[EventReceived] = []
        self._released: list[EventReceived] = []

    def find(self, key: Key) -> Registration | None:
        """Return the registration that there is already."""
        return self._by_key.get(key)

    def begin(self) -> None:
        """Hold back events of unknown IDs until `end`: a registration is being made."""
        with self._lock:
            self._being_made += 1

    def end(self) -> bool:
        """Undo one `begin`; return whether events wait for the next `route`."""
        with self._lock:
            self._being_made -= 1
            self._released += self._held
            self._held = []
            return bool(self._released)

    def add(self, key: Key, server_id: int | None) -> Registration:
        """Note a registration that the daemon has made."""
        made = Registration(key, server_id)
        with self._lock:
            self._by_key[key] = made
            self._by_server_id[made.family, made.event_id, server_id] = made
            self.unanswered.pop(key, None)
        return made

    def attach(self, to: Registration, listener: Listener) -> int:
        """Have a listener called; return the number to `detach` it by."""
        with self._lock:
            number = listener.number = self._next_number
            self._next_number += 1
            to.listeners[number] = listener
            self._by_number[number] = to
        return number

    def detach(self, family: str, number: int) -> Registration | None:
        """Have a listener called no more; return the registration if nobody is left on it.

        Raises UsageError for a number that is not in use for this family.
        """
        to_int("callback_id", number)
        with self._lock:
            found = self._by_number.get(number)
            if found is None or found.family != family:
                raise UsageError(f"callback_id: {int(number)} is not in use")
            del self._by_number[number]
            del found.listeners[number]
            if found.listeners:
                return None
            del self._by_key[found.key]
            # Left over where a signal tore the registration from being noted.
            self.unanswered.pop(found.key, None)
            del self._by_server_id[found.family, found.event_id, found.server_id]
            return found

    def route(self, event: EventReceived | None) -> list[Call]:
        """Return what is to be called for an event, and before it for those that were held back."""
        with self._lock:
            events, self._released = self._released, []
            if event is not None:
                events.append(event)
            return [call for each in events for call in self._calls_for(each)]

    def _calls_for(self, event: EventReceived) -> list[Call]:
        key = (event.program, event.procedure)
        if key == CLOSED:
            return self._close_calls(event.payload)
        kind = KINDS.get(key)
        if kind is None:
            # A newer daemon's.
            return []
        try:
            message = kind.unpack(event.payload)
        except DecodeError:
            return []
        server_id = message.callbackID if kind.by_id else None
        found = self._by_server_id.get((kind.family, kind.event_id, server_id))
        if found is None:
            if self._being_made:
                self._held.append(event)
            return []
        wire = kind.object_in(message)
        return [
            _call(kind, listener.callback, message, wire)
            for listener in found.listeners.values()
            if listener.only is None or listener.only == wire.uuid
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


def _call(kind: EventKind, callback: Callable[..., object], message: Any, wire: Any) -> Call:
    return lambda connection, make: callback(
        connection, make(connection, kind.family, wire), *kind.arguments_in(message)
    )
