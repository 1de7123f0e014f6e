"""Events of both colours against a scripted daemon: registrations, sharing, order, the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from virtproto.errors import ArgumentTypeError, LibvirtError, UsageError
from virtproto.protocol.events import CallReceived
from virtproto.testing import CloseConnection, ReplyError, ScriptedServer, SendEvent
from virtproto.testing.actions import Answer
from virtproto.wire import qemu, remote
from virtproto.wire.remote import connect_event as calls
from virtproto.wire.remote.connect import (
    CONNECT_SUPPORTS_FEATURE,
    ConnectSupportsFeatureArgs,
    ConnectSupportsFeatureRet,
)

REMOTE = 0x20008086
ONE = remote.NonnullDomain(name="one", uuid=b"1" * 16, id=1)
TWO = remote.NonnullDomain(name="two", uuid=b"2" * 16, id=-1)
LIFECYCLE = 0


def lifecycle(callback_id: int, event: int, dom: remote.NonnullDomain = ONE) -> SendEvent:
    inner = remote.DomainEventLifecycleMsg(dom=dom, event=event, detail=0)
    message = remote.DomainEventCallbackLifecycleMsg(callbackID=callback_id, msg=inner)
    return SendEvent(REMOTE, remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE.number, message)


class Registrar:
    """The part of a daemon that hands out callback IDs, and refuses what is registered already."""

    def __init__(self, server: ScriptedServer) -> None:
        self.kept: dict[int, bytes] = {}
        self.next = 0
        server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, self.register)
        server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, self.deregister)

    def register(self, call: CallReceived) -> Answer:
        if call.payload in self.kept.values():
            return ReplyError("event callback already tracked", code=8)
        number, self.next = self.next, self.next + 1
        self.kept[number] = call.payload
        return calls.ConnectDomainEventCallbackRegisterAnyRet(callbackID=number)

    def deregister(self, call: CallReceived) -> Answer:
        args = calls.ConnectDomainEventCallbackDeregisterAnyArgs.unpack(call.payload)
        del self.kept[args.callbackID]
        return None


@pytest.fixture
def registrar(server: ScriptedServer) -> Registrar:
    return Registrar(server)


def noting(seen: list[Any]) -> Callable[..., None]:
    """Return a callback that notes the object's name and the arguments after it."""
    return lambda connection, concerned, *args: seen.append((concerned.get_name(), *args))


