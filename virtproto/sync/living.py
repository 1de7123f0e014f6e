"""What a connection does beyond calls: streams, events, word of its own end, keepalive.

Responsible for the methods that have something last longer than a call. The machinery (`stream`,
`delivery`, `traffic`, ``virtproto.model.subscriptions``) is loaded when first used. Its twin of the
other colour differs in ``async`` and ``await`` only.
"""

from __future__ import annotations

from virtproto.errors import ArgumentTypeError, DeadlineError, UsageError, VirtprotoError
from virtproto.model.calls import unpack_ret
from virtproto.wire.remote.connect import CONNECT_CLOSE

from .carrying import CarryingCalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from virtproto.model.subscriptions import Key, Listener, Registration
    from virtproto.xdr.message import Message
    from virtproto.xdr.procedure import Procedure

    from .delivery import Living
    from .domain import Domain
    from .network import Network
    from .node_device import NodeDevice
    from .objects import RemoteObject
    from .secret import Secret
    from .storage_pool import StoragePool
    from .stream import Stream

    R = TypeVar("R")

__all__ = ["LivingCalls"]


class LivingCalls(CarryingCalls):
    """A connection's streams, and its ways to hear of events."""

    _goodbye = CONNECT_CLOSE
    _living: Living | None = None

    def new_stream(self, flags: int = 0) -> Stream:
        """Return a new stream, to be passed to the method that opens it.

        ``flags`` (virStreamFlags): NONBLOCK (1) has ``recv`` return None rather than wait. Source:
        virStreamNew; no call is made.
        """
        from .stream import Stream

        return Stream(self, flags)

    def domain_event_register(self, callback: Callable[[Any, Domain, int, int], object]) -> None:
        """Have ``callback(connection, domain, event, detail)`` called when domains come and go.

        ``event`` is a DomainEventType (defined, started, stopped ...), ``detail`` tells more. The
        same as ``domain_event_register_any`` for lifecycle events of all domains, with one callback
        per connection: UsageError for a second. Source: virConnectDomainEventRegister.
        """
        wanted = self._wanted("domain", "dom", None, 0, callback)
        living = self._alive()
        with living.turn:
            if living.lifecycle is not None:
                raise UsageError("callback: there is one already, and it can be one at a time")
            living.lifecycle = self._begin(*wanted)

    def domain_event_deregister(self) -> None:
        """Undo ``domain_event_register``. Source: virConnectDomainEventDeregister."""
        living = self._alive()
        with living.turn:
            number, living.lifecycle = living.lifecycle, None
            if number is None:
                raise UsageError("there is no callback of domain_event_register")
            self._end("domain", number)

    def domain_event_register_any(
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
        where they may make calls. What waits for a slow callback is kept, without limit. Any
        number of callbacks share one registration on the daemon. While a stream of the connection
        has more than 4 MiB that nobody read, events may wait until somebody does, or makes a call.

        Returns a number to give ``domain_event_deregister_any``. Raises UsageError for what is no
        such ID; LibvirtError where the daemon is older than the event. Source:
        virConnectDomainEventRegisterAny.
        """
        return self._register("domain", "dom", dom, event_id, callback)

    def domain_event_deregister_any(self, callback_id: int) -> None:
        """Undo ``domain_event_register_any``, by the number that it returned.

        An event that is on its way may still be delivered. Raises UsageError for a number that is
        not in use. Source: virConnectDomainEventDeregisterAny.
        """
        self._deregister("domain", callback_id)

    def network_event_register_any(
        self, net: Network | None, event_id: int, callback: Callable[..., object]
    ) -> int:
        """Have ``callback(connection, network, ...)`` called for events of one kind.

        ``event_id`` is a NetworkEventID: LIFECYCLE (0) adds event and detail (always 0) to the
        arguments, METADATA_CHANGE (1) type and namespace (None if there is none). Otherwise as
        ``domain_event_register_any``. Source: virConnectNetworkEventRegisterAny.
        """
        return self._register("network", "net", net, event_id, callback)

    def network_event_deregister_any(self, callback_id: int) -> None:
        """Undo ``network_event_register_any``. Source: virConnectNetworkEventDeregisterAny."""
        self._deregister("network", callback_id)

    def storage_pool_event_register_any(
        self, pool: StoragePool | None, event_id: int, callback: Callable[..., object]
    ) -> int:
        """Have ``callback(connection, pool, ...)`` called for events of one kind.

        ``event_id`` is a StoragePoolEventID: LIFECYCLE (0) adds event and detail (always 0) to the
        arguments, REFRESH (1) nothing. Otherwise as ``domain_event_register_any``. Source:
        virConnectStoragePoolEventRegisterAny.
        """
        return self._register("storage_pool", "pool", pool, event_id, callback)

    def storage_pool_event_deregister_any(self, callback_id: int) -> None:
        """Undo ``storage_pool_event_register_any``.

        Source: virConnectStoragePoolEventDeregisterAny.
        """
        self._deregister("storage_pool", callback_id)

    def node_device_event_register_any(
        self, dev: NodeDevice | None, event_id: int, callback: Callable[..., object]
    ) -> int:
        """Have ``callback(connection, device, ...)`` called for events of one kind.

        ``event_id`` is a NodeDeviceEventID: LIFECYCLE (0) adds event and detail (always 0) to the
        arguments, UPDATE (1) nothing. Otherwise as ``domain_event_register_any``. Source:
        virConnectNodeDeviceEventRegisterAny.
        """
        return self._register("node_device", "dev", dev, event_id, callback)

    def node_device_event_deregister_any(self, callback_id: int) -> None:
        """Undo ``node_device_event_register_any``.

        Source: virConnectNodeDeviceEventDeregisterAny.
        """
        self._deregister("node_device", callback_id)

    def secret_event_register_any(
        self, secret: Secret | None, event_id: int, callback: Callable[..., object]
    ) -> int:
        """Have ``callback(connection, secret, ...)`` called for events of one kind.

        ``event_id`` is a SecretEventID: LIFECYCLE (0) adds event and detail (always 0) to the
        arguments, VALUE_CHANGED (1) nothing. Otherwise as ``domain_event_register_any``. Source:
        virConnectSecretEventRegisterAny.
        """
        return self._register("secret", "secret", secret, event_id, callback)

    def secret_event_deregister_any(self, callback_id: int) -> None:
        """Undo ``secret_event_register_any``. Source: virConnectSecretEventDeregisterAny."""
        self._deregister("secret", callback_id)

    def domain_qemu_monitor_event_register(
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
        from virtproto.model.arguments import to_flags, to_object, to_optional_text
        from virtproto.model.event_kinds import monitor_registration
        from virtproto.model.stream_use import check_handler
        from virtproto.model.subscriptions import Listener

        from .delivery import class_of

        check_handler("callback", callback)
        wire = None if dom is None else to_object("dom", dom, class_of("domain"), self)
        to_optional_text("event", event)
        asked = monitor_registration(wire, event, to_flags("flags", flags))
        living = self._alive()
        with living.turn:
            # Each is one of its own: the daemon tells them apart by what they match.
            key = ("qemu", 0, object())
            return self._begin(key, asked, Listener(callback))

    def domain_qemu_monitor_event_deregister(self, callback_id: int) -> None:
        """Undo ``domain_qemu_monitor_event_register``.

        Source: virConnectDomainQemuMonitorEventDeregister.
        """
        self._deregister("qemu", callback_id)

    def register_close_callback(self, callback: Callable[[Any, int], object]) -> None:
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
        with living.turn:
            if living.registry.close_callback is not None:
                raise UsageError("callback: there is one already, and it can be one at a time")
            living.registry.close_callback = callback
            try:
                living.delivery.serve("close")
                if self._opened.close_callbacks:
                    self._ask(CONNECT_REGISTER_CLOSE_CALLBACK, b"")
            except BaseException:
                living.registry.close_callback = None
                living.delivery.dismiss("close")
                raise

    def unregister_close_callback(self) -> None:
        """Undo ``register_close_callback``. Source: virConnectUnregisterCloseCallback."""
        from virtproto.wire.remote.connect_event import CONNECT_UNREGISTER_CLOSE_CALLBACK

        living = self._alive()
        with living.turn:
            if living.registry.close_callback is None:
                raise UsageError("there is no close callback")
            living.registry.close_callback = None
            try:
                if self._opened.close_callbacks:
                    self._ask(CONNECT_UNREGISTER_CLOSE_CALLBACK, b"")
            finally:
                living.delivery.dismiss("close")

    def set_keep_alive(self, interval_s: float, count: int) -> None:
        """Ask a silent daemon for a sign of life, and give it up if none comes.

        After ``interval_s`` seconds without a word from the daemon it is asked; after ``count``
        questions without an answer, and one more interval, the connection is lost: calls, streams
        and the close callback hear of it as ConnectionLostError and reason 2. libvirt's own tools
        use 5 and 6. An interval of 0 or less turns that off. A daemon's own questions are answered
        in any case; in a blocking connection, only while somebody reads. While a stream of the
        connection has more than 4 MiB that nobody read, a silent daemon may go unnoticed.

        Raises UsageError. Source: virConnectSetKeepAlive.
        """
        from virtproto.model.arguments import to_uint

        if not isinstance(interval_s, int | float):
            kind = type(interval_s).__name__
            raise ArgumentTypeError(f"interval_s: expected seconds, not {kind}")
        # Written so that NaN is refused too.
        if not interval_s <= 0x7FFFFFFF:
            raise UsageError("interval_s: not a number of seconds up to 2147483647")
        to_uint("count", count)
        self._alive().delivery.keep_alive(interval_s, count)

    def _register(
        self,
        family: str,
        parameter: str,
        concerned: RemoteObject | None,
        event_id: int,
        callback: Callable[..., object],
    ) -> int:
        """Have a callback called for events, and the daemon asked for them if it was not yet."""
        wanted = self._wanted(family, parameter, concerned, event_id, callback)
        with self._alive().turn:
            return self._begin(*wanted)

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

    # For who has the turn.

    def _begin(self, key: Key, asked: tuple[Procedure[Any, Any], Any], listener: Listener) -> int:
        """Have a listener called, by the registration that there is or by a new one."""
        living = self._alive()
        living.delivery.serve(listener)
        try:
            found = living.registry.find(key)
            if found is not None:
                return living.registry.attach(found, listener)
            return self._establish(key, *asked, listener)
        except BaseException:
            living.delivery.dismiss(listener)
            raise

    def _establish(
        self, key: Key, procedure: Procedure[Any, Any], args: Message | None, listener: Listener
    ) -> int:
        """Have the daemon send events, and a listener called for them.

        It does so once it is asked, whoever gives up waiting: its answer is what tells them apart
        and makes it stop, and it refuses to be asked twice. So the next one waits for that answer.
        """
        from .asked import Asked

        self._settle()
        living = self._alive()
        registry = living.registry
        packed = b"" if args is None else args.pack()
        asked = registry.unanswered.get(key)
        if asked is None:
            asked = registry.unanswered[key] = Asked(self._channel, procedure, packed)
        registry.begin()
        try:
            answer = unpack_ret(procedure, asked.answer(self._call_timeout_s))
            server_id = getattr(answer, "callbackID", None)
            return registry.attach(registry.add(key, server_id, procedure, packed), listener)
        except VirtprotoError as error:
            if not isinstance(error, DeadlineError):
                registry.unanswered.pop(key, None)
            raise
        finally:
            if registry.end():
                living.delivery.released()

    def _deregister(self, family: str, callback_id: int) -> None:
        """Have a callback called no more."""
        with self._alive().turn:
            self._end(family, callback_id)

    def _end(self, family: str, callback_id: int) -> None:
        """Have a callback called no more, and the daemon send no more events if it was the last."""
        living = self._alive()
        listener = living.registry.detach(family, callback_id)
        try:
            self._settle(listener.registration)
        finally:
            living.delivery.dismiss(listener)

    def _settle(self, concerned: Registration | None = None) -> None:
        """Have the daemon end the registrations that nobody wants any more.

        Raises what comes of the one that is ``concerned``; others failed for who left them. Who
        gives up waiting leaves the rest to the next one.
        """
        living = self._alive()
        registry = living.registry
        while registry.forgotten:
            queue = registry.forgotten.popleft()
            registry.withdraw(queue)
            living.delivery.dismiss(queue)
        for left in list(registry.unwanted):
            try:
                self._have_ended(left)
            except VirtprotoError as error:
                if not isinstance(error, DeadlineError):
                    registry.unwanted.pop(left, None)
                if left is concerned:
                    raise

    def _have_ended(self, left: Registration) -> None:
        """Have the daemon end a registration; one who gave up may have asked it already."""
        from virtproto.model.event_kinds import deregistration

        from .asked import Asked

        unwanted = self._alive().registry.unwanted
        procedure, args = deregistration(left.family, left.event_id, left.server_id)
        asked = unwanted.get(left)
        if asked is None:
            packed = b"" if args is None else args.pack()
            asked = unwanted[left] = Asked(self._channel, procedure, packed)
        unpack_ret(procedure, asked.answer(self._call_timeout_s))
        unwanted.pop(left, None)

    def _alive(self) -> Living:
        """Return what the connection keeps of its living parts."""
        living = self._living
        if living is None:
            from .delivery import Living

            # Of two threads, both get what was kept first.
            living = vars(self).setdefault("_living", Living(self))
        return living
