"""Iterators over events in both colours against a scripted daemon: order, sharing, the end."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.colours.test_events import LIFECYCLE, ONE, TWO, Registrar, lifecycle, noting
from virtproto.errors import (
    ArgumentTypeError,
    ConnectionClosedError,
    DeadlineError,
    InternalError,
    LibvirtError,
    NoSupportError,
    UsageError,
)
from virtproto.protocol.events import CallReceived
from virtproto.testing import ReplyError, ScriptedServer, SendEvent
from virtproto.testing.actions import Answer
from virtproto.wire import qemu, remote
from virtproto.wire.remote import connect_event as calls
from virtproto.wire.remote.connect import CONNECT_SUPPORTS_FEATURE, ConnectSupportsFeatureRet

REMOTE = 0x20008086
REBOOT = 1
_PATIENCE_S = 10.0


@pytest.fixture
def registrar(server: ScriptedServer) -> Registrar:
    return Registrar(server)


def reboot(callback_id: int, dom: remote.NonnullDomain = ONE) -> SendEvent:
    message = remote.DomainEventCallbackRebootMsg(
        callbackID=callback_id, msg=remote.DomainEventRebootMsg(dom=dom)
    )
    return SendEvent(REMOTE, remote.DOMAIN_EVENT_CALLBACK_REBOOT.number, message)


def test_events_come_in_the_order_of_the_wire_whatever_their_kind(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    with connection.events(events.DomainLifecycle, events.DomainReboot) as heard:
        assert len(registrar.kept) == 2
        server.send(*(action for n in range(50) for action in (lifecycle(0, n), reboot(1, TWO))))
        seen = [heard.next(timeout_s=_PATIENCE_S) for _ in range(100)]
        assert [type(each).__name__ for each in seen] == ["DomainLifecycle", "DomainReboot"] * 50
        assert [each.event for each in seen[::2]] == list(range(50))
        assert {each.domain.get_name() for each in seen[1::2]} == {"two"}
        assert type(seen[0]) is events.DomainLifecycle
        assert seen[0].domain.connection == connection
        assert heard.dropped == 0
    assert registrar.kept == {}


def test_an_iterator_asks_when_its_first_event_is_asked_for_and_loops(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    heard = connection.events(events.DomainLifecycle)
    assert registrar.kept == {}
    with pytest.raises(DeadlineError, match=r"no event within 0\.01 s"):
        heard.next(timeout_s=0.01)
    assert len(registrar.kept) == 1
    server.send(*(lifecycle(0, n) for n in range(5)))
    seen = []
    for each in heard:
        seen.append(each.event)
        if each.event == 4:
            break
    assert seen == [0, 1, 2, 3, 4]
    # Leaving the loop does not end it.
    server.send(lifecycle(0, 5))
    assert heard.next(timeout_s=_PATIENCE_S).event == 5
    heard.close()
    heard.close()
    assert registrar.kept == {}
    assert list(heard) == []
    with pytest.raises(ConnectionClosedError, match="no more events"):
        heard.next()


def test_a_closed_iterator_that_was_never_entered_stays_closed(
    registrar: Registrar, connection: virtproto.Connection, events: ModuleType
) -> None:
    heard = connection.events(events.DomainLifecycle)
    heard.close()
    with heard:
        assert list(heard) == []
    assert registrar.next == 0


def test_iterators_and_callbacks_share_one_registration(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    seen: list[Any] = []
    number = connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
    with (
        connection.events(events.DomainLifecycle) as first,
        connection.events(events.DomainLifecycle) as second,
    ):
        assert len(registrar.kept) == 1
        server.send(lifecycle(0, 7))
        assert first.next(timeout_s=_PATIENCE_S) == second.next(timeout_s=_PATIENCE_S)
        until(connection, lambda: seen)
        connection.domain_event_deregister_any(number)
        assert len(registrar.kept) == 1
        server.send(lifecycle(0, 8))
        assert first.next(timeout_s=_PATIENCE_S).event == 8
        assert len(seen) == 1
        first.close()
        server.send(lifecycle(0, 9))
        assert [second.next(timeout_s=_PATIENCE_S).event for _ in range(2)] == [8, 9]
        assert len(registrar.kept) == 1
    assert registrar.kept == {}


def test_events_about_some_objects_only(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=ONE))
    one = connection.get_domain_by_name("one")
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=TWO))
    two = connection.get_domain_by_name("two")
    plain: Any = [getattr(each, "_target", each) for each in (one, two, one)]
    with connection.events(events.DomainLifecycle, about=plain) as heard:
        asked = [
            calls.ConnectDomainEventCallbackRegisterAnyArgs.unpack(each)
            for each in registrar.kept.values()
        ]
        assert [each.dom for each in asked] == [ONE, TWO]
        server.send(lifecycle(1, 1, TWO), lifecycle(0, 2, ONE), lifecycle(9, 3, ONE))
        seen = [heard.next(timeout_s=_PATIENCE_S) for _ in range(2)]
        assert [each.domain.get_name() for each in seen] == ["two", "one"]
        with pytest.raises(DeadlineError):
            heard.next(timeout_s=0.01)
    with connection.events(about=one) as heard:
        # Whatever else there is, it is about no domain.
        assert len(registrar.kept) == 30
    assert registrar.kept == {}


def serve_the_older_way(server: ScriptedServer) -> set[int]:
    """Be a daemon that gives registrations no IDs; return what is registered."""
    server.handle(CONNECT_SUPPORTS_FEATURE, ConnectSupportsFeatureRet(supported=0))
    kept: set[int] = set()

    def register(call: CallReceived) -> Answer:
        kept.add(calls.ConnectDomainEventRegisterAnyArgs.unpack(call.payload).eventID)
        return b""

    def deregister(call: CallReceived) -> Answer:
        kept.remove(calls.ConnectDomainEventDeregisterAnyArgs.unpack(call.payload).eventID)
        return b""

    def plain(change: Callable[[int], object]) -> Callable[[CallReceived], Answer]:
        def answer(call: CallReceived) -> Answer:
            change(LIFECYCLE)
            return calls.ConnectDomainEventRegisterRet(cb_registered=1)

        return answer

    server.handle(calls.CONNECT_DOMAIN_EVENT_REGISTER_ANY, register)
    server.handle(calls.CONNECT_DOMAIN_EVENT_DEREGISTER_ANY, deregister)
    server.handle(calls.CONNECT_DOMAIN_EVENT_REGISTER, plain(kept.add))
    server.handle(calls.CONNECT_DOMAIN_EVENT_DEREGISTER, plain(kept.remove))
    return kept


def test_a_daemon_without_callback_ids_is_filtered_here(
    server: ScriptedServer, uri: str, open_in_colour: Open, events: ModuleType
) -> None:
    kept = serve_the_older_way(server)
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=ONE))

    def old(dom: remote.NonnullDomain) -> SendEvent:
        message = remote.DomainEventRebootMsg(dom=dom)
        return SendEvent(REMOTE, remote.DOMAIN_EVENT_REBOOT.number, message)

    with open_in_colour(uri) as connection:
        one = connection.get_domain_by_name("one")
        with (
            connection.events(events.DomainReboot, about=one) as only,
            connection.events(events.DomainReboot) as every,
        ):
            assert kept == {REBOOT}
            server.send(old(TWO), old(ONE))
            assert every.next(timeout_s=_PATIENCE_S).domain.get_name() == "two"
            assert only.next(timeout_s=_PATIENCE_S).domain.get_name() == "one"
        assert kept == set()
        with pytest.raises(NoSupportError), connection.events(events.DomainTunable):
            pass
        with connection.events(about=one):
            assert kept == set(range(16))
        assert kept == set()


def test_every_kind_that_the_daemon_knows(
    server: ScriptedServer, connection: virtproto.Connection, events: ModuleType
) -> None:
    def register(call: CallReceived) -> Answer:
        args = calls.ConnectDomainEventCallbackRegisterAnyArgs.unpack(call.payload)
        if args.eventID > 3:
            return ReplyError("unsupported event ID", code=1)
        return calls.ConnectDomainEventCallbackRegisterAnyRet(callbackID=args.eventID)

    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, register)
    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, b"")
    with connection.events() as heard:
        server.send(lifecycle(0, 1), reboot(1))
        seen = [heard.next(timeout_s=_PATIENCE_S) for _ in range(2)]
        assert [type(each).__name__ for each in seen] == ["DomainLifecycle", "DomainReboot"]
    with (
        pytest.raises(InternalError),
        connection.events(events.DomainLifecycle, events.DomainTunable),
    ):
        pass
    server.handle(
        calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, ReplyError("unsupported", code=3)
    )
    with pytest.raises(LibvirtError), connection.events():
        pass


def test_a_kind_that_is_refused_leaves_nothing_behind(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    refused = calls.CONNECT_NETWORK_EVENT_REGISTER_ANY
    server.handle(refused, ReplyError("not supported", code=3))
    heard = connection.events(events.DomainLifecycle, events.NetworkLifecycle)
    for _ in range(2):
        with pytest.raises(NoSupportError), heard:
            pass
        assert registrar.kept == {}
        heard = connection.events(events.DomainLifecycle, events.NetworkLifecycle)


def test_what_cannot_be_read_is_passed_over(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    procedure = remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE.number
    with connection.events(events.DomainLifecycle) as heard:
        server.send(
            SendEvent(REMOTE, procedure, b"\0\0\0\0\xff\xff"),
            SendEvent(REMOTE, procedure, b""),
            SendEvent(REMOTE, 4999, b"\0\0\0\0"),
            lifecycle(77, 1),
            lifecycle(0, 2),
        )
        assert heard.next(timeout_s=_PATIENCE_S).event == 2


def test_events_that_overtake_their_registration_keep_their_order(
    server: ScriptedServer, connection: virtproto.Connection, events: ModuleType
) -> None:
    def register(call: CallReceived) -> Answer:
        number = calls.ConnectDomainEventCallbackRegisterAnyArgs.unpack(call.payload).eventID
        if number == REBOOT:
            server.send(reboot(1), lifecycle(0, 1), reboot(1), lifecycle(0, 2))
        return calls.ConnectDomainEventCallbackRegisterAnyRet(callbackID=number)

    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, register)
    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, b"")
    with connection.events(events.DomainLifecycle, events.DomainReboot) as heard:
        seen = [type(heard.next(timeout_s=_PATIENCE_S)).__name__ for _ in range(4)]
        assert seen == ["DomainReboot", "DomainLifecycle"] * 2


def test_bad_arguments_are_named(
    connection: virtproto.Connection,
    server: ScriptedServer,
    uri: str,
    open_in_colour: Open,
    events: ModuleType,
) -> None:
    lifecycles = events.DomainLifecycle
    wrong: Any
    for wrong in (int, "DomainLifecycle", None, LIFECYCLE):
        with pytest.raises(ArgumentTypeError, match=r"^kinds: "):
            connection.events(wrong)
    for wrong in (5, "one", object(), [None]):
        with pytest.raises(ArgumentTypeError, match=r"^about: "):
            connection.events(lifecycles, about=wrong)
    with pytest.raises(UsageError, match=r"^about: no object at all"):
        connection.events(lifecycles, about=[])
    domain = connection.get_domain_by_name("web")
    with pytest.raises(UsageError, match=r"^about: nothing there is what NetworkLifecycle is"):
        connection.events(lifecycles, events.NetworkLifecycle, about=domain)
    with open_in_colour(uri) as other, pytest.raises(UsageError, match=r"^about: .* another conn"):
        other.events(lifecycles, about=domain)
    for wrong in (0, -1, 2**31):
        with pytest.raises(UsageError, match=r"^limit: "):
            connection.events(lifecycles, limit=wrong)
    for wrong in ("9", None, 1.5):
        with pytest.raises(ArgumentTypeError, match=r"^limit: "):
            connection.events(lifecycles, limit=wrong)
    for wrong in ("drop-newest", None, 3):
        with pytest.raises(UsageError, match=r"^overflow: .* none of 'drop-oldest', 'block'"):
            connection.events(lifecycles, overflow=wrong)
    heard = connection.events(lifecycles)
    with pytest.raises(UsageError, match=r"^timeout_s: "):
        heard.next(timeout_s=0)


def test_events_of_qemus_monitor(
    server: ScriptedServer, connection: virtproto.Connection, events: ModuleType
) -> None:
    kept: dict[int, Any] = {}

    def register(call: CallReceived) -> Answer:
        kept[len(kept)] = qemu.ConnectDomainMonitorEventRegisterArgs.unpack(call.payload)
        return qemu.ConnectDomainMonitorEventRegisterRet(callbackID=len(kept) - 1)

    def deregister(call: CallReceived) -> Answer:
        args = qemu.ConnectDomainMonitorEventDeregisterArgs.unpack(call.payload)
        del kept[args.callbackID]
        return b""

    server.handle(qemu.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, register)
    server.handle(qemu.CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER, deregister)
    with connection.qemu_monitor_events(None, "STOP", 2) as heard:
        assert (kept[0].event, kept[0].flags, kept[0].dom) == ("STOP", 2, None)
        message = qemu.DomainMonitorEventMsg(
            callbackID=0, dom=ONE, event="STOP", seconds=5, micros=6, details="{}"
        )
        server.send(SendEvent(0x20008087, qemu.DOMAIN_MONITOR_EVENT.number, message))
        got = heard.next(timeout_s=_PATIENCE_S)
        assert type(got) is events.QemuMonitorEvent
        assert got.domain.get_name() == "one"
        assert got.event == "STOP"
    assert kept == {}
    with connection.events(events.QemuMonitorEvent):
        assert (kept[0].event, kept[0].flags, kept[0].dom) == (None, 0, None)
    wrong: Any = 5
    with pytest.raises(ArgumentTypeError, match=r"^event: "):
        connection.qemu_monitor_events(None, wrong)
    with pytest.raises(ArgumentTypeError, match=r"^dom: "):
        connection.qemu_monitor_events(wrong)
