"""Iterators over events in both colours against a scripted daemon: order, sharing, the end."""

from __future__ import annotations

import gc
import threading
import time
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
    ConnectionLostError,
    DeadlineError,
    EventOverflowError,
    InternalError,
    LibvirtError,
    NoSupportError,
    UsageError,
)
from virtproto.protocol.events import CallReceived
from virtproto.testing import CloseConnection, ReplyError, ScriptedServer, SendEvent
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


@pytest.fixture
def events(colour: str) -> ModuleType:
    """The records of the test's colour."""
    if colour == "sync":
        from virtproto import events as home

        return home
    from virtproto.aio import events as other

    return other


def reboot(callback_id: int, dom: remote.NonnullDomain = ONE) -> SendEvent:
    message = remote.DomainEventCallbackRebootMsg(
        callbackID=callback_id, msg=remote.DomainEventRebootMsg(dom=dom)
    )
    return SendEvent(REMOTE, remote.DOMAIN_EVENT_CALLBACK_REBOOT.number, message)


def read_until(connection: virtproto.Connection, condition: Callable[[], bool]) -> None:
    """Make calls, which read what comes, until ``condition()`` holds."""
    until(connection, lambda: connection.get_library_version() and condition())


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


def test_a_daemon_without_callback_ids_is_filtered_here(
    server: ScriptedServer, uri: str, open_in_colour: Open, events: ModuleType
) -> None:
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