def test_events_reach_their_callback_in_order(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    seen: list[Any] = []
    number = connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
    server.send(*(lifecycle(0, event) for event in range(9)), lifecycle(0, 77, TWO))
    until(connection, lambda: len(seen) == 10)
    assert seen == [*(("one", event, 0) for event in range(9)), ("two", 77, 0)]
    assert seen[2][1].name == "STARTED"
    assert type(seen[2][2]).__name__ == "DomainEventStartedDetailType"
    assert type(seen[9][1]) is int
    connection.domain_event_deregister_any(number)
    assert registrar.kept == {}
    server.send(lifecycle(0, 1))
    assert connection.get_library_version() == 12008000
    assert len(seen) == 10


def test_a_callback_gets_the_connection_and_a_handle_on_it(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    seen: list[Any] = []
    connection.domain_event_register_any(
        None, LIFECYCLE, lambda conn, dom, *rest: seen.append((conn, dom))
    )
    server.send(lifecycle(0, 1))
    until(connection, lambda: seen)
    (conn, dom), *_ = seen
    assert connection == conn
    assert dom.connection is conn
    assert dom.get_uuid() == ONE.uuid


def test_many_callbacks_share_one_registration(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    seen: list[Any] = []
    numbers = [
        connection.domain_event_register_any(None, LIFECYCLE, noting(seen)) for _ in range(3)
    ]
    assert len(set(numbers)) == 3
    assert len(registrar.kept) == 1
    server.send(lifecycle(0, 1))
    until(connection, lambda: len(seen) == 3)
    for number in numbers[:2]:
        connection.domain_event_deregister_any(number)
    assert len(registrar.kept) == 1
    server.send(lifecycle(0, 2))
    until(connection, lambda: len(seen) == 4)
    connection.domain_event_deregister_any(numbers[2])
    assert registrar.kept == {}
    with pytest.raises(UsageError, match=f"callback_id: {numbers[2]} is not in use"):
        connection.domain_event_deregister_any(numbers[2])
    wrong: Any
    for wrong in (10**5000, [0], None, "0"):
        with pytest.raises(UsageError, match=r"^callback_id: "):
            connection.domain_event_deregister_any(wrong)
    # And all over again.
    connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
    server.send(lifecycle(1, 3))
    until(connection, lambda: len(seen) == 5)


def test_one_domains_events_and_everyones_are_told_apart(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=ONE))
    everyone: list[Any] = []
    only_one: list[Any] = []
    connection.domain_event_register_any(None, LIFECYCLE, noting(everyone))
    domain = connection.get_domain_by_name("one")
    connection.domain_event_register_any(domain, LIFECYCLE, noting(only_one))
    assert len(registrar.kept) == 2
    server.send(lifecycle(0, 1), lifecycle(1, 1), lifecycle(0, 2, TWO))
    until(connection, lambda: len(everyone) == 2)
    assert [name for name, *_ in everyone] == ["one", "two"]
    assert [name for name, *_ in only_one] == ["one"]


def test_events_that_overtake_their_registration_are_kept(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    answer = calls.ConnectDomainEventCallbackRegisterAnyRet(callbackID=5)
    server.handle(
        calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
        [lifecycle(5, 1), lifecycle(6, 1, TWO), lifecycle(5, 2), answer, lifecycle(5, 3)],
    )
    seen: list[Any] = []
    connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
    until(connection, lambda: len(seen) == 3)
    assert [event for _, event, _ in seen] == [1, 2, 3]


def test_a_refused_registration_leaves_nothing_behind(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    server.handle(
        calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, ReplyError("unsupported event ID", code=1)
    )
    with pytest.raises(LibvirtError, match="unsupported event ID"):
        connection.domain_event_register_any(None, 29, print)
    until(connection, lambda: _threads() == [])
    server.handle(calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, registrar.register)
    seen: list[Any] = []
    connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
    server.send(lifecycle(0, 1))
    until(connection, lambda: seen)


def test_odd_events_are_ignored(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    seen: list[Any] = []
    connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
    server.send(
        SendEvent(REMOTE, remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE.number, b"\0\0"),
        SendEvent(REMOTE, 4711, b"newer"),
        lifecycle(99, 1),
        SendEvent(REMOTE, remote.DOMAIN_EVENT_LIFECYCLE.number, lifecycle(0, 1).payload),
        lifecycle(0, 2),
    )
    until(connection, lambda: seen)
    assert [event for _, event, _ in seen] == [2]
    assert connection.get_library_version() == 12008000


def test_an_exception_of_a_callback_stops_nothing(
    server: ScriptedServer,
    registrar: Registrar,
    connection: virtproto.Connection,
    colour: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[BaseException] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_value))
    if colour == "aio":
        import asyncio

        monkeypatch.setattr(
            asyncio.BaseEventLoop,
            "call_exception_handler",
            lambda self, context: reported.append(context["exception"]),
        )
    seen: list[Any] = []

    def failing(conn: Any, dom: Any, event: int, detail: int) -> None:
        seen.append(event)
        raise ZeroDivisionError

    connection.domain_event_register_any(None, LIFECYCLE, failing)
    server.send(lifecycle(0, 1), lifecycle(0, 2))
    until(connection, lambda: len(reported) == 2)
    assert seen == [1, 2]
    assert {type(error) for error in reported} == {ZeroDivisionError}


def test_the_older_callback_of_lifecycle_events(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    seen: list[Any] = []
    connection.domain_event_register(noting(seen))
    with pytest.raises(UsageError, match="callback: there is one already"):
        connection.domain_event_register(print)
    server.send(lifecycle(0, 1))
    until(connection, lambda: seen)
    connection.domain_event_deregister()
    assert registrar.kept == {}
    with pytest.raises(UsageError, match="no callback"):
        connection.domain_event_deregister()
    connection.domain_event_register(noting(seen))


@pytest.fixture
def old_server(server: ScriptedServer) -> ScriptedServer:
    """A daemon that knows no callback IDs, and has a domain to look up."""

    def features(call: CallReceived) -> Answer:
        asked = ConnectSupportsFeatureArgs.unpack(call.payload).feature
        return ConnectSupportsFeatureRet(supported=int(asked not in (14, 15)))

    server.handle(CONNECT_SUPPORTS_FEATURE, features)
    server.handle(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameRet(dom=ONE))
    lifecycles = calls.ConnectDomainEventRegisterRet(cb_registered=0)
    server.handle(calls.CONNECT_DOMAIN_EVENT_REGISTER, lifecycles)
    server.handle(calls.CONNECT_DOMAIN_EVENT_DEREGISTER, lifecycles)
    for procedure in (
        calls.CONNECT_DOMAIN_EVENT_REGISTER_ANY,
        calls.CONNECT_DOMAIN_EVENT_DEREGISTER_ANY,
    ):
        server.handle(procedure, b"")
    return server


def test_a_daemon_without_callback_ids(
    old_server: ScriptedServer, uri: str, open_in_colour: Open
) -> None:
    everyone: list[Any] = []
    only_one: list[Any] = []
    woken: list[Any] = []
    with open_in_colour(uri) as connection:
        domain = connection.get_domain_by_name("one")
        first = connection.domain_event_register_any(None, LIFECYCLE, noting(everyone))
        connection.domain_event_register_any(domain, LIFECYCLE, noting(only_one))
        third = connection.domain_event_register_any(None, 11, noting(woken))
        with pytest.raises(virtproto.NoSupportError, match="too old"):
            connection.domain_event_register_any(None, 16, print)
        for dom in (ONE, TWO):
            old = remote.DomainEventLifecycleMsg(dom=dom, event=4, detail=0)
            old_server.send(SendEvent(REMOTE, remote.DOMAIN_EVENT_LIFECYCLE.number, old))
        wakeup = remote.DomainEventPmwakeupMsg(dom=TWO)
        old_server.send(SendEvent(REMOTE, remote.DOMAIN_EVENT_PMWAKEUP.number, wakeup))
        until(connection, lambda: woken)
        assert (everyone, only_one) == ([("one", 4, 0), ("two", 4, 0)], [("one", 4, 0)])
        assert woken == [("two", 0)]
        connection.domain_event_deregister_any(third)
        connection.domain_event_deregister_any(first)
    asked = [call.procedure for call in old_server.calls]
    assert asked.count(calls.CONNECT_DOMAIN_EVENT_REGISTER.number) == 1
    assert calls.CONNECT_DOMAIN_EVENT_DEREGISTER.number not in asked
    assert calls.CONNECT_DOMAIN_EVENT_DEREGISTER_ANY.number in asked


NET = remote.NonnullNetwork(name="n", uuid=b"n" * 16)
POOL = remote.NonnullStoragePool(name="p", uuid=b"p" * 16)
DEV = remote.NonnullNodeDevice(name="d")
SECRET = remote.NonnullSecret(uuid=b"s" * 16, usageType=0, usageID="")

# Family, event ID, what it is about, what the daemon sends for it, what the callback gets.
OTHERS: list[tuple[str, int, Any, Any, tuple[object, ...]]] = [
    (
        "network",
        1,
        remote.NETWORK_EVENT_CALLBACK_METADATA_CHANGE,
        remote.NetworkEventCallbackMetadataChangeMsg(0, NET, 1, "x"),
        ("Network", 1, "x"),
    ),
    (
        "storage_pool",
        0,
        remote.STORAGE_POOL_EVENT_LIFECYCLE,
        remote.StoragePoolEventLifecycleMsg(0, POOL, 2, 0),
        ("StoragePool", 2, 0),
    ),
    (
        "node_device",
        1,
        remote.NODE_DEVICE_EVENT_UPDATE,
        remote.NodeDeviceEventUpdateMsg(0, DEV),
        ("NodeDevice",),
    ),
    (
        "secret",
        0,
        remote.SECRET_EVENT_LIFECYCLE,
        remote.SecretEventLifecycleMsg(0, SECRET, 1, 0),
        ("Secret", 1, 0),
    ),
]


@pytest.mark.parametrize(
    ("family", "event_id", "procedure", "message", "heard"),
    OTHERS,
    ids=[each[0] for each in OTHERS],
)
def test_other_objects_events(
    family: str,
    event_id: int,
    procedure: Any,
    message: Any,
    heard: tuple[object, ...],
    server: ScriptedServer,
    connection: virtproto.Connection,
) -> None:
    begin = getattr(calls, f"CONNECT_{family.upper()}_EVENT_REGISTER_ANY")
    end = getattr(calls, f"CONNECT_{family.upper()}_EVENT_DEREGISTER_ANY")
    server.handle(begin, begin.ret(callbackID=0))
    server.handle(end, b"")
    seen: list[Any] = []

    def note(conn: Any, concerned: Any, *args: Any) -> None:
        seen.append((type(concerned).__name__, *args))

    number = getattr(connection, f"{family}_event_register_any")(None, event_id, note)
    server.send(SendEvent(REMOTE, procedure.number, message))
    until(connection, lambda: seen)
    assert seen == [heard]
    with pytest.raises(UsageError, match="callback_id"):
        connection.domain_event_deregister_any(number)
    getattr(connection, f"{family}_event_deregister_any")(number)
    assert server.calls[-1].procedure == end.number


def test_monitor_events(server: ScriptedServer, connection: virtproto.Connection) -> None:
    numbers = iter(range(10))

    def register(call: CallReceived) -> Answer:
        return qemu.ConnectDomainMonitorEventRegisterRet(callbackID=next(numbers))

    server.handle(qemu.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, register)
    server.handle(qemu.CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER, b"")
    seen: list[Any] = []
    connection.domain_qemu_monitor_event_register(None, None, noting(seen))
    second = connection.domain_qemu_monitor_event_register(None, "STOP", noting(seen), 1)
    args = qemu.ConnectDomainMonitorEventRegisterArgs.unpack(server.calls[-1].payload)
    assert (args.dom, args.event, args.flags) == (None, "STOP", 1)
    told = qemu.DomainMonitorEventMsg(1, ONE, "STOP", 12, 34, None)
    server.send(SendEvent(qemu.PROGRAM, qemu.DOMAIN_MONITOR_EVENT.number, told))
    until(connection, lambda: seen)
    assert seen == [("one", "STOP", 12, 34, None)]
    connection.domain_qemu_monitor_event_deregister(second)
    assert server.calls[-1].program == qemu.PROGRAM


def test_the_end_of_the_connection_is_told(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection
) -> None:
    server.handle(calls.CONNECT_REGISTER_CLOSE_CALLBACK, b"")
    seen: list[Any] = []
    connection.register_close_callback(lambda conn, reason: seen.append(reason))
    with pytest.raises(UsageError, match="callback: there is one already"):
        connection.register_close_callback(print)
    connection.domain_event_register_any(None, LIFECYCLE, noting(seen))
    told = calls.ConnectEventConnectionClosedMsg(reason=0)
    server.send(SendEvent(REMOTE, calls.CONNECT_EVENT_CONNECTION_CLOSED.number, told))
    server.send(lifecycle(0, 1), CloseConnection())
    until(connection, lambda: len(seen) == 3)
    assert seen == [0, ("one", 1, 0), 1]
    assert not connection.is_alive()
    until(connection, lambda: _threads() == [])


def test_the_end_is_told_where_the_daemon_is_too_old_to_tell_of_its_own(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    seen: list[Any] = []
    for _ in range(2):
        connection.register_close_callback(lambda conn, reason: seen.append(reason))
        connection.unregister_close_callback()
    connection.register_close_callback(lambda conn, reason: seen.append(reason))
    asked = [call.procedure for call in server.calls]
    # Once is enough to know.
    assert asked.count(calls.CONNECT_REGISTER_CLOSE_CALLBACK.number) == 1
    assert asked.count(calls.CONNECT_UNREGISTER_CLOSE_CALLBACK.number) == 0
    server.send(CloseConnection())
    until(connection, lambda: seen)
    assert seen == [1]


def test_the_close_callback_is_taken_back(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    server.handle(calls.CONNECT_REGISTER_CLOSE_CALLBACK, b"")
    server.handle(calls.CONNECT_UNREGISTER_CLOSE_CALLBACK, b"")
    seen: list[Any] = []
    with pytest.raises(UsageError, match="no close callback"):
        connection.unregister_close_callback()
    connection.register_close_callback(lambda conn, reason: seen.append(reason))
    connection.unregister_close_callback()
    assert server.calls[-1].procedure == calls.CONNECT_UNREGISTER_CLOSE_CALLBACK.number
    connection.register_close_callback(lambda conn, reason: seen.append(reason))
    connection.close()
    until(connection, lambda: _threads() == [])
    # Who closes it knows.
    assert seen == []


def test_misuse_is_named_before_anything_is_sent(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    before = len(server.calls)
    with pytest.raises(UsageError, match="event_id: 30 is not within 0 to 29"):
        connection.domain_event_register_any(None, 30, print)
    with pytest.raises(UsageError, match="event_id: 2 is not within 0 to 1"):
        connection.network_event_register_any(None, 2, print)
    with pytest.raises(ArgumentTypeError, match="event_id"):
        connection.domain_event_register_any(None, "0", print)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="callback"):
        connection.domain_event_register_any(None, 0, None)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="dom: expected a Domain"):
        connection.domain_event_register_any("one", 0, print)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="callback_id"):
        connection.domain_event_deregister_any(0)
    assert len(server.calls) == before


def test_no_thread_stays_behind(
    server: ScriptedServer, registrar: Registrar, connection: virtproto.Connection, colour: str
) -> None:
    assert _threads() == []
    number = connection.domain_event_register_any(None, LIFECYCLE, print)
    assert len(_threads()) == (2 if colour == "sync" else 0)
    connection.domain_event_deregister_any(number)
    until(connection, lambda: _threads() == [])
    connection.domain_event_register_any(None, LIFECYCLE, print)
    connection.close()
    until(connection, lambda: _threads() == [])


def _threads() -> list[str]:
    names = [each.name for each in threading.enumerate() if each.name.startswith("virtproto")]
    # That one is there as long as a connection is.
    return [name for name in names if name != "virtproto timekeeper"]
