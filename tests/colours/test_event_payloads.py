"""Every event of the contract, of either kind of registration, from bytes written by hand."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.colours.event_payloads import CALLBACK_ID, PAYLOADS, Payload
from virtproto.errors import LibvirtError
from virtproto.model.event_kinds import KINDS, kind_of_record, registration
from virtproto.protocol.events import EventReceived
from virtproto.testing import ScriptedServer, SendEvent
from virtproto.wire import qemu
from virtproto.wire.remote import connect_event as calls

METHODS = {
    "domain": "domain_event_register_any",
    "network": "network_event_register_any",
    "storage_pool": "storage_pool_event_register_any",
    "node_device": "node_device_event_register_any",
    "secret": "secret_event_register_any",
}
BOTH_WAYS = [payload for payload in PAYLOADS if payload.older is not None]


def test_every_event_has_a_payload() -> None:
    newer = {(payload.program, payload.number) for payload in PAYLOADS}
    older = {(payload.program, payload.older) for payload in BOTH_WAYS}
    assert newer | older == set(KINDS)
    assert len(newer) == len(PAYLOADS)


def record_in(colour: str, connection: Any, program: int, number: int, payload: bytes) -> Any:
    """Return what an iterator makes of an event."""
    module = importlib.import_module(f"virtproto.{colour}.event_stream")
    events = module.Events(connection, [], 1, "raise", named=True)
    events._queue.put(EventReceived(program, number, payload))
    return events._take()


def check(colour: str, connection: virtproto.Connection, payload: Payload, number: int) -> None:
    """Hold the record against what the payload says, value by value and type by type."""
    older = number == payload.older
    content = payload.older_content if older and payload.older_content else payload.content
    fields = (0,) if older and payload.older_content else payload.fields
    whole = content if older else CALLBACK_ID + content
    record = record_in(colour, connection, payload.program, number, whole)
    assert type(record).__name__ == payload.record
    assert type(record).__module__ == f"virtproto.{colour}._events.{kind_of(payload).family}"
    assert record[1:] == fields
    assert [type(each) for each in record[1:]] == [type(each) for each in fields]
    assert record[0].__class__.__module__.startswith(f"virtproto.{colour}.")
    check_identity(record[0])


def check_identity(concerned: Any) -> None:
    if type(concerned).__name__ == "Secret":
        assert concerned.get_uuid_string() == "31313131-3131-3131-3131-313131313131"
        assert concerned.get_usage_id() == "one"
    else:
        assert concerned.get_name() == "one"


def kind_of(payload: Payload) -> Any:
    return kind_of_record(payload.record)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.record)
def test_a_record_has_what_the_bytes_say(
    colour: str, connection: virtproto.Connection, payload: Payload
) -> None:
    check(colour, connection, payload, payload.number)
    if payload.older is not None:
        check(colour, connection, payload, payload.older)


def noting(seen: list[Any]) -> Any:
    return lambda connection, concerned, *told: seen.append((concerned, *told))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.record)
def test_a_callback_gets_what_the_bytes_say(
    server: ScriptedServer, connection: virtproto.Connection, payload: Payload
) -> None:
    kind = kind_of(payload)
    seen: list[Any] = []
    if kind.family == "qemu":
        server.handle(qemu.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, CALLBACK_ID)
        connection.domain_qemu_monitor_event_register(None, None, noting(seen))
    else:
        server.handle(registration(kind.family, kind.event_id, None)[0], CALLBACK_ID)
        getattr(connection, METHODS[kind.family])(None, kind.event_id, noting(seen))
    server.send(SendEvent(payload.program, payload.number, CALLBACK_ID + payload.content))
    until(connection, lambda: seen)
    assert seen[0][1:] == payload.fields
    check_identity(seen[0][0])


@pytest.mark.parametrize("payload", BOTH_WAYS, ids=lambda payload: payload.record)
def test_the_older_way_brings_the_same(
    server: ScriptedServer, uri: str, open_in_colour: Open, payload: Payload
) -> None:
    # A daemon without IDs of registrations does not know the call that brings them.
    server.handle(calls.CONNECT_DOMAIN_EVENT_REGISTER, bytes(4))
    server.handle(calls.CONNECT_DOMAIN_EVENT_REGISTER_ANY, b"")
    seen: list[Any] = []
    assert payload.older is not None
    with open_in_colour(uri) as connection:
        connection.domain_event_register_any(None, kind_of(payload).event_id, noting(seen))
        content = payload.content if payload.older_content is None else payload.older_content
        server.send(SendEvent(payload.program, payload.older, content))
        until(connection, lambda: seen)
        assert seen[0][1:] == (payload.fields if payload.older_content is None else (0,))
        check_identity(seen[0][0])


def test_an_iterator_hears_the_older_way_too(
    server: ScriptedServer, colour: str, connection: virtproto.Connection
) -> None:
    events = importlib.import_module(
        "virtproto.events" if colour == "sync" else "virtproto.aio.events"
    )
    server.handle(calls.CONNECT_DOMAIN_EVENT_REGISTER_ANY, b"")
    rebooted = next(each for each in BOTH_WAYS if each.record == "DomainReboot")
    # Made before the daemon is known to be so old, and entered afterwards.
    another = connection.events(events.DomainWatchdog)
    with connection.events(events.DomainReboot, events.DomainRTCChange) as heard:
        assert rebooted.older is not None
        server.send(SendEvent(rebooted.program, rebooted.older, rebooted.content))
        record = heard.next(timeout_s=30)
        assert type(record).__name__ == "DomainReboot"
        check_identity(record[0])
    with another, pytest.raises(LibvirtError, match="too old"):
        connection.events(events.DomainJobCompleted).next(timeout_s=30)
    newer = calls.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY.number
    older = calls.CONNECT_DOMAIN_EVENT_REGISTER_ANY.number
    asked = [each.procedure for each in server.calls if each.procedure in (newer, older)]
    assert asked == [newer, older, older, newer, older]


def test_the_close_callback_gets_what_the_bytes_say(
    server: ScriptedServer, connection: virtproto.Connection
) -> None:
    server.handle(calls.CONNECT_REGISTER_CLOSE_CALLBACK, b"")
    seen: list[int] = []
    connection.register_close_callback(lambda _connection, reason: seen.append(reason))
    server.send(SendEvent(0x20008086, 362, bytes.fromhex("00000002")))
    until(connection, lambda: seen)
    assert seen == [2]