def test_the_oldest_make_room_and_are_counted(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    with connection.events(events.DomainLifecycle, limit=10) as heard:
        server.send(*(lifecycle(0, n) for n in range(100)))
        read_until(connection, lambda: heard.dropped == 90)
        assert [heard.next().event for _ in range(10)] == list(range(90, 100))


def test_an_iterator_may_raise_when_more_comes_than_it_may_keep(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    with connection.events(events.DomainLifecycle, limit=10, overflow="raise") as heard:
        server.send(*(lifecycle(0, n) for n in range(100)))
        read_until(connection, lambda: heard.dropped == 90)
        assert [heard.next().event for _ in range(10)] == list(range(10))
        for _ in range(2):
            with pytest.raises(EventOverflowError, match="more than 10 events"):
                heard.next(timeout_s=_PATIENCE_S)
    assert registrar.kept == {}


def test_a_blocking_iterator_loses_nothing(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    with connection.events(events.DomainLifecycle, limit=10, overflow="block") as heard:
        server.send(*(lifecycle(0, n) for n in range(2000)))
        assert heard.next(timeout_s=_PATIENCE_S).event == 0
        # Somebody who waits for a reply has everything before it read.
        assert connection.get_library_version() == 12008000
        seen = [heard.next(timeout_s=_PATIENCE_S).event for _ in range(1999)]
        assert seen == list(range(1, 2000))
        assert heard.dropped == 0


def test_an_iterator_ends_with_its_connection(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    heard = connection.events(events.DomainLifecycle)
    heard.__enter__()
    with connection.events(events.DomainLifecycle) as other:
        server.send(lifecycle(0, 1))
        assert other.next(timeout_s=_PATIENCE_S).event == 1
    connection.close()
    assert [each.event for each in heard] == [1]
    heard.close()
    with pytest.raises(ConnectionClosedError):
        next(iter(connection.events(events.DomainLifecycle)))


def test_an_iterator_tells_of_the_connections_loss(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    with connection.events(events.DomainLifecycle) as heard:
        server.send(lifecycle(0, 1), CloseConnection())
        assert heard.next(timeout_s=_PATIENCE_S).event == 1
        for _ in range(2):
            with pytest.raises(ConnectionLostError, match="the daemon closed it"):
                heard.next(timeout_s=_PATIENCE_S)


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


def test_a_forgotten_iterator_is_closed_with_a_warning(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    heard = connection.events(events.DomainLifecycle)
    heard.__enter__()
    assert len(registrar.kept) == 1
    # The only one that has it.
    forgotten = [heard]
    del heard
    with pytest.warns(ResourceWarning, match="an iterator over events was never closed"):
        forgotten.clear()
    gc.collect()
    server.send(lifecycle(0, 1))
    # The next change of what is heard tells the daemon, if nothing did before.
    with connection.events(events.DomainReboot):
        until(connection, lambda: len(registrar.kept) == 1)
    assert registrar.kept == {}


def test_a_registration_that_was_given_up_is_taken_on(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    go_on = threading.Event()

    def slow(call: CallReceived) -> Answer:
        go_on.wait(_PATIENCE_S)
        return registrar.register(call)

    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, slow)
    connection.call_timeout_s = 0.05
    heard = connection.events(events.DomainLifecycle)
    for _ in range(2):
        with pytest.raises(DeadlineError):
            heard.next()
    connection.call_timeout_s = _PATIENCE_S
    go_on.set()
    with heard:
        assert len(registrar.kept) == 1
        server.send(lifecycle(0, 3))
        assert heard.next(timeout_s=_PATIENCE_S).event == 3
    assert registrar.kept == {}


def test_a_deregistration_that_was_given_up_is_not_lost(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    events: ModuleType,
) -> None:
    go_on = threading.Event()

    def slow(call: CallReceived) -> Answer:
        go_on.wait(_PATIENCE_S)
        return registrar.deregister(call)

    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, slow)
    number = connection.domain_event_register_any(None, LIFECYCLE, print)
    heard = connection.events(events.DomainReboot)
    heard.__enter__()
    connection.call_timeout_s = 0.05
    with pytest.raises(DeadlineError):
        connection.domain_event_deregister_any(number)
    heard.close()
    connection.call_timeout_s = _PATIENCE_S
    go_on.set()
    with connection.events(events.DomainLifecycle) as again:
        assert len(registrar.kept) == 1
        server.send(lifecycle(next(iter(registrar.kept)), 5))
        assert again.next(timeout_s=_PATIENCE_S).event == 5
    assert registrar.kept == {}


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> int:
    """A connection's callbacks may have only so many events wait for them."""
    monkeypatch.setattr("virtproto.model.subscriptions.CALLBACK_LIMIT", 20)
    return 20


def test_what_callbacks_are_too_slow_for_is_dropped_and_counted(
    bounded: int, server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    go_on = threading.Event()
    seen: list[int] = []

    def slow(conn: object, dom: object, event: int, detail: int) -> None:
        seen.append(int(event))
        if len(seen) == 1:
            # The loop of asyncio stands still meanwhile, and reads nothing.
            server.send(*(lifecycle(0, n) for n in range(1, 101)))
            go_on.wait(0.5)

    connection.domain_event_register_any(None, LIFECYCLE, slow)
    server.send(lifecycle(0, 0))
    until(connection, lambda: seen)
    read_until(connection, lambda: len(seen) + connection.events_dropped > 50)
    go_on.set()
    read_until(connection, lambda: len(seen) + connection.events_dropped == 101)
    assert seen[-1] == 100
    assert len(seen) < 100


def test_a_full_iterator_that_blocks_has_nothing_read_and_the_connection_lives(
    server: ScriptedServer,
    registrar: Registrar,
    uri: str,
    open_in_colour: Open,
    events: ModuleType,
) -> None:
    sent = 8_000
    with (
        open_in_colour(uri, keepalive=(0.25, 1)) as connection,
        connection.events(events.DomainLifecycle, limit=10, overflow="block") as heard,
    ):
        queue = getattr(heard, "_target", heard)._queue
        server.send(*(lifecycle(0, n) for n in range(sent)))
        assert heard.next(timeout_s=_PATIENCE_S).event == 0
        # Several times as long as a dead daemon is given.
        started = time.monotonic()
        until(connection, lambda: time.monotonic() > started + 0.8)
        assert queue.crowded
        # What came at once, and with each sign of life that was looked for.
        assert len(queue) < sent // 2
        assert connection.is_alive()
        seen = [heard.next(timeout_s=_PATIENCE_S).event for _ in range(1, sent)]
        assert seen == list(range(1, sent))
        assert connection.get_library_version() == 12008000
