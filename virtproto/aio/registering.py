"""What a connection does to have events sent: the registrations behind callbacks and iterators.

Responsible for asking the daemon once for what many want, for asking it to stop when nobody does
any more, and for what is left undone when somebody gives up in between. The machinery (`delivery`,
``virtproto.model.subscriptions``) is loaded when first used. Its twin of the other colour differs
in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.errors import (
    ArgumentTypeError,
    ConnectionClosedError,
    ConnectionLostError,
    DeadlineError,
    LibvirtError,
    UnknownProcedureError,
    UsageError,
    VirtprotoError,
)
from virtproto.model.calls import unpack_ret
from virtproto.model.replies import CLOSE_TIMEOUT_S, refused
from virtproto.transport.deadline import deadline

from .carrying import CarryingCalls
from .channel import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable
    from typing import Any, TypeAlias

    from virtproto.model.event_kinds import EventKind
    from virtproto.model.event_queue import EventQueue
    from virtproto.model.subscriptions import Key, Listener, Registration
    from virtproto.xdr.message import Message
    from virtproto.xdr.procedure import Procedure

    from .delivery import Living
    from .domain import Domain
    from .objects import RemoteObject

    # What tells a registration from others, the call that makes it, and of which objects alone its
    # events are wanted, where the daemon cannot filter.
    Wish: TypeAlias = tuple[Key, tuple[Procedure[Any, Any], Any], Collection[Hashable] | None]

__all__ = ["RegisteringCalls"]

# So many objects may be named at once; each is a registration.
_OBJECTS_MAX = 16384


class RegisteringCalls(CarryingCalls):
    """A connection's registrations for events."""

    _living: Living | None = None

    async def _register(
        self,
        family: str,
        parameter: str,
        concerned: RemoteObject | None,
        event_id: int,
        callback: Callable[..., object],
    ) -> int:
        """Have a callback called for events, and the daemon asked for them if it was not yet."""
        async with self._alive().turn:
            return await self._begin_either_way(family, parameter, concerned, event_id, callback)

    def _must_do_without_ids(self, asked: tuple[Procedure[Any, Any], Any]) -> bool:
        """Take note that the daemon does not know a call; return whether there is an older one.

        That it gives no IDs to registrations for the events of domains is learned in this way: it
        need not be asked beforehand, by every connection.
        """
        from virtproto.model.event_kinds import gives_id_for_domain

        if not gives_id_for_domain(asked[0]):
            return False
        self._opened.event_callbacks = False
        return True

    def _wanted(
        self,
        family: str,
        parameter: str,
        concerned: RemoteObject | None,
        event_id: int,
        callback: Callable[..., object],
    ) -> tuple[Key, tuple[Procedure[Any, Any], Any], Listener]:
        """Return a registration's key, the call that makes it, and who is to hear of the events."""
        from virtproto.model.arguments import to_int, to_object
        from virtproto.model.event_kinds import check_event_id, registration
        from virtproto.model.stream_use import check_handler
        from virtproto.model.subscriptions import Listener

        from .delivery import class_of

        wire = identity = None
        if concerned is not None:
            wire = to_object(parameter, concerned, class_of(family), self)
            identity = concerned._identity()
        check_handler("callback", callback)
        by_id = family != "domain" or self._opened.event_callbacks
        check_event_id(family, to_int("event_id", event_id), by_id=by_id)
        asked = registration(family, event_id, wire, by_id=by_id)
        # Without IDs the daemon sends the events of all objects.
        key = (family, int(event_id), identity if by_id else None)
        return key, asked, Listener(callback, None if by_id or identity is None else {identity})

    def _wishes(self, kinds: Iterable[EventKind], about: object, *, named: bool) -> list[Wish]:
        """Return the registrations that events of some kinds, about some objects, take.

        Raises UsageError for a kind that is ``named`` and that none of the objects is of.
        """
        from virtproto.model.event_kinds import DOMAIN, QEMU

        concerned = self._concerned(about)
        every: dict[Hashable, Any] = {None: None}
        found: list[Wish] = []
        for kind in kinds:
            family = DOMAIN if kind.family == QEMU else kind.family
            objects = every if about is None else concerned.get(family, {})
            if not objects and named:
                raise UsageError(f"about: nothing there is what {kind.record} is about")
            if objects:
                found += self._wishes_of(kind, objects, named=named)
        return found

    def _wishes_of(
        self, kind: EventKind, objects: dict[Hashable, Any], *, named: bool
    ) -> list[Wish]:
        from virtproto.model.event_kinds import QEMU, monitor_registration, registration

        family, event_id = kind.family, kind.event_id
        if family == QEMU:
            # Each is one of its own: the daemon tells them apart by what they match.
            return [
                ((QEMU, 0, object()), monitor_registration(wire, None, 0), None)
                for wire in objects.values()
            ]
        if family != "domain" or self._opened.event_callbacks:
            return [
                ((family, event_id, identity), registration(family, event_id, wire), None)
                for identity, wire in objects.items()
            ]
        return self._older_wish(event_id, objects, named=named)

    def _older_wish(
        self, event_id: int, objects: Collection[Hashable], *, named: bool
    ) -> list[Wish]:
        """Return what is asked of a daemon that gives no IDs, for a domain's events."""
        from virtproto.model.event_kinds import DOMAIN, check_event_id, registration

        try:
            check_event_id(DOMAIN, event_id, by_id=False)
        except LibvirtError:
            if named:
                raise
            return []
        # Without IDs the daemon sends the events of all objects.
        asked = registration(DOMAIN, event_id, None, by_id=False)
        only = None if None in objects else frozenset(objects)
        return [((DOMAIN, event_id, None), asked, only)]

    def _older_wishes(self, wishes: list[Wish], *, named: bool) -> list[Wish]:
        """Return the same wishes for a daemon that gives no IDs."""
        from virtproto.model.event_kinds import gives_id_for_domain

        found: list[Wish] = []
        domains: dict[int, list[Hashable]] = {}
        for wish in wishes:
            (_, event_id, identity), asked, _only = wish
            if gives_id_for_domain(asked[0]):
                domains.setdefault(event_id, []).append(identity)
            else:
                found.append(wish)
        for event_id, objects in domains.items():
            found += self._older_wish(event_id, objects, named=named)
        return found

    def _concerned(self, about: object) -> dict[str, dict[Hashable, Any]]:
        """Return what the daemon calls some objects, by family and by what tells them apart."""
        from virtproto.model.arguments import listed, to_object
        from virtproto.model.event_kinds import HOMES, QEMU, no_object

        from .delivery import class_of
        from .objects import RemoteObject

        if about is None:
            return {}
        objects: Any = [about] if isinstance(about, RemoteObject) else about
        try:
            objects = listed("about", objects, "objects", _OBJECTS_MAX)
        except ArgumentTypeError:
            raise no_object("about", about) from None
        if not objects:
            raise UsageError("about: no object at all; None is for all of them")
        classes = {family: class_of(family) for family in HOMES if family != QEMU}
        found: dict[str, dict[Hashable, Any]] = {}
        for each in objects:
            for family, kind in classes.items():
                if isinstance(each, kind):
                    wire = to_object("about", each, kind, self)
                    found.setdefault(family, {})[each._identity()] = wire
                    break
            else:
                raise no_object("about", each)
        return found

    def _monitor_wish(self, dom: Domain | None, event: str | None, flags: int) -> Wish:
        """Return the registration that events of QEMU's monitor take."""
        from virtproto.model.arguments import to_flags, to_object, to_optional_text
        from virtproto.model.event_kinds import QEMU, monitor_registration

        from .delivery import class_of

        wire = None if dom is None else to_object("dom", dom, class_of("domain"), self)
        to_optional_text("event", event)
        asked = monitor_registration(wire, event, to_flags("flags", flags))
        # Each is one of its own: the daemon tells them apart by what they match.
        return (QEMU, 0, object()), asked, None

    # For who has the turn.

    async def _begin_either_way(self, *wish: Any) -> int:
        """Have a callback called; ``wish`` is what `_wanted` takes."""
        wanted = self._wanted(*wish)
        try:
            return await self._begin(*wanted)
        except UnknownProcedureError:
            if not self._must_do_without_ids(wanted[1]):
                raise
        return await self._begin(*self._wanted(*wish))

    async def _begin(
        self, key: Key, asked: tuple[Procedure[Any, Any], Any], listener: Listener
    ) -> int:
        """Have a callback called, by the registration that there is or by a new one."""
        living = self._alive()
        try:
            living.delivery.serve(listener)
            self._require_life()
            return await self._join(key, asked, listener)
        except BaseException:
            living.registry.drop(listener)
            living.delivery.dismiss(listener)
            raise

    async def _join(
        self, key: Key, asked: tuple[Procedure[Any, Any], Any], listener: Listener
    ) -> int:
        """Have a listener hear of events, by the registration that there is or by a new one."""
        registry = self._alive().registry
        found = registry.find(key)
        if found is not None:
            return registry.attach(found, listener)
        return await self._establish(key, *asked, listener)

    async def _enlist(self, wishes: list[Wish], queue: EventQueue, *, named: bool) -> None:
        """Have an iterator's queue filled.

        What the daemon or its driver does not know is left out unless it was ``named``.
        """
        from virtproto.model.subscriptions import Listener

        await self._settle()
        living = self._alive()
        unknown: LibvirtError | None = None
        heard = not wishes
        try:
            living.delivery.serve(queue, calls=False)
            self._require_life()
            living.registry.enrol(queue)
            wishes = list(wishes)
            while wishes:
                key, asked, only = wish = wishes.pop(0)
                try:
                    await self._join(key, asked, Listener(None, only, queue))
                    heard = True
                except LibvirtError as error:
                    is_older = isinstance(error, UnknownProcedureError)
                    if is_older and self._must_do_without_ids(asked):
                        wishes = self._older_wishes([wish, *wishes], named=named)
                    elif named:
                        raise
                    else:
                        unknown = error
            if unknown is not None and not heard:
                raise unknown
        except BaseException as error:
            queue.clear()
            living.registry.forgotten.append(queue)
            if isinstance(error, VirtprotoError):
                with deadline(CLOSE_TIMEOUT_S):
                    await self._settle()
            else:
                living.delivery.tidy()
            raise

    def _require_life(self) -> None:
        """Raise if the connection has ended for good: what it had registered brings nothing more.

        For who is to be served already, and hears of an end that comes from now on.
        """
        why = self._channel._closed
        if why is not None and self.state == "closed":
            raise refused(why) if self._line is None else self._line._refusal()

    async def _leave(self, queue: EventQueue) -> None:
        """Fill an iterator's queue no more; wait no longer for it than a connection that closes.

        What is not done by then is left to the next change.
        """
        self._alive().registry.forgotten.append(queue)
        with deadline(CLOSE_TIMEOUT_S):
            await self._tidy()

    async def _tidy(self) -> None:
        """Have the daemon end what nobody wants any more; the next one does, if that is late."""
        try:
            async with self._alive().turn:
                await self._settle()
        except DeadlineError:
            # For the turn: what is left undone raises nothing.
            pass

    async def _establish(
        self, key: Key, procedure: Procedure[Any, Any], args: Message | None, listener: Listener
    ) -> int:
        """Have the daemon send events, and a listener called for them.

        It does so once it is asked, whoever gives up waiting: its answer is what tells them apart
        and makes it stop, and it refuses to be asked twice. So the next one waits for that answer.
        """
        from .asked import Asked

        await self._settle()
        living = self._alive()
        registry = living.registry
        packed = b"" if args is None else args.pack()
        asked = registry.unanswered.get(key)
        if asked is None:
            asked = registry.unanswered[key] = Asked(self._channel, procedure, packed)
        registry.begin()
        try:
            answer = unpack_ret(procedure, await asked.answer(self._call_timeout_s))
            server_id = getattr(answer, "callbackID", None)
            return registry.attach(registry.add(key, server_id, procedure, packed), listener)
        except (ConnectionClosedError, ConnectionLostError):
            registry.unanswered.pop(key, None)
            if self.state != "reconnecting":
                raise
            # Whatever this channel was asked ended with it, and the next one is asked for it all.
            return registry.attach(registry.postpone(key, procedure, packed), listener)
        except VirtprotoError as error:
            if not isinstance(error, DeadlineError):
                registry.unanswered.pop(key, None)
            raise
        finally:
            if registry.end():
                living.delivery.released()

    async def _ask_here(self, procedure: Procedure[Any, Any]) -> None:
        """Make a call that concerns this channel alone, and that the next one is asked anew.

        Who has the turn must not wait for the next channel, which waits for the turn.
        """
        try:
            await Channel.call(self._channel, procedure, b"", self._call_timeout_s)
        except (ConnectionClosedError, ConnectionLostError):
            if self.state != "reconnecting":
                raise

    async def _deregister(self, family: str, callback_id: int) -> None:
        """Have a callback called no more."""
        async with self._alive().turn:
            await self._end(family, callback_id)

    async def _end(self, family: str, callback_id: int) -> None:
        """Have a callback called no more, and the daemon send no more events if it was the last."""
        living = self._alive()
        listener = living.registry.detach(family, callback_id)
        try:
            await self._settle(listener.registration)
        finally:
            living.delivery.dismiss(listener)

    async def _settle(self, concerned: Registration | None = None) -> None:
        """Have the daemon end the registrations that nobody wants any more.

        Raises what comes of the one that is ``concerned``; others failed for who left them. Who
        gives up waiting leaves the rest to the next one.
        """
        living = self._alive()
        registry = living.registry
        while registry.forgotten:
            queue = registry.forgotten[0]
            registry.withdraw(queue)
            living.delivery.dismiss(queue)
            # Only now: whoever has the turn next does the rest, if a signal tore this.
            registry.forgotten.pop(0)
        for left in list(registry.unwanted):
            try:
                await self._have_ended(left)
            except VirtprotoError as error:
                if not isinstance(error, DeadlineError):
                    registry.unwanted.pop(left, None)
                if left is concerned and self.state != "reconnecting":
                    raise

    async def _have_ended(self, left: Registration) -> None:
        """Have the daemon end a registration; one who gave up may have asked it already."""
        from virtproto.model.event_kinds import deregistration

        from .asked import Asked

        unwanted = self._alive().registry.unwanted
        procedure, args = deregistration(left.family, left.event_id, left.server_id)
        asked = unwanted.get(left)
        if asked is None:
            packed = b"" if args is None else args.pack()
            asked = unwanted[left] = Asked(self._channel, procedure, packed)
        unpack_ret(procedure, await asked.answer(self._call_timeout_s))
        unwanted.pop(left, None)

    def _alive(self) -> Living:
        """Return what the connection keeps of its living parts."""
        living = self._living
        if living is None:
            from .delivery import Living

            # Of two threads, both get what was kept first.
            living = vars(self).setdefault("_living", Living(self))
        return living
