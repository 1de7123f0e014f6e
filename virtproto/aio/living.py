"""What a connection does beyond calls: streams, events, word of its own end, keepalive.

Responsible for the methods that have something last longer than a call. The machinery (`stream`,
`delivery`, `traffic`, ``virtproto.model.subscriptions``) is loaded when first used. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.errors import (
    ConnectionClosedError,
    ConnectionLostError,
    UnknownProcedureError,
    UsageError,
)
from virtproto.wire.remote.connect import CONNECT_CLOSE

from .registering import RegisteringCalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, Unpack, overload

    from virtproto.model.event_queue import EventOptions, Overflow
    from virtproto.model.records.events import Gap

    from ._events import AnyEvent
    from ._events.qemu import QemuMonitorEvent
    from .domain import Domain
    from .event_stream import Events
    from .network import Network
    from .node_device import NodeDevice
    from .secret import Secret
    from .storage_pool import StoragePool
    from .stream import Stream

    # The other colour's records are none of these.
    A = TypeVar("A", bound=AnyEvent | Gap)
    B = TypeVar("B", bound=AnyEvent | Gap)
    C = TypeVar("C", bound=AnyEvent | Gap)
    D = TypeVar("D", bound=AnyEvent | Gap)

__all__ = ["LivingCalls"]


class LivingCalls(RegisteringCalls):
    """A connection's streams, and its ways to hear of events."""

    _goodbye = CONNECT_CLOSE

    def new_stream(self, flags: int = 0) -> Stream:
        """Return a new stream, to be passed to the method that opens it.

        ``flags`` (virStreamFlags): NONBLOCK (1) has ``recv`` return None rather than wait. Source:
        virStreamNew; no call is made.
        """
        from .stream import Stream

        return Stream(self, flags)

    async def domain_event_register(
        self, callback: Callable[[Any, Domain, int, int], object]
    ) -> None:
        """Have ``callback(connection, domain, event, detail)`` called when domains come and go.

        ``event`` is a DomainEventType (defined, started, stopped ...), ``detail`` tells more. The
        same as ``domain_event_register_any`` for lifecycle events of all domains, with one callback
        per connection: UsageError for a second. Source: virConnectDomainEventRegister.
        """
        living = self._alive()
        async with living.turn:
            if living.lifecycle is not None:
                raise UsageError("callback: there is one already, and it can be one at a time")
            living.lifecycle = await self._begin_either_way("domain", "dom", None, 0, callback)

    async def domain_event_deregister(self) -> None:
        """Undo ``domain_event_register``. Source: virConnectDomainEventDeregister."""
        living = self._alive()
        async with living.turn:
            number, living.lifecycle = living.lifecycle, None
            if number is None:
                raise UsageError("there is no callback of domain_event_register")
            await self._end("domain", number)

    async def domain_event_register_any(
        self, dom: Domain | None, event_id: int, callback: Callable[..., object]
    ) -> int:
        """Have ``callback(connection, domain, ...)`` called for events of one kind.

        ``dom`` is the domain whose events are wanted, None for those of all domains. ``event_id``
        is a DomainEventID, which decides what follows in the callback's arguments:

        ==  ========================== ==========================================================
         0  LIFECYCLE                  event, detail
         1  REBOOT
         2  RTC_CHANGE                 offset (s, to UTC)
         3  WATCHDOG                   action
         4  IO_ERROR                   source path, device alias, action
         5  GRAPHICS                   phase, local and remote GraphicsAddress, authentication
                                       scheme, list of GraphicsIdentity
         6  IO_ERROR_REASON            source path, device alias, action, reason
         7  CONTROL_ERROR
         8  BLOCK_JOB                  path, type, status
         9  DISK_CHANGE                old path, new path (None if there is none), device alias,
                                       reason
        10  TRAY_CHANGE                device alias, reason
        11  PMWAKEUP                   reason
        12  PMSUSPEND                  reason
        13  BALLOON_CHANGE             actual size (KiB)
        14  PMSUSPEND_DISK             reason
        15  DEVICE_REMOVED             device alias
        16  BLOCK_JOB_2                target ("vda"), type, status
        17  TUNABLE                    values by name
        18  AGENT_LIFECYCLE            state, reason
        19  DEVICE_ADDED               device alias
        20  MIGRATION_ITERATION        iteration
        21  JOB_COMPLETED              values by name
        22  DEVICE_REMOVAL_FAILED      device alias
        23  METADATA_CHANGE            type, namespace (None if there is none)
        24  BLOCK_THRESHOLD            target, path (or None), threshold (bytes), excess (bytes)
        25  MEMORY_FAILURE             recipient, action, flags
        26  MEMORY_DEVICE_SIZE_CHANGE  device alias, size (KiB)
        27  NIC_MAC_CHANGE             device alias, old address, new address
        28  VCPU_REMOVED               number of the virtual CPU
        29  CHANNEL_LIFECYCLE          channel name, state, reason
        ==  ========================== ==========================================================

        Numbers that libvirt names are members of the enums of ``virtproto.constants``. Callbacks
        run one after another in the order of the events: in the event loop (asyncio), where one
        that is asynchronous becomes a task, or on a thread of the connection's own (blocking),
        where they may make calls. For slow callbacks 100,000 events are kept; then the oldest make
        room, and ``events_dropped`` counts them. Any number of callbacks and iterators share one
        registration on the daemon. While a stream of the connection has more than 4 MiB that nobody
        read, events may wait until somebody does, or makes a call.

        Returns a number to give ``domain_event_deregister_any``. Raises UsageError for what is no
        such ID; LibvirtError where the daemon is older than the event. Source:
        virConnectDomainEventRegisterAny.
        """
        return await self._register("domain", "dom", dom, event_id, callback)

    async def domain_event_deregister_any(self, callback_id: int) -> None:
        """Undo ``domain_event_register_any``, by the number that it returned.

        An event that is on its way may still be delivered. Raises UsageError for a number that is
        not in use. Source: virConnectDomainEventDeregisterAny.
        """
        await self._deregister("domain", callback_id)

    async def network_event_register_any(
        self, net: Network | None, event_id: int, callback: Callable[..., object]
    ) -> int:
        """Have ``callback(connection, network, ...)`` called for events of one kind.

        ``event_id`` is a NetworkEventID: LIFECYCLE (0) adds event and detail (always 0) to the
        arguments, METADATA_CHANGE (1) type and namespace (None if there is none). Otherwise as
        ``domain_event_register_any``. Source: virConnectNetworkEventRegisterAny.
        """
        return await self._register("network", "net", net, event_id, callback)

    async def network_event_deregister_any(self, callback_id: int) -> None:
        """Undo ``network_event_register_any``. Source: virConnectNetworkEventDeregisterAny."""
        await self._deregister("network", callback_id)

    async def storage_pool_event_register_any(
        self, pool: StoragePool | None, event_id: int, callback: Callable[..., object]
    ) -> int:
        """Have ``callback(connection, pool, ...)`` called for events of one kind.

        ``event_id`` is a StoragePoolEventID: LIFECYCLE (0) adds event and detail (always 0) to the
        arguments, REFRESH (1) nothing. Otherwise as ``domain_event_register_any``. Source:
        virConnectStoragePoolEventRegisterAny.
        """
        return await self._register("storage_pool", "pool", pool, event_id, callback)

    async def storage_pool_event_deregister_any(self, callback_id: int) -> None:
        """Undo ``storage_pool_event_register_any``.

        Source: virConnectStoragePoolEventDeregisterAny.
        """
        await self._deregister("storage_pool", callback_id)

    async def node_device_event_register_any(
        self, dev: NodeDevice | None, event_id: int, callback: Callable[..., object]
    ) -> int:
        """Have ``callback(connection, device, ...)`` called for events of one kind.

        ``event_id`` is a NodeDeviceEventID: LIFECYCLE (0) adds event and detail (always 0) to the
        arguments, UPDATE (1) nothing. Otherwise as ``domain_event_register_any``. Source:
        virConnectNodeDeviceEventRegisterAny.
        """
        return await self._register("node_device", "dev", dev, event_id, callback)

    async def node_device_event_deregister_any(self, callback_id: int) -> None:
        """Undo ``node_device_event_register_any``.

        Source: virConnectNodeDeviceEventDeregisterAny.
        """
        await self._deregister("node_device", callback_id)

    async def secret_event_register_any(
        self, secret: Secret | None, event_id: int, callback: Callable[..., object]
    ) -> int:
        """Have ``callback(connection, secret, ...)`` called for events of one kind.

        ``event_id`` is a SecretEventID: LIFECYCLE (0) adds event and detail (always 0) to the
        arguments, VALUE_CHANGED (1) nothing. Otherwise as ``domain_event_register_any``. Source:
        virConnectSecretEventRegisterAny.
        """
        return await self._register("secret", "secret", secret, event_id, callback)

    async def secret_event_deregister_any(self, callback_id: int) -> None:
        """Undo ``secret_event_register_any``. Source: virConnectSecretEventDeregisterAny."""
        await self._deregister("secret", callback_id)

    async def domain_qemu_monitor_event_register(
        self,
        dom: Domain | None,
        event: str | None,
        callback: Callable[[Any, Domain, str, int, int, str | None], object],
        flags: int = 0,
    ) -> int:
        """Have a callback called for events of QEMU's own monitor.

        ``dom`` is the domain whose events are wanted, None for those of all; ``event`` the event's
        name ("SHUTDOWN"), None for every event. ``flags``
        (ConnectDomainQemuMonitorEventRegisterFlags) make the name a regular expression (1) or
        its case not matter (2). The callback gets (connection, domain, event, seconds and
        microseconds of its time, details as JSON or None). Otherwise as
        ``domain_event_register_any``. Source: virConnectDomainQemuMonitorEventRegister.
        """
        from virtproto.model.stream_use import check_handler
        from virtproto.model.subscriptions import Listener

        check_handler("callback", callback)
        key, asked, _ = self._monitor_wish(dom, event, flags)
        async with self._alive().turn:
            return await self._begin(key, asked, Listener(callback))

    async def domain_qemu_monitor_event_deregister(self, callback_id: int) -> None:
        """Undo ``domain_qemu_monitor_event_register``.

        Source: virConnectDomainQemuMonitorEventDeregister.
        """
        await self._deregister("qemu", callback_id)

    if TYPE_CHECKING:

        @overload
        def events(self, **options: Unpack[EventOptions]) -> Events[Any]: ...
        @overload
        def events(self, a: type[A], /, **options: Unpack[EventOptions]) -> Events[A]: ...
        @overload
        def events(
            self, a: type[A], b: type[B], /, **options: Unpack[EventOptions]
        ) -> Events[A | B]: ...
        @overload
        def events(
            self, a: type[A], b: type[B], c: type[C], /, **options: Unpack[EventOptions]
        ) -> Events[A | B | C]: ...
        @overload
        def events(
            self, a: type[A], b: type[B], c: type[C], d: type[D], /, **options: Unpack[EventOptions]
        ) -> Events[A | B | C | D]: ...
        @overload
        def events(
            self, *kinds: type[AnyEvent | Gap], **options: Unpack[EventOptions]
        ) -> Events[Any]: ...

    def events(
        self,
        *kinds: type,
        about: object = None,
        limit: int = 10_000,
        overflow: Overflow | str = "drop-oldest",
    ) -> Events[Any]:
        """Return an iterator over events, as records of ``virtproto.events``, as they come.

        ``kinds`` are the records' classes (``DomainLifecycle``); without any it is every kind of
        event about domains, networks, storage pools, node devices and secrets that the daemon
        knows. ``about`` is an object, or several, whose events alone are wanted. Where the
        connection reconnects, the iterator also gives a ``Gap`` wherever events may be missing;
        name ``Gap`` among the kinds to have type checkers know of it. Type checkers know what
        comes for up to four kinds; asyncio's records are in ``virtproto.aio.events``.

        The daemon is asked for events when the iterator is entered as a context manager, or else
        when its first event is asked for; closing it, or leaving its block, ends that. Any number
        of iterators and callbacks share what the daemon sends. Events come in the order in which
        the daemon sent them, whatever their kinds.

        ``limit`` is how many events wait for whoever iterates, ``overflow`` what becomes of one
        more: "drop-oldest" makes room and counts (``Events.dropped``), "raise" ends the iterator
        with EventOverflowError after those that were kept, "block" loses nothing: the connection
        reads no more until half of them are taken. That holds up everything else that comes on
        the connection, but for what somebody waits for: the reply to a call, the data of a stream;
        events that come with those are kept beyond the limit.

        Raises UsageError and ArgumentTypeError for what is no kind, object, limit or policy; the
        iterator raises what asking the daemon does, LibvirtError where it does not know a kind that
        was named. Source: virConnectDomainEventRegisterAny and its likes.
        """
        from virtproto.model.event_kinds import KINDS, QEMU
        from virtproto.model.records.events import Gap

        from .event_records import kind_of
        from .event_stream import Events

        wanted = {kind_of("kinds", each): None for each in kinds if each is not Gap}
        if not kinds:
            every = (each for each in KINDS.values() if each.by_id and each.family != QEMU)
            wanted = dict.fromkeys(every)
        named = bool(kinds)
        wishes = self._wishes(wanted, about, named=named)
        return Events(self, wishes, limit, overflow, named=named)

    @property
    def events_dropped(self) -> int:
        """How many events were dropped because callbacks were too slow; no call is made.

        Each iterator over events has a number of its own, ``Events.dropped``.
        """
        return 0 if self._living is None else self._living.registry.dropped

    def qemu_monitor_events(
        self,
        dom: Domain | None = None,
        event: str | None = None,
        flags: int = 0,
        *,
        limit: int = 10_000,
        overflow: Overflow | str = "drop-oldest",
    ) -> Events[QemuMonitorEvent]:
        """Return an iterator over events of QEMU's own monitor, as ``QemuMonitorEvent`` records.

        ``dom``, ``event`` and ``flags`` are those of ``domain_qemu_monitor_event_register``, the
        others and the iterator those of ``events``. Source:
        virConnectDomainQemuMonitorEventRegister.
        """
        from .event_stream import Events

        wish = self._monitor_wish(dom, event, flags)
        return Events(self, [wish], limit, overflow, named=True)

    async def register_close_callback(self, callback: Callable[[Any, int], object]) -> None:
        """Have ``callback(connection, reason)`` called when the connection ends by itself.

        ``reason`` is a ConnectCloseReason: an error (0), the daemon closed it (1), it did not
        answer (2); the daemon may also tell of its own connection to a remote hypervisor. Closing
        it here does not count. One callback per connection: UsageError for a second. Source:
        virConnectRegisterCloseCallback.
        """
        from virtproto.model.stream_use import check_handler
        from virtproto.wire.remote.connect_event import CONNECT_REGISTER_CLOSE_CALLBACK

        check_handler("callback", callback)
        living = self._alive()
        async with living.turn:
            if living.registry.close_callback is not None:
                raise UsageError("callback: there is one already, and it can be one at a time")
            living.registry.close_callback = callback
            try:
                living.delivery.serve("close")
                if self._opened.close_callbacks is not False:
                    await self._ask_here(CONNECT_REGISTER_CLOSE_CALLBACK)
                    self._opened.close_callbacks = True
            except UnknownProcedureError:
                # It is too old to tell of its own connection; the end of this one is seen here.
                self._opened.close_callbacks = False
            except BaseException:
                living.registry.close_callback = None
                living.delivery.dismiss("close")
                raise

    async def unregister_close_callback(self) -> None:
        """Undo ``register_close_callback``. Source: virConnectUnregisterCloseCallback."""
        from virtproto.wire.remote.connect_event import CONNECT_UNREGISTER_CLOSE_CALLBACK

        living = self._alive()
        async with living.turn:
            if living.registry.close_callback is None:
                raise UsageError("there is no close callback")
            living.registry.close_callback = None
            try:
                if self._opened.close_callbacks:
                    await self._ask_here(CONNECT_UNREGISTER_CLOSE_CALLBACK)
            finally:
                living.delivery.dismiss("close")

    async def set_keep_alive(self, interval_s: float, count: int) -> None:
        """Ask a silent daemon for a sign of life, and give it up if none comes.

        After ``interval_s`` seconds without a word from the daemon it is asked; after ``count``
        questions without an answer, and one more interval, the connection is lost: calls, streams
        and the close callback hear of it as ConnectionLostError and reason 2. libvirt's own tools
        use 5 and 6. An interval of 0 or less turns that off. A daemon's own questions are answered
        in any case; by a blocking connection where that is off, only while somebody reads. While
        the connection leaves unread what comes (beyond 4 MiB of a stream that nobody read, behind
        an iterator that blocks), a silent daemon may be noticed later.

        Raises UsageError. Source: virConnectSetKeepAlive.
        """
        from virtproto.model.arguments import to_uint
        from virtproto.model.opening_options import check_interval

        check_interval("interval_s", interval_s)
        to_uint("count", count)
        try:
            await self._channel.keep_alive(interval_s, count)
        except (ConnectionClosedError, ConnectionLostError):
            if self.state != "reconnecting":
                raise
        if self._line is not None:
            self._line.keep_alive(interval_s, count)
