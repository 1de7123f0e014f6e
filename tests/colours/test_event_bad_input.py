"""What iterators over events refuse, in which words, and what they say of themselves."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

import virtproto
from tests.colours.driving import Open, until
from tests.colours.test_events import Registrar, lifecycle
from virtproto import aio, sync
from virtproto.errors import ArgumentTypeError
from virtproto.testing import ScriptedServer

# By a colour's name: where its records are, and what they are for.
HOMES = {
    "sync": ("virtproto.events", "blocking connections"),
    "aio": ("virtproto.aio.events", "asyncio's connections"),
}


@pytest.mark.parametrize("name", ["DomainLifecycle", "SecretLifecycle", "QemuMonitorEvent"])
def test_records_of_the_other_front_end_are_named_as_such(
    connection: virtproto.Connection, colour: str, name: str
) -> None:
    own, _ = HOMES[colour]
    others, whose = HOMES["aio" if colour == "sync" else "sync"]
    wrong: Any = getattr(import_module(others), name)
    with pytest.raises(ArgumentTypeError) as raised:
        connection.events(wrong)
    assert str(raised.value) == f"kinds: {others}.{name} is for {whose}; take it from {own}"


def test_a_class_that_only_has_the_name_of_a_record(
    connection: virtproto.Connection, colour: str
) -> None:
    wrong: Any = type("DomainLifecycle", (), {})
    with pytest.raises(
        ArgumentTypeError, match=rf"^kinds: <class .* is no class of events; .* {HOMES[colour][0]}$"
    ):
        connection.events(wrong)


def test_what_no_event_is_about(connection: virtproto.Connection, events: ModuleType) -> None:
    wanted = (
        "about: expected a Domain (or a Network, StoragePool, NodeDevice or Secret), or several, "
        "not "
    )
    wrong: Any
    for wrong, found in (("test", "str"), (5, "int"), ([5], "int"), (connection, "Connection")):
        with pytest.raises(ArgumentTypeError) as raised:
            connection.events(events.DomainLifecycle, about=wrong)
        assert str(raised.value) in (wanted + found, wanted + "_Blocking")


def test_events_about_an_object_of_the_other_front_end(
    connection: virtproto.Connection, colour: str
) -> None:
    other: Any = (aio if colour == "sync" else sync).Domain
    stranger = object.__new__(other)
    for wrong in (stranger, [stranger]):
        with pytest.raises(ArgumentTypeError, match=r"not the Domain of another front end$"):
            connection.events(about=wrong)


def test_iterators_say_what_they_are(
    server: ScriptedServer, connection: virtproto.Connection, events: ModuleType
) -> None:
    Registrar(server)
    heard = connection.events(events.DomainReboot, events.DomainLifecycle, limit=1)
    kinds = "DomainLifecycle, DomainReboot"
    assert repr(heard) == f"<Events of {kinds}, not open yet, 0 dropped>"
    with heard:
        assert repr(heard) == f"<Events of {kinds}, open, 0 dropped>"
        server.send(*(lifecycle(1, n) for n in range(3)))
        until(connection, lambda: connection.get_library_version() and heard.dropped == 2)
        assert repr(heard) == f"<Events of {kinds}, open, 2 dropped>"
    assert repr(heard) == f"<Events of {kinds}, closed, 2 dropped>"
    assert repr(connection.events(events.Gap)) == "<Events of no kind, not open yet, 0 dropped>"
    assert repr(connection.qemu_monitor_events()).startswith("<Events of QemuMonitorEvent, ")
    assert repr(connection.events()).startswith("<Events of 38 kinds, not open yet, ")


def test_an_iterator_of_a_connection_that_ended(
    server: ScriptedServer, uri: str, events: ModuleType, open_in_colour: Open
) -> None:
    Registrar(server)
    with open_in_colour(uri) as connection:
        heard = connection.events(events.DomainLifecycle)
        with heard:
            connection.close()
            assert repr(heard) == "<Events of DomainLifecycle, over, 0 dropped>"
