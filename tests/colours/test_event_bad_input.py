"""What iterators over events refuse, and in which words, in both colours."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

import virtproto
from virtproto import aio, sync
from virtproto.errors import ArgumentTypeError

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
